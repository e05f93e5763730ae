//! What is known to fail: cases that still run, and fail no run while they are being fixed.
//!
//! An entry names cases by a pattern, a requirement, or both. By a pattern alone it excuses whatever keeps those cases from
//! passing, and every one of them must keep failing; with a requirement as well, only findings on that requirement. By a
//! requirement alone it excuses findings on it in any case, and cases that it blocks; one such case is enough.
//!
//! A universal rule that is violated is one finding, in however many cases: it is known where each of them is excused.

mod baseline;
mod file;

use std::collections::BTreeSet;
use std::path::Path;

use fast_glob::glob_match;
use jiff::civil::Date;
use scenarios::{Catalogue, Foreign, Judgement, Library, RequirementId, Scenario, ScenarioId};
use serde::Deserialize;

use crate::result::{CaseReport, Universal, Verdict, is_universal};

pub use file::KnownFailingError;

/// Where a list is looked for when none is named: beside the profile.
pub const DEFAULT_FILE: &str = "known-failing.toml";

/// A checked list.
#[derive(Debug, Clone, Default)]
pub struct KnownFailing {
    file: String,
    entries: Vec<Entry>,
}

/// One entry: a pattern, a requirement, or both.
#[derive(Debug, Clone)]
struct Entry {
    case: Option<Pattern>,
    requirement: Option<RequirementId>,
    reason: String,
    issue: Option<String>,
    expires: Option<Date>,
    /// Where it begins in the file, counted from 1; 0 where it was just made.
    line: usize,
}

/// A glob over ids of cases. A `*` does not match `/`, as with `--filter`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(transparent)]
struct Pattern(String);

impl Pattern {
    /// The pattern that matches one case alone.
    fn exactly(case: &ScenarioId) -> Self {
        let mut text = String::new();
        for character in case.0.chars() {
            if matches!(character, '*' | '?' | '[' | ']' | '{' | '}' | '!' | '\\') {
                text.push('\\');
            }
            text.push(character);
        }
        Self(text)
    }

    fn matches(&self, case: &ScenarioId) -> bool {
        glob_match(&self.0, &case.0)
    }
}

impl KnownFailing {
    /// The JSON Schema of a list, for editors.
    pub fn schema() -> serde_json::Value {
        file::schema()
    }

    /// Reads a list; every entry must be about something in the library.
    ///
    /// # Errors
    /// When it cannot be read, is not a list, or an entry is about nothing.
    pub fn read(path: &Path, library: &Library) -> Result<Self, KnownFailingError> {
        file::read(path, library)
    }

    /// Marks what is known in a case: its failed checks, and its verdict where nothing but them kept it from passing.
    pub fn excuse(&self, case: &mut CaseReport, today: Date) {
        let live: Vec<&Entry> = self.entries.iter().filter(|entry| !entry.has_expired(today)).collect();
        for check in &mut case.checks {
            if matches!(check.judgement, Judgement::Failed(_)) {
                check.known = live.iter().any(|entry| entry.excuses(&case.id, &check.requirement));
            }
        }
        let excuse = match &case.verdict {
            Verdict::Fail => {
                let mut failed = case.findings().map(|(requirement, _)| requirement).peekable();
                let first = failed.peek().and_then(|id| live.iter().find(|e| e.excuses(&case.id, id)));
                let all = failed.all(|id| live.iter().any(|entry| entry.excuses(&case.id, id)));
                first.filter(|_| all)
            }
            Verdict::Blocked { by, .. } => live.iter().find(|entry| entry.excuses(&case.id, by)),
            Verdict::SubjectError { .. } => live.iter().find(|entry| entry.excuses_anything(&case.id)),
            Verdict::Pass
            | Verdict::KnownFailure { .. }
            | Verdict::UnexpectedPass { .. }
            | Verdict::NotClaimed { .. }
            | Verdict::NotRun { .. }
            | Verdict::Inconclusive { .. }
            | Verdict::HarnessError { .. } => return,
        };
        if let Some(entry) = excuse {
            let reason = entry.reason.as_str().into();
            let issue = entry.issue.as_deref().map(Foreign::from);
            let was = Box::new(case.verdict.clone());
            case.verdict = Verdict::KnownFailure { reason, issue, was };
        }
    }

