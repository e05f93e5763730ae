//! What changed between two reports.

use std::collections::BTreeSet;
use std::fmt::Write;

use conformance::result::RequirementStatus;
use scenarios::Foreign;

use super::earlier::{CaseOutcome, EarlierReport};

/// Width of the first column: most names of cases.
const NAME_COLUMNS: usize = 46;

/// What changed between two reports, requirements before cases.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Difference {
    changes: Vec<Change>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Change {
    kind: Kind,
    name: String,
    from: &'static str,
    to: &'static str,
}

/// What a change means, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    /// It fails now.
    Fails,
    /// It was shown, or passed, and does so no more.
    Lost,
    /// It failed, and does so no more.
    Fixed,
    /// It is shown now, or passes.
    Gained,
    /// Something else.
    Other,
}

/// How good an outcome is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Worth {
    Good,
    Open,
    Bad,
}

/// What stands where a report does not have it.
const ABSENT: &str = "not in the report";

impl Difference {
    /// What is otherwise in `new` than in `old`.
    pub fn between(old: &EarlierReport, new: &EarlierReport) -> Self {
        let ids: BTreeSet<_> = old.requirements.keys().chain(new.requirements.keys()).collect();
        let requirements = ids.into_iter().filter_map(|id| {
            let of = |report: &EarlierReport| report.requirements.get(id).copied();
            let end = |status: Option<RequirementStatus>| (status.map_or(ABSENT, words), worth_of(status));
            change(&id.to_string(), end(of(old)), end(of(new)))
        });
        let ids: BTreeSet<_> = old.cases.keys().chain(new.cases.keys()).collect();
        let cases = ids.into_iter().filter_map(|id| {
            let of = |report: &EarlierReport| report.cases.get(id).copied();
            let end =
                |case: Option<CaseOutcome>| (case.map_or(ABSENT, CaseOutcome::name), worth_of_case(case));
            change(&id.0, end(of(old)), end(of(new)))
        });
        Self { changes: requirements.chain(cases).collect() }
    }

    /// Whether something fails, or is no longer shown, that was better before.
    pub fn is_worse(&self) -> bool {
        self.changes.iter().any(|change| matches!(change.kind, Kind::Fails | Kind::Lost))
    }

    /// The changes by what they mean, and how many there are.
    pub fn text(&self) -> String {
        let mut text = String::new();
        for (kind, title) in [
            (Kind::Fails, "Fails now"),
            (Kind::Lost, "No longer shown"),
            (Kind::Fixed, "Fails no more"),
            (Kind::Gained, "Shown now"),
            (Kind::Other, "Otherwise different"),
        ] {
            let of_kind: Vec<_> = self.changes.iter().filter(|change| change.kind == kind).collect();
            if of_kind.is_empty() {
                continue;
            }
            let _ = writeln!(text, "{title}: {}", of_kind.len());
            for Change { name, from, to, .. } in of_kind {
                let name = Foreign::from(name.as_str()).terminal();
                let _ = match name.len() > NAME_COLUMNS {
                    true => writeln!(text, "  {name}\n  {:<NAME_COLUMNS$} {from} → {to}", ""),
                    false => writeln!(text, "  {name:<NAME_COLUMNS$} {from} → {to}"),
                };
            }
            text.push('\n');
        }
        let sentence = match (self.changes.is_empty(), self.is_worse()) {
            (true, _) => "nothing changed",
            (false, true) => "something is worse than before",
            (false, false) => "nothing is worse than before",
        };
        text + sentence + "\n"
    }
}

fn change(name: &str, (from, was): (&'static str, Worth), (to, is): (&'static str, Worth)) -> Option<Change> {
    if from == to {
        return None;
    }
    let kind = match (was, is) {
        (Worth::Good | Worth::Open, Worth::Bad) => Kind::Fails,
        (Worth::Good, Worth::Open) => Kind::Lost,
        (Worth::Bad, Worth::Good | Worth::Open) => Kind::Fixed,
        (Worth::Open, Worth::Good) => Kind::Gained,
        (Worth::Good, Worth::Good) | (Worth::Open, Worth::Open) | (Worth::Bad, Worth::Bad) => Kind::Other,
    };
    Some(Change { kind, name: name.to_owned(), from, to })
}

