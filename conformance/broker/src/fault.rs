//! What a client did wrong, in the terms in which AMQP says so.

use amq_protocol::protocol::{AMQPHardError, AMQPSoftError};
use amq_protocol::types::ShortString;
use thiserror::Error;

/// The longest reply text that fits a close method (a short string).
const REPLY_TEXT_BYTES: usize = 255;

/// A refusal: it closes the channel (soft) or the connection (hard) that earned it, and touches no other.
///
/// Codes and wording follow RabbitMQ, because people search for its messages.
#[derive(Clone, Debug, Error, PartialEq)]
#[error("{} {}", self.code(), self.text())]
pub(crate) struct Fault {
    kind: FaultKind,
    detail: String,
}

#[derive(Clone, Debug, PartialEq)]
enum FaultKind {
    Soft(AMQPSoftError),
    Hard(AMQPHardError),
}

impl Fault {
    /// A fault that closes one channel.
    pub(crate) fn soft(error: AMQPSoftError, detail: impl Into<String>) -> Self {
        Self { kind: FaultKind::Soft(error), detail: detail.into() }
    }

    /// A fault that closes the whole connection.
    pub(crate) fn hard(error: AMQPHardError, detail: impl Into<String>) -> Self {
        Self { kind: FaultKind::Hard(error), detail: detail.into() }
    }

    /// 404: the named thing does not exist.
    pub(crate) fn not_found(what: &str, name: &str) -> Self {
        Self::soft(AMQPSoftError::NOTFOUND, format!("no {what} '{name}' in vhost '/'"))
    }

    /// 406: something about the present state forbids it.
    pub(crate) fn precondition(detail: impl Into<String>) -> Self {
        Self::soft(AMQPSoftError::PRECONDITIONFAILED, detail)
    }

    /// 403: access refused.
    pub(crate) fn refused(detail: impl Into<String>) -> Self {
        Self::soft(AMQPSoftError::ACCESSREFUSED, detail)
    }

    /// 540: this broker lacks it.
    pub(crate) fn not_implemented(detail: impl Into<String>) -> Self {
        Self::hard(AMQPHardError::NOTIMPLEMENTED, detail)
    }

    /// Whether something that was named does not exist.
    pub(crate) fn is_not_found(&self) -> bool {
        self.kind == FaultKind::Soft(AMQPSoftError::NOTFOUND)
    }

    /// Whether the whole connection has to close.
    pub(crate) fn is_hard(&self) -> bool {
        matches!(self.kind, FaultKind::Hard(_))
    }

    /// The reply code.
    pub(crate) fn code(&self) -> u16 {
        match &self.kind {
            FaultKind::Soft(error) => error.get_id(),
            FaultKind::Hard(error) => error.get_id(),
        }
    }

    /// The reply text, cut to what the wire can carry.
    pub(crate) fn text(&self) -> ShortString {
        let name = match &self.kind {
            FaultKind::Soft(error) => error.to_string(),
            FaultKind::Hard(error) => error.to_string(),
        };
        let mut text = format!("{} - {}", name.replace('-', "_"), self.detail);
        let mut end = text.len().min(REPLY_TEXT_BYTES);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        text.truncate(end);
        text.into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The wording is RabbitMQ's, with underscores in the code's name.
    #[test]
    fn a_fault_reads_like_rabbitmqs() {
        let fault = Fault::not_found("queue", "q");
        assert_eq!(fault.code(), 404);
        assert_eq!(fault.text().as_str(), "NOT_FOUND - no queue 'q' in vhost '/'");
        assert!(!fault.is_hard());
    }

    /// A name of 255 bytes makes a text too long for the wire, and a cut inside a letter would be no text.
    #[test]
    fn a_long_text_is_cut_between_letters() {
        let fault = Fault::not_found("queue", &"ü".repeat(127));
        assert!(fault.text().as_str().len() <= REPLY_TEXT_BYTES);
        assert!(fault.text().as_str().len() >= REPLY_TEXT_BYTES - 1);
    }
}