    /// Marks the violated universal rules that are known: those that are excused in each case that violates them.
    pub fn excuse_universal(&self, universal: &mut [Universal], today: Date) {
        let live: Vec<&Entry> = self.entries.iter().filter(|entry| !entry.has_expired(today)).collect();
        for found in universal {
            let is_excused =
                |case: &ScenarioId| live.iter().any(|entry| entry.excuses(case, &found.requirement));
            found.known = found.cases.iter().all(is_excused);
        }
    }

    /// Marks the cases that pass though they are listed. `cases` are those of a whole run, after [`KnownFailing::excuse`], and
    /// `universal` is what they violate beside: what still does so is listed rightly.
    pub fn expose(&self, cases: &mut [CaseReport], universal: &[Universal], library: &Library, today: Date) {
        for entry in self.entries.iter().filter(|entry| !entry.has_expired(today)) {
            let violates = |case: &ScenarioId| universal.iter().any(|found| entry.excuses_in(found, case));
            let exposed: Vec<ScenarioId> = match (&entry.case, &entry.requirement) {
                (_, Some(_)) if cases.iter().any(|case| violates(&case.id)) => Vec::new(),
                (Some(_), requirement) => {
                    let is_over = requirement.as_ref().is_some_and(|id| entry.is_over(id, cases, library));
                    let passes = |case: &&CaseReport| match requirement {
                        None => case.verdict == Verdict::Pass && !violates(&case.id),
                        Some(id) => case.holds(id) || is_over && case.verdict == Verdict::Pass,
                    };
                    let listed = cases.iter().filter(|case| entry.names(&case.id)).filter(passes);
                    listed.map(|case| case.id.clone()).collect()
                }
                // Each case that could show it was played, and it holds in all of them.
                (None, Some(id)) => {
                    let mut shown = library.iter().filter(|scenario| scenario.requirements().contains(id));
                    let held: Vec<_> = cases.iter().filter(|case| case.holds(id)).collect();
                    let blocks = cases.iter().any(|case| case.verdict.is_block_by(id));
                    let all = shown.all(|scenario| held.iter().any(|case| case.id == scenario.id));
                    if all && !blocks {
                        held.iter().map(|case| case.id.clone()).collect()
                    } else {
                        Vec::new()
                    }
                }
                (None, None) => Vec::new(),
            };
            for case in cases.iter_mut().filter(|case| exposed.contains(&case.id)) {
                if matches!(case.verdict, Verdict::Pass | Verdict::KnownFailure { .. }) {
                    case.verdict = Verdict::UnexpectedPass { entry: self.place(entry).into() };
                }
            }
        }
    }

    /// The entries whose time is over and that are about a case of the run, in words.
    pub fn expired(&self, cases: &[CaseReport], today: Date) -> Vec<Foreign> {
        let concerned = |entry: &&Entry| {
            cases.iter().any(|case| {
                entry.names(&case.id)
                    && entry
                        .requirement
                        .as_ref()
                        .is_none_or(|id| case.requirements.contains(id) || case.universal_on(id).is_some())
            })
        };
        let describe = |entry: &Entry| {
            let date = entry.expires.map(|date| date.to_string()).unwrap_or_default();
            let (place, reason) = (self.place(entry), &entry.reason);
            format!("{place} expired on {date}: fix it, or decide on a new date ({reason})").into()
        };
        let expired = self.entries.iter().filter(|entry| entry.has_expired(today));
        expired.filter(concerned).map(describe).collect()
    }

    /// The text of the smallest list with which these cases, and the universal rules that they violate, fail nothing. No list has
    /// excused them yet. Entries that are still needed stay, with their reasons; so do those about cases that this run did not play.
    pub fn baseline(
        &self,
        cases: &[CaseReport],
        universal: &[Universal],
        library: &Library,
        today: Date,
    ) -> String {
        baseline::text(&baseline::entries(&self.entries, cases, universal, library, today))
    }

