//! The three hooks of three front ends, payments, administration and profile, side by side on one shared connection.
//!
//! ```sh
//! cargo run --release --bin gatecheck -- demo    # prints the variables of the line below
//! NX_WS_URL=ws://… GATECHECK_TOKEN=… cargo run -p reference-client --example hooks
//! ```

use std::error::Error;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use reference_client::hooks::{DashboardUpdates, PaymentUpdates, ProfileUpdates};
use reference_client::query::{QueryClient, QueryKey, QueryObserver};
use reference_client::{Client, ClientConfig, Provider, TcpDial, system_clock};
use serde_json::json;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let token = std::env::var("GATECHECK_TOKEN").map_err(|_| "GATECHECK_TOKEN holds no token")?;
    let config = ClientConfig::new(&reference_client::gateway_url(), token)?;
    let client = Client::start(config, TcpDial, system_clock());
    client.on_status(|old, new| println!("connection  {old} → {new}"));
    let provider = Provider::signed_in(client, true).await?;

    let queries = QueryClient::default();
    let mut payments = fetched(&queries, QueryKey::from(["payments"]));
    let mut profile = fetched(&queries, QueryKey::from(["profile"]));
    let _payments = PaymentUpdates::mount(&provider, &queries).await?;
    let _profile = ProfileUpdates::mount(&provider, &queries).await?;
    let dashboard = DashboardUpdates::mount(&provider, system_clock()).await?;
    let mut recent = dashboard.watch();

    loop {
        tokio::select! {
            Some(snapshot) = payments.changed() => if let Some(page) = snapshot.data.filter(|_| !snapshot.stale) {
                println!("payments    {page}");
            },
            Some(snapshot) = profile.changed() => if let Some(page) = snapshot.data.filter(|_| !snapshot.stale) {
                println!("profile     {page}");
            },
            Ok(()) = recent.changed() => if let Some(newest) = recent.borrow_and_update().front() {
                println!("dashboard   {} {}", newest.kind, newest.data);
            },
            ended = tokio::signal::ctrl_c() => return Ok(ended?),
        }
    }
}

/// A query that is observed. A real fetcher would ask an API; this one counts.
fn fetched(queries: &QueryClient, key: QueryKey) -> QueryObserver {
    let times = Arc::new(AtomicU64::new(0));
    queries.observe(key, move || {
        let times = times.fetch_add(1, Ordering::Relaxed) + 1;
        async move { Ok(json!(format!("fetched {times} times"))) }
    })
}
