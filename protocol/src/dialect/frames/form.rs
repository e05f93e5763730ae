//! What a frame can be.

use crate::dialect::pending::{PendingRequests, Request};
use crate::message::{ClientMessage, Target};

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Form {
    Ping,
    Pong,
    HeartbeatPing,
    HeartbeatPong,
    Subscribe,
    Unsubscribe,
    Subscribed,
    Unsubscribed,
    Welcome,
    Error,
    Event,
    Other,
}

impl Form {
    /// Whether it is the answer to a request.
    pub(super) fn answers(self, request: Option<&Request>) -> bool {
        matches!(
            (self, request),
            (Self::Pong, Some(Request::Ping))
                | (Self::Subscribed, Some(Request::Subscribe(_)))
                | (Self::Unsubscribed, Some(Request::Unsubscribe(_)))
        )
    }

    /// The request that a frame of this form can be the answer to, or the subscription that it can belong to.
    pub(super) fn asked(self) -> PendingRequests {
        let mut pending = PendingRequests::default();
        let target = || Target::Room("a:room".to_owned());
        match self {
            Self::Pong => pending.sent(SAMPLE_REFERENCE, &ClientMessage::Ping),
            Self::Subscribed => pending.sent(SAMPLE_REFERENCE, &ClientMessage::Subscribe(target())),
            Self::Unsubscribed => pending.sent(SAMPLE_REFERENCE, &ClientMessage::Unsubscribe(target())),
            Self::Event => pending.subscribed(SAMPLE_REFERENCE, &target()),
            _ => {}
        }
        pending
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Ping => "ping",
            Self::Pong => "pong",
            Self::HeartbeatPing => "heartbeat_ping",
            Self::HeartbeatPong => "heartbeat_pong",
            Self::Subscribe => "subscribe",
            Self::Unsubscribe => "unsubscribe",
            Self::Subscribed => "subscribed",
            Self::Unsubscribed => "unsubscribed",
            Self::Welcome => "welcome",
            Self::Error => "error",
            Self::Event => "event",
            Self::Other => "message",
        }
    }
}

/// The reference of a frame that is written to be read again.
pub(super) const SAMPLE_REFERENCE: &str = "1";
/// What clients send, the most particular first.
pub(super) const CLIENT: [Form; 5] =
    [Form::Ping, Form::HeartbeatPong, Form::Subscribe, Form::Unsubscribe, Form::Other];
/// What gateways send, the most particular first.
pub(super) const SERVER: [Form; 7] = [
    Form::HeartbeatPing,
    Form::Pong,
    Form::Error,
    Form::Welcome,
    Form::Subscribed,
    Form::Unsubscribed,
    Form::Event,
];
