//! What a client sends as soon as it is connected, or signed in: it is in once that is answered.

use protocol::{Dialect, Opener, PendingRequests, Timestamp};

/// The frames, and which of them are to be sent yet.
#[derive(Debug)]
pub(crate) struct Opening {
    frames: Vec<String>,
    sent: usize,
    /// Whether the last one that was sent waits for its answer.
    awaits: bool,
    /// Whether any was answered.
    answered: bool,
    pending: PendingRequests,
}

impl Opening {
    /// What a dialect has its clients send, where it has them send anything.
    pub(crate) fn of(dialect: &Dialect, opener: Opener<'_>) -> Option<Self> {
        let mut pending = PendingRequests::default();
        let write =
            |opening: &protocol::Opening| opening.write(dialect, opener, &mut pending, Timestamp::EPOCH);
        let frames: Vec<String> = dialect.opening.iter().map(write).collect();
        let has_frames = !frames.is_empty();
        has_frames.then_some(Self { frames, sent: 0, awaits: false, answered: false, pending })
    }

    /// The next frame; none while an answer is awaited, and none once all are sent.
    pub(super) fn next(&mut self, dialect: &Dialect) -> Option<&str> {
        if self.awaits {
            return None;
        }
        let frame = self.frames.get(self.sent)?;
        self.awaits = dialect.opening[self.sent].is_answered(dialect);
        self.sent += 1;
        Some(frame)
    }

    /// Whether an answer is awaited.
    pub(super) fn awaits(&self) -> bool {
        self.awaits
    }

    /// Whether any frame was answered.
    pub(super) fn was_answered(&self) -> bool {
        self.answered
    }

    /// Takes what the gateway says; says whether it is the answer that is awaited.
    pub(super) fn take(&mut self, dialect: &Dialect, text: &str) -> bool {
        let last = self.sent.checked_sub(1).filter(|_| self.awaits);
        let is_answer = last.is_some_and(|at| dialect.opening[at].is_answer(dialect, text, &self.pending));
        self.awaits &= !is_answer;
        self.answered |= is_answer;
        is_answer
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame is sent once the one before it is answered, and what is no answer to it changes nothing.
    #[test]
    fn answers_are_awaited() {
        let dialect = r#"{"opening":[{"send":"40{}","answer":"40{\"sid\":\"{id}\"}"},{"subscribe":"user:{user}"},{"send":"x"}]}"#;
        let dialect: Dialect = dialect.parse().unwrap();
        let opener = Opener { user_id: "ada", role: "customer" };
        let mut opening = Opening::of(&dialect, opener).unwrap();
        assert_eq!(opening.next(&dialect), Some("40{}"));
        assert!(opening.awaits() && opening.next(&dialect).is_none());
        assert!(!opening.take(&dialect, r#"{"type":"a:b"}"#) && opening.awaits());
        assert!(opening.take(&dialect, r#"40{"sid":"s"}"#) && opening.was_answered());
        assert!(opening.next(&dialect).unwrap().contains("user:ada"));
        assert!(opening.take(&dialect, r#"{"type":"subscribed","payload":{"room":"user:ada"}}"#));
        assert_eq!(opening.next(&dialect), Some("x"));
        assert!(!opening.awaits() && opening.next(&dialect).is_none());
        assert!(Opening::of(&Dialect::default(), opener).is_none());
    }
}
