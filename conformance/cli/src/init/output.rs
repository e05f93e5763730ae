//! Where a profile that was found out goes, and what is left to fill in.

use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use miette::Diagnostic;

use super::super::{Failure, closed, warn};
use conformance::exit::Exit;
use conformance::profile::{DEFAULT_FILE, Profile};

/// What stands for standard output.
const STDOUT: &str = "-";

/// Where the profile goes.
#[derive(Args)]
pub(super) struct Output {
    /// The file to write, in whose folder the command is started; `-` for standard output
    #[arg(long, short = 'o', value_name = "FILE", default_value = DEFAULT_FILE)]
    output: PathBuf,
    /// Overwrite the file
    #[arg(long)]
    force: bool,
}

/// Why nothing was written.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub(super) enum WriteError {
    #[error("{} exists already; nothing was written", .0.display())]
    #[diagnostic(help("`--force` overwrites it, `--output FILE` names another file, `--output -` prints"))]
    Exists(PathBuf),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

impl Output {
    fn is_stdout(&self) -> bool {
        self.output == Path::new(STDOUT)
    }

    /// Refuses a file that would be overwritten, before anything is started.
    pub(super) fn check(&self) -> Result<(), WriteError> {
        match !self.is_stdout() && !self.force && self.output.symlink_metadata().is_ok() {
            true => Err(WriteError::Exists(self.output.clone())),
            false => Ok(()),
        }
    }

    /// The folder in which a profile's command is started.
    pub(super) fn folder(&self) -> PathBuf {
        let parent =
            self.output.parent().filter(|folder| !folder.as_os_str().is_empty() && !self.is_stdout());
        parent.map_or_else(|| PathBuf::from("."), Path::to_owned)
    }

    /// Writes a profile, and says what comes next.
    pub(super) fn write(&self, text: &str, judge: &str) -> Result<Exit, Failure> {
        if self.is_stdout() {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes()).and_then(|()| out.flush()).map_err(closed)?;
        } else {
            let failed = |source| Failure::usage(WriteError::Write { path: self.output.clone(), source });
            let mut options = OpenOptions::new();
            options.write(true);
            // Another process may have created the file meanwhile; it is not overwritten.
            let options =
                if self.force { options.create(true).truncate(true) } else { options.create_new(true) };
            let mut file = options.open(&self.output).map_err(failed)?;
            file.write_all(text.as_bytes()).map_err(failed)?;
        }
        // What is written can be read: anything else is a defect of this program.
        let name = self.output.display().to_string();
        Profile::parse(&name, text, &self.folder()).map_err(|error| Failure::new(Exit::Harness, error))?;
        if !self.is_stdout() {
            let open = open_keys(text);
            let open = match open.is_empty() {
                true => String::new(),
                false => format!(", in which is left to fill in: {}", open.join(", ")),
            };
            warn(format_args!("wrote {name}{open}; next: `{judge} -c {name}`"));
        }
        Ok(Exit::Conformant)
    }
}

/// The keys that stand in a comment, with the table that they belong to; an event by itself.
fn open_keys(text: &str) -> Vec<String> {
    let (mut table, mut open) = (String::new(), Vec::new());
    for line in text.lines() {
        if let Some(name) = line.strip_prefix('[').and_then(|line| line.split(']').next()) {
            name.trim_start_matches('[').clone_into(&mut table);
        }
        let Some(line) = line.strip_prefix("# ") else { continue };
        if line == "[[event]]" {
            open.push(line.to_owned());
            "#".clone_into(&mut table);
        }
        let key = line.split_once(" = ").map(|(key, _)| key);
        if let Some(key) = key.filter(|key| !key.contains(' ') && table != "#" && !table.is_empty()) {
            open.push(format!("{table}.{key}"));
        }
    }
    open
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left to fill in is named with its table; an event is one thing.
    #[test]
    fn open_keys_are_named() {
        let text = "# a comment that says = nothing\n# message = 'of an attempt'\n[gateway]\n# path = \"/ws\"\n[timing]\n# ping_interval = \"1s\"\n\
                    # [[event]]\n# for = \"owner\"\n";
        assert_eq!(open_keys(text), ["gateway.path", "timing.ping_interval", "[[event]]"]);
    }
}
