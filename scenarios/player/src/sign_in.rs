//! Signing in by the first message, both ends: what comes between the upgrade and the time when a connection counts as open.

use std::time::Duration;

use protocol::{CloseCode, Dialect, SignIn, SignInAnswer};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use scenarios::frame::RawFrame;
use scenarios::trace::Event;
use wire::frame::FrameReader;

/// Masks of the few frames that a client sends before it is signed in: any will do.
const MASK: [u8; 4] = *b"sign";
/// Longest time that a client may take to go whose token is refused.
const LEAVING: Duration = Duration::from_secs(1);
/// Most frames that an end reads meanwhile.
const MAX_FRAMES: usize = 64;

/// What a client that waits to be signed in has been told, as it came.
#[derive(Debug, Default)]
pub(super) struct Said {
    /// The texts.
    pub(super) texts: Vec<String>,
    /// What is to be read again once it is signed in.
    leftover: Vec<u8>,
}

/// Signs in, and waits until that is granted; what was read besides, and what follows, is left for whoever goes on. Otherwise how it was
/// refused.
pub(super) async fn ask(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    leftover: Vec<u8>,
    message: &str,
    dialect: &Dialect,
    said: &mut Said,
) -> Result<Vec<u8>, Event> {
    let refused = |code, reason: &str| Event::Refused { status: None, code, reason: reason.to_owned() };
    let lost = |error: std::io::Error| refused(None, &error.to_string());
    // A write error does not end reading: the gateway may have said why before it closed.
    let _ = write(stream, RawFrame::text(message), Some(MASK)).await;
    let mut reader = FrameReader::after(leftover);
    let mut error = None;
    for _ in 0..MAX_FRAMES {
        let Some(frame) = reader.next(stream).await.map_err(lost)? else {
            return Err(refused(None, "the connection ended before the client was signed in"));
        };
        match frame.opcode {
            OpCode::Control(Control::Ping) => {
                let _ = write(stream, RawFrame::control(Control::Pong, frame.payload), Some(MASK)).await;
            }
            OpCode::Control(Control::Close) => {
                let code = frame.payload.first_chunk().map(|bytes| CloseCode(u16::from_be_bytes(*bytes)));
                // The connection is over either way.
                let _ = write(stream, RawFrame::control(Control::Close, frame.payload), Some(MASK)).await;
                let reason = error.map_or_else(
                    || "closed before the client was signed in".to_owned(),
                    |error: String| format!("closed after {error}"),
                );
                return Err(refused(code, &reason));
            }
            OpCode::Data(Data::Text) if frame.fin => {
                let text = String::from_utf8_lossy(&frame.payload).into_owned();
                let answer = dialect.sign_in_answer(&text);
                said.texts.push(text.clone());
                if answer == SignInAnswer::Error {
                    error = Some(text);
                } else if answer != SignInAnswer::Granted {
                    said.keep(frame, reader.mask());
                }
                if matches!(answer, SignInAnswer::Granted | SignInAnswer::Welcomed) {
                    said.leftover.extend(reader.into_unread());
                    return Ok(std::mem::take(&mut said.leftover));
                }
            }
            _ => said.keep(frame, reader.mask()),
        }
    }
    Err(refused(None, "too much came before the client was signed in"))
}

impl Said {
    /// As it came.
    fn keep(&mut self, frame: RawFrame, mask: Option<[u8; 4]>) {
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
        write(stream, RawFrame::control(Control::Close, code.0.to_be_bytes()), None).await?;
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
        let mut said = Said::default();
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
}
