//! An event that is published, or that the scripted gateway sends.

use serde::Deserialize;
use serde_json::{Value, json};

use super::message::{check_count, pad};
use crate::scenario::step::{GatewayAct, Publication};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEvent {
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) data: Value,
    /// More than one are numbered by a `seq` in their data.
    #[serde(default = "super::one")]
    count: u32,
    /// Bytes of padding in the data of each.
    #[serde(default)]
    padding: usize,
}

impl RawEvent {
    /// What the scripted gateway sends.
    pub(super) fn sent(self) -> Result<GatewayAct, String> {
        let Self { kind, mut data, count, padding } = self;
        check_count(count, &data)?;
        pad(&mut data, padding)?;
        Ok(GatewayAct::Event { name: kind, data, count })
    }

    pub(super) fn publication(self) -> Result<Publication, String> {
        check_count(self.count, &self.data)?;
        let mut padded = self.data.clone();
        pad(&mut padded, self.padding)?;
        let body = |number: u32| {
            let mut data = padded.clone();
            if self.count > 1 {
                data["seq"] = json!(number);
            }
            json!({ "type": self.kind, "data": data }).to_string()
        };
        Ok(Publication {
            bodies: (1..=self.count).map(body).collect(),
            until: Vec::new(),
            routing_key: self.kind.replace(':', "."),
        })
    }
}
