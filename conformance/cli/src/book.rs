//! The README and the book are held against the code: links lead somewhere, every file that is shown is read by its loader, every
//! command is understood.

mod catalogue;
mod markdown;

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use clap::error::ErrorKind;
use clap::{Arg, Command, CommandFactory};
use conformance::known_failing::KnownFailing;
use conformance::profile::{Profile, TEMPLATE};
use scenarios::{Library, Scenario, ScenarioId};

use super::Cli;
use markdown::{Code, Page, commands};

fn root() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    root.canonicalize().expect("the repository")
}

/// The folder of the book's pages.
fn source() -> PathBuf {
    root().join("conformance/book/src")
}

/// Every page of Markdown in a folder, and in those in it.
fn found(folder: &Path) -> Vec<PathBuf> {
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display())) {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            paths.extend(found(&path));
        } else if path.extension().is_some_and(|ending| ending == "md") {
            paths.push(path);
        }
    }
    paths.sort();
    paths
}

fn book() -> Vec<Page> {
    found(&source()).into_iter().map(Page::read).collect()
}

/// The book, and what else users and contributors read.
fn pages() -> Vec<Page> {
    let examples = fs::read_dir(root().join("conformance/examples")).expect("examples");
    let examples = examples.map(|entry| entry.expect("an entry").path().join("README.md"));
    let folders = ["", "benches", "scenarios", "conformance/adapters", "conformance/broker"];
    let mut paths: Vec<_> = folders.iter().map(|folder| root().join(folder).join("README.md")).collect();
    paths.extend(examples.filter(|path| path.exists()));
    paths.extend(found(&root().join(".github")));
    paths.into_iter().map(Page::read).chain(book()).collect()
}

/// Each link on each page leads to a file, and to a heading of it; those of the book stay in the book, which is published alone.
#[test]
fn links_lead_somewhere() {
    let mut count = 0;
    for page in pages() {
        for link in page.targets.iter().filter(|link| !link.contains("://")) {
            let place = format!("{}: {link}", page.path.display());
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            let path = page.resolve(target).canonicalize();
            let path = path.unwrap_or_else(|error| panic!("{place}: {error}"));
            let is_of_book = page.path.starts_with(source());
            assert!(
                !is_of_book || path.starts_with(source()) && path.is_file(),
                "{place} leads out of the book"
            );
            assert!(
                anchor.is_empty() || Page::read(path).anchors.contains(anchor),
                "{place}: there is no such heading"
            );
            count += 1;
        }
    }
    assert!(count > 100, "{count} links");
}

/// Every page of the book stands in its table of contents.
#[test]
fn every_page_is_listed() {
    let summary = Page::read(source().join("SUMMARY.md"));
    let listed: BTreeSet<_> = summary.targets.iter().map(|target| summary.resolve(target)).collect();
    let pages: BTreeSet<_> = found(&source()).into_iter().filter(|path| *path != summary.path).collect();
    assert_eq!(listed, pages);
}

/// Every TOML file that the README or the book shows says what it is, and is read as that.
#[test]
fn files_are_read() {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, key) in [
        ("test-issuer.pem", include_str!("../../../scenarios/src/token/keys/p256.own.pem")),
        ("test-issuer.pub.pem", include_str!("../../../scenarios/src/token/keys/p256.own.pub.pem")),
    ] {
        fs::write(folder.path().join(name), key).expect("a key");
    }
    let mut count = 0;
    for page in book().into_iter().chain([Page::read(root().join("README.md"))]) {
        // It is a page of the `scenarios` crate, whose tests read it.
        if page.path.ends_with("scenario-language.md") {
            continue;
        }
        for Code { kind, text } in page.code.iter().filter(|code| code.kind[0] == "toml") {
            let kind: Vec<_> = kind[1..].iter().map(String::as_str).collect();
            if let Err(error) = read(&kind, text, folder.path()) {
                panic!("{}: {kind:?}: {error}\n{text}", page.path.display());
            }
            count += 1;
        }
    }
    assert!(count > 20, "{count} files");
}