    /// Whether an entry is about something that this scenario shows, or about anything in it.
    pub fn lists(&self, scenario: &Scenario) -> bool {
        self.entries.iter().any(|entry| entry.concerns(scenario))
    }

    /// Whether it lists nothing.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn place(&self, entry: &Entry) -> String {
        format!("`{entry}` ({}:{})", self.file, entry.line)
    }
}

impl Entry {
    /// Whether a finding on this requirement in this case is excused, or that the case is blocked by it.
    fn excuses(&self, case: &ScenarioId, requirement: &RequirementId) -> bool {
        self.names(case) && self.requirement.as_ref().is_none_or(|id| id == requirement)
    }

    /// Whether anything that keeps this case from passing is excused.
    fn excuses_anything(&self, case: &ScenarioId) -> bool {
        self.case.is_some() && self.requirement.is_none() && self.names(case)
    }

    fn names(&self, case: &ScenarioId) -> bool {
        self.case.as_ref().is_none_or(|pattern| pattern.matches(case))
    }

    /// Whether it excuses that this case violates this universal rule, which it does.
    fn excuses_in(&self, found: &Universal, case: &ScenarioId) -> bool {
        found.cases.contains(case) && self.excuses(case, &found.requirement)
    }

    /// Whether it can be about something in this scenario: what the scenario shows, or a universal rule of its subject.
    fn is_about(&self, scenario: &Scenario, catalogue: &Catalogue) -> bool {
        let of_subject = |id: &RequirementId| {
            is_universal(id) && catalogue.get(id).is_some_and(|rule| rule.subject == scenario.subject())
        };
        self.concerns(scenario)
            || (self.names(&scenario.id) && self.requirement.as_ref().is_some_and(of_subject))
    }

    /// Whether it is about a universal rule alone, and every case that it names was played to its end: none has violated the rule.
    fn is_over(&self, rule: &RequirementId, cases: &[CaseReport], library: &Library) -> bool {
        let was_played =
            |id: &ScenarioId| cases.iter().any(|case| case.id == *id && baseline::was_played(&case.verdict));
        let mut named = library.iter().filter(|scenario| self.names(&scenario.id));
        is_universal(rule) && named.all(|scenario| !self.concerns(scenario) && was_played(&scenario.id))
    }

    /// Whether it is about what this scenario shows.
    fn concerns(&self, scenario: &Scenario) -> bool {
        let shown: BTreeSet<_> = scenario.requirements().into_iter().collect();
        self.names(&scenario.id) && self.requirement.as_ref().is_none_or(|id| shown.contains(id))
    }

    /// It is good on the day that it names, and no longer.
    fn has_expired(&self, today: Date) -> bool {
        self.expires.is_some_and(|last| last < today)
    }
}

impl std::fmt::Display for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.case, &self.requirement) {
            (Some(case), Some(requirement)) => write!(f, "{requirement} in {}", case.0),
            (Some(case), None) => f.write_str(&case.0),
            (None, Some(requirement)) => write!(f, "{requirement}"),
            (None, None) => Ok(()),
        }
    }
}

impl CaseReport {
    /// Whether it was played far enough to say that the requirement holds in it.
    fn holds(&self, requirement: &RequirementId) -> bool {
        let said = matches!(
            self.verdict,
            Verdict::Pass | Verdict::Fail | Verdict::KnownFailure { .. } | Verdict::UnexpectedPass { .. }
        );
        let mut checks = self.checks_on(requirement).peekable();
        said && checks.peek().is_some() && checks.all(|check| check.judgement == Judgement::Passed)
    }
}

impl Verdict {
    /// Whether the case was stopped because this requirement does not hold.
    fn is_block_by(&self, requirement: &RequirementId) -> bool {
        match self {
            Self::Blocked { by, .. } => by == requirement,
            Self::KnownFailure { was, .. } => was.is_block_by(requirement),
            Self::Pass
            | Self::Fail
            | Self::UnexpectedPass { .. }
            | Self::NotClaimed { .. }
            | Self::NotRun { .. }
            | Self::Inconclusive { .. }
            | Self::SubjectError { .. }
            | Self::HarnessError { .. } => false,
        }
    }
}

#[cfg(test)]
mod tests;
