//! The adapter protocol: how Gatecheck speaks with a client under test, JSON objects, one a line.
//!
//! ```text
//!             ── Request ──►  standard input  ┌─────────┐
//!  harness                                    │ adapter │ ◄──► client
//!             ◄── Answer ──                   └─────────┘
//!             ◄── Report ──   standard output
//! ```
//!
//! These types are what both sides write, and the documentation of their fields is what the JSON Schema says of them. What an
//! adapter prints is read by [`AdapterOutput::parse`], which accepts more than the schema does: fields that it does not know, and
//! any text for a status, which is for the judge to judge.

mod answer;
mod hook;
mod options;
mod output;
mod report;
mod request;

pub use answer::{Answer, Outcome, True};
pub use hook::Hook;
pub use options::Options;
pub use output::{AdapterOutput, OutputError};
pub use report::{Report, ReportEvent};
pub use request::{Configure, Message, Operation, Reaction, Request, User};

use schemars::generate::SchemaSettings;
use schemars::transform::RecursiveTransform;
use schemars::{JsonSchema, Schema};
use serde::Serialize;
use serde_json::Value;

/// The key of a query: a prefix matches every key that it begins (HOOK-2).
pub type Key = Vec<Value>;

/// Longest line in either direction, in bytes, its line break apart.
pub const MAX_LINE_BYTES: usize = 4 * 1024 * 1024;

/// An adapter wraps a client under test: one process for each case. It reads requests from standard input and writes answers and
/// reports to standard output, JSON objects, one a line, in UTF-8. What it does not know it answers with `unsupported`; fields
/// that it does not know it ignores.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
#[schemars(title = "A line of Gatecheck's adapter protocol")]
pub enum Line {
    /// What the harness asks for, on the adapter's standard input.
    Request(Request),
    /// How a request went, on the adapter's standard output; each request is answered once.
    Answer(Answer),
    /// What the client did without being asked, on the adapter's standard output. Other events are ignored.
    Report(Report),
}

impl Line {
    /// The JSON Schema of every line, as its writer writes it.
    pub fn schema() -> Schema {
        SchemaSettings::draft2020_12()
            .for_serialize()
            .with_transform(RecursiveTransform(plain))
            .into_generator()
            .into_root_schema_for::<Self>()
    }
}

/// Joins the lines of a description, and removes the names of Rust's numbers, which strict validators refuse.
fn plain(schema: &mut Schema) {
    if let Some(Value::String(text)) = schema.get_mut("description") {
        *text = text.replace('\n', " ");
    }
    if schema.get("format").is_some_and(|format| format != "uri") {
        schema.remove("format");
    }
}
