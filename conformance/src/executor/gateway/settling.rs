//! When what gateways have at the broker is complete. One that has several queues is ready before all of them consume, and what is
//! published then reaches some of them only.

use std::time::Duration;

use crate::executor::now;
use embedded_broker::{Broker, Snapshot};

/// How long nothing new must have come up.
const SETTLED_FOR: Duration = Duration::from_millis(50);
/// How often that is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(10);
/// How long it is waited for at most.
const SETTLES_WITHIN: Duration = Duration::from_secs(1);

/// Waits until queues are consumed, and nothing has been declared, bound or consumed for a while. One that never settles is for the
/// steps to find out.
pub(super) async fn topology_settles(broker: &Broker) {
    let began = now();
    let mut settling = Settling::default();
    while began.elapsed() < SETTLES_WITHIN {
        // A broker that has ended is for the steps to find out as well.
        let Ok(snapshot) = broker.snapshot().await else { return };
        if settling.is_settled(&snapshot, began.elapsed()) {
            return;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// What was last seen to change, and when.
#[derive(Default)]
struct Settling {
    last: Topology,
    since: Duration,
}

/// The consumers of each queue, and how many bindings there are.
#[derive(Default, PartialEq)]
struct Topology {
    queues: Vec<(String, usize)>,
    bindings: usize,
}

impl Settling {
    /// Looks at the broker, so long after the first look.
    fn is_settled(&mut self, snapshot: &Snapshot, now: Duration) -> bool {
        let seen = Topology::of(snapshot);
        if seen != self.last || !seen.is_consumed() {
            (self.last, self.since) = (seen, now);
        }
        now.saturating_sub(self.since) >= SETTLED_FOR
    }
}

impl Topology {
    fn of(snapshot: &Snapshot) -> Self {
        let queues = snapshot.queues.iter().map(|(name, queue)| (name.clone(), queue.consumers)).collect();
        Self { queues, bindings: snapshot.exchanges.values().map(|exchange| exchange.bindings).sum() }
    }

    fn is_consumed(&self) -> bool {
        self.queues.iter().any(|(_, consumers)| *consumers > 0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use embedded_broker::QueueStats;

    fn ms(count: u64) -> Duration {
        Duration::from_millis(count)
    }

    /// A broker with these queues, and so many consumers of each.
    fn with(queues: &[(&str, usize)]) -> Snapshot {
        let stats = |consumers| QueueStats {
            kind: "classic".to_owned(),
            ready: 0,
            unacked: 0,
            consumers,
            durable: true,
            auto_delete: false,
            exclusive: false,
            bound_to: BTreeSet::new(),
        };
        let queues = queues.iter().map(|(name, consumers)| ((*name).to_owned(), stats(*consumers))).collect();
        Snapshot { queues, ..Snapshot::default() }
    }

    /// BRIDGE-4 was blamed on gateways with several queues: what was published when the first had its consumer, missed the others.
    #[test]
    fn a_second_queue_is_waited_for() {
        let mut settling = Settling::default();
        assert!(!settling.is_settled(&with(&[("orders", 1)]), ms(0)));
        assert!(!settling.is_settled(&with(&[("orders", 1)]), ms(40)));
        assert!(!settling.is_settled(&with(&[("orders", 1), ("payments", 0)]), ms(45)));
        assert!(!settling.is_settled(&with(&[("orders", 1), ("payments", 1)]), ms(90)));
        assert!(!settling.is_settled(&with(&[("orders", 1), ("payments", 1)]), ms(139)));
        assert!(settling.is_settled(&with(&[("orders", 1), ("payments", 1)]), ms(140)));
    }

    /// A queue that nothing consumes is one whose gateway is not there yet.
    #[test]
    fn a_consumer_is_waited_for() {
        let mut settling = Settling::default();
        assert!(!settling.is_settled(&with(&[]), ms(0)));
        assert!(!settling.is_settled(&with(&[("orders", 0)]), ms(100)));
        assert!(!settling.is_settled(&with(&[("orders", 0)]), ms(900)));
        assert!(!settling.is_settled(&with(&[("orders", 1)]), ms(910)));
        assert!(settling.is_settled(&with(&[("orders", 1)]), ms(960)));
    }
}
