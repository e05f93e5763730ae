//! A message that a client sends.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::scenario::is_default;
use crate::scenario::step::ClientAct;

/// Most bytes of padding in one message.
const MAX_PADDING: usize = 1024 * 1024;
/// Most messages of one step.
const MAX_COUNT: u32 = 10_000;

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawMessage {
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(default, skip_serializing_if = "Value::is_null")]
    pub(super) payload: Value,
    /// More than one go out without a pause.
    #[serde(default = "super::one")]
    pub(super) count: u32,
    /// Bytes of padding in the payload.
    #[serde(default, skip_serializing_if = "is_default")]
    padding: usize,
}

impl RawMessage {
    /// What a client under test sends; several messages are distinguished by their number.
    pub(super) fn numbered(self) -> Result<ClientAct, String> {
        let (kind, count) = (self.kind.clone(), self.count);
        check_count(count, &self.payload)?;
        Ok(ClientAct::Send { kind, payload: self.padded()?, count })
    }

    /// A message that is as long as it is.
    pub(super) fn of(kind: &str, payload: &Value, count: u32) -> Self {
        Self { kind: kind.to_owned(), payload: payload.clone(), count, padding: 0 }
    }

    pub(super) fn padded(self) -> Result<Value, String> {
        let Self { mut payload, padding, .. } = self;
        pad(&mut payload, padding)?;
        Ok(payload)
    }
}

/// Whether so many messages can be sent and distinguished.
pub(super) fn check_count(count: u32, payload: &Value) -> Result<(), String> {
    if !(1..=MAX_COUNT).contains(&count) {
        return Err(format!("`count` lies between 1 and {MAX_COUNT}"));
    }
    if count > 1 && !payload.is_object() {
        return Err("what is counted has a table as its payload or data".to_owned());
    }
    Ok(())
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
