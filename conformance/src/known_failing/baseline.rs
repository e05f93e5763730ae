//! The smallest list that excuses what a run found.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::civil::Date;
use scenarios::{Library, RequirementId, ScenarioId};

use super::{Entry, Pattern};
use crate::result::{CaseReport, Universal, Verdict};

/// The reason of an entry that has none yet.
const NO_REASON: &str = "failed when this list was written; say why";
/// What stands at the top.
const HEAD: &str = "# What is known to fail. These cases still run; one that passes fails the run until it is taken off.\n\
                    # `gatecheck … --update-baseline` writes this file again: reasons stay, comments do not.\n";

/// What keeps one case from passing.
struct Trouble {
    /// The requirements that it violates or is blocked by; none where the subject died.
    requirements: BTreeSet<RequirementId>,
    died: bool,
}

/// The entries, in a stable order.
pub(super) fn entries(
    old: &[Entry],
    cases: &[CaseReport],
    universal: &[Universal],
    library: &Library,
    today: Date,
) -> Vec<Entry> {
    let troubles: BTreeMap<&ScenarioId, Trouble> =
        cases.iter().filter_map(|case| Some((&case.id, trouble(case)?))).collect();
    let played: BTreeSet<&ScenarioId> =
        cases.iter().filter(|case| was_played(&case.verdict)).map(|case| &case.id).collect();

    let is_needed = |entry: &&Entry| {
        let mut named = library.iter().filter(|scenario| entry.concerns(scenario)).peekable();
        let violates = |id: &ScenarioId| universal.iter().any(|found| entry.excuses_in(found, id));
        let fails = |id: &ScenarioId| {
            violates(id) || troubles.get(id).is_some_and(|trouble| trouble.is_excused(entry, id))
        };
        let unknown = |id: &ScenarioId| !played.contains(id);
        if entry.has_expired(today) {
            false
        } else if entry.requirement.is_some() && cases.iter().any(|case| violates(&case.id)) {
            true
        } else if named.peek().is_none() {
            // It is about a universal rule alone.
            library.iter().any(|scenario| entry.names(&scenario.id) && unknown(&scenario.id))
        } else if entry.case.is_some() {
            named.all(|scenario| fails(&scenario.id) || unknown(&scenario.id))
        } else {
            troubles.keys().any(|id| fails(id)) || named.any(|scenario| unknown(&scenario.id))
        }
    };
    let mut kept: Vec<Entry> = old.iter().filter(is_needed).cloned().collect();

    for Universal { requirement: id, cases, .. } in universal {
        if !cases.iter().all(|case| kept.iter().any(|entry| entry.excuses(case, id))) {
            kept.push(made(old, None, Some(id.clone()), |entry| entry.requirement.as_ref() == Some(id)));
        }
    }

    for id in troubles.values().flat_map(|trouble| &trouble.requirements).collect::<BTreeSet<_>>() {
        let mut showing = library.iter().filter(|scenario| scenario.requirements().contains(id)).peekable();
        let everywhere = showing.peek().is_some()
            && showing.all(|scenario| {
                troubles.get(&scenario.id).is_some_and(|trouble| trouble.requirements.contains(id))
            });
        let open = troubles.iter().any(|(case, trouble)| {
            trouble.requirements.contains(id) && !kept.iter().any(|entry| entry.excuses(case, id))
        });
        if everywhere && open {
            kept.push(made(old, None, Some(id.clone()), |entry| entry.requirement.as_ref() == Some(id)));
        }
    }
    for (case, trouble) in &troubles {
        let open: Vec<_> = trouble
            .requirements
            .iter()
            .filter(|id| !kept.iter().any(|entry| entry.excuses(case, id)))
            .collect();
        let died = trouble.died && !kept.iter().any(|entry| entry.excuses_anything(case));
        let requirement = match open.as_slice() {
            [] if !died => continue,
            [one] if !died => Some((*one).clone()),
            _ => None,
        };
        let pattern = Some(Pattern::exactly(case));
        let wanted = requirement.clone();
        kept.push(made(old, pattern, requirement, |entry| match &wanted {
            Some(id) => entry.excuses(case, id),
            None => entry.case.is_some() && entry.names(case),
        }));
    }
    let key = |entry: &Entry| (entry.case.clone(), entry.requirement.clone());
    kept.sort_by_key(key);
    kept.dedup_by_key(|entry| key(entry));
    kept
}

/// A new entry; it inherits the reason of one that said the same of it.
fn made(
    old: &[Entry],
    case: Option<Pattern>,
    requirement: Option<RequirementId>,
    covered: impl Fn(&Entry) -> bool,
) -> Entry {
    let before = old.iter().find(|entry| covered(entry));
    Entry {
        case,
        requirement,
        reason: before.map_or_else(|| NO_REASON.to_owned(), |entry| entry.reason.clone()),
        issue: before.and_then(|entry| entry.issue.clone()),
        // A date that has passed was a promise; a new one is for people to give.
        expires: None,
        line: 0,
    }
}

fn trouble(case: &CaseReport) -> Option<Trouble> {
    let found = || case.findings().map(|(requirement, _)| requirement.clone()).collect();
    match &case.verdict {
        Verdict::Fail => Some(Trouble { requirements: found(), died: false }),
        Verdict::Blocked { by, .. } => {
            Some(Trouble { requirements: BTreeSet::from([by.clone()]), died: false })
        }
        Verdict::SubjectError { .. } => Some(Trouble { requirements: found(), died: true }),
        Verdict::Pass
        | Verdict::KnownFailure { .. }
        | Verdict::UnexpectedPass { .. }
        | Verdict::NotClaimed { .. }
        | Verdict::NotRun { .. }
        | Verdict::Inconclusive { .. }
        | Verdict::HarnessError { .. } => None,
    }
}

/// Whether the run says anything about the case.
pub(super) fn was_played(verdict: &Verdict) -> bool {
    match verdict {
        Verdict::Pass
        | Verdict::Fail
        | Verdict::KnownFailure { .. }
        | Verdict::UnexpectedPass { .. }
        | Verdict::Blocked { .. }
        | Verdict::SubjectError { .. } => true,
        Verdict::NotClaimed { .. }
        | Verdict::NotRun { .. }
        | Verdict::Inconclusive { .. }
        | Verdict::HarnessError { .. } => false,
    }
}

impl Trouble {
    /// Whether the entry has to do with it.
    fn is_excused(&self, entry: &Entry, case: &ScenarioId) -> bool {
        entry.excuses_anything(case) || self.requirements.iter().any(|id| entry.excuses(case, id))
    }
}

/// The file.
pub(super) fn text(entries: &[Entry]) -> String {
    let mut text = HEAD.to_owned();
    for entry in entries {
        text.push_str("\n[[known]]\n");
        let mut line = |key: &str, value: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "{key} = {}", toml::Value::String(value.to_owned()));
        };
        if let Some(pattern) = &entry.case {
            line("case", &pattern.0);
        }
        if let Some(requirement) = &entry.requirement {
            line("requirement", &requirement.to_string());
        }
        line("reason", &entry.reason);
        if let Some(issue) = &entry.issue {
            line("issue", issue);
        }
        if let Some(expires) = entry.expires {
            let _ = writeln!(text, "expires = {expires}");
        }
    }
    text
}
