//! An event that is published, or that the scripted gateway sends.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hex::Hex;
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
    /// Frames that it comes in, from the scripted gateway.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    fragments: Option<NonZeroUsize>,
    /// What ping frames between them carry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    between: Option<Hex>,
}

impl RawEvent {
    /// An event that is as long as it is.
    pub(super) fn of(kind: &str, data: &Value, count: u32) -> Self {
        Self { kind: kind.to_owned(), data: data.clone(), count, padding: 0, fragments: None, between: None }
    }

    /// What the scripted gateway sends.
    pub(super) fn sent(self) -> Result<GatewayAct, String> {
        let (fragments, between) = (self.fragments, self.between.clone());
        let (name, data, count) = self.padded()?;
        let Some(fragments) = fragments else {
            return match between {
                None => Ok(GatewayAct::Event { name, data, count }),
                Some(_) => Err("`between` goes with `fragments`".to_owned()),
            };
        };
        if count > 1 {
            return Err("one event at a time comes in `fragments`".to_owned());
        }
        let between = between.map(|Hex(bytes)| bytes).unwrap_or_default();
        Ok(GatewayAct::Fragmented { name, data, fragments: fragments.get(), between })
    }

    /// An event in so many frames.
    pub(super) fn fragmented(kind: &str, data: &Value, fragments: usize, between: &[u8]) -> Self {
        let between = (!between.is_empty()).then(|| Hex(between.to_vec()));
        Self { fragments: NonZeroUsize::new(fragments), between, ..Self::of(kind, data, 1) }
    }

    pub(super) fn publication(self) -> Result<Publication, String> {
        if self.fragments.is_some() || self.between.is_some() {
            return Err("only a scripted gateway sends `fragments`".to_owned());
        }
        let (kind, data, count) = self.padded()?;
        Ok(Publication::Events { kind, data, count })
    }

    fn padded(self) -> Result<(String, Value, u32), String> {
        let Self { kind, mut data, count, padding, .. } = self;
        check_count(count, &data)?;
        pad(&mut data, padding)?;
        Ok((kind, data, count))
    }
}
