//! A report holds together whatever a subject says, as parsers see it that are not those of its writers.

#[cfg(test)]
#[path = "../src/sample.rs"]
mod sample;

use std::collections::BTreeMap;
use std::fs;
use std::sync::LazyLock;

use anstream::adapter::strip_str;
use anstyle_parse::{DefaultCharAccumulator, Params, Parser, Perform};
use html5gum::{Token, Tokenizer};
use proptest::collection::vec;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Tag};
use quick_xml::events::Event as Xml;
use quick_xml::{Reader, XmlVersion};
use serde_json::Value;

use conformance::result::RunReport;
use gatecheck_report::{About, BrokerUsed, Console, Detail, Folder, Repeat};

/// What some medium takes for its own, in pieces that garbage is made of.
const PIECES: [&str; 46] = [
    "<",
    ">",
    "&",
    "\"",
    "'",
    "]]>",
    "<!--",
    "-->",
    "</pre>",
    "<script>",
    "</script>",
    "</svg>",
    "&lt;",
    "&#x1b;",
    "|",
    "`",
    "\\",
    "*",
    "_",
    "[",
    "](",
    "!",
    "#",
    "~",
    "$",
    "@a",
    "://",
    "www.",
    "http://h",
    "- ",
    "1. ",
    "===",
    "\n",
    "\r",
    "\t",
    "\u{1b}[31m",
    "\u{1b}[2J",
    "\u{1b}]0;",
    "\u{9b}",
    "\u{7}",
    "\u{0}",
    "\u{202e}",
    "\u{fffe}",
    "\u{feff}",
    "\u{e0041}",
    " ",
];

/// The structure of each medium where nothing is to be escaped.
static HARMLESS: LazyLock<BTreeMap<&'static str, Vec<String>>> = LazyLock::new(|| {
    written(sample::with("harmless"))
        .into_iter()
        .map(|(medium, text)| (medium, structure(medium, &text)))
        .collect()
});

/// Text as a hostile subject would say it.
fn garbage() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(&PIECES[..]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 1..24).prop_map(|pieces| format!("x{}", pieces.concat()))
}

/// What is written of a run, in each medium.
fn written((report, about): (RunReport, About)) -> BTreeMap<&'static str, String> {
    let folder = tempfile::tempdir().expect("a folder");
    Folder::create(folder.path())
        .and_then(|folder| folder.write(&report, &about))
        .expect("it can be written");
    let read = |name: &str| fs::read_to_string(folder.path().join(name)).expect("text");
    BTreeMap::from([
        ("terminal", printed(&report, &about)),
        ("json", read("report.json")),
        ("xml", read("junit.xml")),
        ("markdown", read("summary.md")),
        ("html", read("report.html")),
    ])
}

fn printed(report: &RunReport, about: &About) -> String {
    let mut console = Console::new(report.cases.len(), about.repeat.clone());
    console.detail = Detail::Verbose;
    let cases = report.cases.iter().map(|case| console.explanation(case));
    cases.chain([console.universal_rules(report), console.summary(report)]).collect()
}

