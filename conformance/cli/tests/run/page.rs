//! An example's README says how its requirements stand, and a run must agree.
//!
//! A row of its table ends with the requirements that do not hold for what the row says. Tables of one column, such as `| shown |`, list
//! the requirements that stand so; those under `| dies |` are undecided, or do not hold, by what was seen before the subject died, and those under `| found at times |`
//! may fail.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{cases, standings};

pub(crate) struct Page {
    text: String,
}

impl Page {
    /// The page in an example's folder.
    pub(crate) fn of(folder: &Path) -> Result<Self, Failed> {
        let page = folder.join("README.md");
        let text = fs::read_to_string(&page).map_err(|error| format!("{}: {error}", page.display()))?;
        Ok(Self { text })
    }

    /// Whether exactly what the page says was found. On a busy host some requirements may stay undecided.
    pub(crate) fn holds(&self, report: &Value, code: i32, exit_code: i32) -> Result<(), Failed> {
        let is_noisy = |case: &Value| case["checks"].to_string().contains("may have made it so");
        let doubtful = cases(report).any(|case| case["verdict"] == "inconclusive" || is_noisy(case));
        let standing = |wanted: &str| -> BTreeSet<String> {
            let of_this = standings(report).into_iter().filter(|(_, standing)| *standing == wanted);
            of_this.map(|(id, _)| id.to_owned()).collect()
        };
        // What is found at times may stand in any way.
        let at_times = self.listed("found at times").unwrap_or_default();
        let steady =
            |ids: BTreeSet<String>| -> BTreeSet<String> { ids.difference(&at_times).cloned().collect() };
        let (mut found, known) = (steady(standing("failed")), steady(self.failing()));
        let mut open = steady(standing("undecided"));
        let said = self.listed("undecided").unwrap_or_default();
        for id in self.listed("dies").unwrap_or_default() {
            if !found.remove(&id) && !open.remove(&id) && !doubtful {
                return Err(format!("{id} stands, where the page says that the subject dies").into());
            }
        }
        if !doubtful && open != said {
            return Err(format!("undecided are {open:?}, where the page says {said:?}").into());
        }
        let blamed: Vec<_> = found.difference(&known).collect();
        let missed: Vec<_> = known.difference(&found).collect();
        if !blamed.is_empty() || !doubtful && (!missed.is_empty() || code != exit_code) {
            let summary = format!("exit code {code}; blamed wrongly: {blamed:?}; not found: {missed:?}");
            let astray: Vec<&String> = blamed.into_iter().chain(missed).collect();
            let cases: Vec<String> = cases(report)
                .map(Value::to_string)
                .filter(|case| astray.iter().any(|id| case.contains(id.as_str())))
                .collect();
            return Err(format!("{summary}\n{}", cases.join("\n")).into());
        }
        match self.listed("shown") {
            Some(said) if !doubtful && said != steady(standing("shown")) => {
                Err(format!("shown are {:?}, where the page says {said:?}", steady(standing("shown"))).into())
            }
            _ => Ok(()),
        }
    }

    /// The requirements in the last column of the table.
    fn failing(&self) -> BTreeSet<String> {
        let rows = self
            .text
            .lines()
            .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | "));
        rows.skip(1).flat_map(|(_, found)| found.split(", ").map(str::to_owned)).collect()
    }

    /// The requirements in the table of those that stand so, where there is one.
    fn listed(&self, standing: &str) -> Option<BTreeSet<String>> {
        let head = format!("| {standing} |");
        let row = self.text.lines().skip_while(|line| *line != head).nth(2)?;
        let ids = row.strip_prefix("| ")?.strip_suffix(" |")?;
        Some(ids.split(", ").map(str::to_owned).collect())
    }
}
