//! Close codes that gateways and clients give each other (RFC 6455 section 7.4, and the private 44xx range).

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A WebSocket close code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct CloseCode(pub u16);

impl CloseCode {
    /// 1000: the purpose is fulfilled. Clients treat it as final (STATE-7).
    pub const NORMAL: Self = Self(1000);
    /// 1001: the gateway shuts down (CONN-6).
    pub const GOING_AWAY: Self = Self(1001);
    /// 1002: the peer broke the framing rules.
    pub const PROTOCOL_ERROR: Self = Self(1002);
    /// What a close frame without a code means (RFC 6455 section 7.1.5). It never stands in one.
    pub const NO_STATUS: Self = Self(1005);
    /// 1007: a text message was not UTF-8.
    pub const INVALID_DATA: Self = Self(1007);
    /// 1008: policy, such as a persistent breach of the rate limit (MSG-6) or, in some dialects, a refused token.
    pub const POLICY: Self = Self(1008);
    /// 1009: a message over the size limit (MSG-5).
    pub const TOO_BIG: Self = Self(1009);
    /// 1011: the gateway failed.
    pub const INTERNAL: Self = Self(1011);
    /// 1013: try again later; a slow consumer or no capacity (BRIDGE-12, CONN-7).
    pub const TRY_AGAIN_LATER: Self = Self(1013);
    /// 4401: the token was refused or has expired (AUTH-6).
    pub const UNAUTHORIZED: Self = Self(4401);
    /// 4403: forbidden.
    pub const FORBIDDEN: Self = Self(4403);
}

impl fmt::Display for CloseCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match *self {
            Self::NO_STATUS => f.write_str("1005, which is no code"),
            Self(code) => code.fmt(f),
        }
    }
}
