//! Whether a request becomes a WebSocket, and for whom (RFC 6455 section 4.2, AUTH-2, AUTH-9, AUTH-10, CONN-7).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::{Claims, CloseCode, Refusal, TokenPlace, UserId};

use super::head::Head;
use crate::admission::Full;

/// Bytes of a key before they are encoded.
const KEY_BYTES: usize = 16;

/// What upgrades are judged by.
#[derive(Debug, Clone, Copy)]
pub struct UpgradeRules<'a> {
    /// The origins that pages may connect from; with none, any (AUTH-10).
    pub allowed_origins: &'a [String],
    /// Where the token stands.
    pub token: &'a TokenPlace,
    /// The subprotocol that is agreed to, where the token's place says nothing of one.
    pub subprotocol: Option<&'a str>,
    /// How a refused token is answered.
    pub refusal: Refusal,
    /// How a connection is answered for which there is no place: by the first of these, or else with HTTP 503.
    pub over_limit: &'a [Refusal],
}

/// A request for a WebSocket of the one version there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake<'a> {
    /// What the answer must prove to have read.
    pub key: &'a str,
    /// The subprotocol that is agreed to.
    pub subprotocol: Option<&'a str>,
}

/// A WebSocket that is granted.
#[derive(Debug)]
pub struct Upgrade<'a, P> {
    /// What is granted.
    pub handshake: Handshake<'a>,
    /// Whom it is for.
    pub claims: Claims,
    /// Its place among the connections (CONN-7).
    pub place: P,
}

/// A WebSocket that is refused.
#[derive(Debug, PartialEq, Eq)]
pub struct Refused<'a, E> {
    /// Why.
    pub error: UpgradeError<E>,
    /// What the peer receives.
    pub reply: Reply<'a>,
}

/// Why an upgrade is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum UpgradeError<E> {
    /// It asks for no WebSocket of version 13 (AUTH-9).
    #[error("it asks for no WebSocket of version 13")]
    NoUpgrade,
    /// A part of its handshake is missing or invalid.
    #[error("its handshake is not valid")]
    Invalid,
    /// It comes from a page of an origin that is not allowed (AUTH-10).
    #[error("its origin is not allowed")]
    Origin,
    /// It did not sign in within the time of a handshake (CONN-8).
    #[error("no first message in time")]
    Late,
    /// It has no token (AUTH-2).
    #[error("no token")]
    NoToken,
    /// Its token is refused (AUTH-2).
    #[error("{0}")]
    Token(E),
    /// There is no place for it (CONN-7).
    #[error("{0}")]
    Full(Full),
}

/// What a refused peer receives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reply<'a> {
    /// An HTTP response.
    Status(Status),
    /// The WebSocket, and a close with this code: browsers do not see the status of a failed upgrade.
    Close(Handshake<'a>, CloseCode),
}

/// An HTTP response without content of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Status {
    /// Its code.
    pub code: u16,
    /// Its reason phrase.
    pub reason: &'static str,
    /// Its fields.
    pub fields: &'static [(&'static str, &'static str)],
}

impl Status {
    /// What a request gets that is no upgrade where one is due.
    pub const UPGRADE_REQUIRED: Self =
        Self::new(426, "Upgrade Required", &[("Upgrade", "websocket"), ("Sec-WebSocket-Version", "13")]);
    /// What an invalid handshake gets.
    pub const BAD_REQUEST: Self = Self::new(400, "Bad Request", &[]);
    /// What a page of another origin gets.
    pub const FORBIDDEN: Self = Self::new(403, "Forbidden", &[]);
    /// What a connection gets for which there is no place. Places are freed at any time.
    pub const FULL: Self = Self::new(503, "Too Many Connections", &[("Retry-After", "5")]);

    const fn new(code: u16, reason: &'static str, fields: &'static [(&'static str, &'static str)]) -> Self {
        Self { code, reason, fields }
    }
}

