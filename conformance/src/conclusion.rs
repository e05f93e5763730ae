//! From cases to a report: what they say together, what of it is known to fail, and how the run stands.

use std::time::Duration;

use jiff::civil::Date;
use scenarios::Library;

use crate::known_failing::KnownFailing;
use crate::result::{CaseReport, RunReport, Scope, Universal};

/// What was found, one report on each case, before anything of it is excused.
#[derive(Debug, Clone)]
pub struct Findings {
    /// The cases.
    pub cases: Vec<CaseReport>,
    /// The universal rules that they violate.
    pub universal: Vec<Universal>,
}

/// What a report rests on besides its findings.
#[derive(Debug, Clone, Copy)]
pub struct Conclusion<'a> {
    /// What the run is about.
    pub scope: Scope<'a>,
    /// What is known to fail.
    pub known: &'a KnownFailing,
    /// The scenarios that the list of known failures speaks of.
    pub library: &'a Library,
    /// The day on which entries of that list expire.
    pub today: Date,
    /// Whether a run may leave requirements undecided.
    pub allows_undecided: bool,
    /// The signal that interrupted the run, where one did.
    pub interrupted: Option<&'static str>,
    /// How long the run took.
    pub took: Duration,
}

impl Findings {
    /// Puts together what several runs of a case left, and what the cases say of universal rules.
    pub fn of(runs: Vec<CaseReport>, scope: &Scope<'_>) -> Self {
        let cases = CaseReport::merged(runs);
        let universal = Universal::collected(&cases, scope);
        Self { cases, universal }
    }

    /// Excuses what is known to fail, exposes what is known to fail and passes, and sums up.
    pub fn conclude(mut self, with: &Conclusion<'_>) -> RunReport {
        let Conclusion { scope, known, library, today, .. } = with;
        self.cases.iter_mut().for_each(|case| known.excuse(case, *today));
        known.excuse_universal(&mut self.universal, *today);
        known.expose(&mut self.cases, &self.universal, library, *today);
        let expired = known.expired(&self.cases, *today);
        RunReport {
            expired,
            allows_undecided: with.allows_undecided,
            interrupted: with.interrupted,
            ..RunReport::of(self.cases, self.universal, scope, with.took)
        }
    }
}
