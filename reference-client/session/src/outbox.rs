//! Messages until they are handed to the network (QUEUE-1, QUEUE-3, QUEUE-4).

use std::collections::VecDeque;

use serde_json::Value;

use super::io::ConnectionId;

/// A message of the application.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Message {
    pub(super) kind: String,
    pub(super) payload: Value,
}

/// A bounded queue. A message leaves it when it has been written to the network, not when it was offered, so that a
/// connection that dies in between loses none.
#[derive(Debug)]
pub(super) struct Outbox {
    messages: VecDeque<Message>,
    capacity: usize,
    /// How many, from the front, have been offered to `offered_to`.
    offered: usize,
    /// It may be closing already, and still take what it was offered before.
    offered_to: Option<ConnectionId>,
}

/// The queue holds as much as it may: the oldest are kept, the newest is refused (QUEUE-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the queue is full: {capacity} messages wait to be sent")]
pub struct QueueFull {
    /// What it holds at most.
    pub capacity: usize,
}

impl Outbox {
    pub(super) fn new(capacity: usize) -> Self {
        Self { messages: VecDeque::new(), capacity, offered: 0, offered_to: None }
    }

    pub(super) fn push(&mut self, message: Message) -> Result<(), QueueFull> {
        if self.messages.len() >= self.capacity {
            return Err(QueueFull { capacity: self.capacity });
        }
        self.messages.push_back(message);
        Ok(())
    }

    /// The next message that this connection has not been offered. What another one did not take is offered to it again.
    pub(super) fn offer(&mut self, connection: ConnectionId) -> Option<&Message> {
        if self.offered_to != Some(connection) {
            self.offered_to = Some(connection);
            self.offered = 0;
        }
        let next = self.messages.get(self.offered)?;
        self.offered += 1;
        Some(next)
    }

    /// The oldest message that this connection was offered has been written to the network.
    pub(super) fn written(&mut self, connection: ConnectionId) {
        if self.offered_to == Some(connection) && self.offered > 0 {
            self.messages.pop_front();
            self.offered -= 1;
        }
    }

    /// The connection has ended; messages that it was offered and did not write go to the next one.
    pub(super) fn withdraw(&mut self, connection: ConnectionId) {
        if self.offered_to == Some(connection) {
            self.offered_to = None;
            self.offered = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: ConnectionId = ConnectionId(1);
    const SECOND: ConnectionId = ConnectionId(2);

    fn message(number: u32) -> Message {
        Message { kind: "n".to_owned(), payload: number.into() }
    }

    /// What a dead connection took is not repeated; what it did not take is not lost.
    #[test]
    fn nothing_is_lost_or_repeated() {
        let mut outbox = Outbox::new(9);
        (1..=3).for_each(|number| outbox.push(message(number)).unwrap());
        assert_eq!(outbox.offer(FIRST), Some(&message(1)));
        assert_eq!(outbox.offer(FIRST), Some(&message(2)));
        outbox.written(FIRST);
        outbox.withdraw(FIRST);
        let offered: Vec<_> = std::iter::from_fn(|| outbox.offer(SECOND).cloned()).collect();
        assert_eq!(offered, [message(2), message(3)]);
    }

    /// Only the connection that was offered a message can have written it.
    #[test]
    fn another_connection_takes_nothing() {
        let mut outbox = Outbox::new(9);
        outbox.push(message(1)).unwrap();
        outbox.offer(FIRST);
        assert_eq!(outbox.offer(SECOND), Some(&message(1)));
        outbox.written(FIRST);
        outbox.withdraw(FIRST);
        assert_eq!((outbox.messages.len(), outbox.offer(SECOND)), (1, None));
    }

    /// A full queue keeps the oldest.
    #[test]
    fn a_full_queue_keeps_the_oldest() {
        let mut outbox = Outbox::new(1);
        assert_eq!(outbox.push(message(1)), Ok(()));
        assert_eq!(outbox.push(message(2)), Err(QueueFull { capacity: 1 }));
        assert_eq!(outbox.offer(FIRST), Some(&message(1)));
    }
}