/// What is there beside text.
fn structure(medium: &str, text: &str) -> Vec<String> {
    match medium {
        "terminal" => of_terminal(text),
        "json" => of_json(text),
        "xml" => of_xml(text),
        "markdown" => of_markdown(text),
        _ => of_html(text),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is said is text: it adds no element, no attribute, no row, no line and no command, and takes none away. JSON has it as
    /// it was said.
    #[test]
    fn what_is_foreign_is_text(foreign in garbage()) {
        let hostile = written(sample::with(&foreign));
        for (medium, text) in &hostile {
            prop_assert_eq!(&structure(medium, text), &HARMLESS[medium], "{}", medium);
        }
        let document: Value = serde_json::from_str(&hostile["json"]).unwrap();
        prop_assert_eq!(&document["cases"][0]["title"], &Value::from(foreign));
    }
}

/// No medium has a character that a terminal obeys or that no reader sees: files are printed, too.
#[test]
fn every_medium_is_plain() {
    for (medium, text) in written(sample::run()) {
        let text = if medium == "terminal" { strip_str(&text).to_string() } else { text };
        let obeyed = |c: char| (c.is_control() && c != '\n' && c != '\t') || scenarios::foreign::is_hidden(c);
        let found = text.find(obeyed).map(|at| text[..at].lines().last().unwrap_or_default());
        assert_eq!(found, None, "{medium}");
    }
}

/// What a terminal obeys.
fn of_terminal(text: &str) -> Vec<String> {
    #[derive(Default)]
    struct Obeyed(Vec<String>);
    impl Perform for Obeyed {
        fn execute(&mut self, byte: u8) {
            // Tabs move on in what was said.
            self.0.extend((byte != b'\t').then(|| format!("{byte:#x}")));
        }
        fn csi_dispatch(&mut self, params: &Params, _: &[u8], _: bool, action: u8) {
            self.0.push(format!("CSI {params:?} {}", char::from(action)));
        }
        fn esc_dispatch(&mut self, _: &[u8], _: bool, byte: u8) {
            self.0.push(format!("ESC {byte:#x}"));
        }
        fn osc_dispatch(&mut self, _: &[&[u8]], _: bool) {
            self.0.push("OSC".to_owned());
        }
        fn hook(&mut self, _: &Params, _: &[u8], _: bool, _: u8) {
            self.0.push("DCS".to_owned());
        }
    }
    let mut parser = Parser::<DefaultCharAccumulator>::new();
    let mut obeyed = Obeyed::default();
    text.bytes().for_each(|byte| parser.advance(&mut obeyed, byte));
    obeyed.0
}

fn of_json(text: &str) -> Vec<String> {
    fn shape(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(fields) => fields.iter().for_each(|(key, value)| {
                found.push(key.clone());
                shape(value, found);
            }),
            Value::Array(values) => values.iter().for_each(|value| shape(value, found)),
            Value::String(_) => found.push("text".to_owned()),
            Value::Null | Value::Bool(_) | Value::Number(_) => found.push(value.to_string()),
        }
    }
    let mut found = Vec::new();
    shape(&serde_json::from_str(text).expect("JSON"), &mut found);
    found
}

fn of_xml(text: &str) -> Vec<String> {
    let mut reader = Reader::from_str(text);
    let mut found = Vec::new();
    loop {
        match reader.read_event().expect("XML") {
            Xml::Start(tag) | Xml::Empty(tag) => {
                let names = tag.attributes().map(|attribute| {
                    let attribute = attribute.expect("an attribute");
                    attribute.normalized_value(XmlVersion::Explicit1_0).expect("characters");
                    String::from_utf8_lossy(attribute.key.as_ref()).into_owned()
                });
                let names: Vec<_> = names.collect();
                found.push(format!("{} {}", String::from_utf8_lossy(tag.name().as_ref()), names.join(" ")));
            }
            Xml::End(tag) => found.push(format!("/{}", String::from_utf8_lossy(tag.name().as_ref()))),
            Xml::Text(_) | Xml::GeneralRef(_) => {}
            Xml::Eof => return found,
            other => found.push(format!("{other:?}")),
        }
    }
}

fn of_markdown(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    for event in pulldown_cmark::Parser::new_ext(text, Options::all()) {
        match event {
            Event::Text(_) => {}
            Event::Start(Tag::Heading { level, .. }) => found.push(format!("{level:?}")),
            Event::Start(tag) => found.push(format!("{tag:?}")),
            other => found.push(format!("{other:?}")),
        }
    }
    found
}

fn of_html(text: &str) -> Vec<String> {
    let bytes = |name: &[u8]| String::from_utf8_lossy(name).into_owned();
    let found = Tokenizer::new(text).filter_map(|token| match token.expect("it reads text") {
        Token::StartTag(tag) => {
            let names: Vec<_> = tag.attributes.keys().map(|name| bytes(name)).collect();
            Some(format!("{} {}", bytes(&tag.name), names.join(" ")))
        }
        Token::EndTag(tag) => Some(format!("/{}", bytes(&tag.name))),
        Token::String(_) => None,
        Token::Comment(_) => Some("comment".to_owned()),
        Token::Doctype(_) => Some("doctype".to_owned()),
        Token::Error(error) => Some(format!("{error:?}")),
    });
    // How much of a detail has room in a diagram depends on the text before it.
    found.filter(|tag| !tag.contains("tspan")).collect()
}
