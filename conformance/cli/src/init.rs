//! `init`: the files of a new adapter, or the profile of a subject that is watched.

mod kits;
pub(super) mod observe;
mod output;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use miette::Diagnostic;

use super::{Failure, closed};
use conformance::exit::Exit;
use kits::{Kit, Language};

#[derive(Args)]
pub(super) struct InitArgs {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// Write the profile of a gateway, by watching it
    Gateway(observe::GatewayArgs),
    /// Write the profile of a client, by watching it behind its adapter
    Client(observe::ClientArgs),
    /// Write an adapter in JavaScript for a page, in Chromium without a screen
    Browser(KitArgs),
    /// Write an adapter in JavaScript or TypeScript for Node.js
    Node(KitArgs),
    /// Write an adapter in Python, with asyncio
    Python(KitArgs),
    /// Write an adapter in Rust
    Rust(KitArgs),
}

#[derive(Args)]
struct KitArgs {
    /// The folder of the files, created if need be
    #[arg(value_name = "DIR", default_value = ".")]
    folder: PathBuf,
}

/// Why nothing, or not everything, was written.
#[derive(Debug, Diagnostic, thiserror::Error)]
enum InitError {
    #[error("{} exists already; nothing was written", .0.display())]
    #[diagnostic(help("name an empty folder: `gatecheck init node adapter`"))]
    Exists(PathBuf),
    #[error("cannot write {}: {source}", path.display())]
    Write { path: PathBuf, source: io::Error },
}

pub(super) fn run(args: InitArgs) -> Result<Exit, Failure> {
    match args.what {
        What::Gateway(args) => observe::gateway(&args),
        What::Client(args) => observe::client(&args),
        What::Browser(args) => adapter(Language::Browser, &args),
        What::Node(args) => adapter(Language::Node, &args),
        What::Python(args) => adapter(Language::Python, &args),
        What::Rust(args) => adapter(Language::Rust, &args),
    }
}

/// Writes the files of an adapter, and says what comes next.
fn adapter(language: Language, args: &KitArgs) -> Result<Exit, Failure> {
    let kit = language.kit();
    write(kit, &args.folder).map_err(Failure::usage)?;
    announce(kit, &args.folder, &mut anstream::stdout()).map_err(closed)?;
    Ok(Exit::Conformant)
}

/// All of the kit, or nothing where any of it exists.
fn write(kit: &Kit, folder: &Path) -> Result<(), InitError> {
    let paths = kit.files.iter().map(|file| folder.join(file.name));
    if let Some(path) = paths.into_iter().find(|path| path.symlink_metadata().is_ok()) {
        return Err(InitError::Exists(path));
    }
    for file in kit.files {
        let path = folder.join(file.name);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
            // Another process may have created the file; it is not overwritten.
            let mut new = OpenOptions::new().write(true).create_new(true).open(&path)?;
            new.write_all(file.text.as_bytes())
        });
        written.map_err(|source| InitError::Write { path, source })?;
    }
    Ok(())
}

fn announce(kit: &Kit, folder: &Path, out: &mut impl Write) -> io::Result<()> {
    for file in kit.files {
        writeln!(out, "wrote {}", folder.join(file.name).display())?;
    }
    writeln!(out, "\n{}. Then:\n", kit.first)?;
    if folder != Path::new(".") {
        writeln!(out, "  cd {}", quoted(folder))?;
    }
    for command in kit.prepare.iter().chain(&["gatecheck adapter check", "gatecheck client"]) {
        writeln!(out, "  {command}")?;
    }
    Ok(())
}

/// A path as a shell reads it.
fn quoted(path: &Path) -> String {
    // No path has the one character that cannot be quoted, a NUL.
    shlex::try_quote(&path.display().to_string()).map_or_else(|_| String::new(), Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;
    use conformance::profile::Profile;

    /// Every kit's profile is sound, and starts a client.
    #[test]
    fn profiles_are_sound() {
        for language in Language::ALL {
            let mut profiles = language.kit().files.iter().filter(|file| file.name == "gatecheck.toml");
            let text = profiles.next().unwrap().text;
            let profile = Profile::parse("gatecheck.toml", text, Path::new(".")).unwrap();
            assert!(profile.client.is_some(), "{language:?}");
        }
    }

    /// What exists is kept, and nothing is written beside it.
    #[test]
    fn nothing_is_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("package.json");
        fs::write(&kept, "mine").unwrap();
        let error = write(Language::Node.kit(), folder.path()).unwrap_err();
        assert!(error.to_string().contains("package.json exists already"), "{error}");
        assert_eq!(fs::read_to_string(&kept).unwrap(), "mine");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    /// A shell reads a folder's name as it is.
    #[test]
    fn folders_are_quoted() {
        assert_eq!(quoted(Path::new("a/b-c.d")), "a/b-c.d");
        assert_eq!(quoted(Path::new("it's here")), "\"it's here\"");
    }
}
