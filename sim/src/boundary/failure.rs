//! The reference fails at a step of the scenario, and does not recover.

use super::senses::Senses;

/// How the reference gateway or client fails, and when.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Failure {
    /// The step that it fails before, counted from 1. One more than there are steps: only the look whether it is alive is left.
    pub from_step: usize,
    /// How.
    pub kind: FailureKind,
}

/// How the reference fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FailureKind {
    /// Nothing goes in or out any more, as if its process were stopped.
    Frozen,
    /// Its process has ended.
    Killed,
    /// A gateway receives nothing from its clients or its broker; a client receives nothing on the wire, and its dials hang.
    Deaf,
    /// A gateway sends nothing to its clients or its broker; a client sends nothing on the wire, and its dials hang.
    Mute,
}

/// What a subject hears and speaks through.
#[derive(Clone, Default)]
pub(crate) struct Channels {
    /// The wire, and a gateway's broker.
    pub(crate) wire: Senses,
    /// What only a frozen subject loses: a client's pipes, and the signal that asks a gateway to end.
    pub(crate) process: Senses,
}

impl Failure {
    /// Every way to fail.
    pub const KINDS: [FailureKind; 4] =
        [FailureKind::Frozen, FailureKind::Killed, FailureKind::Deaf, FailureKind::Mute];
}

impl FailureKind {
    /// Its name, in a word.
    pub fn name(self) -> &'static str {
        match self {
            Self::Frozen => "frozen",
            Self::Killed => "killed",
            Self::Deaf => "deaf",
            Self::Mute => "mute",
        }
    }
}

impl Channels {
    /// Loses what a failure takes. A process that is killed takes its sockets with it: nothing is left to lose.
    pub(crate) fn fail(&self, kind: FailureKind) {
        match kind {
            FailureKind::Frozen => {
                for senses in [&self.wire, &self.process] {
                    senses.lose_hearing();
                    senses.lose_speech();
                }
            }
            FailureKind::Killed => {}
            FailureKind::Deaf => self.wire.lose_hearing(),
            FailureKind::Mute => self.wire.lose_speech(),
        }
    }
}
