//! What scenarios share with the adapter protocol. An adapter ignores fields that it does not know; a scenario has no such fields.

use std::collections::BTreeSet;

use serde::de::{DeserializeOwned, Error};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

/// Reads a value of the adapter protocol in which every field means something.
pub(super) fn known_fields<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Serialize + DeserializeOwned,
{
    let given = Value::deserialize(deserializer)?;
    let read: T = serde_json::from_value(given.clone()).map_err(D::Error::custom)?;
    let kept = serde_json::to_value(&read).map_err(D::Error::custom)?;
    let keys =
        |value: &Value| value.as_object().into_iter().flat_map(|fields| fields.keys()).cloned().collect();
    let (given, kept): (BTreeSet<String>, BTreeSet<String>) = (keys(&given), keys(&kept));
    match given.difference(&kept).next() {
        Some(unknown) => {
            let known: Vec<_> = kept.iter().map(|key| format!("`{key}`")).collect();
            Err(D::Error::custom(format!("unknown field `{unknown}`, beside {}", known.join(", "))))
        }
        None => Ok(read),
    }
}
