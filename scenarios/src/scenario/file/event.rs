//! An event that is published, or that the scripted gateway sends.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::message::{check_count, pad};
use crate::scenario::is_default;
use crate::scenario::step::{GatewayAct, Publication};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEvent {
    #[serde(rename = "type")]
    kind: String,
    data: Value,
    /// More than one are numbered by a `seq` in their data.
    #[serde(default = "super::one")]
    count: u32,
    /// Bytes of padding in the data of each.
    #[serde(default, skip_serializing_if = "is_default")]
    padding: usize,
}

impl RawEvent {
    /// An event that is as long as it is.
    pub(super) fn of(kind: &str, data: &Value, count: u32) -> Self {
        Self { kind: kind.to_owned(), data: data.clone(), count, padding: 0 }
    }

    /// What the scripted gateway sends.
    pub(super) fn sent(self) -> Result<GatewayAct, String> {
        let (name, data, count) = self.padded()?;
        Ok(GatewayAct::Event { name, data, count })
    }

    pub(super) fn publication(self) -> Result<Publication, String> {
        let (kind, data, count) = self.padded()?;
        Ok(Publication::Events { kind, data, count })
    }

    fn padded(self) -> Result<(String, Value, u32), String> {
        let Self { kind, mut data, count, padding } = self;
        check_count(count, &data)?;
        pad(&mut data, padding)?;
        Ok((kind, data, count))
    }
}
