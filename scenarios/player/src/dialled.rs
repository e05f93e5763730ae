//! What a scripted gateway makes of a dial: its upgrade is granted, rightly or wrongly, or refused.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::journal::Recorder;
use super::peer::{Closing, PeerCommand};
use super::sign_in;
use super::stage::Setting;
use scenarios::scenario::OnDial;
use scenarios::trace::{Actor, Event};
use wire::handshake::{ReceivedRequest, answer_status};
use wire::transcript::Transcript;

/// Who every client is.
pub(super) const USER: &str = "user";
/// A subprotocol and an extension that no client offers.
const NEVER_OFFERED: &str = "x-never-offered";
/// An answer that is not HTTP.
const GARBAGE: &[u8] = b"\x00\x01\x02 this is no HTTP\r\n\r\n";

/// An upgrade that succeeded.
pub(super) struct Opened<S> {
    pub(super) stream: S,
    pub(super) leftover: Vec<u8>,
    pub(super) connection: u32,
    pub(super) stalled: bool,
    /// What ends it at once.
    pub(super) ends: Option<PeerCommand>,
}

/// That an upgrade was granted by an answer that the client must not take.
fn granted_wrongly(how: &str) -> Event {
    Event::Refused { status: None, code: None, reason: format!("granted with {how}") }
}

/// One dial until it is open or over.
pub(super) struct Handshake {
    pub(super) connection: u32,
    pub(super) answer: OnDial,
    pub(super) setting: Setting,
    pub(super) recorder: Recorder,
}

impl Handshake {
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
        let mut query = request.parameters(&self.setting.dialect);
        // A dial is whole once its token has come.
        let sign_in = self.setting.dialect.sign_in.as_ref().filter(|_| self.answer.reads_first_message());
        if sign_in.is_none() {
            self.note(Event::Dialled { path: request.path.clone(), query: query.clone() }).await;
        }
        if self.answer == OnDial::Reset {
            reset(stream.into_inner());
            self.note_handshake(&transcript).await;
            self.note_failure("reset by the gateway".to_owned()).await;
            return None;
        }
        let settled = self.settle(&mut stream, &request).await;
        let mut stream = stream.into_inner();
        self.note_handshake(&transcript).await;
        match settled {
            Ok(None) => {
                let mut leftover = request.leftover;
                if let Some(sign_in) = sign_in {
                    let patience = self.setting.times.patience;
                    let first = sign_in::await_message(&mut stream, leftover);
                    let first = tokio::time::timeout(patience, first).await.ok().flatten();
                    let token = first.as_ref().and_then(|(text, _)| sign_in.token(text));
                    let is_signed_in = first.as_ref().is_some_and(|(text, _)| sign_in.is_message(text));
                    query.extend(token.map(|token| ("token".to_owned(), token)));
                    self.note(Event::Dialled { path: request.path.clone(), query }).await;
                    let refuses = self.answer == OnDial::Unauthorized;
                    let granted =
                        is_signed_in && (refuses || sign_in::grant(&mut stream, sign_in, USER).await.is_ok());
                    if !granted {
                        let reason = "upgraded, but its first message did not sign in".to_owned();
                        self.note(Event::Refused { status: None, code: None, reason }).await;
                        return None;
                    }
                    if refuses {
                        let code = self.setting.dialect.refusal.close_code();
                        self.note(Event::Refused { status: None, code, reason: String::new() }).await;
                        sign_in::refuse(&mut stream, code).await;
                        return None;
                    }
                    leftover = first.map(|(_, unread)| unread).unwrap_or_default();
                }
                let stalled = self.answer == OnDial::AcceptStalled;
                let ends = match self.answer {
                    OnDial::AcceptThenClose(code) => {
                        Some(PeerCommand::Close(Closing { code: Some(code), lingers: false }))
                    }
                    OnDial::AcceptThenDrop => Some(PeerCommand::Drop),
                    _ => None,
                };
                Some(Opened { stream, leftover, connection: self.connection, stalled, ends })
            }
            Ok(Some(refused)) => {
                self.note(refused).await;
                None
            }
            Err(error) => {
                self.note_failure(error.to_string()).await;
                None
            }
        }
    }

    /// Treats the request; nothing where it was granted, otherwise how it was refused.
    async fn settle<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        stream: &mut S,
        request: &ReceivedRequest,
    ) -> io::Result<Option<Event>> {
        let status = match self.answer {
            OnDial::Unauthorized if self.setting.dialect.sign_in.is_some() => {
                request.accept(stream, &self.setting.dialect).await?;
                return Ok(None);
            }
            OnDial::Accept | OnDial::AcceptStalled | OnDial::AcceptThenClose(_) | OnDial::AcceptThenDrop => {
                request.accept(stream, &self.setting.dialect).await?;
                return Ok(None);
            }
            OnDial::AcceptWrongly => {
                request.accept_wrongly(stream).await?;
                return Ok(Some(granted_wrongly("a wrong Sec-WebSocket-Accept")));
            }
            OnDial::AcceptWithSubprotocol => {
                request.accept_with(stream, "Sec-WebSocket-Protocol", NEVER_OFFERED).await?;
                return Ok(Some(granted_wrongly("a subprotocol that was not asked for")));
            }
            OnDial::AcceptWithExtension => {
                request.accept_with(stream, "Sec-WebSocket-Extensions", NEVER_OFFERED).await?;
                return Ok(Some(granted_wrongly("an extension that was not offered")));
            }
            OnDial::EndlessHead => {
                // The client ends it before it has taken everything, or waits for more.
                let taken = request.accept_without_end(stream).await;
                while taken.is_ok() && stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
                return Ok(Some(granted_wrongly("a head that does not end")));
            }
            OnDial::Garbage => {
                stream.write_all(GARBAGE).await?;
                stream.shutdown().await?;
                return Ok(Some(Event::Refused {
                    status: None,
                    code: None,
                    reason: "answered with what is not HTTP".to_owned(),
                }));
            }
            OnDial::Refuse | OnDial::Reset => {
                stream.shutdown().await?;
                return Ok(Some(Event::Refused {
                    status: None,
                    code: None,
                    reason: "dropped by the gateway".to_owned(),
                }));
            }
            OnDial::Hang => {
                // Until the client gives up.
                while stream.read(&mut [0; 64]).await.is_ok_and(|count| count > 0) {}
                return Ok(Some(Event::Refused {
                    status: None,
                    code: None,
                    reason: "given up by the client".to_owned(),
                }));
            }
            OnDial::Page => 200,
            OnDial::Moved => 301,
            OnDial::Unauthorized => 401,
            OnDial::Forbidden => 403,
            OnDial::Unavailable => 503,
        };
        answer_status(stream, status).await?;
        Ok(Some(Event::Refused { status: Some(status), code: None, reason: String::new() }))
    }

    async fn note(&self, event: Event) {
        self.recorder.record(Actor::client(), Some(self.connection), event).await;
    }

    async fn note_failure(&self, reason: String) {
        self.note(Event::Refused { status: None, code: None, reason }).await;
    }

    async fn note_handshake(&self, transcript: &Transcript) {
        if self.setting.keeps_handshakes {
            let (request, answer) = (transcript.read(), transcript.written());
            self.note(Event::Handshake { request, answer }).await;
        }
    }
}
