//! What a request asks to join or to leave.

use protocol::Target;
use serde::{Deserialize, Serialize};

#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected an event's type, `{ eventType = … }` or `{ room = … }`")]
pub(super) enum RawTarget {
    EventType(String),
    Named(Target),
}

impl From<RawTarget> for Target {
    fn from(raw: RawTarget) -> Self {
        match raw {
            RawTarget::EventType(name) => Self::EventType(name),
            RawTarget::Named(target) => target,
        }
    }
}

impl From<&Target> for RawTarget {
    fn from(target: &Target) -> Self {
        Self::Named(target.clone())
    }
}
