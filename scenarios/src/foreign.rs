//! Text that others wrote: what a subject printed or sent, and what their files say.
//!
//! It has no `Display`: whatever shows it names the medium, and the medium decides what of it can be shown.
//!
//! ```text
//!  terminal   no character that a terminal obeys, on one line or on several
//!  HTML, XML  no character that a document cannot hold; what writes the document (maud, quick-junit) escapes the markup
//!  Markdown   a line, or a cell of a table: no markup, no link, no end of the row
//!  JSON       serialized, a string
//! ```

use std::borrow::Cow;
use std::iter::repeat_n;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::{Deserialize, Serialize};

/// Text that others wrote, to be shown in a named medium.
///
/// In every medium, characters that no reader sees are shown as U+FFFD: control characters, and those that turn the direction of writing,
/// take no room, or are no characters (Unicode 23.2, 23.3, 23.7). Colours are left out, since loggers print them whatever they print to.
///
/// ```compile_fail
/// println!("{}", scenarios::Foreign::from("\u{1b}[2J"));
/// ```
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Foreign(String);

impl Foreign {
    /// As it was written: to be read or put into other foreign text, never to be shown.
    pub fn raw(&self) -> &str {
        &self.0
    }

    /// The same, of a text that is needed no longer.
    pub fn into_raw(self) -> String {
        self.0
    }

    /// On one line of a terminal.
    pub fn terminal(&self) -> String {
        visible(&self.0).replace('\n', "⏎")
    }

    /// On a terminal, where its lines and tabs stay.
    pub fn terminal_lines(&self) -> String {
        visible(&self.0)
    }

    /// On a terminal, where it is quoted with marks at places in it: what is not seen is as many question marks as it has bytes, so that
    /// every place stays where it is.
    pub fn source(&self) -> String {
        let mut shown = String::with_capacity(self.0.len());
        let mut rest = self.0.chars();
        while let Some(c) = rest.next() {
            let ends_line = c == '\r' && rest.as_str().starts_with('\n');
            if is_unseen(c) && !ends_line {
                shown.extend(repeat_n('?', c.len_utf8()));
            } else {
                shown.push(c);
            }
        }
        shown
    }

    /// As text of an HTML document, before what writes it has escaped the markup.
    pub fn html(&self) -> String {
        visible(&self.0)
    }

    /// As text of an XML document, before what writes it has escaped the markup: only characters that XML can hold (XML 1.0, 2.2).
    pub fn xml(&self) -> String {
        visible(&self.0)
    }

    /// As text of a line or of a table's cell in Markdown: no markup of CommonMark (2.4, 6) or of GitHub's, and no link.
    pub fn markdown(&self) -> String {
        /// What can begin markup wherever it stands.
        const MARKS: &str = "\\`*_[]!#~|@$^";
        let text = visible(&self.0).replace(['\n', '\t'], " ");
        let text = text.trim_start_matches(' ');
        // A list begins with a sign or a number, a heading may be underlined.
        let begin = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
        let mut line = String::with_capacity(text.len());
        for (at, c) in text.char_indices() {
            let begins_block = at == begin && "-+=.)".contains(c);
            let begins_link = match c {
                ':' => text[at..].starts_with(":/"),
                '.' => text[..at].ends_with(['w', 'W']),
                _ => false,
            };
            match c {
                '<' => line.push_str("&lt;"),
                '>' => line.push_str("&gt;"),
                '&' => line.push_str("&amp;"),
                c if begins_block || begins_link || MARKS.contains(c) => line.extend(['\\', c]),
                c => line.push(c),
            }
        }
        line
    }

