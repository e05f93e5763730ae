//! The report for programs.

use serde::Serialize;

use crate::amqp::Identity;
use crate::result::{CaseReport, RunReport, Standing};
use scenarios::{Catalogue, Level, RequirementId, SubjectKind, Times};

/// The version of the document's shape; it grows when a reader of the old shape would be wrong.
pub const REPORT_VERSION: u32 = 1;

/// The whole document.
#[derive(Serialize)]
pub struct Document<'a> {
    /// The version of this shape.
    pub version: u32,
    /// The version of gatecheck.
    pub gatecheck: &'static str,
    /// The exit code of the run.
    pub exit_code: u8,
    /// What ran.
    pub subjects: &'a [SubjectKind],
    /// The level that was judged.
    pub level: Level,
    /// The broker that fed the gateway, where one was judged.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub broker: Option<BrokerUsed>,
    /// What the symbolic times meant.
    pub times: &'a Times,
    /// Where randomness began.
    pub seed: u64,
    /// How long the run took, in milliseconds.
    pub duration_ms: u64,
    /// Requirements by how they stand.
    pub summary: Summary,
    /// Each requirement.
    pub requirements: Vec<RequirementLine>,
    /// Each case.
    pub cases: &'a [CaseReport],
}

/// The broker that fed the gateway.
#[derive(Debug, Clone, Serialize)]
pub struct BrokerUsed {
    /// `embedded` or `url`.
    pub kind: &'static str,
    /// Where, without its password.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// What it says of itself.
    #[serde(flatten)]
    pub identity: Identity,
}

/// Requirements by how they stand.
#[derive(Serialize)]
pub struct Summary {
    shown: usize,
    failed: usize,
    undecided: usize,
    not_claimed: usize,
    not_shown: usize,
}

/// One requirement.
#[derive(Serialize)]
pub struct RequirementLine {
    id: RequirementId,
    level: Level,
    standing: Standing,
    text: String,
}

impl Summary {
    /// Counts them.
    pub fn of(report: &RunReport) -> Self {
        Self {
            shown: report.count(Standing::Shown),
            failed: report.count(Standing::Failed),
            undecided: report.count(Standing::Undecided),
            not_claimed: report.count(Standing::NotClaimed),
            not_shown: report.count(Standing::NotShown),
        }
    }
}

impl RequirementLine {
    /// Every requirement of the run.
    pub fn of(report: &RunReport, catalogue: &Catalogue) -> Vec<Self> {
        let line = |(id, standing): &(RequirementId, Standing)| {
            let rule = catalogue.get(id)?;
            Some(Self { id: id.clone(), level: rule.level, standing: *standing, text: rule.text.clone() })
        };
        report.requirements.iter().filter_map(line).collect()
    }
}
