//! The requests of one connection: those that wait for an answer, and the subscriptions. Some gateways say what they answer, and to which
//! subscription an event belongs, by a reference alone.

use std::collections::VecDeque;

use super::Dialect;
use crate::Timestamp;
use crate::message::{ClientMessage, Target};

/// Most requests that are remembered; of more, the oldest are forgotten.
const MAX_PENDING: usize = 1024;

/// The requests of one connection, by reference.
#[derive(Debug, Clone, Default)]
pub struct PendingRequests {
    drawn: u64,
    /// Those that wait for an answer.
    requests: VecDeque<(String, Request)>,
    subscriptions: VecDeque<Subscription>,
}

/// What was subscribed to. One that has ended is remembered: its events may be on their way still.
#[derive(Debug, Clone)]
struct Subscription {
    reference: String,
    target: Target,
    ended: bool,
}

/// What a request asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Request {
    Ping,
    Subscribe(Target),
    Unsubscribe(Target),
}

impl Request {
    pub(super) fn target(&self) -> Option<Target> {
        match self {
            Self::Ping => None,
            Self::Subscribe(target) | Self::Unsubscribe(target) => Some(target.clone()),
        }
    }
}

impl PendingRequests {
    /// A reference that this connection has not had: `1`, `2`, and so on.
    pub fn draw(&mut self) -> String {
        self.drawn += 1;
        self.drawn.to_string()
    }

    /// Writes a message under a reference of its own, and remembers it where the dialect refers to it.
    pub fn write(&mut self, dialect: &Dialect, message: &ClientMessage, timestamp: Timestamp) -> String {
        let reference = self.draw();
        let subscription = match message {
            ClientMessage::Unsubscribe(target) => self.subscription_to(target.name()),
            _ => None,
        };
        let text = dialect.encode_request(message, timestamp, Some(&reference), subscription);
        if dialect.has_references() {
            self.sent(&reference, message);
        }
        text
    }

    /// A message was sent under a reference; one that has no answer is not remembered.
    pub fn sent(&mut self, reference: &str, message: &ClientMessage) {
        let request = match message {
            ClientMessage::Ping => Request::Ping,
            ClientMessage::Subscribe(target) => {
                self.subscribed(reference, target);
                Request::Subscribe(target.clone())
            }
            ClientMessage::Unsubscribe(target) => {
                self.unsubscribed(target);
                Request::Unsubscribe(target.clone())
            }
            ClientMessage::Pong | ClientMessage::Other { .. } => return,
        };
        if self.requests.len() == MAX_PENDING {
            self.requests.pop_front();
        }
        self.requests.push_back((reference.to_owned(), request));
    }

    /// A request was answered, or refused: no other answer to it is due.
    pub fn answered(&mut self, reference: &str) {
        self.requests.retain(|(known, _)| known != reference);
    }

    /// A request to leave was sent that has no reference of its own: the newest subscription to that is over.
    pub fn unsubscribed(&mut self, target: &Target) {
        let mut newest = self.subscriptions.iter_mut().rev();
        if let Some(newest) = newest.find(|known| known.goes_to(target.name())) {
            newest.ended = true;
        }
    }

    /// The subscription by which an event of this name reaches the client: that to its name, or else the first.
    pub fn subscription_for(&self, event: &str) -> Option<(&str, &str)> {
        let live = || self.subscriptions.iter().filter(|known| !known.ended);
        let named = live().find(|known| known.target.name() == event);
        named.or_else(|| live().next()).map(|known| (known.reference.as_str(), known.target.name()))
    }

    /// What was subscribed to under a reference, be it over or not.
    pub(super) fn subscription(&self, reference: &str) -> Option<&Target> {
        self.subscriptions.iter().rev().find(|known| known.reference == reference).map(|known| &known.target)
    }

    fn subscription_to(&self, name: &str) -> Option<&str> {
        let mut newest = self.subscriptions.iter().rev();
        newest.find(|known| known.goes_to(name)).map(|known| known.reference.as_str())
    }

    pub(super) fn subscribed(&mut self, reference: &str, target: &Target) {
        if self.subscriptions.len() == MAX_PENDING {
            self.subscriptions.pop_front();
        }
        let (reference, target) = (reference.to_owned(), target.clone());
        self.subscriptions.push_back(Subscription { reference, target, ended: false });
    }

    pub(super) fn get(&self, reference: &str) -> Option<&Request> {
        self.requests.iter().find(|(known, _)| known == reference).map(|(_, request)| request)
    }
}

impl Subscription {
    fn goes_to(&self, name: &str) -> bool {
        !self.ended && self.target.name() == name
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// References come in order, requests are remembered until they are answered, and no more than so many.
    #[test]
    fn requests_wait_for_their_answers() {
        let mut pending = PendingRequests::default();
        assert_eq!((pending.draw(), pending.draw()), ("1".to_owned(), "2".to_owned()));
        pending.sent("1", &ClientMessage::Ping);
        pending.sent("2", &ClientMessage::Pong);
        assert_eq!((pending.get("1"), pending.get("2")), (Some(&Request::Ping), None));
        pending.answered("1");
        assert_eq!(pending.get("1"), None);
        for _ in 0..=MAX_PENDING {
            let reference = pending.draw();
            pending.sent(&reference, &ClientMessage::Ping);
        }
        assert_eq!((pending.requests.len(), pending.get("3")), (MAX_PENDING, None));
    }
}
