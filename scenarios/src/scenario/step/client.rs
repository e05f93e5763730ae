//! The steps of a scenario about a client.

use std::fmt;
use std::time::Duration;

use protocol::Dialect;

use super::{ClientAct, GatewayAct, NetworkAct, ProcessAct, Wait, Waits};
use crate::pattern::Pattern;
use crate::times::{Expr, Times};
use crate::trace::Reading;

/// How long an adapter may take for an answer. Nothing is judged by it: a runtime that starts, or an event loop that is busy,
/// beside those of other cases has its time, and only one that hangs is given up.
pub(in crate::scenario) const ANSWER: Duration = Duration::from_secs(20);
/// How long one of many requests to a client takes at most, after the first.
const REQUEST: Duration = Duration::from_millis(20);

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum ClientAction {
    /// Waits.
    Wait(Wait),
    /// Lets time pass.
    Quiet(Expr),
    /// The network between the client under test and its gateway acts.
    Network(NetworkAct),
    /// The client under test acts.
    Client(ClientAct),
    /// Something happens to the processes of the client under test.
    Process(ProcessAct),
    /// What they hold is looked at.
    ReadResources,
    /// What the client under test has printed is read.
    ReadLog,
    /// The scripted gateway acts on the newest connection, or changes its ways.
    Gateway(GatewayAct),
}

impl ClientAction {
    /// Whether the gateway sends a text that is no message of the dialect.
    pub(in crate::scenario) fn is_not_understood(&self, dialect: &Dialect) -> bool {
        match self {
            Self::Gateway(GatewayAct::SendText(text)) => dialect.decode_server(text).is_err(),
            _ => false,
        }
    }

    /// Longest time that the step can take.
    pub(in crate::scenario) fn longest(&self, times: &Times) -> Duration {
        match self {
            Self::Wait(wait) => wait.window(times),
            Self::Quiet(time) => time.duration(times),
            Self::Client(act) => times.patience + REQUEST * act.requests(),
            Self::Network(_) | Self::Process(_) | Self::ReadResources | Self::ReadLog | Self::Gateway(_) => {
                times.patience
            }
        }
    }

    /// Why a simulation cannot do it, where it cannot.
    pub(in crate::scenario) fn is_beyond_simulation(&self) -> Option<&'static str> {
        match self {
            Self::Process(_) => Some("a simulated process cannot be stopped"),
            Self::ReadResources => Some("a simulated process has no memory of its own"),
            Self::Network(act) if act.resets() => Some("a simulated connection cannot be reset"),
            Self::Gateway(GatewayAct::OnDial(on_dial)) if on_dial.resets() => {
                Some("a simulated connection cannot be reset")
            }
            _ => None,
        }
    }

    /// The consumers that it takes to be mounted at some time.
    pub(in crate::scenario) fn consumers(&self) -> Vec<&str> {
        match self {
            Self::Wait(wait) => wait.pattern.consumers().collect(),
            Self::Client(ClientAct::Unmount(name) | ClientAct::Read(Reading::Consumer(name))) => vec![name],
            _ => Vec::new(),
        }
    }
}

impl Waits for ClientAction {
    fn patterns(&self) -> Vec<&Pattern> {
        match self {
            Self::Wait(wait) => vec![&wait.pattern],
            _ => Vec::new(),
        }
    }

    fn patterns_mut(&mut self) -> Vec<&mut Pattern> {
        match self {
            Self::Wait(wait) => vec![&mut wait.pattern],
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for ClientAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait(wait) => wait.fmt(f),
            Self::Quiet(time) => write!(f, "let {time} pass"),
            Self::Network(act) => write!(f, "the network {act}"),
            Self::Client(act) => write!(f, "client: {act}"),
            Self::Process(act) => act.fmt(f),
            Self::ReadResources => f.write_str("look at what its processes hold"),
            Self::ReadLog => f.write_str("read the log"),
            Self::Gateway(act) => write!(f, "gateway: {act}"),
        }
    }
}
