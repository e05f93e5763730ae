//! A scripted gateway: accepts the dials of a client under test and follows the scenario.

use std::io;

use protocol::ServerMessage;
use serde_json::json;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use tungstenite::protocol::frame::coding::Control;

use super::journal::Recorder;
use super::peer::{Closing, Peer, PeerCommand, PeerSetup};
use super::sign_in;
use super::stage::{Accept, Setting};
use scenarios::frame::RawFrame;
use scenarios::scenario::{FrameSpec, GatewayAct, GatewaySpec, OnDial};
use scenarios::trace::{Actor, Event, Side};
use wire::handshake::{ReceivedRequest, answer_status};
use wire::transcript::Transcript;

/// Acts that wait for the gateway.
const ACTS: usize = 16;
/// Dials that may be in their handshake at once; a client that goes beyond it is left waiting.
const MAX_HANDSHAKES: usize = 256;

/// Who every client is.
const USER: &str = "user";
/// A subprotocol and an extension that no client offers.
const NEVER_OFFERED: &str = "x-never-offered";
/// An answer that is not HTTP.
const GARBAGE: &[u8] = b"\x00\x01\x02 this is no HTTP\r\n\r\n";

/// A running gateway. Dropping it drops every connection.
pub(super) struct ScriptedGateway {
    acts: mpsc::Sender<GatewayAct>,
    _task: AbortOnDropHandle<()>,
}

impl ScriptedGateway {
    /// Starts on a listening socket.
    pub(super) fn start<L>(listener: L, spec: GatewaySpec, setting: Setting, recorder: Recorder) -> Self
    where
        L: Accept + Send + 'static,
        L::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let (acts, inbox) = mpsc::channel(ACTS);
        let script = Script { spec, setting, recorder, dials: 0, in_turn: 0, peers: Vec::new() };
        Self { acts, _task: AbortOnDropHandle::new(tokio::spawn(script.run(listener, inbox))) }
    }

    /// Sends the gateway a command.
    pub(super) async fn act(&self, act: GatewayAct) {
        let _ = self.acts.send(act).await;
    }
}

struct Script {
    spec: GatewaySpec,
    setting: Setting,
    recorder: Recorder,
    /// Connections so far.
    dials: u32,
    /// Dials treated since the way of treating them last changed.
    in_turn: usize,
    /// Open connections, the newest last.
    peers: Vec<Peer>,
}

/// An upgrade that succeeded.
struct Opened<S> {
    stream: S,
    leftover: Vec<u8>,
    connection: u32,
    stalled: bool,
    /// What ends it at once.
    ends: Option<PeerCommand>,
}