impl<'a> Handshake<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// Holds the response: 426 for a request that is no upgrade to WebSocket version 13 (AUTH-9), 400 for an invalid one.
    pub fn read(head: &'a Head) -> Result<Self, Status> {
        let asks =
            head.method == "GET" && head.lists("connection", "upgrade") && head.lists("upgrade", "websocket");
        if !asks || head.field("sec-websocket-version") != Some("13") {
            return Err(Status::UPGRADE_REQUIRED);
        }
        match head.field("sec-websocket-key") {
            // What followed as a body would be read as frames (RFC 9112 section 6).
            Some(key)
                if is_key(key)
                    && !head.is_http_1_0
                    && head.field("host").is_some()
                    && !head.announces_body() =>
            {
                Ok(Self { key, subprotocol: None })
            }
            _ => Err(Status::BAD_REQUEST),
        }
    }
}

fn is_key(key: &str) -> bool {
    STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == KEY_BYTES)
}

/// Judges a request for an upgrade by its handshake and its origin alone: who is asking is not known yet.
///
/// # Errors
/// At the first of them that does not hold.
pub fn shake<'a, E>(rules: &UpgradeRules<'_>, head: &'a Head) -> Result<Handshake<'a>, Refused<'a, E>> {
    let refused = |error, status| Refused { error, reply: Reply::Status(status) };
    let handshake = Handshake::read(head).map_err(|status| {
        let no_upgrade = status == Status::UPGRADE_REQUIRED;
        refused(if no_upgrade { UpgradeError::NoUpgrade } else { UpgradeError::Invalid }, status)
    })?;
    match head.field("origin") {
        Some(origin)
            if !rules.allowed_origins.is_empty()
                && !rules.allowed_origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin)) =>
        {
            Err(refused(UpgradeError::Origin, Status::FORBIDDEN))
        }
        _ => {
            let offered = head.field("sec-websocket-protocol");
            let subprotocol = offered.and_then(|offered| match rules.subprotocol {
                Some(name) => offered.split(',').map(str::trim).find(|offer| *offer == name),
                None => rules.token.of_subprotocols(offered).map(|(_, agreed)| agreed),
            });
            Ok(Handshake { subprotocol, ..handshake })
        }
    }
}

/// Judges a request for an upgrade: handshake, origin, token, place, in this order, so that only a connection that is granted takes a
/// place. `verify` is given the token as it stands in the request.
///
/// # Errors
/// At the first of them that does not hold.
pub fn decide<'a, P, E>(
    rules: &UpgradeRules<'_>,
    head: &'a Head,
    verify: impl FnOnce(&str) -> Result<Claims, E>,
    admit: impl FnOnce(&UserId) -> Result<P, Full>,
) -> Result<Upgrade<'a, P>, Refused<'a, E>> {
    let handshake = shake(rules, head)?;
    let signed_in = match head.token(rules.token) {
        Some(token) => verify(token).map_err(UpgradeError::Token),
        None => Err(UpgradeError::NoToken),
    };
    let claims = signed_in.map_err(|error| Refused {
        error,
        reply: match rules.refusal {
            Refusal::Close(code) => Reply::Close(handshake, code),
            Refusal::Http(code) => {
                let reason = if code == 401 { "Unauthorized" } else { "Refused" };
                Reply::Status(Status::new(code, reason, &[]))
            }
        },
    })?;
    let full = |full| Refused {
        error: UpgradeError::Full(full),
        reply: match rules.over_limit.first() {
            None => Reply::Status(Status::FULL),
            Some(Refusal::Close(code)) => Reply::Close(handshake, *code),
            Some(Refusal::Http(code)) => Reply::Status(Status { code: *code, ..Status::FULL }),
        },
    };
    let place = admit(&claims.user_id).map_err(full)?;
    Ok(Upgrade { handshake, claims, place })
}

#[cfg(test)]
mod tests;
