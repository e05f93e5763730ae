//! The queues that a gateway consumes, as far as they can be seen: all of them at the embedded broker, those that the profile names
//! at another. What is judged must not depend on which of several a profile names.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use embedded_broker::{Broker, Ended, QueueStats, Snapshot};
use player::{Consumers, QueueNames, StageError};
use scenarios::trace::Settlements;

use super::Stage;
use super::rig::CONSUMES_WITHIN;
use super::settling::topology_settles;
use crate::amqp::{Feed, Outgoing, Queues};

/// What a message about a refused login begins with.
pub(crate) const LOGIN_REFUSED: &str = "the broker has refused the login of";
/// What a message about a queue of another name begins with.
pub(crate) const OTHER_QUEUE: &str = "it consumes from";

/// Queues that were seen to be consumed, and bound to the exchanges that events come through.
#[derive(Default)]
pub(super) struct GatewayQueues {
    consumed: BTreeSet<String>,
    /// What those that end with the gateway held as it was killed.
    held: BTreeMap<String, usize>,
    /// Those that end with the gateway.
    own: BTreeSet<String>,
    /// Whether each message of the last burst went into a queue that outlives the gateway.
    is_kept: bool,
    /// Those that took a message of the last burst.
    took: BTreeSet<String>,
    /// Those that took one of an earlier burst.
    took_before: BTreeSet<String>,
}

impl GatewayQueues {
    /// Remembers what is consumed now.
    pub(super) fn look(&mut self, feed: &Feed, snapshot: &Snapshot) {
        let fed = snapshot.queues.iter().filter(|(_, queue)| queue.consumers > 0 && is_bound(queue, feed));
        for (name, queue) in fed {
            self.consumed.insert(name.clone());
            if queue.exclusive || queue.auto_delete {
                self.own.insert(name.clone());
            }
        }
    }

    /// These messages have been published, and went where the broker's bindings led.
    pub(super) fn published(&mut self, messages: &[Outgoing], snapshot: &Snapshot) {
        let outlives = |name: &str| {
            snapshot.queues.get(name).is_some_and(|queue| !queue.exclusive && !queue.auto_delete)
        };
        let takers =
            |message: &Outgoing| snapshot.takers(&message.exchange, &message.routing_key).unwrap_or_default();
        let took = messages.iter().flat_map(takers).map(str::to_owned).collect();
        let before = std::mem::replace(&mut self.took, took);
        self.took_before.extend(before);
        self.is_kept = messages.iter().all(|Outgoing { exchange, routing_key, .. }| {
            snapshot.takers(exchange, routing_key).is_some_and(|takers| takers.into_iter().any(outlives))
        });
    }

    /// The gateway is about to be killed, and queues of its own with it: what it has not acknowledged can be counted now only.
    pub(super) fn gateway_ends(&mut self, snapshot: &Snapshot) {
        for name in &self.consumed {
            if let Some(queue) =
                snapshot.queues.get(name).filter(|queue| queue.exclusive || queue.auto_delete)
            {
                self.held.insert(name.clone(), queue.ready + queue.unacked);
            }
        }
    }

    /// Those that took messages, but none of the last burst: what comes through them next shows whether they are consumed.
    pub(super) fn others(&self, snapshot: &Snapshot) -> BTreeSet<String> {
        let stands = |name: &&String| snapshot.queues.contains_key(*name);
        let fed = self.took_before.intersection(&self.consumed).filter(stands);
        fed.filter(|name| !self.took.contains(*name)).cloned().collect()
    }

    pub(super) fn names(&self) -> Vec<String> {
        self.consumed.iter().cloned().collect()
    }

    /// Whether one of them stands.
    fn stand(&self, snapshot: &Snapshot) -> bool {
        self.consumed.iter().any(|name| snapshot.queues.contains_key(name))
    }

