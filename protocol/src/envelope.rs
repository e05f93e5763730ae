//! The JSON object that every text frame holds, before a dialect gives its fields a meaning.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Timestamp;

/// `{"type": string, "payload": any?, "timestamp": ISO 8601?, "id": string?}`
///
/// Unknown fields are ignored, so that either side may grow. A client may leave the timestamp out; a gateway may not
/// (MSG-1), which is for its judge to say and not for the decoder.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// What the message is.
    #[serde(rename = "type")]
    pub kind: String,
    /// What it carries; null where it carries nothing.
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub payload: Value,
    /// When it was made.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timestamp: Option<Timestamp>,
    /// Names a request, so that its answer can name it too.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

/// Why a text is not an envelope.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a message: {reason}")]
pub struct EnvelopeError {
    reason: String,
}

impl Envelope {
    /// Reads one text frame.
    ///
    /// # Errors
    /// When the text is not JSON, or not an object of this shape.
    pub fn decode(text: &str) -> Result<Self, EnvelopeError> {
        // serde would also read a struct from an array of its fields; the wire allows objects only.
        if !text.trim_start().starts_with('{') {
            return Err(EnvelopeError { reason: "a message is a JSON object".to_owned() });
        }
        serde_json::from_str(text).map_err(|error| EnvelopeError { reason: error.to_string() })
    }

    /// Writes the envelope as one text frame.
    pub fn encode(&self) -> String {
        serde_json::to_string(self).expect("an envelope has only string keys")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Wrong shapes are errors, one by one.
    #[test]
    fn wrong_shapes_are_errors() {
        for text in [
            "",
            "nonsense",
            "null",
            "42",
            "[\"ping\"]",
            "{}",
            r#"{"type":1}"#,
            r#"{"type":"ping","id":7}"#,
            r#"{"type":"ping","timestamp":"yesterday"}"#,
            r#"{"type":"ping"} trailing"#,
        ] {
            assert!(Envelope::decode(text).is_err(), "{text}");
        }
    }
}
