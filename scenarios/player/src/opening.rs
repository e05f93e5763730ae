//! What a scripted client sends as soon as it is connected, or signed in; its connection counts as open once that is answered.

use protocol::{Dialect, Opener, PendingRequests, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite};

use super::sign_in::{SignInTranscript, refused, say};
use scenarios::trace::Event;
use wire::frame::FrameReader;

/// Most texts that come before an answer.
const MAX_TEXTS: usize = 64;

/// What was sent, and what came meanwhile.
#[derive(Debug, Default)]
pub(super) struct Opened {
    /// The frames, in order.
    frames: Vec<String>,
    /// How many of them have been sent.
    sent: usize,
    /// What came.
    said: SignInTranscript,
    /// The requests among the frames.
    pub(super) pending: PendingRequests,
}

impl Opened {
    /// What is to be sent.
    pub(super) fn new(dialect: &Dialect, opener: Opener<'_>, now: Timestamp) -> Self {
        let mut pending = PendingRequests::default();
        let write = |opening: &protocol::Opening| opening.write(dialect, opener, &mut pending, now);
        let frames = dialect.opening.iter().map(write).collect();
        Self { frames, pending, ..Self::default() }
    }

    /// The frames that were sent.
    pub(super) fn sent(&self) -> &[String] {
        &self.frames[..self.sent]
    }

    /// The texts that came.
    pub(super) fn texts(&self) -> &[String] {
        &self.said.texts
    }
}

/// Sends each frame, and waits for its answer where there is one; what was read besides, and what follows, is left for whoever goes on.
/// Otherwise how the gateway refused.
pub(super) async fn open(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    leftover: Vec<u8>,
    opened: &mut Opened,
    dialect: &Dialect,
) -> Result<Vec<u8>, Event> {
    if opened.frames.is_empty() {
        return Ok(leftover);
    }
    let mut reader = FrameReader::after(leftover);
    for (opening, frame) in dialect.opening.iter().zip(&opened.frames) {
        say(stream, frame).await;
        opened.sent += 1;
        let mut left = MAX_TEXTS;
        while opening.is_answered(dialect) {
            let frame = opened.said.next(stream, &mut reader, "its first frames were answered").await?;
            let text = String::from_utf8_lossy(&frame.payload);
            if opening.is_answer(dialect, &text, &opened.pending) {
                break;
            }
            opened.said.keep(frame, reader.mask());
            left -= 1;
            if left == 0 {
                return Err(refused(None, "too much came before its first frames were answered"));
            }
        }
    }
    Ok(opened.said.left(reader))
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::frame::RawFrame;
    use tokio::io::AsyncWriteExt;

    const OPENING: &str =
        r#"{"opening":[{"send":"40{}","answer":"40{\"sid\":\"{id}\"}"},{"subscribe":"user:{user}"}]}"#;

    /// What a client sends as it opens, where the gateway says this at once.
    async fn opened(said: &[&str]) -> (Result<Vec<u8>, Event>, Vec<String>) {
        let dialect: Dialect = OPENING.parse().unwrap();
        let opener = Opener { user_id: "ada", role: "admin" };
        let mut opened = Opened::new(&dialect, opener, Timestamp::EPOCH);
        let (mut near, mut far) = tokio::io::duplex(4096);
        for text in said {
            far.write_all(&RawFrame::text(*text).encode(None)).await.unwrap();
        }
        far.shutdown().await.unwrap();
        let outcome = open(&mut near, Vec::new(), &mut opened, &dialect).await;
        (outcome, opened.sent().to_vec())
    }

    /// Each answer is awaited and consumed; what came between is read afterwards.
    #[tokio::test]
    async fn answers_are_awaited() {
        let (answer, event) = (r#"40{"sid":"s"}"#, r#"{"type":"a:b"}"#);
        let granted = r#"{"type":"subscribed","payload":{"room":"user:ada"}}"#;
        let (outcome, sent) = opened(&[event, answer, granted]).await;
        assert_eq!(outcome.unwrap(), RawFrame::text(event).encode(None));
        assert!(sent[0] == "40{}" && sent[1].contains(r#""room":"user:ada""#), "{sent:?}");
    }

    /// A gateway that ends the connection instead has refused it, and the next frame is not sent.
    #[tokio::test]
    async fn an_end_refuses() {
        let (outcome, sent) = opened(&[r#"{"type":"a:b"}"#]).await;
        let Err(Event::Refused { reason, .. }) = outcome else { panic!("{outcome:?}") };
        assert!(reason.contains("before its first frames were answered"), "{reason}");
        assert_eq!(sent.len(), 1);
    }
}
