//! Parts of the JSON report whose types live in other crates: their schemas, and how long traces are cut.

use scenarios::Trace;
use schemars::{Schema, SchemaGenerator, json_schema};
use serde::Serializer;
use serde::ser::{Error, SerializeSeq};
use serde_json::Value;

/// Most observations of one trace in the report.
pub const MAX_OBSERVATIONS: usize = 2000;
/// Most characters of one text in a trace in the report.
pub const MAX_TEXT_CHARS: usize = 2048;

/// Writes the beginning of a trace, and of each text in it. Indices stay right: nothing is left out in the middle.
pub fn bounded<S: Serializer>(trace: &Trace, serializer: S) -> Result<S::Ok, S::Error> {
    let kept = &trace.observations[..trace.observations.len().min(MAX_OBSERVATIONS)];
    let mut list = serializer.serialize_seq(Some(kept.len()))?;
    for observation in kept {
        let mut value = serde_json::to_value(observation).map_err(S::Error::custom)?;
        cut(&mut value);
        list.serialize_element(&value)?;
    }
    list.end()
}

fn cut(value: &mut Value) {
    match value {
        Value::String(text) => {
            if let Some((end, _)) = text.char_indices().nth(MAX_TEXT_CHARS) {
                let bytes = text.len();
                text.truncate(end);
                text.push_str(&format!("… (the beginning of {bytes} bytes)"));
            }
        }
        Value::Array(values) => values.iter_mut().for_each(cut),
        Value::Object(fields) => fields.values_mut().for_each(cut),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The schema of a subject.
pub fn subject(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["gateway", "client"] })
}

/// The schema of the subjects.
pub fn subjects(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": { "enum": ["gateway", "client"] }, "uniqueItems": true })
}

/// The schema of a level.
pub fn level(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["core", "hardened"] })
}

/// The schema of a source.
pub fn source(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "enum": ["seed", "decided"] })
}

/// The schema of a requirement.
pub fn requirement(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "string", "pattern": "^[A-Z]+-[0-9]+$" })
}

/// The schema of the requirements.
pub fn requirements(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": requirement(generator) })
}

/// The schema of the times.
pub fn times(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "description": "`timing` is what the subject is configured with; the others are in milliseconds.",
        "properties": {
            "timing": { "type": "object" },
            "patience": { "type": "integer", "minimum": 0 },
            "slack": { "type": "integer", "minimum": 0 }
        },
        "required": ["timing", "patience", "slack"]
    })
}

/// The schema of a judgement.
pub fn judgement(generator: &mut SchemaGenerator) -> Schema {
    json_schema!({ "oneOf": [
        { "const": "passed" },
        { "type": "object", "properties": { "failed": finding(generator) }, "required": ["failed"] },
        {
            "type": "object",
            "properties": { "blocked": {
                "type": "object",
                "properties": { "by": requirement(generator), "detail": { "type": "string" } },
                "required": ["by", "detail"]
            } },
            "required": ["blocked"]
        },
        {
            "type": "object",
            "properties": { "undecided": {
                "type": "object",
                "properties": { "why": { "type": "string" } },
                "required": ["why"]
            } },
            "required": ["undecided"]
        }
    ] })
}

/// The schema of a finding.
pub fn finding(_: &mut SchemaGenerator) -> Schema {
    json_schema!({
        "type": "object",
        "properties": {
            "property": {
                "enum": ["safety", "liveness"],
                "description": "Whether something forbidden occurred, or something owed did not come."
            },
            "expected": { "type": "string" },
            "seen": { "type": "string" },
            "at": {
                "type": "array",
                "items": { "type": "integer", "minimum": 0 },
                "description": "The observations that show it, as indices into the trace."
            },
            "missed_by_us": { "type": "integer", "minimum": 0 },
            "client": { "type": "string" }
        },
        "required": ["property", "expected", "seen", "at"]
    })
}

/// The schema of a trace.
pub fn trace(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "type": "array", "items": {
        "type": "object",
        "properties": {
            "at_us": {
                "type": "integer",
                "minimum": 0,
                "description": "Microseconds since the case began."
            },
            "actor": { "type": "string" },
            "connection": { "type": "integer", "minimum": 0 },
            "event": {
                "description": "What happened: its name, or an object whose one key is its name. New names may come within \
                                a version.",
                "oneOf": [
                    { "type": "string" },
                    { "type": "object", "minProperties": 1, "maxProperties": 1 }
                ]
            }
        },
        "required": ["at_us", "actor", "event"]
    } })
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::trace::{Actor, Event, Observation};
    use serde::Serialize;

    /// Long traces and long texts are cut, and what is cut says so.
    #[test]
    fn long_traces_are_cut() {
        #[derive(Serialize)]
        struct Holder(#[serde(serialize_with = "bounded")] Trace);
        let text = "é".repeat(MAX_TEXT_CHARS + 1);
        let seen = |at_us| Observation {
            at_us,
            actor: Actor::gateway(),
            connection: None,
            event: Event::Log { text: text.clone() },
        };
        let trace = Trace { observations: (0..=MAX_OBSERVATIONS as u64).map(seen).collect() };
        let written = serde_json::to_value(Holder(trace)).unwrap();
        assert_eq!(written.as_array().map(Vec::len), Some(MAX_OBSERVATIONS));
        let text = written[0]["event"]["log"]["text"].as_str().unwrap();
        assert!(text.ends_with("é… (the beginning of 4098 bytes)"), "{text}");
    }
}
