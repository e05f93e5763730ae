//! What a client is answered where it is watched, and not judged: it is signed in and welcomed, its pings and its requests are answered, as
//! by the scripted gateway of the cases.

use std::io;

use protocol::{ClientMessage, Dialect, PendingRequests, ServerMessage, Timestamp};
use scenarios::frame::RawFrame;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use wire::frame::FrameReader;

/// Who every client is.
const USER: &str = "ada";

/// The gateway's end of one connection, in the words of a dialect.
#[derive(Debug)]
pub(crate) struct AutoReply<'a> {
    dialect: &'a Dialect,
    /// Whether the client has said what it must say first, where there is such a thing.
    is_signed_in: bool,
    pending: PendingRequests,
}

impl<'a> AutoReply<'a> {
    /// A connection that has just been upgraded.
    pub(crate) fn new(dialect: &'a Dialect) -> Self {
        Self { dialect, is_signed_in: dialect.sign_in.is_none(), pending: PendingRequests::default() }
    }

    /// What is said before the client has said anything: the welcome, unless the client must sign in first.
    pub(crate) fn first(&self) -> Option<String> {
        self.is_signed_in.then(|| self.welcome()).flatten()
    }

    /// What is answered to a client's text. Nothing is answered to a client that has not signed in and says something else.
    pub(crate) fn replies(&mut self, text: &str) -> Vec<String> {
        if let Some(sign_in) = self.dialect.sign_in.as_ref().filter(|_| !self.is_signed_in) {
            if !sign_in.is_message(text) {
                return Vec::new();
            }
            self.is_signed_in = true;
            return sign_in.write_answer(USER).into_iter().chain(self.welcome()).collect();
        }
        self.dialect.answer_to_opening(text).or_else(|| self.reply(text)).into_iter().collect()
    }

    /// Answers what comes on a connection until it ends; `noted` sees each frame first.
    ///
    /// # Errors
    /// When the connection fails.
    pub(crate) async fn serve(
        mut self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        reader: &mut FrameReader,
        mut noted: impl FnMut(&RawFrame),
    ) -> io::Result<()> {
        if let Some(text) = self.first() {
            stream.write_all(&RawFrame::text(text).encode(None)).await?;
        }
        while let Some(frame) = reader.next(stream).await? {
            noted(&frame);
            match frame.opcode {
                OpCode::Control(Control::Ping) => {
                    stream.write_all(&RawFrame::control(Control::Pong, frame.payload).encode(None)).await?;
                }
                OpCode::Control(Control::Close) => {
                    stream.write_all(&RawFrame::control(Control::Close, frame.payload).encode(None)).await?;
                    return Ok(());
                }
                OpCode::Data(Data::Text) => {
                    for reply in self.replies(&String::from_utf8_lossy(&frame.payload)) {
                        stream.write_all(&RawFrame::text(reply).encode(None)).await?;
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn welcome(&self) -> Option<String> {
        self.dialect.welcome_type()?;
        let welcome =
            ServerMessage::Welcome { user_id: USER.to_owned(), rooms: vec!["broadcast".to_owned()] };
        Some(self.dialect.encode_server(&welcome, Timestamp::EPOCH, None))
    }

    fn reply(&mut self, text: &str) -> Option<String> {
        let read = self.dialect.decode_request(text, Some(&self.pending)).ok()?;
        if self.dialect.has_references() {
            match (&read.id, &read.message) {
                (Some(reference), message) => self.pending.sent(reference, message),
                (None, ClientMessage::Unsubscribe(target)) => self.pending.unsubscribed(target),
                (None, _) => {}
            }
        }
        let answer = match read.message {
            ClientMessage::Ping => ServerMessage::Pong,
            ClientMessage::Subscribe(target) if self.dialect.acks => ServerMessage::Subscribed(target),
            ClientMessage::Unsubscribe(target) if self.dialect.acks => ServerMessage::Unsubscribed(target),
            _ => return None,
        };
        Some(self.dialect.encode_server(&answer, Timestamp::EPOCH, read.id.as_deref()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The kinds of what is answered to each text, and of what is said first.
    fn said(dialect: &str, texts: &[&str]) -> Vec<Vec<String>> {
        let dialect: Dialect = dialect.parse().unwrap();
        let mut reply = AutoReply::new(&dialect);
        let kind = |text: String| {
            let frame: serde_json::Value = serde_json::from_str(&text).unwrap();
            frame["type"].as_str().unwrap().to_owned()
        };
        let first: Vec<String> = reply.first().into_iter().map(kind).collect();
        let rest = texts.iter().map(|text| reply.replies(text).into_iter().map(kind).collect());
        std::iter::once(first).chain(rest).collect()
    }

    const PING: &str = r#"{"type":"ping"}"#;
    const JOIN: &str = r#"{"type":"subscribe","payload":{"eventType":"a:b"}}"#;
    const WELCOME: &str = "connection:established";

    /// A client is welcomed at once, unless it must sign in: then its sign-in is answered, and nothing before it.
    #[test]
    fn a_sign_in_is_answered_first() {
        assert_eq!(said("{}", &[PING, JOIN]), [vec![WELCOME], vec!["pong"], vec!["subscribed"]]);
        let sign_in = r#"{"type":"connection_init","payload":{"token":"a"}}"#;
        assert_eq!(
            said("first-message", &[PING, sign_in, PING]),
            [vec![], vec![], vec!["connection_ack", WELCOME], vec!["pong"]]
        );
        // Without an answer of its own the welcome grants.
        let welcomed = r#"{"token":"message","refusal":"close-4401","sign_in":{"message":"{\"type\":\"connection_init\",\"payload\":{\"token\":\"{token}\"}}"}}"#;
        assert_eq!(said(welcomed, &[sign_in]), [vec![], vec![WELCOME]]);
    }

    /// What a dialect has no answers to is not answered; a frame with which clients open has an answer of its own.
    #[test]
    fn answers_are_those_of_the_dialect() {
        let silent = r#"{"acks":false,"welcome":false}"#;
        assert_eq!(said(silent, &[JOIN]), [vec![] as Vec<&str>, vec![]]);
        let opening = r#"{"opening":[{"send":"{\"type\":\"hi\"}","answer":"{\"type\":\"ho\"}"}]}"#;
        assert_eq!(said(opening, &[r#"{"type":"hi"}"#]), [vec![WELCOME], vec!["ho"]]);
    }
}
