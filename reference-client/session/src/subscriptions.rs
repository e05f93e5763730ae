//! What the application wants to hear of, connected or not (SUB-1, SUB-2, QUEUE-5).

use protocol::Target;

/// The live subscriptions, in the order in which they were made. An event type and a room of one name are two, since they
/// differ on the wire.
#[derive(Debug, Default)]
pub(super) struct Subscriptions {
    live: Vec<Target>,
}

impl Subscriptions {
    /// Whether that is new.
    pub(super) fn add(&mut self, target: &Target) -> bool {
        if self.live.contains(target) {
            return false;
        }
        self.live.push(target.clone());
        true
    }

    /// Whether there was such a one.
    pub(super) fn remove(&mut self, target: &Target) -> bool {
        let before = self.live.len();
        self.live.retain(|live| live != target);
        self.live.len() < before
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Target> {
        self.live.iter()
    }
}
