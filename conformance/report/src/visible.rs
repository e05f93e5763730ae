//! Untrusted text, made safe to show.

use std::borrow::Cow;

/// The text without what a reader would not see: control characters, which move a terminal's cursor, and those that turn the
/// direction of writing. Lines and tabs stay, colours go: loggers print them whatever they print to.
pub fn visible(text: &str) -> String {
    let hidden = |c: char| (c.is_control() && c != '\n' && c != '\t') || is_hidden(c);
    without_colours(text).chars().map(|c| if hidden(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// Whether no reader sees it, though it is no control character: it turns the direction of writing, takes no room, or is no character
/// at all.
pub(super) fn is_hidden(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

/// The same on one line.
pub fn visible_line(text: &str) -> String {
    visible(text).replace('\n', "⏎")
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
        assert_eq!(
            visible("\u{1b}[31m[Nest] 7\u{1b}[39m  \u{1b}[1;38;5;3mERROR\u{1b}[0m\u{1b}[m!"),
            "[Nest] 7  ERROR!"
        );
        assert_eq!(
            visible("a\u{1b}[2Jb\u{1b}]0;x\u{7}\u{202e}c\td"),
            "a\u{fffd}[2Jb\u{fffd}]0;x\u{fffd}\u{fffd}c\td"
        );
        assert_eq!(visible_line("a\nb"), "a⏎b");
    }
}
