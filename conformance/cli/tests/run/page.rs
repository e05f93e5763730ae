//! The page of an example: what is wrong with it is found under its requirement, and nothing else is blamed.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use libtest_mimic::Failed;
use serde_json::Value;

use crate::{cases, standings};

/// What a run has found is what the page of the example in a folder says.
pub(crate) fn holds_page(own: &Path, exit_code: i32, (code, report): (i32, &Value)) -> Result<(), Failed> {
    // On a busy host some requirements may stay undecided.
    let doubtful = cases(report).any(|case| case["verdict"] == "inconclusive");
    let standing = |wanted: &str| -> BTreeSet<String> {
        let of_this = standings(report).into_iter().filter(|(_, standing)| *standing == wanted);
        of_this.map(|(id, _)| id.to_owned()).collect()
    };
    let found = standing("failed");
    let known = known(own)?;
    let at_times = listed(own, "| found at times |")?;
    let (open, said) = (standing("undecided"), listed(own, "| undecided |")?);
    if !doubtful && open != said {
        return Err(format!("undecided are {open:?}, where the page says {said:?}").into());
    }
    let blamed: Vec<_> = found.difference(&known).filter(|id| !at_times.contains(*id)).collect();
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
    Ok(())
}

/// The requirements in the table of one column that has this heading, where there is one.
fn listed(folder: &Path, heading: &str) -> Result<BTreeSet<String>, Failed> {
    let text = fs::read_to_string(folder.join("README.md")).map_err(|error| error.to_string())?;
    let row = text.lines().skip_while(|line| *line != heading).nth(2);
    let ids = row.and_then(|row| row.strip_prefix("| ")?.strip_suffix(" |"));
    Ok(ids.into_iter().flat_map(|ids| ids.split(", ").map(str::to_owned)).collect())
}

/// The requirements in the last column of the table.
fn known(folder: &Path) -> Result<BTreeSet<String>, Failed> {
    let text = fs::read_to_string(folder.join("README.md")).map_err(|error| error.to_string())?;
    let rows =
        text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | "));
    let ids = rows.skip(1).flat_map(|(_, found)| found.split(", ").map(str::to_owned));
    Ok(ids.collect())
}
