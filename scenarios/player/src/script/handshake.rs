//! One dial of a scripted gateway: the request, its treatment, and signing in where the first message does that.

use std::io;

use protocol::{CloseCode, SignIn};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

use super::{Opened, USER};
use crate::journal::Recorder;
use crate::peer::{Closing, PeerCommand};
use crate::sign_in;
use crate::stage::Setting;
use scenarios::scenario::OnDial;
use scenarios::trace::{Actor, Event, Side};
use wire::handshake::{ReceivedRequest, answer_status};
use wire::transcript::Transcript;

/// Who ends a dial that this gateway refuses.
const OWN: Option<Side> = Some(Side::Gateway);
/// A subprotocol and an extension that no client offers.
const NEVER_OFFERED: &str = "x-never-offered";
/// An answer that is not HTTP.
const GARBAGE: &[u8] = b"\x00\x01\x02 this is no HTTP\r\n\r\n";

/// One dial until it is open or over.
pub(super) struct Handshake {
    /// Which dial it is.
    pub(super) connection: u32,
    /// How it is treated.
    pub(super) answer: OnDial,
    /// The dialect and the times.
    pub(super) setting: Setting,
    /// Where what happens is written.
    pub(super) recorder: Recorder,
    /// Counts dials that the client may know to be granted, until they are welcomed.
    pub(super) granted: TaskTracker,
}

impl Handshake {
    /// Reads the request and treats it. Returns the connection where it is open.
    pub(super) async fn run<S: AsyncRead + AsyncWrite + Unpin>(
        self,
        stream: S,
        reset: fn(S),
    ) -> Option<Opened<S>> {
        let mut transcript = Transcript::default();
        let mut stream = transcript.record(stream);
        let request = match ReceivedRequest::read(&mut stream).await {
            Ok(request) => request.apart_from_token(&self.setting.path, &self.setting.dialect),
            Err(error) => {
                self.note_handshake(&transcript).await;
                self.note_failure(error.to_string()).await;
                return None;
            }
        };
        // A dial is whole once its token has come.
        let sign_in = self.setting.dialect.sign_in.as_ref().filter(|_| self.answer.reads_first_message());
        if sign_in.is_none() {
            self.note_dial(&request, None).await;
        }
        // Noted first: the client's delay begins as it sees the refusal, and none of it must pass before that.
        let refused = self.refusal();
        let is_refused = refused.is_some();
        if let Some(refused) = refused {
            self.note(refused).await;
        }
        if self.answer == OnDial::Reset {
            reset(stream.into_inner());
            self.note_handshake(&transcript).await;
            return None;
        }
        let upgraded = (sign_in.is_none() && self.answer.reads_first_message()).then(|| self.granted.token());
        let settled = self.settle(&mut stream, &request).await;
        let mut stream = stream.into_inner();
        self.note_handshake(&transcript).await;
        match settled {
            Ok(true) => {
                let (leftover, granted) = match sign_in {
                    Some(sign_in) => self.sign_in(&mut stream, request, sign_in).await?,
                    None => (request.leftover, upgraded?),
                };
                let stalled = self.answer == OnDial::AcceptStalled;
                let ends = match self.answer {
                    OnDial::AcceptThenClose(code) => {
                        Some(PeerCommand::Close(Closing { code, lingers: false }))
                    }
                    OnDial::AcceptThenDrop => Some(PeerCommand::Drop),
                    _ => None,
                };
                Some(Opened {
                    stream,
                    leftover,
                    connection: self.connection,
                    stalled,
                    ends,
                    _granted: granted,
                })
            }
            Ok(false) => None,
            Err(_) if is_refused => None,
            Err(error) => {
                self.note_failure(error.to_string()).await;
                None
            }
        }
    }