    /// Counts what is ready in all of them once none has a consumer.
    pub(super) async fn ready_when_unconsumed(
        &self,
        broker: &Broker,
        feed: &Feed,
    ) -> Result<u32, StageError> {
        let names: BTreeSet<String> = self.consumed.iter().chain(feed.queues.named()).cloned().collect();
        let of_gateway = names.clone();
        let is_left = move |snapshot: &Snapshot| {
            let queues = of_gateway.iter().filter_map(|name| snapshot.queues.get(name));
            queues.into_iter().all(|queue| queue.consumers == 0)
        };
        let left = tokio::time::timeout(CONSUMES_WITHIN, broker.until(is_left)).await;
        let snapshot = left
            .map_err(|_| StageError::Failed(format!("the queues {names:?} still have a consumer")))?
            .map_err(|ended| StageError::Failed(ended.to_string()))?;
        let ready = self.ready_in(&names, &snapshot)?;
        u32::try_from(ready).map_err(|error| StageError::Failed(error.to_string()))
    }

    /// Counts what is ready in those that there are, consumed or not.
    pub(super) fn ready_now(&self, feed: &Feed, snapshot: &Snapshot) -> u32 {
        let names: BTreeSet<&String> = self.consumed.iter().chain(feed.queues.named()).collect();
        let ready = names.into_iter().filter_map(|name| snapshot.queues.get(name)).map(|queue| queue.ready);
        u32::try_from(ready.sum::<usize>()).unwrap_or(u32::MAX)
    }

    fn ready_in(&self, names: &BTreeSet<String>, snapshot: &Snapshot) -> Result<usize, StageError> {
        let ready = |name: &String| {
            let stands = snapshot.queues.get(name).map(|queue| queue.ready);
            // What was published last is in another one, and it is what is counted.
            let is_gone = || (self.is_kept && self.own.contains(name)).then_some(0);
            stands.or_else(|| self.held.get(name).copied()).or_else(is_gone)
        };
        let counts: Option<Vec<usize>> = names.iter().map(ready).collect();
        match counts.filter(|counts| !counts.is_empty()) {
            Some(counts) => Ok(counts.iter().sum()),
            None => Err(StageError::Unavailable(
                "needs queues that outlive the gateway: what is left in its own cannot be counted once they are gone".to_owned(),
            )),
        }
    }
}

/// What the broker counts of settled deliveries.
pub(super) fn settlements(snapshot: &Snapshot) -> Settlements {
    let Snapshot { acknowledged, rejected, unasked, .. } = *snapshot;
    Settlements { acknowledged, rejected, unasked }
}

/// What consumers may have unsettled, and the queues of those without a limit.
pub(super) fn consumers(snapshot: Snapshot) -> Consumers {
    let (limited, unlimited): (Vec<_>, Vec<_>) =
        snapshot.consumers.into_iter().partition(|consumer| consumer.acknowledges && consumer.prefetch > 0);
    let limited = limited.into_iter().map(|consumer| (consumer.queue, consumer.prefetch));
    (limited.collect(), unlimited.into_iter().map(|consumer| consumer.queue).collect())
}

/// The queues that there are, and those without a consumer.
pub(super) fn names(snapshot: Snapshot) -> QueueNames {
    let unconsumed = snapshot.queues.iter().filter(|(_, queue)| queue.consumers == 0);
    let unconsumed = unconsumed.map(|(name, _)| name.clone()).collect();
    (snapshot.queues.into_keys().collect(), unconsumed)
}

/// Whether events come to it.
fn is_bound(queue: &QueueStats, feed: &Feed) -> bool {
    feed.exchanges.iter().any(|exchange| queue.bound_to.contains(&exchange.name))
}