fn words(status: RequirementStatus) -> &'static str {
    match status {
        RequirementStatus::Shown => "shown",
        RequirementStatus::ShownInPart => "shown in part",
        RequirementStatus::Failed => "failed",
        RequirementStatus::KnownFailure => "known failure",
        RequirementStatus::Undecided => "undecided",
        RequirementStatus::NotClaimed => "not claimed",
        RequirementStatus::NotShown => "not shown",
    }
}

/// What a report does not have is open: a selection has fewer.
fn worth_of(status: Option<RequirementStatus>) -> Worth {
    match status {
        Some(RequirementStatus::Shown) => Worth::Good,
        Some(RequirementStatus::Failed) => Worth::Bad,
        Some(
            RequirementStatus::ShownInPart
            | RequirementStatus::KnownFailure
            | RequirementStatus::Undecided
            | RequirementStatus::NotClaimed
            | RequirementStatus::NotShown,
        )
        | None => Worth::Open,
    }
}

fn worth_of_case(case: Option<CaseOutcome>) -> Worth {
    match case {
        Some(CaseOutcome::Pass) => Worth::Good,
        Some(
            CaseOutcome::Fail
            | CaseOutcome::UnexpectedPass
            | CaseOutcome::SubjectError
            | CaseOutcome::HarnessError,
        ) => Worth::Bad,
        Some(
            CaseOutcome::KnownFailure
            | CaseOutcome::Blocked
            | CaseOutcome::NotClaimed
            | CaseOutcome::NotRun
            | CaseOutcome::Inconclusive,
        )
        | None => Worth::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(requirement: RequirementStatus, cases: &[(&str, CaseOutcome)]) -> EarlierReport {
        EarlierReport {
            requirements: [("AUTH-2".parse().unwrap(), requirement)].into(),
            cases: cases
                .iter()
                .map(|(id, outcome)| (scenarios::ScenarioId((*id).to_owned()), *outcome))
                .collect(),
        }
    }

    /// Each change is in the place of its meaning, and only what is worse makes the whole worse.
    #[test]
    fn changes_have_their_meaning() {
        use CaseOutcome::{Blocked, Fail, NotRun, Pass};
        let old = report(
            RequirementStatus::Shown,
            &[("a", Pass), ("b", Fail), ("c", Blocked), ("d", Pass), ("e", NotRun)],
        );
        let new = report(
            RequirementStatus::Failed,
            &[("a", Fail), ("b", Pass), ("c", Pass), ("d", NotRun), ("f", Pass)],
        );
        let found = Difference::between(&old, &new);
        assert!(found.is_worse());
        let text = found.text();
        let lines: Vec<_> =
            text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines.join("\n"),
            "Fails now: 2\nAUTH-2 shown → failed\na pass → fail\n\n\
             No longer shown: 1\nd pass → not run\n\n\
             Fails no more: 1\nb fail → pass\n\n\
             Shown now: 2\nc blocked → pass\nf not in the report → pass\n\n\
             Otherwise different: 1\ne not run → not in the report\n\n\
             something is worse than before"
        );
        let back = Difference::between(
            &report(RequirementStatus::Failed, &[("b", Fail)]),
            &report(RequirementStatus::Shown, &[("b", Pass)]),
        );
        assert!(
            !back.is_worse() && back.text().ends_with("nothing is worse than before\n"),
            "{}",
            back.text()
        );
        assert_eq!(Difference::between(&old, &old).text(), "nothing changed\n");
    }

    /// A name that is no name, or longer than its column, neither reaches a terminal as it is nor moves what follows.
    #[test]
    fn names_are_foreign() {
        let long = format!("x/{}\u{1b}[2J", "y".repeat(60));
        let new = report(RequirementStatus::Shown, &[(&long, CaseOutcome::Fail)]);
        let text = Difference::between(&report(RequirementStatus::Shown, &[]), &new).text();
        assert!(!text.contains('\u{1b}'), "{text:?}");
        assert!(
            text.contains("\n                                                 not in the report → fail"),
            "{text}"
        );
    }
}
