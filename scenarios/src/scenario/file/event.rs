//! An event that is published, or that the scripted gateway sends.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hex::Hex;
use super::message::{check_count, pad};
use crate::pattern::Pattern;
use crate::scenario::is_default;
use crate::scenario::step::{GatewayAct, GatewayAction, Publication};
use crate::times::Expr;

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
        let Self { kind: name, data, count, padding, fragments, between } = self;
        let data = padded(data, count, padding)?;
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

    /// What is published to a gateway.
    pub(super) fn publication(self) -> Result<Publication, String> {
        let Self { kind, data, count, padding, fragments: None, between: None } = self else {
            return Err("only a scripted gateway sends `fragments`".to_owned());
        };
        Ok(Publication::Events { kind, data: padded(data, count, padding)?, count })
    }
}

/// The data of each of so many events, with its padding.
fn padded(mut data: Value, count: u32, padding: usize) -> Result<Value, String> {
    check_count(count, &data)?;
    pad(&mut data, padding)?;
    Ok(data)
}

/// What is published to a gateway: an event of a type, or whatever the gateway has for certain clients.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPublish {
    #[serde(rename = "type", default, skip_serializing_if = "is_default")]
    kind: Option<String>,
    /// The clients.
    #[serde(default, skip_serializing_if = "is_default")]
    to: Option<Vec<String>>,
    #[serde(default = "empty")]
    data: Value,
    #[serde(default = "super::one")]
    count: u32,
    #[serde(default, skip_serializing_if = "is_default")]
    padding: usize,
    /// Another routing key than that of the event.
    #[serde(default, skip_serializing_if = "is_default")]
    routing_key: Option<String>,
    /// Whether it is left out where the gateway has no such event.
    #[serde(default, skip_serializing_if = "is_default")]
    optional: bool,
}

impl RawPublish {
    pub(super) fn of(publication: &Publication, optional: bool) -> Option<Self> {
        let (kind, to, data, count, routing_key) = match publication {
            Publication::Events { kind, data, count } => (Some(kind.clone()), None, data, *count, None),
            Publication::Addressed { to, data, count, routing_key } => {
                (None, Some(to.clone()), data, *count, routing_key.clone())
            }
            Publication::Body { .. } => return None,
        };
        Some(Self { kind, to, data: data.clone(), count, padding: 0, routing_key, optional })
    }

    pub(super) fn action(self, until: Vec<Pattern>, within: Option<Expr>) -> Result<GatewayAction, String> {
        let Self { kind, to, data, count, padding, routing_key, optional } = self;
        if routing_key.is_some() && (to.is_none() || count > 1) {
            return Err("`routing_key` goes with `to`, and one event".to_owned());
        }
        if optional && !until.is_empty() {
            return Err("`optional` does not go with `until`, which waits for what is published".to_owned());
        }
        if within.is_some() && until.is_empty() {
            return Err("`within` goes with `until`: nothing else of a publication takes time".to_owned());
        }
        let data = padded(data, count, padding)?;
        let publication = match (kind, to) {
            (Some(kind), None) => Publication::Events { kind, data, count },
            (None, Some(to)) if optional || to.is_empty() => {
                return Err("`to` names at least one client, and is not `optional`".to_owned());
            }
            (None, Some(_)) if !data.is_object() => {
                return Err("what is published `to` clients has a table as its data".to_owned());
            }
            (None, Some(to)) => Publication::Addressed { to, data, count, routing_key },
            _ => return Err("`publish` has a `type`, or the clients that it is for: `to`".to_owned()),
        };
        Ok(GatewayAction::Publish { publication, until, within, optional })
    }
}

fn empty() -> Value {
    Value::Object(Default::default())
}
