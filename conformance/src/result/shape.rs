//! How traces are cut in the JSON report.

use scenarios::Trace;
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
