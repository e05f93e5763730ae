//! A scripted client: dials the gateway under test and follows the scenario.

use scenarios::NotPlayed;
use std::io;
use std::num::NonZeroUsize;

use percent_encoding::{AsciiSet, CONTROLS, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::{ClientMessage, Opener, PendingRequests, TokenPlace};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio_util::task::AbortOnDropHandle;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::churn::Passer;
use super::compression::{self, Compression};
use super::journal::Recorder;
use super::opening::{self, Opened};
use super::peer::{Closing, Peer, PeerCommand, PeerSetup};
use super::sign_in::{self, SignInTranscript};
use super::stage::{GatewayStage, PlayError, Setting};
use scenarios::frame::RawFrame;
use scenarios::request::RequestSpec;
use scenarios::scenario::{BrokenSignIn, ClientSpec, FrameSpec, OddPing, ScriptedClientAct};
use scenarios::token::Bearer;
use scenarios::trace::{Actor, Event, Frame, Side};
use wire::handshake::{UpgradeError, UpgradeRequest};
use wire::link::Network;
use wire::transcript::Transcript;

/// What a query leaves alone in a token, beyond letters and digits (RFC 3986 section 2.3: the unreserved characters).
const IN_QUERY: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');
/// What a header cannot carry as it is.
const IN_HEADER: &AsciiSet = &CONTROLS.add(b' ').add(b'%');

/// A connection, by whatever it goes.
trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// A scripted client, connected or not.
pub(super) struct ScriptedClient {
    name: String,
    user_id: String,
    spec: ClientSpec,
    dials: u32,
    /// The references of its newest connection.
    references: PendingRequests,
    /// The token of its first dial, where it is every dial's.
    token: Option<String>,
    peer: Option<Peer>,
    /// A connection of which only the beginning of the request has been sent.
    begun: Option<AbortOnDropHandle<()>>,
    /// Whether it does what every client may do: a stalled or disturbed one, or one that has sent frames that need not be right, is
    /// asked nothing.
    is_plain: bool,
    /// What is between it and the gateway, where the scenario does anything to it.
    network: Option<Network>,
}

impl ScriptedClient {
    /// A client that has not dialled yet.
    pub(super) fn new(name: &str, user_id: String, spec: ClientSpec, disturbed: bool) -> Self {
        let network = disturbed.then(Network::new);
        Self {
            name: name.to_owned(),
            user_id,
            spec,
            dials: 0,
            references: PendingRequests::default(),
            token: None,
            peer: None,
            begun: None,
            is_plain: !disturbed,
            network,
        }
    }

    /// The gateway that it dials.
    pub(super) fn gateway(&self) -> usize {
        self.spec.gateway
    }

    /// The number of the newest connection.
    pub(super) fn connection(&self) -> Option<u32> {
        self.dials.checked_sub(1)
    }

    /// Whether its dial must succeed (AUTH-1).
    pub(super) fn is_welcome(&self) -> bool {
        self.spec.is_welcome()
    }

    /// Whether it sends the beginning of a request, and nothing of it is waited for.
    pub(super) fn only_begins(&self) -> bool {
        self.spec.begun_request
    }

    /// Whether its connection can be asked for a sign of life.
    pub(super) fn is_plain(&self) -> bool {
        self.is_plain
    }

    /// Dials and asks for the upgrade. That it fails is an observation, not an error.
    pub(super) async fn connect<S: GatewayStage>(
        &mut self,
        stage: &S,
        setting: &Setting,
        recorder: &Recorder,
    ) {
        let connection = self.dials;
        self.dials += 1;
        self.references = PendingRequests::default();
        self.peer = None;
        let actor = Actor(self.name.clone());
        let mut request = self.request(stage.host(self.spec.gateway), setting);
        if !self.spec.signs_in {
            request.token = None;
            self.is_plain = false;
        }
        // A request that is not finished is for the gateway to give up.
        let patience = match self.spec.is_unfinished() {
            true => setting.times.timing.connect_timeout + setting.times.patience,
            false => setting.times.patience,
        };
        // Wherever the dialect has it, the trace knows the token: it must not turn up elsewhere (AUTH-8).
        let query = request.token.iter().map(|(_, token)| ("token".to_owned(), token.clone())).collect();
        let token_in = setting.dialect.token.besides_query();
        let dialled = Event::Dialled { path: request.path.clone(), query, token_in };
        recorder.record(actor.clone(), Some(connection), dialled).await;
        if self.spec.begun_request {
            let begun = begin(stage, self.spec.gateway, &request);
            let begun = tokio::time::timeout(setting.times.patience, begun).await;
            match begun.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
                Ok(begun) => self.begun = Some(begun),
                Err(error) => {
                    let reason = error.to_string();
                    let refused = Event::Refused { status: None, code: None, by: None, reason };
                    recorder.record(actor, Some(connection), refused).await;
                }
            }
            return;
        }
        let (mut transcript, mut said) = (Transcript::default(), SignInTranscript::default());
        let mut opened = self.opening(setting);
        let first = setting
            .dialect
            .sign_in
            .as_ref()
            .filter(|_| self.spec.signs_in)
            .map(|sign_in| sign_in.write(request.token.as_ref().map(|(_, token)| token.as_str())));
        let upgrade = async {
            let stream = stage.dial(self.spec.gateway).await?;
            let stream: Box<dyn Duplex> = match &self.network {
                None => Box::new(stream),
                Some(network) => Box::new(network.pass(stream, S::reset)),
            };
            let mut recorded = transcript.record(stream);
            let leftover = request.send(&mut recorded).await?;
            let mut stream = recorded.into_inner();
            let leftover = match &first {
                Some(first) => sign_in::ask(&mut stream, leftover, first, &setting.dialect, &mut said).await,
                None => Ok(leftover),
            };
            let leftover = match leftover {
                Ok(leftover) => opening::open(&mut stream, leftover, &mut opened, &setting.dialect).await,
                refused => refused,
            };
            Ok::<_, UpgradeError>(leftover.map(|leftover| (stream, leftover)))
        };
        let outcome = tokio::time::timeout(patience, upgrade).await;
        let messages = first.into_iter().filter(|_| said.has_asked);
        let request = messages.fold(transcript.written(), |request, message| request + &message + "\n");
        let request = opened.sent().iter().fold(request, |request, text| request + text + "\n");
        let told = said.texts.iter().chain(opened.texts());
        let answer = told.fold(transcript.read(), |answer, text| answer + text + "\n");
        let handshake = Event::Handshake { request, answer };
        recorder.record(actor.clone(), Some(connection), handshake).await;
        if !matches!(outcome, Ok(Ok(Ok(_)))) {
            for text in said.told_a_stranger(&setting.dialect) {
                let frame = Frame::of(&RawFrame::text(text), &setting.dialect, true, None);
                recorder.record(actor.clone(), Some(connection), Event::Received(frame)).await;
            }
        }
        let opens = !opened.sent().is_empty();
        self.references = opened.pending;
        let refusal = match outcome {
            Ok(Ok(Err(refused))) => refused,
            Ok(Ok(Ok((stream, leftover)))) => {
                recorder.record(actor.clone(), Some(connection), Event::Opened).await;
                let agreed = match self.spec.compression {
                    true => Compression::agreed(&transcript.read()),
                    false => Ok(None),
                };
                if let Err(why) = &agreed {
                    let wrong = Event::BadFrame { why: (*why).to_owned(), by: Side::Gateway };
                    recorder.record(actor.clone(), Some(connection), wrong).await;
                }
                let setup = PeerSetup {
                    side: Side::Client,
                    actor,
                    connection,
                    pings_to_answer: self.spec.answers_pings.most(),
                    answers_ping_messages: false,
                    stalled: false,
                    recorder: recorder.clone(),
                    setting: setting.clone(),
                    compression: agreed.unwrap_or_default(),
                    pending: self.references.clone(),
                };
                self.peer = Some(Peer::start(stream, leftover, setup));
                return;
            }
            Ok(Err(UpgradeError::Status { status })) => {
                Event::Refused { status: Some(status), code: None, by: None, reason: String::new() }
            }
            Ok(Err(error)) => {
                Event::Refused { status: None, code: None, by: None, reason: error.to_string() }
            }
            Err(_) => {
                let what = match (said.has_asked, opens) {
                    (_, true) => "frames that it sends first",
                    (true, false) => "first message",
                    (false, false) => "upgrade request",
                };
                Event::Refused {
                    status: None,
                    code: None,
                    by: None,
                    reason: format!("no answer to the {what}"),
                }
            }
        };
        recorder.record(actor, Some(connection), refusal).await;
    }

    /// Asks the gateway for a sign of life that every implementation gives, so that it has surely seen all before.
    pub(super) async fn ping_frame(&self, payload: &[u8]) -> bool {
        self.order(PeerCommand::Send(RawFrame::control(Control::Ping, payload))).await
    }

    /// Asks for a sign of life in both ways that there are; either answer will do.
    pub(super) async fn ask_alive(&mut self, payload: &[u8], setting: &Setting) {
        self.ping_frame(payload).await;
        let timestamp = protocol::Timestamp::from_unix_ms((setting.unix_ms)());
        let ping = self.references.write(&setting.dialect, &ClientMessage::Ping, timestamp);
        self.order(PeerCommand::Send(RawFrame::text(ping))).await;
    }

    /// Carries out a step; an act on an ended connection has no effect.
    pub(super) async fn act(&mut self, act: &ScriptedClientAct, setting: &Setting) -> Result<(), PlayError> {
        let timestamp = protocol::Timestamp::from_unix_ms((setting.unix_ms)());
        let message = |references: &mut PendingRequests, message: &ClientMessage| {
            PeerCommand::Send(RawFrame::text(references.write(&setting.dialect, message, timestamp)))
        };
        let is_odd = matches!(
            act,
            ScriptedClientAct::Stall
                | ScriptedClientAct::HalfClose
                | ScriptedClientAct::SendCompressed(_)
                | ScriptedClientAct::SendBytes(_)
                | ScriptedClientAct::SendFrames { .. }
        );
        self.is_plain &= !is_odd;
        let order = match act {
            ScriptedClientAct::Connect => {
                return Err(PlayError::Harness(
                    "a scripted client cannot connect without a stage".to_owned(),
                ));
            }
            ScriptedClientAct::Close(code) => PeerCommand::Close(Closing { code: *code, lingers: false }),
            ScriptedClientAct::Drop => PeerCommand::Drop,
            ScriptedClientAct::HalfClose => PeerCommand::HalfClose,
            ScriptedClientAct::Churn { .. } => {
                return Err(PlayError::Harness("the player lets clients come and go".to_owned()));
            }
            ScriptedClientAct::SendCompressed(bytes) => PeerCommand::Frames {
                frames: vec![FrameSpec { frame: compression::bomb(*bytes), masked: true }],
                message: Some(RawFrame::text(format!("({bytes} blanks, compressed)"))),
                chop: None,
            },
            ScriptedClientAct::Stall => PeerCommand::Stall(true),
            ScriptedClientAct::Resume => PeerCommand::Stall(false),
            ScriptedClientAct::Mute => PeerCommand::Mute,
            ScriptedClientAct::Ping => message(&mut self.references, &ClientMessage::Ping),
            ScriptedClientAct::Send { kind, payload, count } => {
                let other = ClientMessage::Other { kind: kind.clone(), payload: payload.clone() };
                for _ in 1..*count {
                    let order = message(&mut self.references, &other);
                    self.order(order).await;
                }
                message(&mut self.references, &other)
            }
            ScriptedClientAct::SendText(text) => PeerCommand::Send(RawFrame::text(text.clone())),
            ScriptedClientAct::SendBinary(bytes) => {
                PeerCommand::Send(RawFrame::whole(OpCode::Data(Data::Binary), bytes.clone()))
            }
            ScriptedClientAct::SendBytes(bytes) => PeerCommand::Bytes(bytes.clone()),
            ScriptedClientAct::SendFrames { frames, chop } => {
                PeerCommand::Frames { frames: frames.clone(), message: None, chop: *chop }
            }
            ScriptedClientAct::SendPing(ping) => {
                let text = self.references.write(&setting.dialect, &ClientMessage::Ping, timestamp);
                odd_ping(text, ping)?
            }
            ScriptedClientAct::Network(act) => {
                let network = self.network.as_ref();
                network.expect("a scenario's steps are known").apply(act.change(&setting.times));
                return Ok(());
            }
            ScriptedClientAct::SignIn(_) | ScriptedClientAct::BreakSignIn(_) => {
                return Err(PlayError::Harness("the player writes what signs in".to_owned()));
            }
            ScriptedClientAct::Subscribe(target) => {
                message(&mut self.references, &ClientMessage::Subscribe(target.clone()))
            }
            ScriptedClientAct::Unsubscribe(target) => {
                message(&mut self.references, &ClientMessage::Unsubscribe(target.clone()))
            }
        };
        self.order(order).await;
        Ok(())
    }

    /// One more of its connections, none of which is recorded.
    pub(super) fn passer<S: GatewayStage>(&mut self, stage: &S, setting: &Setting) -> Passer {
        let request = self.request(stage.host(self.spec.gateway), setting);
        let token = request.token.as_ref().map(|(_, token)| token.as_str());
        let sign_in = setting.dialect.sign_in.as_ref().map(|sign_in| sign_in.write(token));
        Passer { request, sign_in, opened: self.opening(setting) }
    }

    /// The message that signs in with its token.
    pub(super) fn sign_in_message(&mut self, setting: &Setting) -> Result<String, PlayError> {
        let sign_in = setting.dialect.sign_in.as_ref().ok_or_else(|| {
            PlayError::Harness("the token travels in the request: no message signs in".to_owned())
        })?;
        let token = self.request(String::new(), setting).token;
        Ok(sign_in.write(token.as_ref().map(|(_, token)| token.as_str())))
    }

    /// The message that would sign in, but for one part of it.
    pub(super) fn broken_sign_in(
        &mut self,
        how: BrokenSignIn,
        setting: &Setting,
    ) -> Result<String, PlayError> {
        let message = self.sign_in_message(setting)?;
        let token = self.request(String::new(), setting).token;
        Ok(how.of(&message, token.as_ref().map_or("", |(_, token)| token.as_str())))
    }

    /// Whether it signs in by itself.
    pub(super) fn signs_in(&self) -> bool {
        self.spec.signs_in
    }

    async fn order(&self, order: PeerCommand) -> bool {
        match &self.peer {
            Some(peer) => peer.order(order).await,
            None => false,
        }
    }

    /// What is unusual about its request.
    fn recipe(&self) -> RequestSpec {
        let mut recipe = self.spec.request.clone();
        if self.spec.compression {
            recipe.fields.insert("Sec-WebSocket-Extensions".to_owned(), compression::OFFER.to_owned());
        }
        recipe
    }

    /// What it sends as soon as it is connected.
    fn opening(&self, setting: &Setting) -> Opened {
        let role = setting
            .bindings
            .roles
            .name(self.spec.role)
            .map_or_else(|| self.spec.role.lower_case().to_owned(), str::to_lowercase);
        let opener = Opener { user_id: &self.user_id, role: &role };
        Opened::new(&setting.dialect, opener, protocol::Timestamp::from_unix_ms((setting.unix_ms)()))
    }

    fn request(&mut self, host: String, setting: &Setting) -> UpgradeRequest {
        let email = format!("{}@example.org", self.user_id);
        let bearer = Bearer { user_id: &self.user_id, email: &email, role: self.spec.role };
        let now_s = (setting.unix_ms)().div_euclid(1000);
        let place = setting.dialect.token.clone();
        let encode = |token: String| match (self.spec.token.percent_encode_all, place.parameter()) {
            // JSON has a way of its own.
            _ if place.is_message() => token,
            (false, None) if place == TokenPlace::Path => utf8_percent_encode(&token, IN_QUERY).to_string(),
            (true, _) => token.bytes().map(|byte| format!("%{byte:02X}")).collect(),
            (false, Some(_)) => utf8_percent_encode(&token, IN_QUERY).to_string(),
            (false, None) => utf8_percent_encode(&token, IN_HEADER).to_string(),
        };
        let first = self.token.take();
        let token = first.or_else(|| self.spec.token.mint(&bearer, &setting.issuer, now_s));
        if self.spec.token.same_again {
            self.token.clone_from(&token);
        }
        let token = token.map(|token| (place.clone(), encode(token)));
        let path = self.spec.path_on(&setting.path);
        UpgradeRequest {
            host,
            path,
            token,
            subprotocol: setting.dialect.subprotocol.clone(),
            upgrade: self.spec.upgrade,
            origin: self.spec.origin.clone(),
            half: self.spec.half_request,
            drip: self.spec.drip_request.as_ref().map(|pause| pause.duration(&setting.times)),
            recipe: self.recipe(),
        }
    }
}

