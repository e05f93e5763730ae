//! What a listener asks of its client (IN-3).

use std::sync::Arc;

use protocol::Target;
use serde_json::Value;
use tokio::sync::mpsc;

use reference_session::{Command, Token};

/// Reactions that wait until the client's task has called the listeners.
pub(super) const REACTIONS: usize = 256;

/// What a listener may ask its client for. Nothing waits: a listener runs on the client's task. What is asked for happens once every
/// listener of the event has been called, in this order, and before whatever the client receives next. A message that the queue
/// refuses is reported as an error (QUEUE-3).
///
/// It does not keep the client alive, so a listener may own one.
#[derive(Clone)]
pub struct Reactions(Arc<mpsc::Sender<Command>>);

/// As many reactions wait as may wait: this one is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{REACTIONS} reactions of listeners wait already, or the client has ended")]
pub struct TooManyReactions;

impl Reactions {
    pub(super) fn new(commands: mpsc::Sender<Command>) -> Self {
        Self(Arc::new(commands))
    }

    /// As [`super::Client::connect`].
    pub fn connect(&self) -> Result<(), TooManyReactions> {
        self.give(Command::Connect)
    }

    /// As [`super::Client::disconnect`].
    pub fn disconnect(&self) -> Result<(), TooManyReactions> {
        self.give(Command::Disconnect)
    }

    /// As [`super::Client::send`].
    pub fn send(&self, kind: impl Into<String>, payload: Value) -> Result<(), TooManyReactions> {
        self.give(Command::Send { kind: kind.into(), payload })
    }

    /// As [`super::Client::subscribe`].
    pub fn subscribe(&self, target: Target) -> Result<(), TooManyReactions> {
        self.give(Command::Subscribe(target))
    }

    /// As [`super::Client::unsubscribe`].
    pub fn unsubscribe(&self, target: Target) -> Result<(), TooManyReactions> {
        self.give(Command::Unsubscribe(target))
    }

    /// As [`super::Client::set_token`].
    pub fn set_token(&self, token: impl Into<String>) -> Result<(), TooManyReactions> {
        self.give(Command::SetToken(Token::from(token)))
    }

    fn give(&self, command: Command) -> Result<(), TooManyReactions> {
        self.0.try_send(command).map_err(|_| TooManyReactions)
    }
}
