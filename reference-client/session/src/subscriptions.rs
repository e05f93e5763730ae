//! What the application wants to hear of, connected or not, and what the connection has been asked for (SUB-1, SUB-2,
//! QUEUE-5).

use std::collections::VecDeque;

use protocol::{ClientMessage, Target};

/// The live subscriptions, in the order in which they were made. An event type and a room of one name are two, since they
/// differ on the wire.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    live: Vec<Subscription>,
    /// What the connection has been asked for and the application does not want any more.
    ended: VecDeque<Target>,
}

#[derive(Debug)]
struct Subscription {
    target: Target,
    /// Whether the connection has been asked for it.
    asked: bool,
}

impl Subscriptions {
    /// Adds a subscription; one that is live already stays as it is.
    pub(super) fn add(&mut self, target: Target) {
        if self.live.iter().any(|live| live.target == target) {
            return;
        }
        let before = self.ended.len();
        self.ended.retain(|ended| *ended != target);
        self.live.push(Subscription { target, asked: self.ended.len() < before });
    }

    /// Ends a subscription, where there is such a one.
    pub(super) fn remove(&mut self, target: &Target) {
        let Some(at) = self.live.iter().position(|live| live.target == *target) else { return };
        let Subscription { target, asked } = self.live.remove(at);
        if asked {
            self.ended.push_back(target);
        }
    }

    /// A connection has opened, which has been asked for nothing.
    pub(super) fn renew(&mut self) {
        self.ended.clear();
        self.live.iter_mut().for_each(|live| live.asked = false);
    }

    /// The next request that brings the connection nearer to what the application wants; it counts as made.
    pub(super) fn next_request(&mut self) -> Option<ClientMessage> {
        if let Some(target) = self.ended.pop_front() {
            return Some(ClientMessage::Unsubscribe(target));
        }
        let live = self.live.iter_mut().find(|live| !live.asked)?;
        live.asked = true;
        Some(ClientMessage::Subscribe(live.target.clone()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(name: &str) -> Target {
        Target::EventType(name.to_owned())
    }

    /// Whatever changes while no request can be made, only the difference is asked for.
    #[test]
    fn only_the_difference_is_asked_for() {
        let mut subscriptions = Subscriptions::default();
        ["a", "b"].iter().for_each(|name| subscriptions.add(target(name)));
        assert_eq!(subscriptions.next_request(), Some(ClientMessage::Subscribe(target("a"))));
        assert_eq!(subscriptions.next_request(), Some(ClientMessage::Subscribe(target("b"))));
        assert_eq!(subscriptions.next_request(), None);

        subscriptions.remove(&target("a"));
        subscriptions.add(target("a"));
        subscriptions.add(target("c"));
        subscriptions.remove(&target("c"));
        subscriptions.remove(&target("b"));
        assert_eq!(subscriptions.next_request(), Some(ClientMessage::Unsubscribe(target("b"))));
        assert_eq!(subscriptions.next_request(), None);
    }
}
