//! A whole run.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use scenarios::{Catalogue, Foreign, Level, Requirement, RequirementId, ScenarioId, SubjectKind};

use super::case::CaseReport;
use super::death::Death;
use super::status::{RequirementReport, RequirementStatus, standings};
use super::universal::Universal;
use super::verdict::Verdict;
use crate::exit::Exit;
use crate::words::counted;

/// What a run is about.
#[derive(Debug, Clone, Copy)]
pub struct Scope<'a> {
    /// What was judged.
    pub subjects: &'a [SubjectKind],
    /// How much.
    pub level: Level,
    /// What the subject does not claim.
    pub without: &'a BTreeSet<RequirementId>,
    /// The requirements of the selected cases, where some were selected.
    pub selected: Option<&'a BTreeSet<RequirementId>>,
}

/// A whole run.
#[derive(Debug, Clone)]
pub struct RunReport {
    /// The cases, in the order of their ids.
    pub cases: Vec<CaseReport>,
    /// The requirements that the run is about, in the order of the catalogue.
    pub requirements: Vec<RequirementReport>,
    /// The universal rules that were violated, in the order of the catalogue.
    pub universal: Vec<Universal>,
    /// How the subject died, by cause.
    pub deaths: Vec<Death>,
    /// The design that the client declares, where it differs from the default: a line for each part.
    pub design: Vec<Foreign>,
    /// Entries of the list of known failures whose time is over, in words.
    pub expired: Vec<Foreign>,
    /// Whether only selected cases were run: then nothing is said of conformance.
    pub is_selection: bool,
    /// Whether a run may leave requirements undecided.
    pub allows_undecided: bool,
    /// The signal that interrupted the run, where one did.
    pub interrupted: Option<&'static str>,
    /// How long it took.
    pub took: Duration,
}

impl Scope<'_> {
    /// Whether findings on this rule count.
    pub(super) fn judges(&self, rule: &Requirement) -> bool {
        // Each half of a pair is judged by its own rules, too.
        let is_of_half = self.subjects.contains(&SubjectKind::Pair);
        let is_judged = is_of_half || self.subjects.contains(&rule.subject);
        is_judged && rule.level <= self.level && !self.without.contains(&rule.id)
    }

    /// Whether the run says how this rule stands: a selection is about its own, and about universal rules that it violates.
    pub(super) fn reports(&self, rule: &Requirement, universal: &[Universal]) -> bool {
        let is_found = universal.iter().any(|found| found.requirement == rule.id);
        let is_selected = self.selected.is_none_or(|selected| selected.contains(&rule.id)) || is_found;
        let is_of_half = is_found && self.subjects.contains(&SubjectKind::Pair);
        let is_judged = is_of_half || self.subjects.contains(&rule.subject);
        is_judged && rule.level <= self.level && is_selected
    }
}

impl RunReport {
    /// Sums up the cases: what they and the violated universal rules say of each requirement in scope.
    pub fn of(
        mut cases: Vec<CaseReport>,
        universal: Vec<Universal>,
        scope: &Scope<'_>,
        took: Duration,
    ) -> Self {
        cases.sort_by(|a, b| a.id.cmp(&b.id));
        let requirements = standings(&cases, &universal, scope);
        let catalogue = Catalogue::builtin();
        for case in &mut cases {
            case.requirements.retain(|id| catalogue.get(id).is_some_and(|rule| rule.level <= scope.level));
        }
        Self {
            deaths: Death::grouped(&cases),
            requirements,
            cases,
            universal,
            design: Vec::new(),
            expired: Vec::new(),
            is_selection: scope.selected.is_some(),
            allows_undecided: false,
            interrupted: None,
            took,
        }
    }

    /// How many requirements stand so.
    pub fn count(&self, standing: RequirementStatus) -> usize {
        self.standing(standing).count()
    }

    /// The requirements that stand so.
    pub fn standing(&self, standing: RequirementStatus) -> impl Iterator<Item = &RequirementId> {
        self.requirements.iter().filter(move |found| found.standing == standing).map(|found| &found.id)
    }

    /// The case of this id.
    pub fn case(&self, id: &ScenarioId) -> Option<&CaseReport> {
        self.cases.iter().find(|case| case.id == *id)
    }

    /// Whether cases of this subject were judged by this host's noise alone: none of them measured how long the subject's
    /// processes waited for a processor.
    pub fn knows_host_noise_only(&self, subject: SubjectKind) -> bool {
        let mut played = self.cases.iter().filter(|case| case.subject == subject && case.runs > 0).peekable();
        played.peek().is_some() && played.all(|case| case.subject_wait_ms.is_none())
    }

