//! Cases that are blocked by one requirement, together: what it was and where it was missed are said once.

use std::collections::BTreeMap;

use scenarios::{Catalogue, RequirementId};

use super::{Console, DOUBT, Detail, STRONG, push};
use conformance::result::{CaseReport, RunReport, Verdict};

/// The blocked cases by what blocks them, where that is more than one case. With `-v`, each case stands for itself.
pub(super) fn groups(report: &RunReport, detail: Detail) -> BTreeMap<&RequirementId, Vec<&CaseReport>> {
    let mut groups: BTreeMap<&RequirementId, Vec<&CaseReport>> = BTreeMap::new();
    for case in report.cases.iter().filter(|_| detail != Detail::Verbose) {
        if let Verdict::Blocked { by, .. } = &case.verdict {
            groups.entry(by).or_default().push(case);
        }
    }
    groups.retain(|_, cases| cases.len() > 1);
    groups
}

impl Console {
    pub(super) fn blocked(
        &self,
        text: &mut String,
        groups: &BTreeMap<&RequirementId, Vec<&CaseReport>>,
        catalogue: &Catalogue,
    ) {
        for (by, cases) in groups {
            let rule = catalogue.get(by).map_or("", |rule| rule.text.as_str());
            push(
                text,
                format_args!("\n{STRONG}{} cases take {by} for granted{STRONG:#}  {rule}", cases.len()),
            );
            for case in cases {
                let detail = match &case.verdict {
                    Verdict::Blocked { detail, .. } => detail.terminal(),
                    _ => String::new(),
                };
                push(text, format_args!("  {DOUBT}blocked{DOUBT:#}  {:<44} {detail}", case.id));
            }
            if let Some(first) = cases.first() {
                self.repeat(text, &first.id);
            }
        }
    }
}