impl Stage<'_> {
    /// Closes the channels that the gateway consumes on; where it has others, those alone that what was published last did not come through.
    pub(super) async fn close_channels(&self, others: bool) -> Result<(), StageError> {
        let lacking =
            || StageError::Unavailable("needs the embedded broker, which closes channels".to_owned());
        let broker = self.rig.embedded().ok_or_else(lacking)?;
        let failed = |ended: Ended| StageError::Failed(ended.to_string());
        if others {
            let before = broker.snapshot().await.map_err(failed)?;
            let closed = self.queues.others(&before);
            let spared = before.queues.keys().filter(|name| !closed.contains(*name)).cloned().collect();
            broker.close_consuming_channels(spared).await.map_err(failed)?;
            if broker.snapshot().await.map_err(failed)?.consumers.len() < before.consumers.len() {
                return Ok(());
            }
        }
        broker.close_consuming_channels(BTreeSet::new()).await.map_err(failed)
    }

    /// Deletes queues under their consumers, those of a connection's own among them where the broker is the embedded one.
    pub(super) async fn delete_queues(&mut self, queues: BTreeSet<String>) -> Result<(), StageError> {
        if let Some(broker) = self.rig.embedded() {
            return broker.delete_queues(queues).await.map_err(|ended| StageError::Failed(ended.to_string()));
        }
        self.link()?.delete_queues(&queues).await;
        Ok(())
    }

    /// Another broker shows queues whose names are known, and no others.
    pub(super) fn sees_queues(&self, what: &str) -> Result<(), StageError> {
        match (&self.rig.feed.queues, self.rig.embedded()) {
            (Queues::Any, None) => Err(StageError::Unavailable(format!(
                "needs the embedded broker, or names in `gateway.queues`: queues without a name are {what} nowhere else"
            ))),
            _ => Ok(()),
        }
    }

    /// From now on queues that end with a connection are new ones, if there are any. Those with names keep what comes meanwhile.
    pub(super) fn consumes_anew(&mut self) {
        if self.rig.feed.queues == Queues::Any {
            self.is_settled = false;
            self.link.iter_mut().for_each(|link| link.now_awaits("BRIDGE-9"));
        }
    }

    /// Waits until what is published reaches the gateway, where that can be seen.
    pub(super) async fn await_queues(&mut self) -> Result<(), StageError> {
        if self.is_cut_off && self.rig.feed.queues == Queues::Any {
            self.survives().await?;
            return Ok(());
        }
        if std::mem::replace(&mut self.is_settled, true) {
            return Ok(());
        }
        // A gateway may have more queues than the one whose consumer is waited for.
        if let Some(broker) = self.rig.embedded() {
            topology_settles(broker).await;
        }
        if self.waits && self.has_clients.load(Ordering::Relaxed) {
            self.await_bound_consumer().await?;
        }
        Ok(())
    }

    /// Waits until a queue is consumed, whatever its name, where the profile names none.
    pub(super) async fn await_bound_consumer(&self) -> Result<(), StageError> {
        let (Queues::Any, Some(broker), Some(link)) =
            (&self.rig.feed.queues, self.rig.embedded(), &self.link)
        else {
            return Ok(());
        };
        let feed = self.rig.feed.clone();
        let fed = move |snapshot: &Snapshot| {
            snapshot.queues.values().any(|queue| queue.consumers > 0 && is_bound(queue, &feed))
        };
        match tokio::time::timeout(CONSUMES_WITHIN, broker.until(fed)).await {
            Ok(_) => Ok(()),
            Err(_) => {
                let detail = format!("no consumer on any queue that is bound to {}", self.rig.feed.listed());
                Err(self.explained(link.unfed(detail)).await)
            }
        }
    }

    /// An event is to wait at the broker for a gateway that is cut off. Whether a queue does that which goes with its connection is
    /// no question.
    async fn survives(&self) -> Result<(), StageError> {
        let stands = self.rig.snapshot().await.map(|snapshot| self.queues.stand(&snapshot));
        match stands {
            Some(true) => Ok(()),
            Some(false) => Err(StageError::Unavailable(
                "needs a queue that outlives its connection: the gateway's are gone with it".to_owned(),
            )),
            None => self.sees_queues("watched"),
        }
    }

    /// The error, with what the embedded broker knows of its cause.
    pub(super) async fn explained(&self, error: StageError) -> StageError {
        let StageError::Precondition { requires, mut detail, waited } = error else { return error };
        if let Some(snapshot) = self.rig.snapshot().await {
            for (user, times) in &snapshot.refused_logins {
                detail += &format!("; {LOGIN_REFUSED} `{user}`, {times} times");
            }
            let bound = snapshot.queues.iter().filter(|(_, queue)| queue.consumers > 0);
            let bound = bound.filter(|(_, queue)| is_bound(queue, &self.rig.feed));
            let names: Vec<String> = bound.map(|(name, _)| format!("`{name}`")).collect();
            if !names.is_empty() {
                detail += &format!("; {OTHER_QUEUE} {}", names.join(", "));
            }
        }
        StageError::Precondition { requires, detail, waited }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::amqp::Names;
    use embedded_broker::{BindingStats, ExchangeStats};

    fn feed() -> Feed {
        Names { exchange: "events".to_owned(), queue: "first".to_owned() }.into()
    }

    fn queue(consumers: usize, unacked: usize, exclusive: bool, exchange: &str) -> QueueStats {
        QueueStats {
            kind: "classic".to_owned(),
            ready: 1,
            unacked,
            consumers,
            durable: !exclusive,
            auto_delete: false,
            exclusive,
            bound_to: BTreeSet::from([exchange.to_owned()]),
        }
    }

    fn broker(queues: &[(&str, QueueStats)]) -> Snapshot {
        let queues = queues.iter().map(|(name, queue)| ((*name).to_owned(), queue.clone()));
        Snapshot { queues: queues.collect(), ..Snapshot::default() }
    }

    fn names(names: &[&str]) -> BTreeSet<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    /// BRIDGE-7 and BRIDGE-8 depended on which of two queues a profile names: both are counted. A queue for dead letters that is
    /// bound to the same exchange and not consumed is none of them, nor is one that is fed from elsewhere.
    #[test]
    fn every_consumed_queue_counts() {
        let mut seen = GatewayQueues::default();
        let consumed = [
            ("first", queue(1, 0, false, "events")),
            ("second", queue(1, 2, false, "events")),
            ("dead", queue(0, 0, false, "events")),
            ("orders", queue(1, 0, false, "elsewhere")),
        ];
        seen.look(&feed(), &broker(&consumed));
        assert_eq!(seen.names(), ["first", "second"]);
        let left =
            broker(&[("first", queue(0, 0, false, "events")), ("second", queue(0, 0, false, "events"))]);
        assert_eq!(seen.ready_in(&names(&["first", "second"]), &left).unwrap(), 2);
    }

    /// What an exclusive queue held is counted before it goes with its gateway; where it was not, nothing is said of it.
    #[test]
    fn a_queue_that_goes_with_its_gateway_is_counted_before() {
        let mut seen = GatewayQueues::default();
        let before = broker(&[("amq.gen-1", queue(1, 3, true, "events"))]);
        seen.look(&feed(), &before);
        let own = names(&["amq.gen-1"]);
        assert!(matches!(seen.ready_in(&own, &broker(&[])), Err(StageError::Unavailable(_))));
        seen.gateway_ends(&before);
        assert_eq!(seen.ready_in(&own, &broker(&[])).unwrap(), 4);
        assert!(matches!(seen.ready_in(&names(&[]), &broker(&[])), Err(StageError::Unavailable(_))));
    }

    /// CONN-6 was not judged of a gateway with one durable queue and one of its own: what the durable one keeps can be counted, as long
    /// as that is where the event went.
    #[test]
    fn a_queue_that_is_gone_hides_no_other() {
        let mut before =
            broker(&[("first", queue(1, 0, false, "events")), ("amq.gen-1", queue(1, 0, true, "events"))]);
        let stats = ExchangeStats {
            kind: "direct".to_owned(),
            durable: true,
            auto_delete: false,
            bindings: 2,
            has_alternate: false,
        };
        before.exchanges.insert("events".to_owned(), stats);
        before.bindings = [("kept", "first"), ("lost", "amq.gen-1")]
            .map(|(key, queue)| BindingStats {
                exchange: "events".to_owned(),
                key: key.to_owned(),
                queue: Some(queue.to_owned()),
            })
            .to_vec();
        let message = |key: &str| Outgoing {
            exchange: "events".to_owned(),
            routing_key: key.to_owned(),
            body: String::new(),
        };
        let mut seen = GatewayQueues::default();
        seen.look(&feed(), &before);
        let both = names(&["first", "amq.gen-1"]);
        let after = broker(&[("first", queue(0, 0, false, "events"))]);
        seen.published(&[message("kept")], &before);
        assert_eq!(seen.ready_in(&both, &after).unwrap(), 1);
        seen.published(&[message("lost")], &before);
        assert!(matches!(seen.ready_in(&both, &after), Err(StageError::Unavailable(_))));
    }
}
