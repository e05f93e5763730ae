//! How a requirement stands after a run, and why it is undecided where it is.
//!
//! ```text
//!  what its cases say, the gravest first
//!    a finding, or a violated universal rule           failed
//!    the same, all of it listed as known               known failure
//!    blocked, died, cut off, inconclusive              undecided, with the reasons
//!    passed, and another case took it for granted
//!      and did not see it                              undecided, with the reason
//!    passed                                            shown; in part where the profile or the run kept others from being run
//!    none of its cases got to say anything             not shown; undecided where they lean on what is not judged;
//!                                                      not claimed where they need what the profile says that there is not
//! ```

use std::collections::{BTreeMap, BTreeSet};

use scenarios::{Catalogue, Foreign, Gap, Judgement, RequirementId, ScenarioId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::case::{CaseReport, Check};
use super::run::Scope;
use super::universal::Universal;
use super::unplayed::Unplayed;
use super::verdict::Verdict;

/// What a run says of a requirement.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RequirementStatus {
    /// Every case of it passed, and no other case says otherwise.
    Shown,
    /// The cases of it that ran passed; others were not run.
    ShownInPart,
    /// A case says that it does not hold, or a universal rule was violated.
    Failed,
    /// A case says that it does not hold or did not get far enough, and every such case is listed as known to.
    KnownFailure,
    /// A case of it could not get far enough, or says nothing.
    Undecided,
    /// The subject does not claim it.
    NotClaimed,
    /// No case of this run shows it.
    NotShown,
}

/// A requirement after a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequirementReport {
    /// Which.
    pub id: RequirementId,
    /// How it stands.
    pub standing: RequirementStatus,
    /// Why it is undecided, where it is.
    pub reasons: Vec<Reason>,
    /// How many cases of it ran to where they say something of it.
    pub ran: usize,
    /// Those that were not run, though the design has a place for them.
    pub unplayed: Vec<Unplayed>,
}

/// Why a requirement is undecided.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Reason {
    /// The case that says so.
    pub case: ScenarioId,
    /// What became of it there.
    #[serde(flatten)]
    pub why: Why,
}

/// What became of a requirement in a case that decides nothing about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "snake_case", tag = "why")]
pub enum Why {
    /// The case takes another requirement for granted, and did not see it.
    Blocked {
        /// Which.
        by: RequirementId,
        /// What was seen instead.
        detail: Foreign,
    },
    /// The same, where that requirement is not claimed or not of the level.
    Unclaimed {
        /// Which.
        by: RequirementId,
        /// What was seen instead.
        detail: Foreign,
    },
    /// It is the requirement that the case takes for granted and did not see.
    NotSeen {
        /// What was seen instead.
        detail: Foreign,
    },
    /// The subject could not be started, died, or broke the adapter protocol.
    Died {
        /// How.
        detail: Foreign,
    },
    /// The case was cut off.
    Cut {
        /// How.
        detail: Foreign,
    },
    /// The host was too busy to decide.
    Inconclusive {
        /// What was measured.
        detail: Foreign,
    },
    /// The run was interrupted.
    Interrupted,
}

impl Reason {
    /// The reason in words.
    pub fn text(&self) -> Foreign {
        let case = &self.case;
        let (what, detail) = match &self.why {
            Why::Blocked { by, detail } => (format!("blocked by {by} in {case}"), detail),
            Why::Unclaimed { by, detail } => {
                (format!("{case} takes {by} for granted, which is not claimed or not of this level"), detail)
            }
            Why::NotSeen { detail } => (format!("taken for granted in {case}, not seen there"), detail),
            Why::Died { detail } => (format!("died in {case}"), detail),
            Why::Cut { detail } => (format!("{case} was cut off"), detail),
            Why::Inconclusive { detail } => (format!("inconclusive in {case}"), detail),
            Why::Interrupted => return format!("{case} was interrupted").into(),
        };
        format!("{what}: {}", detail.raw()).into()
    }
}

