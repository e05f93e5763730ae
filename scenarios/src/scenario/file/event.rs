//! An event that is published, or that the scripted gateway sends.

use serde::Deserialize;
use serde_json::{Value, json};

use super::message::pad;
use crate::scenario::step::Publication;

/// Most messages that one step publishes.
const MAX_PUBLISHED: u32 = 10_000;

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
    pub(super) fn publication(self) -> Result<Publication, String> {
        if !(1..=MAX_PUBLISHED).contains(&self.count) {
            return Err(format!("`count` lies between 1 and {MAX_PUBLISHED}"));
        }
        let mut padded = self.data.clone();
        pad(&mut padded, self.padding)?;
        let body = |number: u32| {
            let mut data = padded.clone();
            if self.count > 1 {
                data["seq"] = json!(number);
            }
            json!({ "type": self.kind, "data": data }).to_string()
        };
        if self.count > 1 && !self.data.is_object() {
            return Err("events that are counted have a table as `data`".to_owned());
        }
        Ok(Publication {
            bodies: (1..=self.count).map(body).collect(),
            routing_key: self.kind.replace(':', "."),
        })
    }
}
