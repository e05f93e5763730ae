//! The book's lists of requirements, which are made from the code.

use std::fmt::Write;
use std::fs;

use scenarios::{Catalogue, Guidance, Library, Requirement, SubjectKind};

use super::source;
use crate::catalogue::mutants_of;

/// Has the pages written instead of compared.
const RENEW: &str = "GATECHECK_RENEW_BOOK";

/// The pages in the tree are those that this build makes.
#[test]
fn the_lists_of_requirements_are_current() {
    let library = Library::builtin().expect("built-in scenarios");
    for (subject, name) in
        [(SubjectKind::Gateway, "gateway"), (SubjectKind::Client, "client"), (SubjectKind::Pair, "pair")]
    {
        let path = source().join(format!("reference/requirements/{name}.md"));
        let made = page(subject, &library);
        assert!(made.contains("\n### "), "there are requirements on a {name}");
        if std::env::var_os(RENEW).is_some() {
            fs::write(&path, &made).expect("the page can be written");
        }
        let kept = fs::read_to_string(&path).unwrap_or_default();
        assert!(kept == made, "{RENEW}=1 cargo test -p gatecheck --bin gatecheck book");
    }
}

fn page(subject: SubjectKind, library: &Library) -> String {
    let catalogue = Catalogue::builtin();
    let mut text = format!("# Requirements on {subject}s\n\n");
    text.push_str("A test makes this page from the code. [Requirements](../requirements.md) says what the words mean.\n");
    let mut last = String::new();
    for requirement in catalogue.iter().filter(|requirement| requirement.subject == subject) {
        let id = requirement.id.to_string();
        let area = id.split('-').next().unwrap_or_default();
        if last != area {
            area.clone_into(&mut last);
            let about = catalogue.about(&requirement.id).unwrap_or_default();
            let _ = write!(text, "\n## {area}: {about}\n");
        }
        text.push_str(&section(requirement, library));
    }
    text
}

fn section(requirement: &Requirement, library: &Library) -> String {
    let Requirement { id, level, source, text, .. } = requirement;
    let source = format!("{source:?}").to_lowercase();
    let mut section = format!("\n### {id}\n\n{}\n\n*{level}, {source}*\n", escaped(text));
    if let Some(Guidance { why, fix, .. }) = Guidance::of(id) {
        let _ = write!(
            section,
            "\n**Why it matters.** {}\n\n**How to fix it.** {}\n",
            escaped(why),
            escaped(fix)
        );
    }
    section.push_str("\nCases:\n\n");
    for scenario in library.iter().filter(|scenario| scenario.requirements().contains(id)) {
        let _ = writeln!(section, "* `{}`: {}", scenario.id, escaped(&scenario.title));
    }
    section.push_str("\nDefects:\n\n");
    for (name, about) in mutants_of(id) {
        let _ = writeln!(section, "* `{name}`: {}", escaped(about));
    }
    section
}

/// Text as Markdown, in which backquotes mean code and nothing else means anything.
fn escaped(text: &str) -> String {
    let mut in_code = false;
    let mut escaped = String::new();
    for letter in text.chars() {
        in_code ^= letter == '`';
        if !in_code && matches!(letter, '*' | '_' | '<' | '>' | '[' | ']' | '\\') {
            escaped.push('\\');
        }
        escaped.push(letter);
    }
    escaped
}
