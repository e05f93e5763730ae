//! Signing in by the first message, both ends: what comes between the upgrade and the time when a connection counts as open.

use std::time::Duration;

use protocol::{CloseCode, Dialect, ServerMessage, SignIn, SignInAnswer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use scenarios::frame::RawFrame;
use scenarios::trace::Event;
use wire::frame::{FrameReader, MAX_MESSAGE_BYTES};

/// Masks of the few frames that a client sends before it is signed in: any will do.
const MASK: [u8; 4] = *b"sign";
/// Longest time that a client may take to go whose token is refused.
const LEAVING: Duration = Duration::from_secs(1);
/// Most frames that an end reads meanwhile.
const MAX_FRAMES: usize = 64;

/// What a client has been told before its connection counts as open, as it came.
#[derive(Debug, Default)]
pub(super) struct SignInTranscript {
    /// Whether it has asked.
    pub(super) has_asked: bool,
    /// The texts.
    pub(super) texts: Vec<String>,
    /// The newest error.
    error: Option<String>,
    /// What is to be read again once it is open.
    leftover: Vec<u8>,
}

/// Signs in, and waits until that is granted; what was read besides, and what follows, is left for whoever goes on. Otherwise how it was
/// refused.
pub(super) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    leftover: Vec<u8>,
    message: &str,
    dialect: &Dialect,
    said: &mut SignInTranscript,
) -> Result<Vec<u8>, Event> {
    say(stream, message).await;
    said.has_asked = true;
    let mut reader = FrameReader::after(leftover);
    for _ in 0..MAX_FRAMES {
        let frame = said.next(stream, &mut reader, "the client was signed in").await?;
        let text = String::from_utf8_lossy(&frame.payload).into_owned();
        let answer = dialect.sign_in_answer(&text);
        if answer == SignInAnswer::Error {
            said.error = Some(text);
        } else if answer != SignInAnswer::Granted {
            said.keep(frame, reader.mask());
        }
        if matches!(answer, SignInAnswer::Granted | SignInAnswer::Welcomed) {
            return Ok(said.left(reader));
        }
    }
    Err(refused(None, "too much came before the client was signed in"))
}

/// Sends a text. A write error does not end reading: the gateway may have said why before it closed.
pub(super) async fn say(stream: &mut (impl AsyncWrite + Unpin), text: &str) {
    let _ = write(stream, RawFrame::text(text), Some(MASK)).await;
}

/// A connection that is none.
pub(super) fn refused(code: Option<CloseCode>, reason: &str) -> Event {
    Event::Refused { status: None, code, by: None, reason: reason.to_owned() }
}

impl SignInTranscript {
    /// What a client that is refused has been told beside errors, and the one text that may ask it to sign in.
    pub(super) fn told_a_stranger<'a>(&'a self, dialect: &'a Dialect) -> impl Iterator<Item = &'a str> {
        let is_about_itself = |text: &&str| {
            let message = dialect.decode_server(text).map(|decoded| decoded.message);
            matches!(message, Ok(ServerMessage::Event { .. }) | Err(_))
        };
        let unrelated = self
            .texts
            .iter()
            .map(String::as_str)
            .filter(|text| dialect.sign_in_answer(text) == SignInAnswer::Unrelated);
        let mut may_ask = true;
        unrelated.filter(move |text| !(std::mem::take(&mut may_ask) && is_about_itself(text)))
    }

    /// The next text. Pings are answered, other frames kept; the end of the connection, before what was to come, is an error.
    pub(super) async fn next(
        &mut self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        reader: &mut FrameReader,
        before: &str,
    ) -> Result<RawFrame, Event> {
        for _ in 0..MAX_FRAMES {
            let said: usize = self.texts.iter().map(String::len).sum();
            if self.leftover.len() + said > MAX_MESSAGE_BYTES {
                break;
            }
            let frame = reader.next(stream).await.map_err(|error| refused(None, &error.to_string()))?;
            let Some(frame) = frame else {
                return Err(refused(None, &format!("the connection ended before {before}")));
            };
            match frame.opcode {
                OpCode::Control(Control::Ping) => {
                    let _ = write(stream, RawFrame::control(Control::Pong, frame.payload), Some(MASK)).await;
                }
                OpCode::Control(Control::Close) => {
                    let code = frame.close_code();
                    // The connection is over either way.
                    let _ = write(stream, RawFrame::control(Control::Close, frame.payload), Some(MASK)).await;
                    let reason = self.error.as_ref().map_or_else(
                        || format!("closed before {before}"),
                        |error| format!("closed after {error}"),
                    );
                    return Err(refused(code, &reason));
                }
                OpCode::Data(Data::Text) if frame.fin => {
                    self.texts.push(String::from_utf8_lossy(&frame.payload).into_owned());
                    return Ok(frame);
                }
                _ => self.keep(frame, reader.mask()),
            }
        }
        Err(refused(None, &format!("too much came before {before}")))
    }

    /// What was kept, and what has not been read.
    pub(super) fn left(&mut self, reader: FrameReader) -> Vec<u8> {
        self.leftover.extend(reader.into_unread());
        std::mem::take(&mut self.leftover)
    }

    /// As it came.
    pub(super) fn keep(&mut self, frame: RawFrame, mask: Option<[u8; 4]>) {
        self.leftover.extend(frame.encode(mask));
    }
}

