//! `--watch`: judges again whenever the subject's files change: what did not pass, and everything once that passes.

use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use miette::miette;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::Common;
use crate::{Failure, warn};
use conformance::exit::Exit;
use conformance::interruption::Interruption;

/// The flag, in the place of which each run gets what differs from run to run.
const FLAG: &str = "--watch";
/// Folders in which nothing is written by hand.
const GENERATED: [&str; 3] = ["node_modules", "target", "__pycache__"];
/// An editor writes a file in several steps.
const SETTLES_WITHIN: Duration = Duration::from_millis(200);

/// Judges, and again after each change below `folder`, until a signal comes.
pub(super) fn watch(folder: &Path, common: &Common) -> Result<Exit, Failure> {
    let harness =
        |what: &str, error: &dyn std::fmt::Display| Failure::new(Exit::Harness, miette!("{what}: {error}"));
    let kept = tempfile::tempdir().map_err(|error| harness("cannot make a folder for reports", &error))?;
    let output = common.output.clone().unwrap_or_else(|| kept.path().to_owned());
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| harness("cannot start a runtime", &error))?;
    runtime.block_on(async {
        let interruption =
            Interruption::listen().map_err(|error| harness("cannot listen for signals", &error))?;
        let mut changes = Changes::below(folder, &output).map_err(|error| {
            let help = "Linux limits how many folders are watched: `sysctl fs.inotify.max_user_watches`";
            Failure::new(Exit::Harness, miette!(help = help, "cannot watch {}: {error}", folder.display()))
        })?;
        let mut what = What::Everything;
        loop {
            let mut run = start(what, common, &output).map_err(|error| harness("cannot start a run", &error))?;
            let code = tokio::select! {
                status = run.wait() => status.map_err(|error| harness("cannot wait for a run", &error))?.code(),
                () = interruption.begun() => {
                    end(&mut run).await.map_err(|error| harness("cannot wait for a run", &error))?;
                    return Ok(Exit::Interrupted);
                }
            };
            let next = what.after(code);
            if (what, next, code) == (What::Open, What::Everything, Some(0)) {
                // What was changed may have broken what had passed.
                what = next;
                continue;
            }
            what = next;
            warn(format_args!("watching {}: {} runs after a change, Ctrl-C ends", folder.display(), what.words()));
            tokio::select! {
                changed = changes.next() => warn(format_args!("changed: {}", changed.display())),
                () = interruption.begun() => return Ok(Exit::Interrupted),
            }
        }
    })
}

/// What is run next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum What {
    Everything,
    /// What did not pass in the last run.
    Open,
}

impl What {
    fn after(self, code: Option<i32>) -> Self {
        let exits = [Exit::NotConformant, Exit::Inconclusive, Exit::Subject, Exit::Incomplete];
        match code.and_then(|code| u8::try_from(code).ok()) {
            Some(code) if code == Exit::Conformant.code() => Self::Everything,
            // There is a report.
            Some(code) if exits.iter().any(|exit| exit.code() == code) => Self::Open,
            _ => self,
        }
    }

    fn words(self) -> &'static str {
        match self {
            Self::Everything => "everything",
            Self::Open => "what did not pass",
        }
    }
}

/// Starts a run, as this one was started. A terminal's signals reach it through this process alone.
fn start(what: What, common: &Common, output: &Path) -> io::Result<Child> {
    let arguments = arguments(std::env::args_os().skip(1), what, common.output.is_none().then_some(output));
    Command::new(std::env::current_exe()?)
        .args(arguments)
        .stdin(Stdio::null())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
}

fn arguments(given: impl Iterator<Item = OsString>, what: What, output: Option<&Path>) -> Vec<OsString> {
    let mut arguments = Vec::new();
    let mut is_replaced = false;
    for argument in given {
        if is_replaced || argument != FLAG {
            arguments.push(argument);
            continue;
        }
        is_replaced = true;
        if let Some(folder) = output {
            arguments.extend(["--output".into(), folder.into()]);
        }
        if what == What::Open {
            arguments.push("--last-failed".into());
        }
    }
    arguments
}

