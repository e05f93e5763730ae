//! Connections that come and are gone: nothing of them is waited for, and nothing is recorded (CONN-12).

use std::io;
use std::time::Duration;

use protocol::{ClientMessage, CloseCode, Target, Timestamp};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::gateway::{Next, Player};
use super::opening::{self, Opened};
use super::sign_in::{self, SignInTranscript};
use super::stage::{GatewayStage, PlayError, Setting};
use scenarios::frame::RawFrame;
use scenarios::scenario::Inspection;
use scenarios::trace::Resources;
use wire::handshake::UpgradeRequest;

/// What each of them asks for.
const ROOM: &str = "catalog:changed";
/// How long a gateway has to notice that the last of them are gone.
const NOTICES: Duration = Duration::from_millis(500);
/// Rounds that show nothing yet.
const STEADY_FOR: u32 = 3;
/// Masks of the few frames that each sends: any will do.
const MASK: [u8; 4] = *b"gone";

/// One of them, as it dials.
pub(super) struct Passer {
    pub(super) request: UpgradeRequest,
    /// What signs in, where a message does.
    pub(super) sign_in: Option<String>,
    pub(super) opened: Opened,
}

impl<S: GatewayStage> Player<'_, S> {
    /// Lets a client come and go so often. What comes of it shows afterwards; where the gateway does not let most of them come, nothing
    /// does.
    pub(super) async fn churn(
        &mut self,
        client: &str,
        (count, rounds): (u32, u32),
        step: usize,
    ) -> Result<Next, PlayError> {
        for round in 1..=rounds {
            if self.pass_by(client, count, step).await == Next::InVain {
                return Ok(Next::InVain);
            }
            if rounds == 1 {
                break;
            }
            self.journal.quiet(NOTICES).await?;
            let done = self.inspect(Inspection::Resources).await;
            if self.after_backstage(step, None, done)? == Next::InVain {
                return Ok(Next::InVain);
            }
            if round >= STEADY_FOR && Resources::are_steady(self.journal.trace()) {
                break;
            }
        }
        Ok(Next::Go)
    }

    async fn pass_by(&mut self, client: &str, count: u32, step: usize) -> Next {
        let scripted = self.clients.get_mut(client).expect("scenarios name their clients");
        let patience = self.setting.times.patience;
        let mut passed = 0;
        for number in 0..count {
            let passer = scripted.passer(&*self.stage, self.setting);
            let passing = passer.pass(number, &*self.stage, scripted.gateway(), self.setting);
            match self.journal.during(tokio::time::timeout(patience, passing)).await {
                Ok(came) => passed += u32::from(came.is_ok()),
                // One that hangs is enough: the others would, too.
                Err(_) => break,
            }
        }
        if passed > count / 2 {
            return Next::Go;
        }
        let detail =
            format!("of {count} connections of {client} that come and are gone, {passed} were let in");
        self.journal.in_vain(step, self.rest.on("AUTH-1"), detail, patience);
        Next::InVain
    }
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
        let join = ClientMessage::Subscribe(Target::Room(setting.bindings.room_called(ROOM)));
        send(stream, RawFrame::text(pending.write(&setting.dialect, &join, now))).await
    }
}

async fn send(stream: &mut (impl AsyncWrite + Unpin), frame: RawFrame) -> io::Result<()> {
    stream.write_all(&frame.encode(Some(MASK))).await?;
    stream.flush().await
}
