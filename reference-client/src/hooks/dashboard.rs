//! What happened to payments of late.

use std::collections::VecDeque;

use protocol::Timestamp;
use serde_json::Value;
use tokio::sync::watch;

use super::PAYMENT_EVENTS;
use super::listening::Listening;
use crate::client::SendError;
use crate::net::WallClock;
use crate::provider::Provider;

/// Activities that a dashboard shows (HOOK-5).
pub const RECENT_ACTIVITIES: usize = 20;

/// The last activities, while it is held: newest first, at most [`RECENT_ACTIVITIES`] (HOOK-5).
pub struct DashboardUpdates {
    recent: watch::Receiver<VecDeque<Activity>>,
    _listening: Listening,
}

/// Something that happened.
#[derive(Debug, Clone, PartialEq)]
pub struct Activity {
    /// Its number since the hook was mounted, from 0.
    pub number: u64,
    /// The event's type.
    pub kind: String,
    /// The event's payload.
    pub data: Value,
    /// When this client received it.
    pub at: Timestamp,
}

impl DashboardUpdates {
    /// Mounts it; `wall` is the clock for the time of reception.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn mount(provider: &Provider, wall: WallClock) -> Result<Self, SendError> {
        let mut listening = Listening::new(provider);
        let (sender, recent) = watch::channel(VecDeque::new());
        for name in PAYMENT_EVENTS {
            let (sender, wall) = (sender.clone(), wall.clone());
            let at_event = move |payload: &Value| {
                sender.send_modify(|recent| push(recent, name, payload.clone(), wall()));
            };
            listening.event(name, at_event).await?;
        }
        Ok(Self { recent, _listening: listening })
    }

    /// The last activities, newest first.
    pub fn recent(&self) -> Vec<Activity> {
        self.recent.borrow().iter().cloned().collect()
    }

    /// The last activities as they change.
    pub fn watch(&self) -> watch::Receiver<VecDeque<Activity>> {
        self.recent.clone()
    }
}

fn push(recent: &mut VecDeque<Activity>, kind: &str, data: Value, at: Timestamp) {
    let number = recent.front().map_or(0, |newest| newest.number + 1);
    recent.push_front(Activity { number, kind: kind.to_owned(), data, at });
    recent.truncate(RECENT_ACTIVITIES);
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// HOOK-5: newest first, the last 20.
    #[test]
    fn the_last_twenty_newest_first() {
        let mut recent = VecDeque::new();
        (0..25).for_each(|number| push(&mut recent, "payment:created", json!(number), Timestamp::EPOCH));
        let numbers: Vec<_> = recent.iter().map(|activity| activity.data.as_u64().unwrap()).collect();
        assert_eq!(numbers, (5..25).rev().collect::<Vec<u64>>());
        assert_eq!(recent.front().map(|newest| newest.number), Some(24));
    }
}
