//! The text of a profile: what was observed, line by line. Pure.

mod dialect;
mod events;
mod gateway;

use std::fmt::Write;

use serde_json::Value;

pub(super) use self::gateway::is_near;
use super::observed::ObservedGateway;
use super::spelling::Spelling;

/// Longest line of a comment.
const WIDTH: usize = 116;

/// A profile that is being written.
#[derive(Default)]
pub(super) struct Page(String);

impl Page {
    /// A comment, on as many lines as it takes.
    pub(super) fn comment(&mut self, text: &str) {
        let mut line = String::from("#");
        for word in text.split_whitespace() {
            if line.len() > 1 && line.chars().count() + word.chars().count() >= WIDTH {
                self.line(&line);
                line = String::from("#");
            }
            line.push(' ');
            line.push_str(word);
        }
        self.line(&line);
    }

    /// A line as it is.
    pub(super) fn line(&mut self, text: &str) {
        self.0.push_str(text);
        self.0.push('\n');
    }

    /// An empty line, and the head of a table.
    pub(super) fn table(&mut self, head: &str) {
        self.line("");
        self.line(head);
    }

    /// A key and its value.
    pub(super) fn set(&mut self, key: &str, value: &Value) {
        // Writing to a string does not fail.
        let _ = writeln!(self.0, "{key} = {}", inline(value));
    }

    /// The text.
    pub(super) fn finish(self) -> String {
        self.0
    }
}

/// The profile of a gateway.
pub fn gateway(seen: &ObservedGateway) -> String {
    let spelling = Spelling::of(seen);
    let mut page = Page::default();
    page.comment(&format!(
        "What `gatecheck init gateway` observed in {:.0} s. A comment stands above each line and says what was seen; what could not be \
         found out is a line in a comment, to be filled in.",
        seen.took.as_secs_f64()
    ));
    gateway::write(&mut page, seen);
    gateway::token(&mut page, seen);
    gateway::timing(&mut page, seen);
    dialect::write(&mut page, &spelling);
    events::write(&mut page, seen);
    page.finish()
}

/// A value as TOML writes it on one line.
pub(super) fn inline(value: &Value) -> String {
    match value {
        Value::String(text) => toml::Value::String(text.clone()).to_string(),
        Value::Array(items) => format!("[{}]", items.iter().map(inline).collect::<Vec<_>>().join(", ")),
        Value::Object(members) => {
            let members: Vec<String> =
                members.iter().map(|(key, value)| format!("{} = {}", key_of(key), inline(value))).collect();
            format!("{{ {} }}", members.join(", "))
        }
        Value::Null => "\"\"".to_owned(),
        Value::Bool(_) | Value::Number(_) => value.to_string(),
    }
}

/// A key, in quotes where TOML wants them (a bare key has letters, digits, `_` and `-`).
fn key_of(key: &str) -> String {
    let is_bare =
        !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"_-".contains(&byte));
    if is_bare { key.to_owned() } else { toml::Value::String(key.to_owned()).to_string() }
}

#[cfg(test)]
mod tests;
