//! The verdict on a case.

use scenarios::{Audience, Foreign, Gap, NotPlayed, RequirementId};
use schemars::JsonSchema;
use serde::Serialize;

/// The verdict on a case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "verdict")]
pub enum Verdict {
    /// Everything is as expected.
    Pass,
    /// Something is not.
    Fail,
    /// It did not pass, which is listed as known.
    KnownFailure {
        /// Why it is listed.
        reason: Foreign,
        /// Where that is followed up.
        #[serde(skip_serializing_if = "Option::is_none")]
        issue: Option<Foreign>,
        /// The verdict that it would have been.
        was: Box<Verdict>,
    },
    /// It passed, though it is listed as known not to.
    UnexpectedPass {
        /// The entry that must go.
        entry: Foreign,
    },
    /// The case could not get far enough: another requirement, which it takes for granted, was not seen in it.
    Blocked {
        /// Which.
        by: RequirementId,
        /// What was seen.
        detail: Foreign,
    },
    /// The subject does not claim what the case shows.
    NotClaimed {
        /// What it has not, where the profile does not name its requirements one by one.
        #[serde(skip_serializing_if = "Option::is_none")]
        why: Option<Foreign>,
    },
    /// The case needs what there is not.
    NotRun {
        /// What.
        why: Foreign,
        /// Of which kind that is.
        gap: Gap,
        /// The audiences for which the profile declares no event.
        #[serde(skip_serializing_if = "Vec::is_empty")]
        audiences: Vec<Audience>,
    },
    /// This host kept the case waiting so long that it says nothing.
    Inconclusive {
        /// The worst stall.
        stall_ms: u64,
    },
    /// The subject could not be started, died, or broke the adapter protocol.
    SubjectError {
        /// What happened.
        detail: Foreign,
    },
    /// The harness failed.
    HarnessError {
        /// How.
        detail: Foreign,
    },
}

impl Verdict {
    /// That a case is not played.
    pub fn not_run(NotPlayed { gap, why, audiences }: NotPlayed) -> Self {
        match gap {
            Gap::Unclaimed => Self::NotClaimed { why: Some(why.into()) },
            Gap::Design | Gap::Undeclared | Gap::Run => Self::NotRun { why: why.into(), gap, audiences },
        }
    }

    /// Its name, for people.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Fail => "fail",
            Self::KnownFailure { .. } => "known failure",
            Self::UnexpectedPass { .. } => "unexpected pass",
            Self::Blocked { .. } => "blocked",
            Self::NotClaimed { .. } => "not claimed",
            Self::NotRun { .. } => "not run",
            Self::Inconclusive { .. } => "inconclusive",
            Self::SubjectError { .. } => "died",
            Self::HarnessError { .. } => "error",
        }
    }

    /// What there is to say beyond its name.
    pub fn reason(&self) -> Option<Foreign> {
        match self {
            Self::Pass | Self::Fail => None,
            Self::NotClaimed { why } => why.clone(),
            Self::KnownFailure { reason, issue, was } => {
                let issue = issue.as_ref().map(|issue| format!(" ({})", issue.raw())).unwrap_or_default();
                let was = was.reason().map(|was| format!("; {}", was.raw())).unwrap_or_default();
                Some(format!("{}{issue}{was}", reason.raw()).into())
            }
            Self::UnexpectedPass { entry } => {
                Some(format!("it passes now: take {} off the list", entry.raw()).into())
            }
            Self::Blocked { by, detail } => Some(format!("takes {by} for granted: {}", detail.raw()).into()),
            Self::NotRun { why, .. } => Some(why.clone()),
            Self::Inconclusive { stall_ms } => Some(format!("this host stalled for {stall_ms} ms").into()),
            Self::SubjectError { detail } | Self::HarnessError { detail } => Some(detail.clone()),
        }
    }

    /// What so many cases of it did, for the end of a report: `2 failed`.
    pub(super) fn counted(&self) -> &'static str {
        match self {
            Self::Pass => "passed",
            Self::Fail => "failed",
            Self::KnownFailure { .. } => "known to fail",
            Self::UnexpectedPass { .. } => "passed unexpectedly",
            Self::Blocked { .. } => "blocked",
            Self::NotClaimed { .. } => "not claimed",
            Self::NotRun { .. } => "not run",
            Self::Inconclusive { .. } => "inconclusive",
            Self::SubjectError { .. } => "died",
            Self::HarnessError { .. } => "stopped by an error of the harness",
        }
    }

    /// Whether it keeps a run from being conformant.
    pub fn is_trouble(&self) -> bool {
        match self {
            Self::Fail
            | Self::UnexpectedPass { .. }
            | Self::Blocked { .. }
            | Self::Inconclusive { .. }
            | Self::SubjectError { .. }
            | Self::HarnessError { .. } => true,
            Self::Pass | Self::KnownFailure { .. } | Self::NotClaimed { .. } | Self::NotRun { .. } => false,
        }
    }

    /// How much it says about a case that was run several times: the gravest verdict is the one that counts.
    pub(super) fn gravity(&self) -> u8 {
        match self {
            Self::HarnessError { .. } => 9,
            Self::SubjectError { .. } => 8,
            Self::Fail => 7,
            Self::Blocked { .. } => 6,
            Self::UnexpectedPass { .. } => 5,
            Self::KnownFailure { .. } => 4,
            Self::Inconclusive { .. } => 3,
            Self::NotRun { .. } => 2,
            Self::NotClaimed { .. } => 1,
            Self::Pass => 0,
        }
    }
}
