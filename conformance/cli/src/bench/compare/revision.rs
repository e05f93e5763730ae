//! A git revision, checked out in a folder of its own and built.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::Duration;

use miette::miette;
use tempfile::TempDir;

use super::super::super::{Failure, warn};
use conformance::exit::Exit;
use conformance::interruption::Interruption;
use conformance::process::{Streams, Subject};
use conformance::profile::CommandProfile;
use conformance::template::Values;

/// What a build that is interrupted may take to end.
const PATIENCE: Duration = Duration::from_secs(5);
/// Lines of a build that failed that are shown.
const SHOWN_LINES: usize = 30;

/// A working tree, removed when it is dropped.
pub(super) struct Revision {
    /// As it was asked for, and the commit.
    pub(super) name: String,
    /// Where the profile's folder is in it.
    pub(super) folder: PathBuf,
    tree: PathBuf,
    repository: PathBuf,
    /// The folder that holds the tree.
    _holder: TempDir,
}

impl Revision {
    /// Checks a revision out, and builds it in the folder that corresponds to `folder`.
    pub(super) async fn built(
        revision: &str,
        build: &str,
        folder: &Path,
        interruption: &Interruption,
    ) -> Result<Self, Failure> {
        let folder = if folder.as_os_str().is_empty() { Path::new(".") } else { folder };
        let commit_of = format!("{revision}^{{commit}}");
        let commit = git(folder, &["rev-parse", "--verify", "--short", "--end-of-options", &commit_of])?;
        let prefix = git(folder, &["rev-parse", "--show-prefix"])?;
        let repository = PathBuf::from(git(folder, &["rev-parse", "--show-toplevel"])?);
        let holder = tempfile::tempdir().map_err(|error| {
            Failure::new(Exit::Harness, miette!("cannot make a folder for a revision: {error}"))
        })?;
        let tree = holder.path().join("tree");
        git(&repository, &["worktree", "add", "--quiet", "--detach", &tree.to_string_lossy(), &commit])?;
        let name = if commit.starts_with(revision) { commit } else { format!("{revision} ({commit})") };
        let checked_out = Self { name, folder: tree.join(prefix), tree, repository, _holder: holder };
        checked_out.build(build, interruption).await?;
        Ok(checked_out)
    }

    async fn build(&self, build: &str, interruption: &Interruption) -> Result<(), Failure> {
        warn(format_args!("building {}: {build}", self.name));
        let command = CommandProfile {
            words: ["sh", "-c", build].map(str::to_owned).to_vec(),
            env: std::collections::BTreeMap::new(),
        };
        let mut building = Subject::spawn(&command, &Values::default(), &self.folder, Streams::Kept)
            .map_err(Failure::usage)?;
        let end = tokio::select! {
            biased;
            () = interruption.begun() => {
                building.stop(PATIENCE).await;
                return Err(Failure::new(Exit::Interrupted, miette!("interrupted while {} was built", self.name)));
            }
            end = building.end() => end,
        };
        // Reads the last that it printed.
        building.kill().await;
        if end == "exit code 0" {
            return Ok(());
        }
        let output = building.output().await;
        let last: Vec<_> =
            output.iter().rev().take(SHOWN_LINES).rev().map(|line| format!("\n  | {line}")).collect();
        let help = "`--build` is run by `sh -c` in the profile's folder of the revision";
        Err(Failure::usage(miette!(
            help = help,
            "`{build}` does not build {}: {end}; it printed last:{}",
            self.name,
            last.concat()
        )))
    }
}

impl Drop for Revision {
    fn drop(&mut self) {
        let removed = git(&self.repository, &["worktree", "remove", "--force", &self.tree.to_string_lossy()]);
        if removed.is_err() {
            warn(format_args!("git did not remove {}: `git worktree prune` does", self.tree.display()));
        }
    }
}

fn git(folder: &Path, args: &[&str]) -> Result<String, Failure> {
    let run = Command::new("git").arg("-C").arg(folder).args(args).output();
    let failed = |why: &str| {
        let help = "`--base-rev` and `--new-rev` name commits of the git repository that the profile is in";
        Failure::usage(miette!(help = help, "`git {}`: {why}", args.join(" ")))
    };
    match run {
        Ok(Output { status, stdout, .. }) if status.success() => {
            Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned())
        }
        Ok(Output { stderr, .. }) => Err(failed(String::from_utf8_lossy(&stderr).trim_end())),
        Err(error) => Err(failed(&error.to_string())),
    }
}