/// Every requirement in scope, in the order of the catalogue.
pub(super) fn standings(
    cases: &[CaseReport],
    universal: &[Universal],
    scope: &Scope<'_>,
) -> Vec<RequirementReport> {
    let mut evidence: BTreeMap<&RequirementId, Evidence> = BTreeMap::new();
    for case in cases {
        let checked = case.checks.iter().map(|check| &check.requirement);
        for id in case.requirements.iter().chain(checked).collect::<BTreeSet<_>>() {
            evidence.entry(id).or_default().take(case, id);
        }
        for (by, detail) in not_seen(case) {
            evidence.entry(by).or_default().take_not_seen(case, detail);
        }
    }
    for found in universal {
        evidence.entry(&found.requirement).or_default().take_finding(found.known);
    }
    let catalogue = Catalogue::builtin();
    let rules = catalogue.iter().filter(|rule| scope.reports(rule, universal));
    rules
        .map(|rule| {
            let evidence = evidence.remove(&rule.id).unwrap_or_default();
            if scope.without.contains(&rule.id) {
                let standing = RequirementStatus::NotClaimed;
                return Evidence::default().report(&rule.id, standing);
            }
            evidence.concluded(&rule.id)
        })
        .collect()
}

/// What a case takes for granted and did not see, where that can count against it: the host was not too busy, and it is not listed.
fn not_seen(case: &CaseReport) -> impl Iterator<Item = (&RequirementId, &Foreign)> {
    let counts = !matches!(
        case.verdict,
        Verdict::KnownFailure { .. } | Verdict::Inconclusive { .. } | Verdict::NotRun { .. }
    );
    let blocks = case.checks.iter().filter_map(|check| match &check.judgement {
        Judgement::Blocked { by, detail } => Some((by, detail)),
        Judgement::Passed | Judgement::Failed(_) | Judgement::Undecided { .. } => None,
    });
    blocks.filter(move |_| counts)
}

/// What the cases of a run say of one requirement.
#[derive(Default)]
struct Evidence {
    failed: bool,
    is_known: bool,
    passed: bool,
    /// What keeps it from being shown, whatever other cases say.
    reasons: Vec<Reason>,
    /// Where another case took it for granted in vain.
    not_seen: Vec<Reason>,
    /// Cases that lean on what is not judged: they say nothing, and others may.
    unclaimed: Vec<Reason>,
    ran: usize,
    /// Whether a case of it needs what the profile says that there is not.
    is_unclaimed: bool,
    unplayed: Vec<Unplayed>,
}

impl Evidence {
    fn take(&mut self, case: &CaseReport, id: &RequirementId) {
        let mut checks = case.checks_on(id).peekable();
        match checks.peek() {
            None => self.take_unchecked(case),
            // What leans on what is not judged has not been run for the requirement, whatever was played of it.
            Some(_) if case.leans_on_unclaimed(id) => {}
            Some(_) => self.ran += 1,
        }
        for check in checks {
            self.take_check(case, check);
        }
    }

    /// A case of the requirement whose play said nothing of it.
    fn take_unchecked(&mut self, case: &CaseReport) {
        match &case.verdict {
            Verdict::KnownFailure { was, .. } => {
                self.is_known |= matches!(**was, Verdict::SubjectError { .. });
            }
            Verdict::NotRun { .. } if case.interrupted => self.doubt(case, Why::Interrupted),
            Verdict::SubjectError { .. } | Verdict::HarnessError { .. } | Verdict::Inconclusive { .. } => {
                self.doubt(case, stopped(case, &Foreign::default()));
            }
            Verdict::NotRun { why, gap: gap @ (Gap::Undeclared | Gap::Run), audiences } => {
                let (case, why, audiences) = (case.id.clone(), why.clone(), audiences.clone());
                self.unplayed.push(Unplayed { case, gap: *gap, why, audiences });
            }
            Verdict::NotClaimed { why } => {
                self.is_unclaimed = true;
                // What the profile says that there is not keeps a case from being run: what the others show is a part.
                self.unplayed.extend(why.clone().map(|why| Unplayed {
                    case: case.id.clone(),
                    gap: Gap::Unclaimed,
                    why,
                    audiences: Vec::new(),
                }));
            }
            // Not judged in this case: not claimed, or not to be had from this subject.
            Verdict::Pass
            | Verdict::Fail
            | Verdict::UnexpectedPass { .. }
            | Verdict::Blocked { .. }
            | Verdict::NotRun { .. } => {}
        }
    }