/// Asks a run to end, and waits until it has written its reports.
async fn end(run: &mut Child) -> io::Result<ExitStatus> {
    if let Some(id) = run.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
        // It may have ended by itself.
        let _ = kill_process(id, Signal::TERM);
    }
    run.wait().await
}

/// Changes of files.
struct Changes {
    changed: mpsc::Receiver<PathBuf>,
    _watcher: RecommendedWatcher,
}

impl Changes {
    fn below(folder: &Path, output: &Path) -> notify::Result<Self> {
        let folder = folder.canonicalize()?;
        // It is made by the first run.
        let output = std::path::absolute(output)?;
        let output = output.canonicalize().unwrap_or(output);
        // One is enough to begin.
        let (sender, changed) = mpsc::channel(1);
        let root = folder.clone();
        let mut watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            let Ok(event) = event else { return };
            if matches!(event.kind, EventKind::Access(_) | EventKind::Other) {
                return;
            }
            let changed = event
                .paths
                .into_iter()
                .find(|path| !path.starts_with(&output) && path.strip_prefix(&root).is_ok_and(is_source));
            if let Some(path) = changed {
                let _ = sender.try_send(path);
            }
        })?;
        watcher.watch(&folder, RecursiveMode::Recursive)?;
        Ok(Self { changed, _watcher: watcher })
    }

    /// The next file that changes, once nothing has changed for a moment.
    async fn next(&mut self) -> PathBuf {
        let Some(first) = self.changed.recv().await else { return std::future::pending().await };
        while let Ok(Some(_)) = timeout(SETTLES_WITHIN, self.changed.recv()).await {}
        first
    }
}

/// Whether a path below the watched folder may be a file of the subject's own: nothing hidden, generated, or a log.
fn is_source(path: &Path) -> bool {
    let is_own = |part: &OsStr| {
        let part = part.to_string_lossy();
        !part.starts_with('.') && !part.ends_with('~') && !GENERATED.contains(&part.as_ref())
    };
    path.file_name().is_some() && path.iter().all(is_own) && path.extension() != Some(OsStr::new("log"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each run gets its own arguments in the place of the flag; a command behind `--` keeps its.
    #[test]
    fn the_flag_makes_room() {
        let given = |words: &str| words.split(' ').map(OsString::from).collect::<Vec<_>>().into_iter();
        let words = |arguments: Vec<OsString>| arguments.join(OsStr::new(" ")).into_string().expect("text");
        let line = "gateway --watch -j 2 -- node --watch gateway.mjs";
        for (what, output, expected) in [
            (What::Everything, None, "gateway -j 2 -- node --watch gateway.mjs"),
            (What::Open, None, "gateway --last-failed -j 2 -- node --watch gateway.mjs"),
            (
                What::Open,
                Some(Path::new("kept")),
                "gateway --output kept --last-failed -j 2 -- node --watch gateway.mjs",
            ),
        ] {
            assert_eq!(words(arguments(given(line), what, output)), expected);
        }
    }

    /// What did not pass is run until it passes; a run without a report changes nothing.
    #[test]
    fn what_runs_next() {
        for (now, code, next) in [
            (What::Everything, Some(0), What::Everything),
            (What::Everything, Some(1), What::Open),
            (What::Everything, Some(2), What::Everything),
            (What::Open, Some(2), What::Open),
            (What::Open, Some(6), What::Open),
            (What::Open, None, What::Open),
            (What::Open, Some(0), What::Everything),
        ] {
            assert_eq!(now.after(code), next, "{now:?} {code:?}");
        }
    }

    /// Only files that are written by hand begin a run.
    #[test]
    fn sources_are_known() {
        for (path, is) in [
            ("gateway.mjs", true),
            ("src/dist/server.js", true),
            ("gatecheck.toml", true),
            ("node_modules/ws/index.js", false),
            (".git/index", false),
            ("src/.gateway.mjs.swp", false),
            ("gateway.mjs~", false),
            ("gateway.log", false),
            ("", false),
        ] {
            assert_eq!(is_source(Path::new(path)), is, "{path}");
        }
    }
}