/// A client's first message, and what is read behind it; nothing where its connection ends first.
pub(super) async fn await_message(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    leftover: Vec<u8>,
) -> Option<(String, Vec<u8>)> {
    let mut reader = FrameReader::after(leftover);
    for _ in 0..MAX_FRAMES {
        let frame = reader.next(stream).await.ok()??;
        match frame.opcode {
            OpCode::Control(Control::Ping) => {
                write(stream, RawFrame::control(Control::Pong, frame.payload), None).await.ok()?;
            }
            OpCode::Data(Data::Text) if frame.fin => {
                let text = String::from_utf8(frame.payload).ok()?;
                return Some((text, reader.into_unread()));
            }
            OpCode::Control(Control::Pong) => {}
            _ => return None,
        }
    }
    None
}

/// Says that a client is signed in, where anything says that but the welcome.
pub(super) async fn grant(
    stream: &mut (impl AsyncWrite + Unpin),
    sign_in: &SignIn,
    user_id: &str,
) -> std::io::Result<()> {
    match sign_in.write_answer(user_id) {
        Some(answer) => write(stream, RawFrame::text(answer), None).await,
        None => Ok(()),
    }
}

/// Closes a connection whose token is refused, once the client has answered: the gateway ends it (RFC 6455 section 7.1.1).
pub(super) async fn refuse(stream: &mut (impl AsyncRead + AsyncWrite + Unpin), code: Option<CloseCode>) {
    let code = code.unwrap_or(CloseCode::UNAUTHORIZED);
    let leave = async {
        write(stream, RawFrame::close(code), None).await?;
        // What it says, or that it has gone, makes no difference.
        let _: usize = stream.read(&mut [0; 64]).await?;
        stream.shutdown().await
    };
    // However it ends, the connection does.
    let _ = tokio::time::timeout(LEAVING, leave).await;
}

async fn write(
    stream: &mut (impl AsyncWrite + Unpin),
    frame: RawFrame,
    mask: Option<[u8; 4]>,
) -> std::io::Result<()> {
    stream.write_all(&frame.encode(mask)).await?;
    stream.flush().await
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Both ends as a scenario has them: the gateway says `frames` after it has read the first message.
    async fn signed_in(frames: &[RawFrame]) -> (Result<Vec<u8>, Event>, Option<String>) {
        let dialect = Dialect::builtin("first-message").unwrap();
        let sign_in = dialect.sign_in.clone().unwrap();
        let (mut near, mut far) = tokio::io::duplex(4096);
        let message = sign_in.write(Some("a.b.c"));
        let mut said = SignInTranscript::default();
        let client = ask(&mut near, Vec::new(), &message, &dialect, &mut said);
        let gateway = async {
            let (text, _) = await_message(&mut far, Vec::new()).await?;
            for frame in frames {
                write(&mut far, frame.clone(), None).await.ok()?;
            }
            drop(far);
            sign_in.token(&text)
        };
        tokio::join!(client, gateway)
    }

    fn ack() -> RawFrame {
        RawFrame::text(r#"{"type":"connection_ack"}"#)
    }

    /// The answer is consumed; what came before it and what follows is read afterwards.
    #[tokio::test]
    async fn an_answer_grants() {
        let (greeting, event) = (RawFrame::text(r#"{"type":"hello"}"#), RawFrame::text(r#"{"type":"e"}"#));
        let ping = RawFrame::control(Control::Ping, b"p".to_vec());
        let (granted, token) = signed_in(&[greeting.clone(), ping, ack(), event.clone()]).await;
        assert_eq!(token.as_deref(), Some("a.b.c"));
        let left = granted.unwrap();
        let begin = greeting.encode(None);
        assert!(left.starts_with(&begin));
        assert!(left.len() == begin.len() || left[begin.len()..] == event.encode(None)[..]);
    }

    /// A close is a refusal with its code, whatever is said before; an end without any has none.
    #[tokio::test]
    async fn a_close_refuses() {
        let error = RawFrame::text(r#"{"type":"error","payload":{"code":"unauthorized","message":"no"}}"#);
        let close = RawFrame::control(Control::Close, 4403_u16.to_be_bytes().to_vec());
        let (refused, _) = signed_in(&[error.clone(), close]).await;
        let Err(Event::Refused { code, reason, .. }) = refused else { panic!("{refused:?}") };
        assert!(code == Some(CloseCode(4403)) && reason.contains("unauthorized"), "{reason}");
        let (ended, _) = signed_in(&[error]).await;
        assert!(matches!(ended, Err(Event::Refused { code: None, .. })));
    }

    /// A close without a code is a refusal, and no drop (RFC 6455 section 7.1.5).
    #[tokio::test]
    async fn a_close_without_a_code_refuses() {
        let (refused, _) = signed_in(&[RawFrame::control(Control::Close, Vec::new())]).await;
        assert!(matches!(refused, Err(Event::Refused { code: Some(CloseCode::NO_STATUS), .. })));
    }

    /// One text may ask a stranger to sign in; whatever else it is told is not an error, it has been told (AUTH-2).
    #[test]
    fn what_a_stranger_is_told_is_kept() {
        let dialect = Dialect::builtin("first-message").unwrap();
        let hello = r#"{"type":"hello"}"#;
        let event = r#"{"type":"payment:created","payload":{}}"#;
        let welcome = r#"{"type":"connection:established","payload":{"userId":"a","rooms":[]}}"#;
        let error = r#"{"type":"error","payload":{"code":"unauthorized","message":"no"}}"#;
        let told = |texts: &[&str]| {
            let texts = texts.iter().map(|text| (*text).to_owned()).collect();
            let said = SignInTranscript { texts, ..SignInTranscript::default() };
            said.told_a_stranger(&dialect).map(str::to_owned).collect::<Vec<_>>()
        };
        assert!(told(&[hello, error]).is_empty());
        assert_eq!(told(&[hello, event, error]), [event]);
        assert_eq!(told(&[welcome]), [welcome]);
    }
}
