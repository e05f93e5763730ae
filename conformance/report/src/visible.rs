//! Untrusted text, made safe to show.

/// The text without what a reader would not see: control characters, which move a terminal's cursor, and those that turn the
/// direction of writing. Lines and tabs stay.
pub(super) fn visible(text: &str) -> String {
    let hidden = |c: char| {
        (c.is_control() && c != '\n' && c != '\t')
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
    };
    text.chars().map(|c| if hidden(c) { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// The same on one line.
pub(super) fn visible_line(text: &str) -> String {
    visible(text).replace('\n', "⏎")
}
