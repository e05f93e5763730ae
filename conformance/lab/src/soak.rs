//! A long run of the reference gateway with everything that goes wrong at once, and a ledger of what each client saw.
//!
//! ```text
//!  Publisher ──numbered events──► embedded broker ──► reference gateway (a process)
//!      │        (restarted each minute)                    ║
//!     Feed ◄── what should have come ── Members (healthy, coming and going), stalled, flooding, silent …
//! ```

mod adversary;
mod config;
mod course;
mod crowd;
mod dial;
mod feed;
mod gateway;
mod ledger;
mod member;
mod publisher;
mod summary;

use std::pin::pin;
use std::sync::Arc;

use course::Course;
use embedded_broker::{Broker, BrokerConfig};
use gateway::Gateway;

pub use config::{SoakConfig, SoakError};
pub use summary::{Ended, Memory, Outages, Problem, Progress, Summary};

/// Runs to the end, or until `stop`; both are summed up, unless nothing had begun yet.
///
/// # Errors
/// When it could not run: that is no finding about the gateway, unless the gateway died.
pub async fn run(
    config: SoakConfig,
    stop: impl Future<Output = ()>,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Summary, SoakError> {
    let mut stop = pin!(stop);
    dial::raise_descriptors(config.connections + 8 * config.adversaries)?;
    let broker = Arc::new(Broker::start(BrokerConfig::default()).await?);
    let url = broker.url();
    // From before there is a process that could be left behind.
    let mut gateway = tokio::select! {
        biased;
        () = &mut stop => return Err(SoakError::Interrupted),
        started = Gateway::start(&config.program, &url) => started?,
    };
    let outcome = tokio::select! {
        biased;
        reason = gateway.end() => Err(gateway.over(format!("ended: {reason}")).await),
        outcome = Course::new(&config, &broker, &gateway).run(stop, &mut on_progress) => outcome,
    };
    // However it went, the gateway does not stay; how it ends counts where there is something to sum up.
    let ends = gateway.stop().await;
    let summary = outcome.map(|mut summary| {
        ends.into_iter().for_each(|problem| summary.note(problem));
        summary
    });
    if let Some(broker) = Arc::into_inner(broker) {
        broker.shutdown().await;
    }
    summary
}
