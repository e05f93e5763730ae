//! `gatecheck proxy` and `gatecheck broker` in tests of others: `conformance/examples/faults`, by pytest and by jest.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Failed, Trial};
use tokio::process::Command;
use tokio::runtime::Runtime;

use crate::node::{copy, with_modules};
use crate::python::with_packages;
use crate::trial;

/// Where the example stands.
const FOLDER: &str = "examples/faults";
/// How long its tests may take.
const PATIENCE: Duration = Duration::from_secs(120);

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let (python, node) = (Arc::clone(runtime), Arc::clone(runtime));
    vec![
        trial::ignorable_test("python/faults_in_pytest", move || {
            with_packages("pytest", |folder| {
                copy(&["examples/faults/test_faults.py"], folder)?;
                let interpreter = folder.join(".venv/bin/python");
                let arguments = ["-m", "pytest", "-q", "-p", "no:cacheprovider"];
                python.block_on(passes(folder, &interpreter, &arguments))
            })
        }),
        trial::ignorable_test("node/faults_in_jest", move || {
            with_modules(&["jest", "ws", "amqplib"], |folder| {
                copy(&["examples/faults/faults.test.js", "examples/faults/package.json"], folder)?;
                let arguments = ["../../node_modules/jest/bin/jest.js", "--ci"];
                node.block_on(passes(folder, Path::new("node"), &arguments))
            })
        }),
    ]
}

/// A suite that others wrote passes with this gatecheck.
async fn passes(folder: &Path, program: &Path, arguments: &[&str]) -> Result<(), Failed> {
    let mut suite = Command::new(program);
    suite.args(arguments).current_dir(folder.join(FOLDER)).kill_on_drop(true);
    suite.env("GATECHECK", env!("CARGO_BIN_EXE_gatecheck")).env("NO_COLOR", "1");
    let output = tokio::time::timeout(PATIENCE, suite.output()).await;
    let output = output.map_err(|_| format!("it did not end within {PATIENCE:?}"))?;
    let output = output.map_err(|error| format!("{}: {error}", program.display()))?;
    if output.status.success() {
        return Ok(());
    }
    let printed = [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
    Err(format!("{}\n{}", output.status, printed.concat()).into())
}
