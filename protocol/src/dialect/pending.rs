//! The requests of one connection that wait for an answer. Some gateways say what they answer by the request's reference alone.

use std::collections::VecDeque;

use crate::message::{ClientMessage, Target};

/// Most requests that are remembered; of more, the oldest are forgotten.
const MAX_PENDING: usize = 1024;

/// The requests of one connection that wait for an answer, by reference.
#[derive(Debug, Default)]
pub struct PendingRequests {
    drawn: u64,
    requests: VecDeque<(String, Request)>,
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

    /// A message was sent under a reference; one that has no answer is not remembered.
    pub fn sent(&mut self, reference: &str, message: &ClientMessage) {
        let request = match message {
            ClientMessage::Ping => Request::Ping,
            ClientMessage::Subscribe(target) => Request::Subscribe(target.clone()),
            ClientMessage::Unsubscribe(target) => Request::Unsubscribe(target.clone()),
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

    pub(super) fn get(&self, reference: &str) -> Option<&Request> {
        self.requests.iter().find(|(known, _)| known == reference).map(|(_, request)| request)
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
