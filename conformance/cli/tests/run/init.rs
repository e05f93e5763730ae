//! What `gatecheck init` writes gets a verdict by the commands that it prints.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libtest_mimic::{Completion, Failed, Trial};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::runtime::Runtime;

use crate::node::with_modules;
use crate::python::with_websockets;
use crate::trial;

/// How a client to begin with stands.
struct RequirementStatus {
    code: i32,
    verdicts: [&'static str; 2],
}

/// It comes back after a loss, and keeps nothing that is sent before it is connected.
const FORGETFUL: RequirementStatus = RequirementStatus {
    code: 1,
    verdicts: ["pass  client/state/connect-and-lose", "FAIL  client/queue/offline-in-order"],
};
/// It keeps that as well.
const WHOLE: RequirementStatus = RequirementStatus {
    code: 0,
    verdicts: ["pass  client/state/connect-and-lose", "pass  client/queue/offline-in-order"],
};

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let [node, python, rust] = [(); 3].map(|()| Arc::clone(runtime));
    vec![
        trial::ignorable_test("node/a_new_adapter_gets_a_verdict", move || {
            with_modules(&["ws"], |folder| node.block_on(gets_a_verdict("node", &FORGETFUL, folder)))
        }),
        trial::ignorable_test("python/a_new_adapter_gets_a_verdict", move || {
            with_websockets(|folder| python.block_on(gets_a_verdict("python", &WHOLE, folder)))
        }),
        trial::ignorable_test("rust/a_new_adapter_gets_a_verdict", move || {
            let folder = TempDir::with_prefix("gatecheck-rust-").map_err(|error| error.to_string())?;
            // The same files are built as an example beside this test: no registry is needed.
            let built = folder.path().join("target/release");
            fs::create_dir_all(&built).map_err(|error| error.to_string())?;
            std::os::unix::fs::symlink(example()?, built.join("gatecheck-adapter"))
                .map_err(|error| error.to_string())?;
            rust.block_on(gets_a_verdict("rust", &FORGETFUL, folder.path()))?;
            Ok(Completion::Completed)
        }),
    ]
}

/// The folder has what the printed `npm install`, `pip install` or `cargo build` would bring; the rest is done as printed.
async fn gets_a_verdict(language: &str, expected: &RequirementStatus, folder: &Path) -> Result<(), Failed> {
    let (code, printed) = shell(folder, &format!("gatecheck init {language}")).await?;
    let commands: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("  gatecheck ")).collect();
    if code != 0 || commands.last() != Some(&"client") {
        return Err(format!("exit code {code}: {printed}").into());
    }
    let filter = "--filter client/state/connect-and-lose --filter QUEUE-1";
    let (code, printed) = shell(folder, &format!("gatecheck client {filter}")).await?;
    match expected.verdicts.into_iter().find(|verdict| !printed.contains(verdict)) {
        None if code == expected.code => Ok(()),
        missing => Err(format!("exit code {code}, missing {missing:?}: {printed}").into()),
    }
}

/// Runs a command with `gatecheck` on its path; its exit code, and all that it printed.
pub(crate) async fn shell(folder: &Path, command: &str) -> Result<(i32, String), Failed> {
    let program = Path::new(env!("CARGO_BIN_EXE_gatecheck"));
    let found = program.parent().into_iter().map(Path::to_owned);
    let path = env::var_os("PATH").unwrap_or_default();
    let path = env::join_paths(found.chain(env::split_paths(&path))).map_err(|error| error.to_string())?;
    let mut run = Command::new("sh");
    run.args(["-c", command]).current_dir(folder).env("PATH", path).kill_on_drop(true);
    let output = run.output().await.map_err(|error| error.to_string())?;
    let code = output.status.code().ok_or("ended by a signal")?;
    let printed = [output.stdout, output.stderr].concat();
    Ok((code, String::from_utf8_lossy(&printed).into_owned()))
}

/// What was built of `adapters/rust`.
fn example() -> Result<PathBuf, Failed> {
    let folder = Path::new(env!("CARGO_BIN_EXE_gatecheck")).parent().unwrap_or(Path::new("."));
    let example = folder.join("examples/rust_adapter");
    if example.is_file() { Ok(example) } else { Err(format!("{} was not built", example.display()).into()) }
}
