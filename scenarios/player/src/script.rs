//! A scripted gateway: accepts the dials of a client under test and follows the scenario.

mod handshake;

use protocol::{CloseCode, PendingRequests, ServerMessage};
use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{JoinError, JoinSet};
use tokio_util::task::task_tracker::TaskTrackerToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};
use tungstenite::protocol::frame::coding::Control;

use self::handshake::Handshake;
use super::fragments::Fragmentation;
use super::journal::Recorder;
use super::peer::{Closing, Peer, PeerCommand, PeerSetup};
use super::stage::{Accept, Setting};
use scenarios::frame::RawFrame;
use scenarios::scenario::{GatewayAct, GatewaySpec};
use scenarios::trace::{Actor, Event, Side};

/// Acts that wait for the gateway.
const ACTS: usize = 16;
/// Dials that may be in their handshake at once; a client that goes beyond it is left waiting.
const MAX_HANDSHAKES: usize = 256;

/// Who every client is.
const USER: &str = "user";

/// An act, and what is dropped once it is obeyed.
struct ActRequest {
    act: GatewayAct,
    _done: oneshot::Sender<()>,
}

/// A running gateway. Dropping it drops every connection.
pub(super) struct ScriptedGateway {
    acts: mpsc::Sender<ActRequest>,
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

    /// Has the gateway act. What treats the client otherwise is in force when this returns, for whatever the client does next; what
    /// is sent may still be on its way, since that a client does not read must not hold up the scenario.
    pub(super) async fn act(&self, act: GatewayAct) {
        let treats = matches!(
            act,
            GatewayAct::OnDial(_) | GatewayAct::Pong(_) | GatewayAct::Stall(_) | GatewayAct::CutAfter(_)
        );
        let (done, obeyed) = oneshot::channel();
        let _ = self.acts.send(ActRequest { act, _done: done }).await;
        if treats {
            let _ = obeyed.await;
        }
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
    /// Until it is welcomed.
    _granted: TaskTrackerToken,
}

impl Script {
    async fn run<L>(mut self, mut listener: L, mut inbox: mpsc::Receiver<ActRequest>)
    where
        L: Accept + Send,
        L::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let mut handshakes: JoinSet<Option<Opened<L::Stream>>> = JoinSet::new();
        let granted = TaskTracker::new();
        let mut listens = true;
        loop {
            tokio::select! {
                biased;
                Some(ActRequest { act, _done }) = inbox.recv() => {
                    // A client may have read that it is connected before the handshake's task is joined.
                    while !granted.is_empty() && let Some(settled) = handshakes.join_next().await {
                        self.settle(settled).await;
                    }
                    self.obey(act).await;
                }
                Some(settled) = handshakes.join_next() => self.settle(settled).await,
                accepted = listener.accept(), if listens && handshakes.len() < MAX_HANDSHAKES => match accepted {
                    Ok(stream) => {
                        let connection = self.dials;
                        let answer = self.spec.on_dial.answer(self.in_turn);
                        self.dials += 1;
                        self.in_turn += 1;
                        let handshake = Handshake {
                            connection,
                            answer,
                            setting: self.setting.clone(),
                            recorder: self.recorder.clone(),
                            granted: granted.clone(),
                        };
                        handshakes.spawn(handshake.run(stream, L::reset));
                    }
                    // Nothing can dial any more; what is connected stays so, and acts still reach it.
                    Err(_) => listens = false,
                },
                else => return,
            }
        }
    }

    /// A dial that did not open a connection leaves nothing to do.
    async fn settle<S>(&mut self, settled: Result<Option<Opened<S>>, JoinError>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        if let Ok(Some(opened)) = settled {
            self.welcome(opened).await;
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
            compression: None,
            pending: PendingRequests::default(),
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
                    self.order(PeerCommand::Event { name: name.clone(), data: payload, cut: None }).await;
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
            GatewayAct::Close { code, lingers } => {
                PeerCommand::Close(Closing { code: code.unwrap_or(CloseCode::NO_STATUS), lingers })
            }
            GatewayAct::SendFrames(frames) => PeerCommand::Frames { frames, message: None, chop: None },
            GatewayAct::Fragmented { name, data, fragments, between } => {
                PeerCommand::Event { name, data, cut: Some(Fragmentation { fragments, between }) }
            }
            GatewayAct::Drop => PeerCommand::Drop,
            GatewayAct::Stall(stalled) => PeerCommand::Stall(stalled),
            GatewayAct::CutAfter(count) => PeerCommand::CutAfter(count),
            GatewayAct::Event { name, data, .. } => PeerCommand::Event { name, data, cut: None },
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
        let now = protocol::Timestamp::from_unix_ms((self.setting.unix_ms)());
        PeerCommand::Send(RawFrame::text(self.setting.dialect.encode_server(message, now, None)))
    }
}

#[cfg(test)]
pub(super) mod tests;
