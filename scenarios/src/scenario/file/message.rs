//! A message that a client sends.

use serde::Deserialize;
use serde_json::{Value, json};

/// Most bytes of padding in one message.
const MAX_PADDING: usize = 1024 * 1024;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMessage {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default)]
    pub(super) payload: Value,
    /// More than one go out without a pause.
    #[serde(default = "super::one")]
    pub(super) count: u32,
    /// Bytes of padding in the payload.
    #[serde(default)]
    padding: usize,
}

impl RawMessage {
    pub(super) fn padded(self) -> Result<Value, String> {
        let Self { mut payload, padding, .. } = self;
        pad(&mut payload, padding)?;
        Ok(payload)
    }
}

/// Makes a payload longer.
pub(super) fn pad(payload: &mut Value, bytes: usize) -> Result<(), String> {
    if bytes > MAX_PADDING {
        return Err(format!("`padding` is at most {MAX_PADDING} bytes"));
    }
    match payload {
        _ if bytes == 0 => Ok(()),
        Value::Object(fields) => {
            fields.insert("padding".to_owned(), json!("x".repeat(bytes)));
            Ok(())
        }
        _ => Err("what is padded is a table".to_owned()),
    }
}