    /// How the run ended, in a sign and in words. A selection says what it selected, and nothing of conformance.
    pub fn sentence(&self) -> (&'static str, String) {
        let exit = self.exit();
        let (sign, words) = exit.sentence();
        let died = self.count_cases(|verdict| matches!(verdict, Verdict::SubjectError { .. }));
        let words = match exit {
            Exit::Interrupted => {
                let signal = self.interrupted.unwrap_or_default();
                format!("interrupted by {signal}: {}", self.tally("cases"))
            }
            Exit::Usage => "nothing was judged: every case was left out".to_owned(),
            _ if self.is_selection => self.tally("selected cases"),
            Exit::Subject if died < self.cases.len() => {
                let cases = if died == 1 { "a case".to_owned() } else { format!("{died} cases") };
                format!("not conformant: the subject died, or did not start, in {cases}")
            }
            Exit::Incomplete => format!("incomplete: {}{}", self.open(), self.not_shown()),
            Exit::Conformant if self.is_incomplete() => {
                format!("nothing failed; {}, which is allowed{}", self.open(), self.not_shown())
            }
            Exit::Conformant => format!("{words}{}", self.not_shown()),
            Exit::NotConformant | Exit::Inconclusive | Exit::Subject | Exit::Harness => words.to_owned(),
        };
        (sign, words)
    }

    /// How many of the cases passed, in words, and how many universal rules do not hold: what breaks one of these fails no case.
    pub fn passed(&self, cases: &str) -> String {
        let passed = self.passed_cases(cases);
        match self.violated() {
            Some(violated) => format!("{passed}; {violated}"),
            None => passed,
        }
    }

    fn passed_cases(&self, cases: &str) -> String {
        let passed = self.count_cases(|verdict| *verdict == Verdict::Pass);
        format!("{passed} of {} {cases} passed", self.cases.len())
    }

    /// How the run ends. What says most about the run itself comes first: that it was interrupted, a harness or subject that failed,
    /// then findings, then doubt.
    pub fn exit(&self) -> Exit {
        let any = |matches: &dyn Fn(&Verdict) -> bool| self.cases.iter().any(|case| matches(&case.verdict));
        if self.interrupted.is_some() {
            Exit::Interrupted
        } else if any(&|verdict| matches!(verdict, Verdict::HarnessError { .. })) {
            Exit::Harness
        } else if any(&|verdict| matches!(verdict, Verdict::SubjectError { .. })) {
            Exit::Subject
        } else if !self.expired.is_empty()
            || self.universal.iter().any(|found| !found.known)
            || any(&|verdict| matches!(verdict, Verdict::Fail | Verdict::UnexpectedPass { .. }))
        {
            Exit::NotConformant
        } else if any(&|verdict| matches!(verdict, Verdict::Inconclusive { .. })) {
            Exit::Inconclusive
        } else if self.is_incomplete()
            && !(self.allows_undecided && any(&|verdict| *verdict == Verdict::Pass))
        {
            // Where nothing at all has passed, leave to stay undecided is no leave to judge nothing.
            Exit::Incomplete
        } else if !any(&|verdict| !matches!(verdict, Verdict::NotRun { .. } | Verdict::NotClaimed { .. })) {
            // What judges nothing must not pass for a gate.
            Exit::Usage
        } else {
            Exit::Conformant
        }
    }

    /// The requirements of the core level of which no case ran, though the profile claims them: it does not declare what they need.
    pub fn unjudged(&self) -> impl Iterator<Item = &RequirementReport> {
        let catalogue = Catalogue::builtin();
        self.requirements.iter().filter(move |found| {
            let is_core = catalogue.get(&found.id).is_some_and(|rule| rule.level == Level::Core);
            is_core && found.standing == RequirementStatus::NotShown && found.is_undeclared()
        })
    }

    /// Whether something that was judged stayed undecided, or something was not judged that must be.
    fn is_incomplete(&self) -> bool {
        self.count(RequirementStatus::Undecided) > 0
            || (!self.is_selection && self.unjudged().next().is_some())
            || self.cases.iter().any(|case| matches!(case.verdict, Verdict::Blocked { .. }))
    }

