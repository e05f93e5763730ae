//! Tests: a report holds together whatever a subject says, as parsers see it that are not those of its writers.

use std::collections::BTreeMap;

use anstyle_parse::{DefaultCharAccumulator, Params, Parser, Perform};
use html5gum::{Token, Tokenizer};
use proptest::collection::vec;
use proptest::prelude::*;
use pulldown_cmark::{Event, Options, Tag};
use quick_xml::Reader;
use quick_xml::events::Event as Xml;
use serde_json::Value;

use crate::{About, Console, Document, html, junit, markdown, sample};
use conformance::result::RunReport;

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

/// Text as a hostile subject would say it.
fn garbage() -> impl Strategy<Value = String> {
    let piece = prop_oneof![
        4 => proptest::sample::select(&PIECES[..]).prop_map(str::to_owned),
        1 => any::<char>().prop_map(String::from),
    ];
    vec(piece, 1..24).prop_map(|pieces| format!("x{}", pieces.concat()))
}

/// What is there beside text, in each medium, of a run whose foreign text is this.
fn structures(foreign: &str) -> BTreeMap<&'static str, Vec<String>> {
    let (report, about) = sample::with(foreign);
    BTreeMap::from([
        ("terminal", of_terminal(&printed(&report, &about))),
        ("json", of_json(&Document::new(&report, &about).text())),
        ("xml", of_xml(&junit(&report, &about))),
        ("markdown", of_markdown(&markdown(&report, &about))),
        ("html", of_html(&html::page(&report, &about))),
    ])
}

fn printed(report: &RunReport, about: &About) -> String {
    let mut console = Console::new(report.cases.len(), about.repeat.clone());
    console.verbose = true;
    console.whole(report)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever is said is text: it adds no element, no attribute, no row, no line and no command, and takes none away.
    #[test]
    fn what_is_foreign_is_text(foreign in garbage()) {
        let harmless = structures("harmless");
        for (medium, structure) in structures(&foreign) {
            prop_assert_eq!(&structure, &harmless[medium], "{}", medium);
        }
    }

    /// JSON has what was said, as it was said.
    #[test]
    fn json_keeps_what_was_said(foreign in garbage()) {
        let (report, about) = sample::with(&foreign);
        let document: Value = serde_json::from_str(&Document::new(&report, &about).text()).unwrap();
        prop_assert_eq!(&document["cases"][0]["title"], &Value::from(foreign));
    }
}

/// No medium has a character that a terminal obeys or that no reader sees: files are printed, too.
#[test]
fn every_medium_is_plain() {
    let (report, about) = sample::run();
    let media = [
        ("terminal", anstream::adapter::strip_str(&printed(&report, &about)).to_string()),
        ("json", Document::new(&report, &about).text()),
        ("xml", junit(&report, &about)),
        ("markdown", markdown(&report, &about)),
        ("html", html::page(&report, &about)),
    ];
    for (medium, text) in media {
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
                    attribute.unescape_value().expect("characters");
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
