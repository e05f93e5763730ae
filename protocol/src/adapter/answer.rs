//! How a request went.

use schemars::{JsonSchema, Schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a request went, on the adapter's standard output; each request is answered once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "answer")]
pub struct Answer {
    /// That of the request.
    #[schemars(range(min = 1))]
    pub id: u64,
    /// How it went.
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// How a request went. An answer that says more than one of these says the first.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged)]
#[schemars(transform = exclusive)]
pub enum Outcome {
    /// The client has no such thing: the cases that need it are not run.
    Unsupported {
        /// Always `true`.
        unsupported: True,
    },
    /// The client refused.
    Error {
        /// Why, for people.
        error: String,
    },
    /// Done.
    Done {
        /// Always `true`.
        ok: True,
        /// What was asked for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "Value")]
        value: Option<Value>,
        /// What `config` asks for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "serde_json::Map<String, Value>")]
        config: Option<Value>,
        /// What `status` asks for.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[schemars(with = "String")]
        status: Option<String>,
    },
}

impl Outcome {
    /// Done, and nothing to say about it.
    pub const DONE: Self = Self::Done { ok: True, value: None, config: None, status: None };
    /// There is no such thing.
    pub const UNSUPPORTED: Self = Self::Unsupported { unsupported: True };

    /// Done, with the status that was asked for.
    pub fn status(status: impl Into<String>) -> Self {
        Self::Done { ok: True, value: None, config: None, status: Some(status.into()) }
    }

    /// Done, with the value that was asked for.
    pub fn value(value: Value) -> Self {
        Self::Done { ok: True, value: Some(value), config: None, status: None }
    }

    /// Done, with the configuration that was asked for.
    pub fn config(config: Value) -> Self {
        Self::Done { ok: True, value: None, config: Some(config), status: None }
    }
}

/// What an adapter writes says one of these, and not another beside it.
fn exclusive(schema: &mut Schema) {
    if let Some(forms) = schema.remove("anyOf") {
        schema.insert("oneOf".to_owned(), forms);
    }
}

/// `true`, and nothing else.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "bool", try_from = "bool")]
#[schemars(inline, extend("const" = true))]
pub struct True;

impl From<True> for bool {
    fn from(_: True) -> Self {
        true
    }
}

impl TryFrom<bool> for True {
    type Error = &'static str;

    fn try_from(value: bool) -> Result<Self, Self::Error> {
        if value { Ok(Self) } else { Err("it is `false`") }
    }
}