/// A connection with half a request on it.
async fn begin<S: GatewayStage>(
    stage: &S,
    gateway: usize,
    request: &UpgradeRequest,
) -> io::Result<AbortOnDropHandle<()>> {
    let mut stream = stage.dial(gateway).await?;
    let head = request.head();
    stream.write_all(&head.as_bytes()[..head.len() / 2]).await?;
    stream.flush().await?;
    Ok(AbortOnDropHandle::new(tokio::spawn(async move {
        let _open = stream;
        std::future::pending::<()>().await;
    })))
}

/// A ping message in an unusual shape.
fn odd_ping(mut text: String, ping: &OddPing) -> Result<PeerCommand, PlayError> {
    if let Some(bytes) = ping.bytes {
        // Blanks behind JSON mean nothing; behind a text they make it another one.
        if !text.ends_with(['}', ']']) {
            let why = "a ping of this dialect is a text that cannot be made longer";
            return Err(PlayError::NotRun(NotPlayed::by_design(why)));
        }
        let padding = bytes.checked_sub(text.len()).ok_or_else(|| {
            PlayError::Harness(format!(
                "a ping message of this dialect has {} bytes, not {bytes}",
                text.len()
            ))
        })?;
        text += &" ".repeat(padding);
    }
    let message = RawFrame::text(text);
    let mut frames = Vec::new();
    for fragment in message.clone().cut(ping.fragments.map_or(1, NonZeroUsize::get)) {
        if let Some(text) = ping.between.as_ref().filter(|_| !frames.is_empty()) {
            frames.push(RawFrame::control(Control::Ping, text.as_bytes()));
        }
        frames.push(fragment);
    }
    let frames = frames.into_iter().map(|frame| FrameSpec { frame, masked: true }).collect();
    Ok(PeerCommand::Frames { frames, message: Some(message), chop: ping.chop })
}
