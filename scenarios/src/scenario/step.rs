//! What a scenario's steps do. A step acts or waits; it judges nothing.

mod client;
mod gateway;
mod network;

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use protocol::{CloseCode, Target};
use serde::Deserialize;
use serde_json::Value;

pub use self::client::{ClientAct, Hook};
pub use self::gateway::GatewayAct;
pub use self::network::NetworkAct;
use super::BrokerState;
use crate::pattern::Pattern;
use crate::requirement::RequirementId;
use crate::times::{Expr, Times};
use crate::trace::Reading;
use crate::wire::frame::RawFrame;

/// Most frames of one step that are named one by one.
const MAX_NAMED_FRAMES: usize = 4;
/// How long an adapter may take for an answer. Nothing is judged by it: a runtime that starts, or an event loop that is busy,
/// beside those of other cases has its time, and only one that hangs is given up.
pub(super) const ANSWER: Duration = Duration::from_secs(20);
/// How long one of many requests to a client takes at most, after the first.
const REQUEST: Duration = Duration::from_millis(20);

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// What it does.
    pub action: Action,
    /// The requirement that the rest of the scenario takes for granted once the step is done. Where the step fails,
    /// the case is blocked by it.
    pub requires: Option<RequirementId>,
}

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Waits until the trace holds `times` matches.
    Wait {
        /// What is counted, from the beginning of the case.
        pattern: Pattern,
        /// How many.
        times: Expr,
        /// How long at most; `patience` where nothing is said.
        within: Option<Expr>,
    },
    /// Lets time pass.
    Quiet(Expr),
    /// A scripted client acts on a gateway under test.
    Probe(String, ProbeAct),
    /// Messages are published and confirmed.
    Publish(Publication),
    /// The broker is asked what it knows.
    Inspect(Inspection),
    /// A page is asked for by plain HTTP, on a connection of its own.
    Get {
        /// The client that asks.
        client: String,
        /// The path.
        path: String,
    },
    /// The broker goes or comes, as the gateway sees it, or what is between them changes.
    Broker(BrokerAct),
    /// The gateway under test is asked to end.
    ShutDown,
    /// The gateway under test is killed without warning.
    KillGateway,
    /// The network between the client under test and its gateway acts.
    Network(NetworkAct),
    /// The client under test is told to act.
    Client(ClientAct),
    /// The scripted gateway acts on the newest connection, or changes its ways.
    Gateway(GatewayAct),
}

/// What a scripted client does.
#[derive(Debug, Clone, PartialEq)]
pub enum ProbeAct {
    /// Dials.
    Connect,
    /// Begins the closing handshake.
    Close(CloseCode),
    /// Drops the connection without a word.
    Drop,
    /// Stops reading.
    Stall,
    /// Reads again.
    Resume,
    /// Stops answering control pings.
    Mute,
    /// Sends a `ping` message.
    Ping,
    /// Sends a message.
    Send {
        /// Its type.
        kind: String,
        /// Its payload.
        payload: Value,
        /// How often, without a pause.
        count: u32,
    },
    /// Sends a text frame as it is.
    SendText(String),
    /// Sends a binary frame.
    SendBinary(Vec<u8>),
    /// Writes bytes that need not be a frame.
    SendBytes(Vec<u8>),
    /// Writes frames that need not be right, together or in pieces of so many bytes.
    SendFrames {
        /// The frames.
        frames: Vec<OddFrame>,
        /// Bytes of each write.
        chop: Option<NonZeroUsize>,
    },
    /// Sends a `ping` message in an unusual shape; its answer shows that it was put together.
    SendPing(OddPing),
    /// Asks to join, and lets the gateway answer.
    Subscribe(Target),
    /// Asks to leave, and lets the gateway answer.
    Unsubscribe(Target),
    /// The network between it and the gateway acts.
    Network(NetworkAct),
}