impl Script {
    async fn run<L>(mut self, mut listener: L, mut inbox: mpsc::Receiver<GatewayAct>)
    where
        L: Accept + Send,
        L::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut handshakes: JoinSet<Option<Opened<L::Stream>>> = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(act) = inbox.recv() => self.obey(act).await,
                Some(Ok(Some(opened))) = handshakes.join_next() => self.welcome(opened).await,
                accepted = listener.accept(), if handshakes.len() < MAX_HANDSHAKES => match accepted {
                    Ok(stream) => {
                        let connection = self.dials;
                        let answer = self.spec.on_dial.answer(self.in_turn);
                        self.dials += 1;
                        self.in_turn += 1;
                        let handshake =
                            Handshake { connection, answer, setting: self.setting.clone(), recorder: self.recorder.clone() };
                        handshakes.spawn(handshake.run(stream, L::reset));
                    }
                    // Nothing can dial any more; the scenario's waits run out and say what is missing.
                    Err(_) => return,
                },
            }
        }
    }

    async fn welcome<S>(&mut self, opened: Opened<S>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        // Recorded by the task that also acts on connections, so that an act on this one finds it.
        self.recorder.record(Actor::client(), Some(opened.connection), Event::Opened).await;
        let setup = PeerSetup {
            side: Side::Gateway,
            actor: Actor::client(),
            connection: opened.connection,
            pings_to_answer: u32::MAX,
            answers_ping_messages: self.spec.pong,
            stalled: opened.stalled,
            recorder: self.recorder.clone(),
            setting: self.setting.clone(),
        };
        let peer = Peer::start(opened.stream, opened.leftover, setup);
        // Where nothing else says that a client is signed in, the welcome must.
        let must = self.setting.dialect.sign_in.as_ref().is_some_and(|sign_in| sign_in.answer.is_none());
        if (self.spec.welcome || must) && self.setting.dialect.welcome_type().is_some() {
            let rooms = vec!["broadcast".to_owned()];
            peer.order(self.message(&ServerMessage::Welcome { user_id: USER.to_owned(), rooms })).await;
        }
        if let Some(end) = opened.ends {
            peer.order(end).await;
        }
        self.peers.push(peer);
    }

    async fn obey(&mut self, act: GatewayAct) {
        let order = match act {
            GatewayAct::DropAll => {
                for peer in &self.peers {
                    peer.order(PeerCommand::Drop).await;
                }
                return;
            }
            GatewayAct::Event { name, data, count } if count > 1 => {
                for number in 1..=count {
                    let mut payload = data.clone();
                    payload["seq"] = json!(number);
                    let order = self.message(&ServerMessage::Event { name: name.clone(), payload });
                    self.order(order).await;
                }
                return;
            }
            GatewayAct::OnDial(on_dial) => {
                self.spec.on_dial = on_dial;
                self.in_turn = 0;
                return;
            }
            GatewayAct::Pong(answers) => {
                self.spec.pong = answers;
                PeerCommand::AnswerPingMessages(answers)
            }
            GatewayAct::Close { code, lingers } => PeerCommand::Close(Closing { code, lingers }),
            GatewayAct::SendFrames(frames) => PeerCommand::Frames { frames, message: None, chop: None },
            GatewayAct::Fragmented { name, data, fragments, between } => {
                self.fragmented(&ServerMessage::Event { name, payload: data }, fragments, &between)
            }
            GatewayAct::Drop => PeerCommand::Drop,
            GatewayAct::Stall(stalled) => PeerCommand::Stall(stalled),
            GatewayAct::CutAfter(count) => PeerCommand::CutAfter(count),
            GatewayAct::Event { name, data, .. } => {
                self.message(&ServerMessage::Event { name, payload: data })
            }
            GatewayAct::SendBytes(bytes) => PeerCommand::Bytes(bytes),
            GatewayAct::SendText(text) => PeerCommand::Send(RawFrame::text(text)),
            GatewayAct::Ping(payload) => PeerCommand::Send(RawFrame::control(Control::Ping, payload)),
        };
        self.order(order).await;
    }

    /// Sends a command to the newest connection.
    async fn order(&self, order: PeerCommand) {
        if let Some(peer) = self.peers.last() {
            peer.order(order).await;
        }
    }

    fn message(&self, message: &ServerMessage) -> PeerCommand {
        PeerCommand::Send(self.text(message))
    }

    fn text(&self, message: &ServerMessage) -> RawFrame {
        let now = protocol::Timestamp::from_unix_ms((self.setting.unix_ms)());
        RawFrame::text(self.setting.dialect.encode_server(message, now, None))
    }

    /// A message in fragments, with a ping frame behind each but the last.
    fn fragmented(&self, message: &ServerMessage, fragments: usize, between: &[u8]) -> PeerCommand {
        let whole = self.text(message);
        let odd = |frame| FrameSpec { frame, masked: false };
        let mut frames = Vec::new();
        for fragment in whole.clone().cut(fragments) {
            let is_last = fragment.fin;
            frames.push(odd(fragment));
            if !is_last && !between.is_empty() {
                frames.push(odd(RawFrame::control(Control::Ping, between)));
            }
        }
        PeerCommand::Frames { frames, message: Some(whole), chop: None }
    }
}

/// That an upgrade was granted by an answer that the client must not take.
fn granted_wrongly(how: &str) -> Event {
    Event::Refused { status: None, code: None, reason: format!("granted with {how}") }
}

/// One dial until it is open or over.
struct Handshake {
    connection: u32,
    answer: OnDial,
    setting: Setting,
    recorder: Recorder,
}

impl Handshake {
    async fn run<S: AsyncRead + AsyncWrite + Unpin>(self, stream: S, reset: fn(S)) -> Option<Opened<S>> {
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
            OnDial::Accept
            | OnDial::AcceptStalled
            | OnDial::AcceptThenClose(_)
            | OnDial::AcceptThenDrop => {
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
