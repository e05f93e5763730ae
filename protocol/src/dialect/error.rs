//! Why a frame is no message, and why a dialect cannot be spoken.

use super::Dialect;
use crate::envelope::EnvelopeError;
use crate::message::ErrorCode;

/// Why a frame is not a message of this dialect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// Not an envelope.
    #[error(transparent)]
    Envelope(#[from] EnvelopeError),
    /// A subscription whose payload names nothing usable.
    #[error("`{kind}` names no room: its payload needs the text `{key}`")]
    NoTarget {
        /// The type of a `subscribe` or `unsubscribe`, or of what acknowledges it.
        kind: String,
        /// The key it should have.
        key: String,
        /// The request's ID, so that the refusal can refer to it.
        id: Option<String>,
    },
    /// A frame that no template of the dialect is like.
    #[error("a frame of another form than `{expected}`")]
    Unlike {
        /// The template of most messages.
        expected: String,
    },
    /// A gateway's frame that is no message by its name and form, and none that is declared to say nothing.
    #[error(
        "a frame of a form that is not declared (most are `{expected}`; `frames.ignored` lists those that say nothing)"
    )]
    Undeclared {
        /// The template of most messages.
        expected: String,
    },
    /// An answer whose reference is that of no request.
    #[error("an answer to nothing that was asked: the reference is `{reference}`")]
    Unasked {
        /// The reference.
        reference: String,
    },
    /// A message of a known type whose payload has the wrong shape.
    #[error("the payload of `{kind}` has the wrong shape")]
    Payload {
        /// The message's type.
        kind: String,
    },
}

impl DecodeError {
    /// The error code that a gateway sends (MSG-4, ROOM-4).
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Envelope(_)
            | Self::Unlike { .. }
            | Self::Undeclared { .. }
            | Self::Unasked { .. }
            | Self::Payload { .. } => ErrorCode::BadMessage,
            Self::NoTarget { .. } => ErrorCode::BadRoom,
        }
    }
}

/// Why a dialect cannot be spoken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialectError {
    /// A name is empty.
    #[error("dialect.{key} is empty")]
    Empty {
        /// The key.
        key: &'static str,
    },
    /// A refused token is answered as if the gateway had failed.
    #[error(
        "dialect.refusal is `http-{status}`: a refused token is its sender's fault, so its status is one from 400 to 499 (AUTH-2)"
    )]
    Refusal {
        /// The status.
        status: u16,
    },
    /// An error's code is empty.
    #[error(
        "dialect.errors.{code} is empty: write what it is called, or `errors = false` where errors say no code"
    )]
    EmptyCode {
        /// The code.
        code: ErrorCode,
    },
    /// There is no built-in dialect of this name.
    #[error("there is no dialect `{name}`; there are {}", Dialect::BUILTIN.join(", "))]
    Unknown {
        /// The name.
        name: String,
    },
    /// It is no JSON object that describes a dialect.
    #[error("not a dialect: {reason}")]
    Json {
        /// What is wrong.
        reason: String,
    },
    /// What is written by one template is read by another.
    #[error(
        "dialect.frames.{key}: the frame `{frame}` of {side} is a `{form}`, but would be read as `{read_as}`: give the two different forms"
    )]
    Frame {
        /// The key of its template.
        key: &'static str,
        /// What it is.
        form: &'static str,
        /// What it would be read as.
        read_as: &'static str,
        /// Who sends it.
        side: &'static str,
        /// The frame.
        frame: String,
    },
    /// A template has no place for what its message must say.
    #[error("dialect.frames.{key} has no place for {parts}, without which the message means nothing")]
    Lacks {
        /// The key of the template.
        key: &'static str,
        /// What it needs one of.
        parts: String,
    },
    /// A template refers to a subscription, which has no reference.
    #[error(
        "dialect.frames.{key} has `{{subscription}}`, the reference of a subscription: write `{{ref}}` where dialect.frames.subscribe gives it"
    )]
    Unreferred {
        /// The key of the template.
        key: &'static str,
    },
    /// What is said of a subprotocol does not fit.
    #[error("{reason}")]
    Subprotocol {
        /// What is wrong, and what to write.
        reason: &'static str,
    },
    /// What a client sends first is not enough, or too much.
    #[error("dialect.opening: {reason}")]
    Opening {
        /// What is wrong, and what to write.
        reason: &'static str,
    },
    /// What is said of a token in the first message is not enough, or does not fit.
    #[error("{reason}")]
    SignIn {
        /// What is wrong, and what to write.
        reason: &'static str,
    },
    /// The welcome has a form, and is not sent.
    #[error(
        "dialect.frames.welcome says what the welcome is like, but dialect.welcome says that there is none"
    )]
    NoWelcome,
    /// Two message types have one name, so they cannot be distinguished.
    #[error("dialect: `{name}` names two different messages")]
    Ambiguous {
        /// The name.
        name: String,
    },
}