/// The broker loses exchange and queue, as one does that is set up anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Forgets {
    /// Both.
    Forgets,
}

/// What happens between gateway and broker.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(untagged, expecting = "expected `\"up\"`, `\"down\"`, `\"forgets\"`, or what `network` takes")]
pub enum BrokerAct {
    /// The broker goes or comes.
    State(BrokerState),
    /// It forgets.
    Forgets(Forgets),
    /// The network between them acts.
    Network(NetworkAct),
}

/// A frame as the scenario wants it, right or wrong (RFC 6455 section 5.2). A close that is sent so begins no closing
/// handshake: however the gateway takes it, the connection counts as ended by the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OddFrame {
    /// The frame.
    pub frame: RawFrame,
    /// Whether it is masked, as a client's frames must be.
    pub masked: bool,
}

/// A `ping` message in an unusual shape.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OddPing {
    /// How long the message is made, by spaces at its end.
    pub bytes: Option<usize>,
    /// How many frames carry it.
    pub fragments: Option<NonZeroUsize>,
    /// What ping frames carry that come between the fragments.
    pub between: Option<String>,
    /// Bytes of each write.
    pub chop: Option<NonZeroUsize>,
}

/// What is published.
#[derive(Debug, Clone, PartialEq)]
pub struct Publication {
    /// The bodies, in order.
    pub bodies: Vec<String>,
    /// They are published again and again until each of these has matched: where nothing else tells that a gateway consumes.
    pub until: Vec<Pattern>,
    /// The routing key of all of them.
    pub routing_key: String,
}

/// What the broker is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inspection {
    /// Whether exchange and queue stand as specified.
    Topology,
    /// How many messages are ready in the queue.
    Queue,
    /// What the gateway or client under test has printed.
    Log,
}

impl Action {
    /// Longest time that the step can take.
    pub fn longest(&self, times: &Times) -> Duration {
        match self {
            Self::Wait { within: Some(within), .. } => within.duration(times),
            Self::Quiet(time) => time.duration(times),
            Self::Client(act) => times.patience + REQUEST * act.requests(),
            Self::Probe(_, ProbeAct::Connect) => times.patience + times.timing.connect_timeout,
            _ => times.patience,
        }
    }
}

impl Action {
    /// Why a simulation cannot do it, where it cannot.
    pub(super) fn is_beyond_simulation(&self) -> Option<&'static str> {
        match self {
            Self::Broker(BrokerAct::Forgets(_)) => Some("a simulated broker has no exchange to forget"),
            Self::Broker(BrokerAct::Network(_)) => Some("a simulation has no network before its broker"),
            Self::Network(act) | Self::Probe(_, ProbeAct::Network(act)) if act.resets() => {
                Some("a simulated connection cannot be reset")
            }
            Self::Gateway(GatewayAct::OnDial(on_dial)) if on_dial.resets() => {
                Some("a simulated connection cannot be reset")
            }
            _ => None,
        }
    }

    /// The consumers that it takes to be mounted at some time.
    pub(super) fn consumers(&self) -> Vec<&str> {
        match self {
            Self::Wait { pattern, .. } => pattern.consumers().collect(),
            Self::Client(ClientAct::Unmount(name) | ClientAct::Read(Reading::Consumer(name))) => vec![name],
            _ => Vec::new(),
        }
    }
}

