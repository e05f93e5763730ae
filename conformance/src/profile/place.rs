//! Where in a profile the value stands that an error is about.

use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The place of the first key, table or event that a message names: `` `gateway.path` ``, `dialect.frames.ping`, `` `[events]` ``, or
/// `` `payment:created` `` for the `[[event]]` of this type. Keys without their table are those of `section`.
pub(super) fn named(text: &str, section: &str, message: &str) -> Option<Range<usize>> {
    let document = DeTable::parse(text).ok()?.into_inner();
    let own = document.get(section).and_then(|table| table.get_ref().as_table());
    // The part of an event is named before the event.
    let part =
        words(message).zip(words(message).skip(1)).find_map(|(part, kind)| event_part(&document, kind, part));
    part.or_else(|| {
        words(message).find_map(|word| {
            let path = word.trim_matches(['[', ']']);
            let in_section = || own.and_then(|table| key(table, path));
            key(&document, path).or_else(in_section).or_else(|| event(&document, path))
        })
    })
}

/// What can be a key: what is quoted, and words with a dot.
fn words(message: &str) -> impl Iterator<Item = &str> {
    let parts = message.split(['`', '"']).enumerate();
    parts.flat_map(|(number, part)| {
        let is_quoted = number % 2 == 1;
        let words = part.split_whitespace().map(|word| word.trim_end_matches([':', ',', ';']));
        words.filter(move |word| is_quoted || word.contains('.'))
    })
}

/// The longest part of a dotted path that is there, at least its table and key; of a table its heading.
fn key(table: &DeTable<'_>, path: &str) -> Option<Range<usize>> {
    let (first, rest) = path.split_once('.').unwrap_or((path, ""));
    let (name, value) = table.get_key_value(first)?;
    match value.get_ref() {
        DeValue::Table(inner) if !rest.is_empty() => key(inner, rest).or_else(|| Some(name.span())),
        DeValue::Table(_) => Some(name.span()),
        DeValue::Array(elements) => elements.first().map_or(Some(value.span()), |_| Some(name.span())),
        _ => Some(value.span()),
    }
}

/// The `type` of the event that is called so.
fn event(document: &DeTable<'_>, kind: &str) -> Option<Range<usize>> {
    event_part(document, kind, "type")
}

/// A key of the event that is called so.
fn event_part(document: &DeTable<'_>, kind: &str, part: &str) -> Option<Range<usize>> {
    let events = document.get("event")?.get_ref().as_array()?.iter();
    let is_called =
        |event: &&DeTable<'_>| event.get("type").and_then(|value| value.get_ref().as_str()) == Some(kind);
    // The second of two that are alike is the one to change.
    let event = events.filter_map(|event| event.get_ref().as_table()).rev().find(is_called)?;
    event.get(part).map(Spanned::span)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "[gateway]\npath = \"ws\"\nenv = { A = \"{b}\" }\n[timing]\nping_interval = \"0s\"\n\
                        [[event]]\ntype = \"a:b\"\n[[event]]\ntype = \"c:d\"\nbody = \"{\"\n";

    /// Keys, tables and events have places; what is not there has none.
    #[test]
    fn what_a_message_names_is_found() {
        for (message, found) in [
            ("`gateway.path` is `ws`; a path begins with `/`", Some("\"ws\"")),
            ("`gateway.env.A`: there is no placeholder", Some("\"{b}\"")),
            ("gateway.path is wrong", Some("\"ws\"")),
            ("`gateway.attach` needs `gateway.jwt_secret`", Some("gateway")),
            ("`ping_interval` is zero", Some("\"0s\"")),
            ("`[timing]` is wrong", Some("timing")),
            ("two events are called \"c:d\"", Some("\"c:d\"")),
            ("the `body` of `c:d` is no JSON", Some("\"{\"")),
            ("the gateway is wrong", None),
            ("`client.path` is wrong", None),
        ] {
            assert_eq!(named(TEXT, "timing", message).map(|place| &TEXT[place]), found, "{message}");
        }
    }
}