    fn take_check(&mut self, case: &CaseReport, check: &Check) {
        match (&case.verdict, &check.judgement) {
            (
                Verdict::KnownFailure { .. },
                Judgement::Failed(_) | Judgement::Blocked { .. } | Judgement::Undecided { .. },
            ) => {
                self.is_known = true;
            }
            (Verdict::Inconclusive { .. }, _) => self.doubt(case, stopped(case, &Foreign::default())),
            (_, Judgement::Failed(_)) => self.take_finding(check.known),
            (Verdict::NotRun { gap, why: not_run, .. }, Judgement::Blocked { by, detail }) => {
                let why = Why::Unclaimed { by: by.clone(), detail: detail.clone() };
                self.unclaimed.push(Reason { case: case.id.clone(), why });
                self.unplayed.push(Unplayed {
                    case: case.id.clone(),
                    gap: *gap,
                    why: not_run.clone(),
                    audiences: Vec::new(),
                });
            }
            (_, Judgement::Blocked { by, detail }) => {
                self.doubt(case, Why::Blocked { by: by.clone(), detail: detail.clone() });
            }
            (_, Judgement::Undecided { why }) => self.doubt(case, stopped(case, why)),
            // A play that was cut is never a pass.
            (Verdict::SubjectError { .. } | Verdict::HarnessError { .. }, Judgement::Passed) => {
                self.doubt(case, stopped(case, &Foreign::default()));
            }
            (_, Judgement::Passed) => self.passed = true,
        }
    }

    fn take_finding(&mut self, is_known: bool) {
        self.is_known |= is_known;
        self.failed |= !is_known;
    }

    fn take_not_seen(&mut self, case: &CaseReport, detail: &Foreign) {
        if self.not_seen.last().is_none_or(|reason| reason.case != case.id) {
            let why = Why::NotSeen { detail: detail.clone() };
            self.not_seen.push(Reason { case: case.id.clone(), why });
        }
    }

    /// One reason for each case is enough.
    fn doubt(&mut self, case: &CaseReport, why: Why) {
        if self.reasons.last().is_none_or(|reason| reason.case != case.id) {
            self.reasons.push(Reason { case: case.id.clone(), why });
        }
    }

    fn concluded(mut self, id: &RequirementId) -> RequirementReport {
        let standing = if self.failed {
            RequirementStatus::Failed
        } else if self.is_known {
            RequirementStatus::KnownFailure
        } else {
            self.reasons.append(&mut self.not_seen);
            if !self.passed {
                self.reasons.append(&mut self.unclaimed);
            }
            match (self.reasons.is_empty(), self.passed) {
                (false, _) => RequirementStatus::Undecided,
                (true, true) if !self.unplayed.is_empty() => RequirementStatus::ShownInPart,
                (true, true) => RequirementStatus::Shown,
                (true, false) if self.is_unclaimed && self.is_all_unclaimed() => {
                    self.unplayed.clear();
                    RequirementStatus::NotClaimed
                }
                (true, false) => RequirementStatus::NotShown,
            }
        };
        if standing != RequirementStatus::Undecided {
            self.reasons.clear();
        }
        self.report(id, standing)
    }

    /// Whether nothing but what the profile does not claim kept cases from being run.
    fn is_all_unclaimed(&self) -> bool {
        self.unplayed.iter().all(|unplayed| unplayed.gap == Gap::Unclaimed)
    }

    fn report(self, id: &RequirementId, standing: RequirementStatus) -> RequirementReport {
        let Self { reasons, ran, unplayed, .. } = self;
        RequirementReport { id: id.clone(), standing, reasons, ran, unplayed }
    }
}

/// What stopped a case before its end. `otherwise` says so where its verdict does not.
fn stopped(case: &CaseReport, otherwise: &Foreign) -> Why {
    let detail = case.verdict.reason().unwrap_or_else(|| otherwise.clone());
    match &case.verdict {
        Verdict::SubjectError { .. } => Why::Died { detail },
        Verdict::Inconclusive { .. } => Why::Inconclusive { detail },
        Verdict::Pass
        | Verdict::Fail
        | Verdict::KnownFailure { .. }
        | Verdict::UnexpectedPass { .. }
        | Verdict::Blocked { .. }
        | Verdict::NotClaimed { .. }
        | Verdict::NotRun { .. }
        | Verdict::HarnessError { .. } => Why::Cut { detail },
    }
}

#[cfg(test)]
mod tests;