impl ProbeAct {
    /// Whether it can be told how to cut its bytes into writes.
    pub(super) fn can_be_chopped(&self) -> bool {
        matches!(self, Self::SendFrames { .. } | Self::SendPing(_))
    }
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait { pattern, times, .. } if times.to_string() == "1" => {
                write!(f, "wait until {pattern}")
            }
            Self::Wait { pattern, times, .. } => write!(f, "wait until {pattern} ({times} times)"),
            Self::Quiet(time) => write!(f, "let {time} pass"),
            Self::Probe(client, act) => write!(f, "{client}: {act}"),
            Self::Publish(publication) => {
                write!(f, "publish {} ({})", publication.routing_key, publication.bodies.len())
            }
            Self::Inspect(Inspection::Topology) => f.write_str("read the broker's topology"),
            Self::Inspect(Inspection::Queue) => f.write_str("count the gateway's queue"),
            Self::Inspect(Inspection::Log) => f.write_str("read the log"),
            Self::Get { client, path } => write!(f, "{client}: get {path}"),
            Self::Broker(BrokerAct::State(BrokerState::Up)) => f.write_str("let the broker come back"),
            Self::Broker(BrokerAct::State(BrokerState::Down)) => f.write_str("cut the broker off"),
            Self::Broker(BrokerAct::Forgets(_)) => f.write_str("have the broker forget exchange and queue"),
            Self::Broker(BrokerAct::Network(act)) => write!(f, "the network to the broker {act}"),
            Self::ShutDown => f.write_str("ask the gateway to end"),
            Self::KillGateway => f.write_str("kill the gateway"),
            Self::Network(act) => write!(f, "the network {act}"),
            Self::Client(act) => write!(f, "client: {act}"),
            Self::Gateway(act) => write!(f, "gateway: {act}"),
        }
    }
}

impl fmt::Display for ProbeAct {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connect => f.write_str("connect"),
            Self::Close(code) => write!(f, "close with {code}"),
            Self::Drop => f.write_str("drop the connection"),
            Self::Stall => f.write_str("stop reading"),
            Self::Resume => f.write_str("read again"),
            Self::Mute => f.write_str("stop answering pings"),
            Self::Ping => f.write_str("ping"),
            Self::Send { kind, count: 1, .. } => write!(f, "send {kind}"),
            Self::Send { kind, count, .. } => write!(f, "send {kind} ({count})"),
            Self::SendText(text) => write!(f, "send the text {text:?}"),
            Self::SendBinary(bytes) => write!(f, "send a binary frame of {} bytes", bytes.len()),
            Self::SendBytes(bytes) => write!(f, "write {} bytes", bytes.len()),
            Self::SendFrames { frames, chop } if frames.len() > MAX_NAMED_FRAMES => {
                let bytes: usize = frames.iter().map(|odd| odd.frame.payload.len()).sum();
                write!(f, "send {} frames of {bytes} bytes in all{}", frames.len(), chopped(*chop))
            }
            Self::SendFrames { frames, chop } => {
                let names: Vec<_> = frames.iter().map(ToString::to_string).collect();
                write!(f, "send {}{}", names.join(", "), chopped(*chop))
            }
            Self::SendPing(ping) => {
                f.write_str("send a ping message")?;
                ping.bytes.iter().try_for_each(|bytes| write!(f, " of {bytes} bytes"))?;
                ping.fragments.iter().try_for_each(|count| write!(f, " in {count} fragments"))?;
                ping.between.iter().try_for_each(|text| write!(f, " with ping frames {text:?} between"))?;
                f.write_str(&chopped(ping.chop))
            }
            Self::Subscribe(target) => write!(f, "subscribe to {target}"),
            Self::Unsubscribe(target) => write!(f, "unsubscribe from {target}"),
            Self::Network(act) => write!(f, "the network {act}"),
        }
    }
}

fn chopped(chop: Option<NonZeroUsize>) -> String {
    chop.map(|bytes| format!(", {bytes} bytes a write")).unwrap_or_default()
}

impl fmt::Display for OddFrame {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let RawFrame { fin, rsv, opcode, payload } = &self.frame;
        write!(f, "a {} frame of {} bytes", opcode.to_string().to_lowercase(), payload.len())?;
        f.write_str(if *fin { "" } else { " that is not the last" })?;
        f.write_str(if self.masked { "" } else { " without a mask" })?;
        if *rsv == 0 { Ok(()) } else { write!(f, " with reserved bits {rsv:03b}") }
    }
}
