//! The text of a profile: what was observed, line by line. Pure.

mod dialect;
mod events;
mod gateway;
mod obstacle;
mod timing;

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;

pub(super) use self::dialect::whole as own_dialect;
pub(super) use self::events::given_ones as given_events;
pub use self::obstacle::obstacle;
pub(super) use self::timing::is_near;
use super::hints::Given;
use super::observed::ObservedGateway;
use super::spelling::Spelling;

/// Longest line of a comment.
const WIDTH: usize = 116;

/// A profile that is being written.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    /// What is given, and stays as it is.
    given: toml::Table,
    /// The table that is being written: `gateway.env`.
    at: String,
    /// The keys of it that are written.
    written: BTreeSet<String>,
    /// The tables that are written.
    tables: BTreeSet<String>,
}

impl Page {
    /// One in which these keys stay as they are.
    pub(super) fn around(given: toml::Table) -> Self {
        Self { given, ..Self::default() }
    }

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

    /// By which editors know the keys.
    pub(super) fn schema(&mut self) {
        self.line("#:schema ./gatecheck.schema.json");
        self.comment("`gatecheck schema profile > gatecheck.schema.json` has editors complete and check it.");
    }

    /// A line as it is.
    pub(super) fn line(&mut self, text: &str) {
        self.text.push_str(text);
        self.text.push('\n');
    }

    /// An empty line, and the head of a table.
    pub(super) fn table(&mut self, name: &str) {
        self.rest();
        self.line("");
        self.line(&format!("[{name}]"));
        name.clone_into(&mut self.at);
        self.tables.insert(name.to_owned());
    }

    /// A key and its value; what is given stays.
    pub(super) fn set(&mut self, key: &str, value: &Value) {
        let given = self.given_here().and_then(|table| table.get(key)).map(json_of);
        if given.as_ref().is_some_and(|given| given != value) {
            self.comment(&format!("given; observed was {}", inline(value)));
        }
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "{} = {}", key_of(key), inline(given.as_ref().unwrap_or(value)));
        self.written.insert(key.to_owned());
    }

    /// A key that is to be filled in, with a value that may stand there.
    pub(super) fn open(&mut self, key: &str, example: &str) {
        let given = self.given_here().and_then(|table| table.get(key)).map(json_of);
        match given {
            Some(given) => self.set(key, &given),
            None => self.line(&format!("# {key} = {example}")),
        }
    }

    /// Whether the dialect is given by its name; that stands above all tables, and is written here.
    pub(super) fn names_dialect(&mut self) -> bool {
        let Some(name @ toml::Value::String(_)) = self.given.get("dialect").cloned() else { return false };
        self.line("");
        self.comment("given");
        self.line(&format!("dialect = {name}"));
        true
    }

    /// Whether a key of this table is given.
    pub(super) fn is_given(&self, key: &str) -> bool {
        self.given_here().is_some_and(|table| table.contains_key(key))
    }

    fn given_here(&self) -> Option<&toml::Table> {
        table_at(&self.given, &self.at)
    }

    /// What is given of the table that was written last, and stands nowhere yet.
    fn rest(&mut self) {
        let rest: Vec<(String, Value)> =
            self.given_here().filter(|_| !self.at.is_empty()).map_or_else(Vec::new, |table| {
                let is_own = |key: &&String| {
                    !self.written.contains(*key)
                        && !SUBTABLES.contains(&format!("{}.{key}", self.at).as_str())
                };
                table
                    .iter()
                    .filter(|(key, _)| is_own(key))
                    .map(|(key, value)| (key.clone(), json_of(value)))
                    .collect()
            });
        for (key, value) in rest {
            self.comment("given");
            self.set(&key, &value);
        }
        self.written.clear();
        self.at.clear();
    }

    /// The text; of what is given nothing is lost.
    pub(super) fn finish(mut self) -> String {
        self.rest();
        let names: Vec<String> = self.given.keys().cloned().collect();
        let lost =
            |page: &Self, name: &str| !page.tables.contains(name) && table_at(&page.given, name).is_some();
        for name in names.iter().map(String::as_str).chain(SUBTABLES) {
            if lost(&self, name) {
                self.table(name);
            }
        }
        self.rest();
        self.text
    }
}

/// Tables within others.
const SUBTABLES: [&str; 6] = [
    "gateway.env",
    "dialect.frames",
    "claims.no_place",
    "client.env",
    "client.design",
    "client.design.backoff",
];

fn table_at<'a>(given: &'a toml::Table, path: &str) -> Option<&'a toml::Table> {
    path.split('.').try_fold(given, |table, key| table.get(key)?.as_table())
}

fn json_of(value: &toml::Value) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// The profile of a gateway; what is given in another stays as it is.
pub fn gateway(seen: &ObservedGateway, given: Option<&Given>) -> String {
    let spelling = Spelling::of(seen);
    let table = given.map(|given| given.table.clone()).unwrap_or_default();
    let mut page = Page::around(table);
    page.schema();
    page.comment(&format!(
        "What `gatecheck init gateway` observed in {:.0} s. A comment stands above each line and says what was seen; what could not be \
         found out is a line in a comment, to be filled in.",
        seen.took.as_secs_f64()
    ));
    for line in obstacle(seen) {
        page.comment(&line);
    }
    gateway::write(&mut page, seen);
    gateway::token(&mut page, seen);
    timing::write(&mut page, seen);
    dialect::write(&mut page, seen, &spelling);
    if let Some(protocol) = seen.talk.protocol {
        page.table("claims.no_place");
        page.comment(&format!("{} has no place for these", protocol.name()));
        for (requirement, why) in protocol.no_place() {
            page.set(requirement, &Value::from(*why));
        }
    }
    events::write(&mut page, seen, given.map_or(&[], Given::events));
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
#[cfg(test)]
pub(super) use tests::other_design;
