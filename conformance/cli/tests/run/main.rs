//! `gatecheck` as its users run it: against the reference pair on every broker, against the examples in Node.js and Python, and on
//! what `gatecheck init` writes.
//!
//! Trials are named `ARM/…` after the broker, which is looked for as in the suite `broker`; `node/…` need `amqplib` and `ws` in
//! the folder that `GATECHECK_NODE_MODULES` names, `python/…` an interpreter with `websockets` that `GATECHECK_PYTHON` names, examples
//! of frameworks what their `package.json` or `requirements.txt` names. `browser/…` need Node.js and Chromium.

#[path = "../../../broker/tests/arms/mod.rs"]
mod arms;
mod audiences;
mod browser;
mod designs;
mod discovered;
mod example;
mod faults;
mod frameworks;
mod init;
mod leaving;
mod libraries;
mod node;
mod node_client;
mod observed;
mod page;
mod pair;
mod python;
mod seed;
mod shared;
mod signing_in;
mod starts;
mod trial;

use std::collections::BTreeMap;
use std::process::Stdio;
use std::sync::Arc;

use arms::{Absence, Arm, Arms};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use serde_json::Value;
use tokio::process::Command;
use tokio::runtime::Runtime;

fn main() {
    let mut arguments = Arguments::from_args();
    // Trials wait much more than they work.
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    arguments.test_threads = arguments.test_threads.or(Some(2 * cores + 1));
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let arms = Arc::new(Arms::default());
    let conforming = Arm::ALL.map(|arm| {
        let (runtime, arms) = (Arc::clone(&runtime), Arc::clone(&arms));
        trial::ignorable_test(format!("{}/the_reference_pair_conforms", arm.name()), move || {
            runtime.block_on(conforms(&arms, arm))
        })
    });
    let trials = in_turn(vec![
        conforming.into(),
        audiences::trials(&runtime),
        browser::trials(&runtime),
        designs::trials(&runtime),
        discovered::trials(&runtime),
        example::trials(&runtime),
        faults::trials(&runtime),
        frameworks::trials(&runtime),
        init::trials(&runtime),
        leaving::trials(&runtime),
        libraries::trials(&runtime),
        node_client::trials(&runtime),
        observed::trials(&runtime),
        pair::trials(&runtime),
        python::trials(&runtime),
        seed::trials(&runtime),
        shared::trials(&runtime),
        starts::trials(&runtime),
    ]);
    let conclusion = libtest_mimic::run(&arguments, trials);
    let arms = Arc::into_inner(arms).expect("trials that did not run are dropped with their share");
    runtime.block_on(arms.stop());
    conclusion.exit();
}

/// One of each group after the other: those of one group cost about the same, and the dearest of all at once are more than a host has.
fn in_turn(groups: Vec<Vec<Trial>>) -> Vec<Trial> {
    let mut groups: Vec<_> = groups.into_iter().map(Vec::into_iter).collect();
    let mut trials = Vec::new();
    while !groups.is_empty() {
        groups.retain_mut(|group| group.next().map(|trial| trials.push(trial)).is_some());
    }
    trials
}

/// Every scenario passes, and the report says which broker it was.
async fn conforms(arms: &Arms, arm: Arm) -> Result<Completion, Failed> {
    let url = match arms.url(arm).await {
        Ok(url) => url,
        Err(Absence::Excused(reason)) => return Ok(Completion::ignored_with(reason)),
        Err(Absence::Failed(reason)) => return Err(reason.into()),
    };
    let broker = if arm == Arm::Embedded { "embedded".to_owned() } else { url };
    let (code, report) = gatecheck(&["run", "--format", "json", "--broker", &broker]).await?;
    let troubles: Vec<_> =
        cases(&report).filter(|case| case["verdict"] != "pass").map(Value::to_string).collect();
    // An inconclusive run on a busy host is no fault of the reference pair.
    if !matches!(code, 0 | 3) {
        return Err(format!("exit code {code}:\n{}", troubles.join("\n")).into());
    }
    let product = report["broker"]["product"].as_str().unwrap_or_default();
    let expected = if arm == Arm::Embedded { "Gatecheck" } else { "RabbitMQ" };
    if product != expected {
        return Err(format!("the report says that the broker was {product}, not {expected}").into());
    }
    if cases(&report).count() < 60 {
        return Err(format!("only {} cases ran", cases(&report).count()).into());
    }
    Ok(Completion::Completed)
}

/// Runs `gatecheck` and reads its report.
pub(crate) async fn gatecheck(arguments: &[&str]) -> Result<(i32, Value), Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| error.to_string())?;
    let code = output.status.code().ok_or("ended by a signal")?;
    let report = serde_json::from_slice(&output.stdout).map_err(|error| {
        format!("exit code {code}, no report ({error}): {}", String::from_utf8_lossy(&output.stderr))
    })?;
    Ok((code, report))
}

pub(crate) fn cases(report: &Value) -> impl Iterator<Item = &Value> {
    report["cases"].as_array().into_iter().flatten()
}

/// How each requirement stands. One that is shown in part is shown by all of its cases that ran.
pub(crate) fn standings(report: &Value) -> BTreeMap<&str, &str> {
    let lines = report["requirements"].as_array().into_iter().flatten();
    lines
        .filter_map(|line| {
            let standing = line["standing"].as_str()?;
            let standing = if standing == "shown_in_part" { "shown" } else { standing };
            Some((line["id"].as_str()?, standing))
        })
        .collect()
}

/// Everything is shown but what is not claimed: requirements that begin with these words.
pub(crate) fn holds_claims(code: i32, report: &Value, unclaimed: &[&str]) -> Result<(), Failed> {
    let mut standings = standings(report);
    standings.retain(|id, standing| {
        let is_claimed = !unclaimed.iter().any(|unclaimed| id.starts_with(unclaimed));
        *standing != if is_claimed { "shown" } else { "not_claimed" }
    });
    // An inconclusive run on a busy host is no fault of the client.
    match code {
        0 if standings.is_empty() => Ok(()),
        3 => Ok(()),
        code => {
            let failed = cases(report)
                .filter(|case| !matches!(case["verdict"].as_str(), Some("pass" | "not_claimed")));
            let failed: Vec<String> = failed.map(Value::to_string).collect();
            Err(format!("exit code {code}: {standings:?}\n{}", failed.join("\n")).into())
        }
    }
}
