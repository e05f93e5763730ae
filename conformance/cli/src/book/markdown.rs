//! A page of Markdown: where it links, where it can be linked to, and its code.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};

/// What has another page put in its place by mdBook.
const INCLUDE: &str = "{{#include ";

pub(super) struct Page {
    pub(super) path: PathBuf,
    pub(super) text: String,
    /// Of links and images.
    pub(super) targets: Vec<String>,
    /// The anchors of its headings, as mdBook and code hosts make them.
    pub(super) anchors: BTreeSet<String>,
    pub(super) code: Vec<Code>,
}

/// A fenced block.
pub(super) struct Code {
    /// What stands behind the fence: the language, and what kind of file it is.
    pub(super) kind: Vec<String>,
    pub(super) text: String,
}

impl Page {
    /// Reads a page, and what it includes.
    ///
    /// # Panics
    /// When one of them cannot be read.
    pub(super) fn read(path: PathBuf) -> Self {
        let text = included(&path);
        let (targets, anchors, code) = parts(&text);
        Self { path, text, targets, anchors, code }
    }

    /// What a relative path on this page leads to.
    pub(super) fn resolve(&self, target: &str) -> PathBuf {
        match target {
            "" => self.path.clone(),
            _ => self.path.parent().expect("a page is in a folder").join(target),
        }
    }
}

/// The text of a page, with the pages that it includes.
fn included(path: &Path) -> String {
    let text = fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let line = |line: &str| match line.strip_prefix(INCLUDE).and_then(|rest| rest.strip_suffix("}}")) {
        Some(other) => included(&path.parent().expect("a page is in a folder").join(other)),
        None => line.to_owned(),
    };
    text.lines().map(|text| line(text) + "\n").collect()
}

fn parts(text: &str) -> (Vec<String>, BTreeSet<String>, Vec<Code>) {
    let (mut targets, mut code) = (Vec::new(), Vec::<Code>::new());
    let (mut anchors, mut used) = (BTreeSet::new(), BTreeMap::<String, usize>::new());
    let mut heading: Option<String> = None;
    let mut in_code = false;
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                targets.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => {
                let slug = slug(&heading.take().unwrap_or_default());
                let count = used.entry(slug.clone()).or_default();
                anchors.insert(if *count == 0 { slug } else { format!("{slug}-{count}") });
                *count += 1;
            }
            Event::Start(Tag::CodeBlock(CodeBlockKind::Fenced(info))) => {
                let kind = info.split([' ', ',']).map(str::to_owned).collect();
                code.push(Code { kind, text: String::new() });
                in_code = true;
            }
            Event::End(TagEnd::CodeBlock) => in_code = false,
            Event::Text(words) | Event::Code(words) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&words);
                } else if in_code && let Some(block) = code.last_mut() {
                    block.text.push_str(&words);
                }
            }
            _ => {}
        }
    }
    (targets, anchors, code)
}

/// The anchor of a heading.
fn slug(heading: &str) -> String {
    let kept = |letter: char| match letter {
        ' ' => Some('-'),
        _ => (letter.is_alphanumeric() || matches!(letter, '-' | '_')).then_some(letter),
    };
    heading.to_lowercase().chars().filter_map(kept).collect()
}

/// The commands of a script: comments are left out, and lines that continue one belong to it.
pub(super) fn commands(script: &str) -> Vec<Vec<String>> {
    let mut lines = Vec::<String>::new();
    for line in script.lines() {
        // In YAML a command is an item of a list, or stands behind `run`.
        let line = line.trim().trim_start_matches("- ").trim_start_matches("run: ");
        match lines.last_mut() {
            Some(former) if former.ends_with('\\') || line.starts_with("--") => {
                *former = format!("{} {line}", former.trim_end_matches('\\'));
            }
            _ => lines.push(line.to_owned()),
        }
    }
    lines.iter().filter_map(|line| shlex::split(line)).flat_map(|words| simple(&words)).collect()
}

/// The commands of a line: `a | b && c > d`.
fn simple(words: &[String]) -> Vec<Vec<String>> {
    let of_pipe = words.split(|word| matches!(word.as_str(), "|" | "&&" | ";"));
    let before_file = |words: &[String]| words.split(|word| word == ">").next().unwrap_or_default().to_vec();
    of_pipe.map(before_file).collect()
}