    /// Reads the first message and grants or refuses it. Returns what was read behind it where the client is signed in.
    async fn sign_in<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        mut request: ReceivedRequest,
        sign_in: &SignIn,
    ) -> Option<(Vec<u8>, TaskTrackerToken)> {
        let first = sign_in::await_message(stream, std::mem::take(&mut request.leftover));
        let first = match tokio::time::timeout(self.setting.times.patience, first).await {
            // It went before it said anything: its token may not have come, and nothing was dialled with one.
            Ok(None) => return None,
            Ok(first) => first,
            Err(_) => None,
        };
        let token = first.as_ref().and_then(|(text, _)| sign_in.token(text));
        self.note_dial(&request, token).await;
        let Some((_, unread)) = first.filter(|(text, _)| sign_in.is_message(text)) else {
            self.note_failure("upgraded, but its first message did not sign in".to_owned()).await;
            return None;
        };
        if self.answer == OnDial::SignInUnanswered {
            self.outlast(stream).await;
            return None;
        }
        if let Some(code) = self.refusing_code() {
            self.note(Event::Refused { status: None, code, by: OWN, reason: String::new() }).await;
            sign_in::refuse(stream, code).await;
            return None;
        }
        let granted = self.granted.token();
        if let Err(error) = sign_in::grant(stream, sign_in, USER).await {
            self.note_failure(format!("upgraded, but lost while it was signed in: {error}")).await;
            return None;
        }
        Some((unread, granted))
    }

    /// The close by which it refuses a token that came in the first message, where it does; nothing in it: it just ends.
    fn refusing_code(&self) -> Option<Option<CloseCode>> {
        match self.answer {
            OnDial::Unauthorized => Some(self.setting.dialect.refusal.close_code()),
            // Once the sign-in is answered these say something else.
            OnDial::AcceptThenClose(code @ (CloseCode::POLICY | CloseCode::UNAUTHORIZED)) => Some(Some(code)),
            _ => None,
        }
    }

    /// How this gateway refuses, where that is its own doing and not the client's.
    fn refusal(&self) -> Option<Event> {
        let because = |reason: &str| {
            Some(Event::Refused { status: None, code: None, by: OWN, reason: reason.to_owned() })
        };
        match self.answer {
            OnDial::AcceptWrongly => because("granted with a wrong Sec-WebSocket-Accept"),
            OnDial::AcceptWithSubprotocol => because("granted with a subprotocol that was not asked for"),
            OnDial::AcceptWithExtension => because("granted with an extension that was not offered"),
            OnDial::Garbage => because("answered with what is not HTTP"),
            OnDial::Refuse => because("dropped by the gateway"),
            OnDial::Reset => because("reset by the gateway"),
            _ => self.status().map(|status| Event::Refused {
                status: Some(status),
                code: None,
                by: OWN,
                reason: String::new(),
            }),
        }
    }

    /// The status that it answers, where that is no upgrade. Where the first message signs in, the upgrade is granted at first.
    fn status(&self) -> Option<u16> {
        match self.answer {
            OnDial::Page => Some(200),
            OnDial::Moved => Some(301),
            OnDial::Unauthorized if self.setting.dialect.sign_in.is_none() => Some(401),
            OnDial::Forbidden => Some(403),
            OnDial::Unavailable => Some(503),
            _ => None,
        }
    }

    /// Treats the request; says whether it was granted.
    async fn settle<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        request: &ReceivedRequest,
    ) -> io::Result<bool> {
        if let Some(status) = self.status() {
            answer_status(stream, status).await?;
            return Ok(false);
        }
        match self.answer {
            OnDial::AcceptWrongly => request.accept_wrongly(stream).await?,
            OnDial::AcceptWithSubprotocol => {
                request.accept_with(stream, "Sec-WebSocket-Protocol", NEVER_OFFERED).await?;
            }
            OnDial::AcceptWithExtension => {
                request.accept_with(stream, "Sec-WebSocket-Extensions", NEVER_OFFERED).await?;
            }
            OnDial::Garbage => {
                stream.write_all(GARBAGE).await?;
                stream.shutdown().await?;
            }
            OnDial::Refuse | OnDial::Reset => stream.shutdown().await?,
            OnDial::EndlessHead => {
                // The client ends it before it has taken everything, or waits for more.
                let taken = request.accept_without_end(stream).await;
                while taken.is_ok() && stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
                self.note_failure("granted with a head that does not end".to_owned()).await;
            }
            OnDial::Hang => self.outlast(stream).await,
            _ => {
                request.accept(stream, &self.setting.dialect).await?;
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Answers nothing until the client gives up.
    async fn outlast<S: AsyncRead + AsyncWrite + Unpin>(&self, stream: &mut S) {
        while stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
        self.note_failure("given up by the client".to_owned()).await;
    }

    async fn note_dial(&self, request: &ReceivedRequest, first_message_token: Option<String>) {
        let mut query = request.parameters(&self.setting.dialect);
        query.extend(first_message_token.map(|token| ("token".to_owned(), token)));
        let token_in = self.setting.dialect.token.besides_query();
        self.note(Event::Dialled { path: request.path.clone(), query, token_in }).await;
    }

    async fn note(&self, event: Event) {
        self.recorder.record(Actor::client(), Some(self.connection), event).await;
    }

    async fn note_failure(&self, reason: String) {
        self.note(Event::Refused { status: None, code: None, by: None, reason }).await;
    }

    async fn note_handshake(&self, transcript: &Transcript) {
        if self.setting.keeps_handshakes {
            let (request, answer) = (transcript.read(), transcript.written());
            self.note(Event::Handshake { request, answer }).await;
        }
    }
}