    /// The beginning, where it is longer than so many characters.
    #[must_use]
    pub fn shortened(&self, max_chars: usize) -> Self {
        match self.0.char_indices().nth(max_chars) {
            Some(_) => Self(self.0.chars().take(max_chars.saturating_sub(1)).chain(['…']).collect()),
            None => self.clone(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl JsonSchema for Foreign {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        "Foreign".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        String::json_schema(generator)
    }
}

impl PartialEq<str> for Foreign {
    fn eq(&self, other: &str) -> bool {
        self.0 == other
    }
}

impl PartialEq<&str> for Foreign {
    fn eq(&self, other: &&str) -> bool {
        self.0 == *other
    }
}

impl From<String> for Foreign {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<Cow<'_, str>> for Foreign {
    fn from(text: Cow<'_, str>) -> Self {
        Self(text.into_owned())
    }
}

impl From<&str> for Foreign {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// The text without what a reader would not see. Lines and tabs stay, colours go.
fn visible(text: &str) -> String {
    let shown = |c| if is_unseen(c) { char::REPLACEMENT_CHARACTER } else { c };
    without_colours(text).chars().map(shown).collect()
}

/// Whether it is neither seen nor one of the two that lay out a text.
fn is_unseen(c: char) -> bool {
    (c.is_control() && c != '\n' && c != '\t') || is_hidden(c)
}

/// Whether no reader sees it, though it is no control character: it turns the direction of writing, takes no room, or is no character
/// at all.
pub fn is_hidden(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}'
        | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// Without `ESC [ … m`.
fn without_colours(text: &str) -> Cow<'_, str> {
    const BEGINS: &str = "\u{1b}[";
    if !text.contains(BEGINS) {
        return Cow::Borrowed(text);
    }
    let mut parts = text.split(BEGINS);
    let mut plain = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        match part.trim_start_matches(|c: char| c.is_ascii_digit() || c == ';').strip_prefix('m') {
            Some(rest) => plain.push_str(rest),
            None => plain.extend([BEGINS, part]),
        }
    }
    Cow::Owned(plain)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Colours are taken away; what else a terminal obeys is shown as what cannot be shown.
    #[test]
    fn a_terminal_obeys_nothing() {
        let colours = Foreign::from("\u{1b}[31m[Nest] 7\u{1b}[39m  \u{1b}[1;38;5;3mERROR\u{1b}[0m\u{1b}[m!");
        assert_eq!(colours.terminal(), "[Nest] 7  ERROR!");
        let moves = Foreign::from("a\u{1b}[2Jb\u{1b}]0;x\u{7}\u{202e}c\td\n\u{61c}\u{e0041}");
        assert_eq!(moves.terminal(), "a\u{fffd}[2Jb\u{fffd}]0;x\u{fffd}\u{fffd}c\td⏎\u{fffd}\u{fffd}");
        assert_eq!(Foreign::from("a\nb").terminal_lines(), "a\nb");
    }

    /// A cell of a table stays one, and has no markup.
    #[test]
    fn a_cell_is_text() {
        for (text, cell) in [
            ("a|b\nc", r"a\|b c"),
            ("<b>&amp;", "&lt;b&gt;&amp;amp;"),
            ("  1. a 2. b", r"1\. a 2. b"),
            ("- a - b", r"\- a - b"),
            ("http://www.h/", r"http\://www\.h/"),
        ] {
            assert_eq!(Foreign::from(text).markdown(), cell);
        }
    }

    /// What a place in a source is counted in stays: bytes. Lines may end as they do on other systems.
    #[test]
    fn a_source_keeps_its_places() {
        let text = "a\u{1b}[2J\r\n\u{202e}b\rc\té\n";
        let source = Foreign::from(text).source();
        assert_eq!(source, "a?[2J\r\n???b?c\té\n");
        assert_eq!(source.len(), text.len());
    }

    /// Its beginning is of so many characters, however many bytes they have.
    #[test]
    fn long_text_is_shortened() {
        assert_eq!(Foreign::from("ééé").shortened(2), Foreign::from("é…"));
        assert_eq!(Foreign::from("éé").shortened(2), Foreign::from("éé"));
    }

    /// In JSON it is a string, as it was written.
    #[test]
    fn json_has_a_string() {
        assert_eq!(serde_json::to_value(Foreign::from("a\u{1b}")).unwrap(), serde_json::json!("a\u{1b}"));
    }
}
