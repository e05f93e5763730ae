//! Connections that come and are gone: nothing of them is waited for, and nothing is recorded (CONN-12).

use std::io;

use protocol::{ClientMessage, Target};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::opening::{self, Opened};
use super::sign_in::{self, SignInTranscript};
use super::stage::{GatewayStage, Setting};
use protocol::{CloseCode, Timestamp};
use scenarios::frame::RawFrame;
use wire::handshake::UpgradeRequest;

/// What each of them asks for.
const ROOM: &str = "catalog:changed";
/// Masks of the few frames that each sends: any will do.
const MASK: [u8; 4] = *b"gone";

/// One of them, as it dials.
pub(super) struct Passer {
    pub(super) request: UpgradeRequest,
    /// What signs in, where a message does.
    pub(super) sign_in: Option<String>,
    pub(super) opened: Opened,
}

impl Passer {
    /// Comes, asks for a room, and is gone: without waiting for anything, or as soon as it is connected, or behind a close frame.
    /// `number` says which.
    ///
    /// # Errors
    /// When the gateway does not let it come so far, which is no finding.
    pub(super) async fn pass<S: GatewayStage>(
        mut self,
        number: u32,
        stage: &S,
        gateway: usize,
        setting: &Setting,
    ) -> io::Result<()> {
        let mut stream = stage.dial(gateway).await?;
        match number % 3 {
            0 => {
                stream.write_all(self.request.head().as_bytes()).await?;
                if let Some(text) = self.sign_in.take() {
                    send(&mut stream, RawFrame::text(text)).await?;
                }
                self.subscribe(&mut stream, setting).await
            }
            1 => {
                self.come(&mut stream, setting).await?;
                self.subscribe(&mut stream, setting).await
            }
            _ => {
                self.come(&mut stream, setting).await?;
                self.subscribe(&mut stream, setting).await?;
                send(&mut stream, RawFrame::close(CloseCode::NORMAL)).await?;
                S::reset(stream);
                Ok(())
            }
        }
    }

    async fn come(
        &mut self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
        setting: &Setting,
    ) -> io::Result<()> {
        let refused = |_| io::Error::from(io::ErrorKind::ConnectionRefused);
        let mut leftover = self.request.send(stream).await.map_err(|error| refused(error.to_string()))?;
        if let Some(text) = self.sign_in.take() {
            let asked =
                sign_in::ask(stream, leftover, &text, &setting.dialect, &mut SignInTranscript::default())
                    .await;
            leftover = asked.map_err(|event| refused(event.to_string()))?;
        }
        let opened = opening::open(stream, leftover, &mut self.opened, &setting.dialect).await;
        opened.map(drop).map_err(|event| refused(event.to_string()))
    }

    async fn subscribe(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        setting: &Setting,
    ) -> io::Result<()> {
        let now = Timestamp::from_unix_ms((setting.unix_ms)());
        let mut pending = std::mem::take(&mut self.opened.pending);
        let join = ClientMessage::Subscribe(Target::Room(ROOM.to_owned()));
        send(stream, RawFrame::text(pending.write(&setting.dialect, &join, now))).await
    }
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), frame: RawFrame) -> io::Result<()> {
    stream.write_all(&frame.encode(Some(MASK))).await?;
    stream.flush().await
}
