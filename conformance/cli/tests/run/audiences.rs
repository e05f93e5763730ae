//! A gateway that has events for one audience alone is judged by those: the reference gateway, of which a profile declares no others.

use std::fs;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use tokio::runtime::Runtime;

use crate::{cases, gatecheck, trial};

/// What a profile declares, and what its gateway does not offer.
struct Audience {
    name: &'static str,
    events: &'static str,
    without: &'static [&'static str],
    /// Cases that are not run, at most.
    not_run: usize,
}

const OWNER: Audience = Audience {
    name: "owner",
    events: "[[event]]\nfor = \"owner\"\ntype = \"profile:updated\"\n",
    without: &["everybody", "role", "subscribers"],
    not_run: 0,
};
const ROLE: Audience = Audience {
    name: "role",
    events: "[[event]]\nfor = \"role\"\ntype = \"admin:alert\"\n",
    without: &["everybody", "named", "subscribers"],
    not_run: 0,
};
const SUBSCRIBERS: Audience = Audience {
    name: "subscribers",
    events: "[[event]]\nfor = \"subscribers\"\ntype = \"catalog:changed\"\n\n[[event]]\nfor = \"subscribers\"\ntype = \"stock:changed\"\n",
    without: &["everybody", "owner", "role"],
    not_run: 0,
};

const REFERENCE: &str = include_str!("../../../src/profile/reference.toml");

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let mut trials = Vec::new();
    for audience in [&OWNER, &ROLE, &SUBSCRIBERS] {
        let runtime = Arc::clone(runtime);
        let name = format!("audiences/events_for_{}_alone", audience.name);
        trials.push(trial::test(name, move || runtime.block_on(conforms(audience))));
    }
    let runtime = Arc::clone(runtime);
    let name = "audiences/what_is_not_declared_is_not_judged";
    trials.push(trial::test(name, move || runtime.block_on(is_incomplete())));
    trials
}

fn profile(audience: &Audience, without: &[&str]) -> Result<tempfile::TempDir, Failed> {
    let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
    let text = format!("{REFERENCE}\n{}\n[claims]\nwithout = {without:?}\n", audience.events);
    fs::write(folder.path().join("gatecheck.toml"), text).map_err(|error| error.to_string())?;
    Ok(folder)
}

/// Nothing fails, nothing stays undecided, and few cases are not run.
async fn conforms(audience: &Audience) -> Result<(), Failed> {
    let folder = profile(audience, audience.without)?;
    let path = folder.path().join("gatecheck.toml").display().to_string();
    let (code, report) = gatecheck(&["gateway", "-c", &path, "--format", "json"]).await?;
    let is_fine = |verdict: &str| matches!(verdict, "pass" | "not_run" | "not_claimed" | "inconclusive");
    let troubles = cases(&report).filter(|case| !is_fine(case["verdict"].as_str().unwrap_or_default()));
    let troubles: Vec<_> = troubles.map(ToString::to_string).collect();
    // An inconclusive run on a busy host is no fault of the reference gateway.
    if !matches!(code, 0 | 3) || !troubles.is_empty() {
        let requirements = &report["requirements"];
        return Err(format!("exit code {code}:\n{}\n{requirements}", troubles.join("\n")).into());
    }
    let not_run: Vec<_> = cases(&report).filter(|case| case["gap"] == "undeclared").collect();
    if not_run.len() > audience.not_run {
        let names: Vec<_> = not_run.iter().map(|case| format!("{}: {}", case["id"], case["why"])).collect();
        return Err(format!("{} cases were not run:\n{}", names.len(), names.join("\n")).into());
    }
    Ok(())
}

/// Where the profile does not say that it lacks them, core requirements that are not judged make the run incomplete.
async fn is_incomplete() -> Result<(), Failed> {
    let folder = profile(&OWNER, &["BRIDGE-3"])?;
    let path = folder.path().join("gatecheck.toml").display().to_string();
    let (code, report) = gatecheck(&["gateway", "-c", &path, "--level", "core", "--format", "json"]).await?;
    let lines = report["requirements"].as_array().into_iter().flatten();
    let undeclared = |line: &&serde_json::Value| {
        line["standing"] == "not_shown"
            && line["not_run"]
                .as_array()
                .is_some_and(|cases| cases.iter().any(|case| case["gap"] == "undeclared"))
    };
    let ids: Vec<_> = lines.filter(undeclared).filter_map(|line| line["id"].as_str()).collect();
    match (code, ids.as_slice()) {
        (6, ["CONN-2", "ROOM-1", "BRIDGE-2"]) => Ok(()),
        // A busy host says so first.
        (3, _) => Ok(()),
        _ => Err(format!("exit code {code}, not judged: {ids:?}").into()),
    }
}