    /// What stayed undecided, in words.
    fn open(&self) -> String {
        let undecided = self.count(RequirementStatus::Undecided);
        let unjudged = self.unjudged().count();
        let blocked = self.count_cases(|verdict| matches!(verdict, Verdict::Blocked { .. }));
        let undecided = (undecided > 0).then(|| format!("{} undecided", counted(undecided, "requirement")));
        let unjudged =
            (unjudged > 0).then(|| format!("{} not judged", counted(unjudged, "core requirement")));
        let parts: Vec<_> = undecided.into_iter().chain(unjudged).collect();
        if parts.is_empty() { format!("{} blocked", counted(blocked, "case")) } else { parts.join(", ") }
    }

    /// What the run does not show, in words, where there is something.
    fn not_shown(&self) -> String {
        let words =
            [(RequirementStatus::ShownInPart, "shown in part"), (RequirementStatus::NotShown, "not shown")];
        let counts = words.map(|(standing, words)| (self.count(standing), words));
        let parts = counts.into_iter().filter(|(count, _)| *count > 0);
        let parts = parts.map(|(count, words)| format!("; {} {words}", counted(count, "requirement")));
        parts.collect()
    }

    /// How many cases passed, and what became of the others.
    fn tally(&self, cases: &str) -> String {
        let mut others: BTreeMap<(Reverse<u8>, &str), usize> = BTreeMap::new();
        for case in self.cases.iter().filter(|case| case.verdict != Verdict::Pass) {
            *others.entry((Reverse(case.verdict.gravity()), case.verdict.counted())).or_default() += 1;
        }
        let mut words = self.passed_cases(cases);
        let mut others: Vec<_> =
            others.into_iter().map(|((_, what), count)| format!("{count} {what}")).collect();
        others.extend(self.violated());
        if !self.expired.is_empty() {
            others.push(format!("{} expired", counted(self.expired.len(), "known failure")));
        }
        if !others.is_empty() {
            words.push_str("; ");
            words.push_str(&others.join(", "));
        }
        words
    }

    /// The universal rules that do not hold, in words, where there are any.
    fn violated(&self) -> Option<String> {
        let violated: Vec<_> = self.universal.iter().filter(|found| !found.known).collect();
        let names: Vec<_> = violated.iter().map(|found| found.requirement.to_string()).collect();
        let rules = counted(names.len(), "universal rule");
        (!names.is_empty()).then(|| format!("{rules} violated ({})", names.join(", ")))
    }

