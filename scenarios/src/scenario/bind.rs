//! Placeholders of one run: names in braces become the run's own values, in parsed values and not in the file's text.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Dialect;
use serde_json::Value;

use super::file;
use super::{PairScript, Scenario, Script, step};

/// Placeholders that every scenario has. No scripted client is called so.
pub(super) const RESERVED: [&str; 4] = ["case", "subscribe", "room_key", "path"];

/// The bindings of one run: the values of its placeholders, so that cases on one gateway do not interfere, and the dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bindings {
    /// A word that no other case of the run has.
    pub case: String,
    /// How the subject spells the wire.
    pub dialect: Dialect,
    /// What event types are called there, where that is not what scenarios call them.
    pub event_names: BTreeMap<String, String>,
}

impl Scenario {
    /// The scenario of one run: `{alice}` becomes the user id of the client `alice`, `{case}` the run's own word, `{subscribe}` and
    /// `{room_key}` what the dialect calls a request to join and the room in it, `payment:created` whatever that is called, and
    /// `as_declared` the dialect's refusal. What the dialect lacks is left out.
    pub fn bind(&self, bindings: &Bindings) -> Self {
        let mut words = vec![
            ("{case}".to_owned(), bindings.case.clone()),
            ("{subscribe}".to_owned(), bindings.dialect.requests.subscribe.clone()),
            ("{room_key}".to_owned(), bindings.dialect.subscribe.room.clone()),
        ];
        if let Script::Gateway(script) = &self.script {
            let user = |name: &String| (format!("{{{name}}}"), self.user_id(name, bindings));
            words.extend(script.clients.keys().map(user));
        }
        if let Script::Pair(_) = &self.script {
            let user = |name: &str| (format!("{{{name}}}"), self.user_id(name, bindings));
            words.extend(PairScript::USERS.map(user));
        }
        let rename = |text: &mut String| {
            for (placeholder, word) in &words {
                if text.contains(placeholder.as_str()) {
                    *text = text.replace(placeholder, word);
                }
            }
            // Each text once: the name of one type may be what scenarios call another.
            if let Some(name) = bindings.event_names.get(text) {
                text.clone_from(name);
            }
        };
        let mut value = file::to_value(self);
        each_text(&mut value, &rename);
        each_frame(&mut value, &|text| *text = bindings.dialect.respell(text));
        let mut bound = file::from_value(self.id.clone(), value);
        bound.expectations.iter_mut().for_each(|expectation| expectation.declare(bindings.dialect.refusal));
        if let Script::Gateway(script) = &mut bound.script {
            for step in &mut script.steps {
                step::declare(&mut step.action, bindings.dialect.refusal);
            }
        }
        if let Script::Pair(script) = &mut bound.script {
            for step in &mut script.steps {
                step::declare(&mut step.action, bindings.dialect.refusal);
            }
        }
        bound.bindings = Some(bindings.clone());
        bound.in_dialect(&bindings.dialect)
    }

    /// The user id of a scripted client in one run.
    pub fn user_id(&self, client: &str, bindings: &Bindings) -> String {
        let owner = match &self.script {
            Script::Gateway(script) => script.clients.get(client).and_then(|spec| spec.user.as_deref()),
            Script::Client(_) | Script::Pair(_) => None,
        };
        format!("{}-{}", owner.unwrap_or(client), bindings.case)
    }
}

/// Calls `change` on each text of a value. The keys of objects that stand for data are texts too: `{room_key}` is one.
fn each_text(value: &mut Value, change: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(values) => values.iter_mut().for_each(|value| each_text(value, change)),
        Value::Object(fields) => {
            let old = std::mem::take(fields);
            for (mut key, mut value) in old {
                each_text(&mut value, change);
                if key.contains('{') {
                    change(&mut key);
                }
                fields.insert(key, value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Calls `change` on each text that a scripted client sends as it is.
fn each_frame(value: &mut Value, change: &impl Fn(&mut String)) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| each_frame(value, change)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "send_text" || key == "text" => change(text),
                    value => each_frame(value, change),
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The placeholders in a text: lower-case words in braces.
pub(super) fn placeholders(text: &str) -> BTreeSet<&str> {
    let begins = text.match_indices('{').map(|(at, _)| &text[at + 1..]);
    begins
        .filter_map(|rest| rest.split_once('}'))
        .map(|(word, _)| word)
        .filter(|word| {
            let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            !word.is_empty() && word.bytes().all(is_plain)
        })
        .collect()
}