fn read(kind: &[&str], text: &str, folder: &Path) -> Result<(), String> {
    let scenario = |text: &str| Scenario::parse(ScenarioId("client/shown".to_owned()), text);
    match kind {
        ["profile"] => Profile::parse("profile", text, folder).map(drop).map_err(|error| error.to_string()),
        ["scenario"] => scenario(text).map(drop).map_err(|error| error.to_string()),
        ["scenario", "steps"] => {
            let head = "version = 2\ntitle = \"shown\"\nsubject = \"client\"\n";
            scenario(&format!("{head}{text}")).map(drop).map_err(|error| error.to_string())
        }
        ["known-failing"] => {
            let path = folder.join("known-failing.toml");
            fs::write(&path, text).expect("a file");
            let library = Library::builtin().expect("built-in scenarios");
            KnownFailing::read(&path, &library).map(drop).map_err(|error| error.to_string())
        }
        ["server"] => {
            let settings = toml::from_str::<reference_server::config::Settings>(text);
            settings.map(drop).map_err(|error| error.to_string())
        }
        _ => Err("the block does not say what kind of file it is".to_owned()),
    }
}

/// What stands for values that a shell or a CI system fills in.
const FILLED_IN: [(&str, &str); 3] = [
    ("$START", "2026-05-01T12:00:00Z"),
    ("${{ matrix.shard }}", "1"),
    ("$((JOB_COMPLETION_INDEX + 1))", "1"),
];

/// Every command line that begins with `gatecheck` is one.
#[test]
fn commands_are_understood() {
    let mut count = 0;
    for page in pages() {
        for code in page.code.iter().filter(|code| ["sh", "console", "yaml"].contains(&code.kind[0].as_str()))
        {
            let script =
                FILLED_IN.iter().fold(code.text.clone(), |text, (name, value)| text.replace(name, value));
            for words in
                commands(&script).iter().filter(|words| words.first().is_some_and(|word| word == "gatecheck"))
            {
                match Cli::command().try_get_matches_from(words) {
                    Err(error)
                        if !matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) =>
                    {
                        panic!("{}: {words:?}\n{error}", page.path.display());
                    }
                    Ok(_) | Err(_) => count += 1,
                }
            }
        }
    }
    assert!(count > 80, "{count} commands");
}

/// The page about the command line has every command and option, and no other.
#[test]
fn every_option_is_documented() {
    let page = Page::read(source().join("reference/command-line.md"));
    let mut cli = Cli::command();
    cli.build();
    let (mut names, mut options) = (BTreeSet::new(), BTreeSet::new());
    collect(&cli, &mut names, &mut options);
    for name in names {
        let said = [format!(" {name}`"), format!("`{name}`"), format!(" {name} ")];
        assert!(said.iter().any(|said| page.text.contains(said)), "the page says nothing of `{name}`");
    }
    let letters = |letter: char| letter.is_ascii_lowercase() || letter == '-';
    let said: BTreeSet<_> = page
        .text
        .split("`--")
        .skip(1)
        .map(|rest| rest.split(|letter: char| !letters(letter)).next().unwrap_or_default().to_owned())
        .collect();
    assert_eq!(said, options);
}

fn collect(command: &Command, names: &mut BTreeSet<String>, options: &mut BTreeSet<String>) {
    let shown = command.get_arguments().filter(|argument| !argument.is_hide_set());
    options.extend(shown.filter_map(Arg::get_long).map(str::to_owned));
    for below in command.get_subcommands().filter(|below| !below.is_hide_set() && below.get_name() != "help")
    {
        names.insert(below.get_name().to_owned());
        collect(below, names, options);
    }
}

/// The pages about profiles have every key of one.
#[test]
fn every_key_is_documented() {
    let pages = ["profile", "events", "dialect", "client-design"];
    let text: String =
        pages.iter().map(|name| Page::read(source().join(format!("reference/{name}.md"))).text).collect();
    let keys = TEMPLATE.lines().filter_map(|line| line.strip_prefix("# ")?.split_once(" = "));
    let keys: BTreeSet<_> = keys.map(|(key, _)| key).collect();
    assert!(keys.len() > 60, "{keys:?}");
    for key in keys {
        let said = [format!("`{key}`"), format!("\n{key} = ")];
        assert!(said.iter().any(|said| text.contains(said)), "the pages say nothing of {key}");
    }
}
