//! What a scenario's steps do. A step acts or waits; it judges nothing.

mod broken_sign_in;
mod client;
mod client_act;
mod gateway;
mod gateway_act;
mod network;
mod pair;
mod process;
mod scripted_client;

use std::fmt;
use std::time::Duration;

use protocol::Dialect;

pub use self::broken_sign_in::BrokenSignIn;
pub(super) use self::client::ANSWER;
pub use self::client::ClientAction;
pub use self::client_act::ClientAct;
pub use self::gateway::{BrokerAct, Forgets, GatewayAction, Inspection, Publication};
pub use self::gateway_act::GatewayAct;
pub use self::network::{LaneSpec, NetworkAct, Shape, Sudden};
pub use self::pair::PairAction;
pub use self::process::ProcessAct;
pub use self::scripted_client::{FrameSpec, OddPing, ScriptedClientAct};
use crate::label::Label;
use crate::pattern::Pattern;
use crate::times::{Expr, Times};

/// One step.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<A> {
    /// What it does.
    pub action: A,
    /// Which requirement it rests on, and in which way. Every step that waits has one.
    pub label: Option<Label>,
}

/// Waits until the trace holds so many matches.
#[derive(Debug, Clone, PartialEq)]
pub struct Wait {
    /// What is counted, from the beginning of the case.
    pub pattern: Pattern,
    /// How many; one where nothing is said.
    pub times: Option<Expr>,
    /// How long at most; `patience` where nothing is said.
    pub within: Option<Expr>,
}

/// What a step of either script can be asked.
pub(super) trait Waits {
    /// The patterns that it waits for.
    fn patterns(&self) -> Vec<&Pattern>;
    /// The same, to be changed.
    fn patterns_mut(&mut self) -> Vec<&mut Pattern>;
}

/// What a dialect lacks of what a step waits for.
pub(super) fn lacks(action: &impl Waits, dialect: &Dialect) -> Option<&'static str> {
    action.patterns().into_iter().find_map(|pattern| pattern.lacks(dialect))
}

/// Says what `as_declared` means in what a step waits for.
pub(super) fn declare(action: &mut impl Waits, dialect: &Dialect) {
    action.patterns_mut().into_iter().for_each(|pattern| pattern.declare(dialect));
}

impl Wait {
    /// How many matches are waited for.
    pub fn count(&self, times: &Times) -> usize {
        self.times.as_ref().map_or(1, |count| count.count(times))
    }

    /// How long is waited, by the clock of an executor that may be late.
    pub fn window(&self, times: &Times) -> Duration {
        self.within.as_ref().map_or(times.patience, |within| within.duration(times) + times.slack)
    }
}

impl fmt::Display for Wait {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "wait until {}", self.pattern)?;
        self.times.iter().try_for_each(|times| write!(f, " ({times} times)"))
    }
}
