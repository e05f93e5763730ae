//! Numbered events, confirmed by the broker one by one.

use conformance::amqp::{BrokerLink, Names};
use libtest_mimic::Failed;
use serde_json::json;

use crate::PATIENCE;
use crate::gateway::Queue;

/// Publishes what a backend service would.
pub(crate) struct Publisher {
    link: BrokerLink,
}

/// An exchange and a queue of the trial's own.
pub(crate) fn names(trial: &str, queue: Queue) -> Names {
    let name =
        |what: &str| format!("gatecheck.outage.{trial}.{}.{what}.{}", queue.as_str(), std::process::id());
    Names { exchange: name("exchange"), queue: name("queue") }
}

impl Publisher {
    pub(crate) async fn open(url: &str, names: &Names, queue: Queue) -> Result<Self, Failed> {
        let link = BrokerLink::open(url, names.clone(), PATIENCE).await.map_err(|error| error.to_string())?;
        Ok(Self { link: if queue == Queue::Shared { link } else { link.publishing_unconsumed() } })
    }

    /// Returns once the broker has confirmed the event.
    pub(crate) async fn publish(&mut self, number: u64) -> Result<(), Failed> {
        let body = json!({ "type": "payment:created", "data": { "seq": number } }).to_string();
        self.link.publish(&body, "payment.created").await.map_err(|error| error.to_string().into())
    }

    /// Removes what was declared.
    pub(crate) async fn clean_up(self) {
        self.link.delete().await;
        self.link.close().await;
    }
}
