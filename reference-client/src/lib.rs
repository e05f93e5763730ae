//! A WebSocket client for bad networks: backoff, offline queue, resubscription; one connection shared by many consumers; and
//! hooks that keep cached queries up to date.
//!
//! ```text
//!  hooks ──► Provider ──► Client ──commands──► driver ──Input──► Session ──Output──► driver ──► sockets
//!    │                      ▲                    │                (no I/O, no clock, no randomness of its own)
//!    ▼                      └── status, events ──┘
//!  QueryClient            adapter: the same client, driven by JSON lines, for conformance tests
//! ```
//!
//! # A client
//!
//! A [`Client`] is a handle, cheap to clone; the connection closes when the last clone goes. What is sent while there is no
//! connection is queued and sent once, in order; subscriptions are renewed whenever the connection is; and a connection
//! that is lost is sought again, ten times, after delays that double.
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripted/mod.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let gateway = ScriptedGateway::with_events(vec![("catalog:changed", json!({ "item": 7 }))]).await;
//! # let url = gateway.url();
//! use protocol::Target;
//! use reference_client::{Client, ClientConfig, TcpDial, system_clock};
//!
//! let client = Client::start(ClientConfig::new(&url, "a token")?, TcpDial, system_clock());
//! let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
//! client.on("catalog:changed", move |payload| {
//!     println!("the catalogue changed: {payload}");
//!     sender.send(payload.clone()).map_err(|gone| reference_client::ListenerError(gone.to_string()))
//! });
//! client.subscribe(Target::EventType("catalog:changed".to_owned())).await?;
//! client.connect().await?;
//! assert_eq!(received.recv().await.unwrap()["item"], 7);
//! # Ok(()) }
//! ```
//!
//! # A provider
//!
//! A [`Provider`] shares one client between many consumers. Every clone is a consumer, and so is every hook; they see one
//! status, and when the last of them goes the connection closes. It connects when a token appears, replaces the connection
//! when the token changes, and closes it when there is none.
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripted/mod.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let gateway = ScriptedGateway::start().await;
//! # let url = gateway.url();
//! use reference_client::{Client, ClientConfig, Provider, Status, TcpDial, system_clock};
//! use tokio::sync::watch;
//!
//! let client = Client::start(ClientConfig::new(&url, "")?, TcpDial, system_clock());
//! let provider = Provider::signed_out(client, true);
//! let (sign_in, tokens) = watch::channel(None);
//! provider.follow(tokens);
//! assert_eq!(provider.status(), Status::Disconnected);
//!
//! sign_in.send(Some("the user's token".to_owned()))?;
//! provider.watch_status().wait_for(|status| *status == Status::Connected).await?;
//! # Ok(()) }
//! ```
//!
//! # Hooks
//!
//! A hook acts while it is held. [`hooks::Subscription`] calls back for an event:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripted/mod.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let gateway = ScriptedGateway::with_events(vec![("catalog:changed", json!({ "item": 7 }))]).await;
//! # let provider = scripted_provider(&gateway).await?;
//! use reference_client::hooks::Subscription;
//!
//! let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
//! let subscription = Subscription::mount(&provider, "catalog:changed", move |payload| {
//!     let _ = sender.send(payload["item"].clone());
//! })
//! .await?;
//! assert_eq!(received.recv().await.unwrap(), 7);
//! drop(subscription); // the callback is not called any more
//! assert!(received.recv().await.is_none());
//! # Ok(()) }
//! ```
//!
//! [`hooks::Events`] is the same as a stream:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripted/mod.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let gateway = ScriptedGateway::with_events(vec![("catalog:changed", json!({ "item": 7 }))]).await;
//! # let provider = scripted_provider(&gateway).await?;
//! use futures_util::StreamExt;
//! use reference_client::hooks::Events;
//!
//! let mut events = Events::mount(&provider, "catalog:changed").await?;
//! let payload = events.next().await.expect("it does not end")?;
//! assert_eq!(payload["item"], 7);
//! # Ok(()) }
//! ```
//!
//! [`hooks::RealTimeUpdates`] invalidates queries, so that what is observed of them is fetched again:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripted/mod.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let gateway = ScriptedGateway::with_events(vec![("order:updated", json!({ "id": 7 }))]).await;
//! # let provider = scripted_provider(&gateway).await?;
//! # static FETCHES: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
//! # async fn fetch_orders() -> Result<Value, FetchError> {
//! #     let before = FETCHES.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
//! #     Ok(json!([{ "id": 7, "state": if before == 0 { "ordered" } else { "sent" } }]))
//! # }
//! use reference_client::hooks::RealTimeUpdates;
//! use reference_client::query::{FetchError, QueryClient, QueryKey};
//!
//! let queries = QueryClient::default();
//! let page = QueryKey::from([json!("orders"), json!({ "page": 1 })]);
//! let mut orders = queries.observe(page, fetch_orders);
//! let keys = vec![QueryKey::from(["orders"])]; // matches every page
//! let handler = |order: &Value| println!("order {} has changed", order["id"]);
//! let _updates = RealTimeUpdates::mount(&provider, &queries, "order:updated", keys, handler).await?;
//!
//! let sent = |snapshot: reference_client::query::Snapshot| snapshot.data.is_some_and(|data| data[0]["state"] == "sent");
//! while !sent(orders.snapshot()) {
//!     orders.changed().await;
//! }
//! # Ok(()) }
//! ```
//!
//! [`hooks::RealTimeQueryUpdate`] writes what an event says into a query:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripted/mod.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let gateway = ScriptedGateway::with_events(vec![("payment:created", json!({ "amount": 2 }))]).await;
//! # let provider = scripted_provider(&gateway).await?;
//! use reference_client::hooks::RealTimeQueryUpdate;
//! use reference_client::query::{QueryClient, QueryKey};
//!
//! let queries = QueryClient::default();
//! let total = QueryKey::from(["total"]);
//! queries.set(&total, json!(40));
//! let mut shown = queries.observe(total.clone(), || async { Ok(json!(40)) });
//!
//! let sum = |old: Option<&Value>, payment: &Value| {
//!     json!(old.and_then(Value::as_u64).unwrap_or(0) + payment["amount"].as_u64().unwrap_or(0))
//! };
//! let _update = RealTimeQueryUpdate::mount(&provider, &queries, "payment:created", total, sum).await?;
//! let snapshot = shown.changed().await.expect("the cache lives");
//! assert_eq!(*snapshot.data.unwrap(), 42);
//! # Ok(()) }
//! ```
//!
//! [`hooks::PaymentUpdates`] and [`hooks::ProfileUpdates`] know which queries belong to which events:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripted/mod.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let events = vec![("payment:updated", json!({ "paymentId": "p-1" })), ("profile:updated", json!({}))];
//! # let gateway = ScriptedGateway::with_events(events).await;
//! # let provider = scripted_provider(&gateway).await?;
//! use reference_client::hooks::{PaymentUpdates, ProfileUpdates};
//! use reference_client::query::{QueryClient, QueryKey};
//!
//! let queries = QueryClient::default();
//! let (payment, profile) = (QueryKey::from(["payment", "p-1"]), QueryKey::from(["profile"]));
//! queries.set(&payment, json!({ "amount": 40 }));
//! queries.set(&profile, json!({ "name": "Ada" }));
//!
//! let _payments = PaymentUpdates::mount(&provider, &queries).await?;
//! let _profile = ProfileUpdates::mount(&provider, &queries).await?;
//! while !(queries.snapshot(&payment).stale && queries.snapshot(&profile).stale) {
//!     tokio::task::yield_now().await;
//! }
//! # Ok(()) }
//! ```
//!
//! [`hooks::DashboardUpdates`] keeps the last twenty activities, newest first:
//!
//! ```
//! # include!(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/scripted/mod.rs"));
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let gateway = ScriptedGateway::with_events(vec![("payment:created", json!({ "amount": 2 }))]).await;
//! # let provider = scripted_provider(&gateway).await?;
//! use reference_client::hooks::DashboardUpdates;
//! use reference_client::system_clock;
//!
//! let dashboard = DashboardUpdates::mount(&provider, system_clock()).await?;
//! dashboard.watch().wait_for(|recent| !recent.is_empty()).await?;
//! let newest = &dashboard.recent()[0];
//! println!("{} {}: {}", newest.at, newest.kind, newest.data);
//! assert_eq!(newest.kind, "payment:created");
//! # Ok(()) }
//! ```
//!
//! # Inside
//!
//! [`reference_session`] holds what the client does, as a machine without I/O; [`net`] runs it over any stream that a [`net::Dial`]
//! supplies, real sockets and simulated ones alike; [`query`] is the cache; [`report`] sends errors and their user
//! to an error tracker.

pub mod adapter;
#[cfg(feature = "cli")]
pub mod cli;
pub mod client;
pub mod config;
pub mod hooks;
pub mod net;
pub mod provider;
pub mod query;
pub mod report;

pub use client::{Client, ListenerError, ListenerId, Reactions, SendError, TooManyReactions, system_clock};
pub use config::{ClientConfig, ConfigError, gateway_url};
pub use net::{Dial, Redial, TcpDial, TokenError, TokenProvider, Trust, TrustError, WallClock};
pub use provider::{Provider, WeakProvider};
pub use reference_session::Status;
