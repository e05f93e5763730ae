//! How a refused token looks.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::CloseCode;

/// How a refused token looks: `http-401` or another status, `close-4401` or another code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub enum Refusal {
    /// The upgrade is answered with this HTTP status.
    Http(u16),
    /// The upgrade succeeds, and the first frame is a close with this code.
    Close(CloseCode),
}

/// A refusal that is neither a status nor a close code.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not a refusal: write `http-401`, or another status from 400 to 599, or `close-4401`, or another close code"
)]
pub struct RefusalError(String);

impl Refusal {
    /// HTTP 401 before the upgrade.
    pub const UNAUTHORIZED: Self = Self::Http(401);

    /// The close code, where the refusal is one.
    pub fn close_code(self) -> Option<CloseCode> {
        match self {
            Self::Http(_) => None,
            Self::Close(code) => Some(code),
        }
    }

    /// Whether this tells a client that there is no place for it (CONN-7): what `over_limit` declares, or else HTTP 503 or a close with 1013.
    pub fn turns_away(self, over_limit: &[Self]) -> bool {
        let usual = [Self::Http(503), Self::Close(CloseCode::TRY_AGAIN_LATER)];
        if over_limit.is_empty() { usual.contains(&self) } else { over_limit.contains(&self) }
    }
}

impl TryFrom<String> for Refusal {
    type Error = RefusalError;

    fn try_from(text: String) -> Result<Self, RefusalError> {
        let number = |digits: &str| digits.parse::<u16>().ok();
        let refusal = match text.split_once('-') {
            Some(("http", status)) => {
                number(status).filter(|status| (400..600).contains(status)).map(Self::Http)
            }
            Some(("close", code)) => number(code)
                .filter(|code| (1000..5000).contains(code))
                .map(|code| Self::Close(CloseCode(code))),
            _ => None,
        };
        refusal.ok_or(RefusalError(text))
    }
}

impl From<Refusal> for String {
    fn from(refusal: Refusal) -> Self {
        refusal.to_string()
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Http(status) => write!(f, "http-{status}"),
            Self::Close(code) => write!(f, "close-{}", code.0),
        }
    }
}