    fn count_cases(&self, matches: impl Fn(&Verdict) -> bool) -> usize {
        self.cases.iter().filter(|case| matches(&case.verdict)).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::result::sample::{blocked, case, failed};
    use crate::result::{Check, Universal, UniversalFinding};
    use scenarios::{Gap, Judgement};

    fn report(cases: Vec<CaseReport>) -> RunReport {
        let subjects = [SubjectKind::Client];
        let scope =
            Scope { subjects: &subjects, level: Level::Core, without: &BTreeSet::new(), selected: None };
        let universal = Universal::collected(&cases, &scope);
        RunReport::of(cases, universal, &scope, Duration::ZERO)
    }

    fn passes() -> CaseReport {
        case("p", Verdict::Pass, &[("STATE-1", Judgement::Passed)])
    }

    fn is_blocked() -> CaseReport {
        let by = "STATE-1".parse().unwrap();
        case("b", Verdict::Blocked { by, detail: Foreign::default() }, &[("SUB-1", blocked("STATE-1"))])
    }

    /// Each ending has its code, and the gravest one wins.
    #[test]
    fn the_gravest_ending_wins() {
        let inconclusive = || case("i", Verdict::Inconclusive { stall_ms: 9 }, &[]);
        let fail = || case("f", Verdict::Fail, &[]);
        let died = || case("d", Verdict::SubjectError { detail: Foreign::default() }, &[]);
        let broken = || case("h", Verdict::HarnessError { detail: Foreign::default() }, &[]);
        let violates =
            || CaseReport { universal: vec![UniversalFinding::sample("STATE-2", Vec::new())], ..passes() };
        assert_eq!(report(vec![passes()]).exit(), Exit::Conformant);
        let left_out = || {
            case("n", Verdict::NotRun { why: Foreign::default(), gap: Gap::Run, audiences: Vec::new() }, &[])
        };
        assert_eq!(report(vec![left_out()]).exit(), Exit::Usage, "what judges nothing is no gate");
        assert_eq!(report(vec![left_out(), passes()]).exit(), Exit::Conformant);
        assert_eq!(report(vec![passes(), is_blocked()]).exit(), Exit::Incomplete);
        assert_eq!(report(vec![is_blocked(), inconclusive()]).exit(), Exit::Inconclusive);
        assert_eq!(report(vec![inconclusive(), fail()]).exit(), Exit::NotConformant);
        assert_eq!(report(vec![inconclusive(), violates()]).exit(), Exit::NotConformant);
        assert_eq!(report(vec![fail(), died()]).exit(), Exit::Subject);
        assert_eq!(report(vec![died(), broken()]).exit(), Exit::Harness);
        let interrupted = RunReport { interrupted: Some("SIGHUP"), ..report(vec![broken()]) };
        assert_eq!(interrupted.exit(), Exit::Interrupted);
    }

    /// SPEC, "What a verdict means", rule 6: undecided is not conformant, unless it is allowed; and even then the run does not say
    /// that it is conformant.
    #[test]
    fn undecided_is_not_conformant() {
        let incomplete = report(vec![passes(), is_blocked()]);
        assert_eq!(incomplete.exit(), Exit::Incomplete);
        assert!(incomplete.sentence().1.starts_with("incomplete: 2 requirements undecided; "));
        let allowed = RunReport { allows_undecided: true, ..incomplete };
        assert_eq!(allowed.exit(), Exit::Conformant);
        assert!(!allowed.sentence().1.contains("conformant"), "{}", allowed.sentence().1);
        // Its own case was not run, since it leans on what is not judged.
        let leaning = case(
            "n",
            Verdict::NotRun { why: Foreign::default(), gap: Gap::Run, audiences: Vec::new() },
            &[("SUB-1", blocked("CONN-3"))],
        );
        assert_eq!(report(vec![leaning, passes()]).exit(), Exit::Incomplete);
        // What the profile has no placeholder for is not undecided, and yet counted.
        let untold =
            case("n", Verdict::NotRun { why: Foreign::default(), gap: Gap::Run, audiences: Vec::new() }, &[]);
        let report = report(vec![untold, passes()]);
        assert_eq!(report.exit(), Exit::Conformant);
        let not_shown = report.count(RequirementStatus::NotShown);
        assert_eq!(report.sentence().1, format!("conformant; {not_shown} requirements not shown"));
    }

    /// A failure that is listed, a universal one as well, fails nothing.
    #[test]
    fn what_is_known_fails_nothing() {
        let was = Box::new(Verdict::Fail);
        let known = Verdict::KnownFailure { reason: Foreign::default(), issue: None, was };
        let mut known = case("k", known, &[("STATE-1", failed())]);
        known.checks.iter_mut().for_each(|check: &mut Check| check.known = true);
        known.universal = vec![UniversalFinding::sample("STATE-2", Vec::new())];
        let mut report = report(vec![known]);
        report.universal.iter_mut().for_each(|found| found.known = true);
        assert_eq!(report.exit(), Exit::Conformant);
    }

    /// A selection ends with what it selected, whatever that came to.
    #[test]
    fn a_selection_does_not_conform() {
        let selection = |cases| RunReport { is_selection: true, ..report(cases) };
        assert_eq!(selection(vec![passes()]).sentence().1, "1 of 1 selected cases passed");
        let fail = case("f", Verdict::Fail, &[("SUB-1", failed())]);
        let mixed = selection(vec![passes(), is_blocked(), fail]);
        assert_eq!(mixed.sentence().1, "1 of 3 selected cases passed; 1 failed, 1 blocked");
        let violates =
            CaseReport { universal: vec![UniversalFinding::sample("STATE-2", vec![])], ..passes() };
        let violates = selection(vec![violates]);
        let words = "1 of 1 selected cases passed; 1 universal rule violated (STATE-2)";
        assert_eq!(
            (violates.sentence().1.as_str(), violates.passed("selected cases").as_str()),
            (words, words)
        );
    }

    /// A selection is about its own requirements, and about universal rules that it violates.
    #[test]
    fn a_selection_fails_by_universal_rules() {
        let subjects = [SubjectKind::Client];
        let selected = BTreeSet::from(["STATE-1".parse().unwrap()]);
        let without = BTreeSet::new();
        let scope =
            Scope { subjects: &subjects, level: Level::Core, without: &without, selected: Some(&selected) };
        let cases =
            vec![CaseReport { universal: vec![UniversalFinding::sample("STATE-2", vec![])], ..passes() }];
        let universal = Universal::collected(&cases, &scope);
        let report = RunReport::of(cases, universal, &scope, Duration::ZERO);
        let stands = |found: &RequirementReport| format!("{} {:?}", found.id, found.standing);
        let standings: Vec<_> = report.requirements.iter().map(stands).collect();
        assert_eq!(standings, ["STATE-1 Shown", "STATE-2 Failed"]);
    }
}
