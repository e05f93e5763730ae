//! Where the token travels: in the upgrade request, or in the first message.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where the token travels, as a file writes it: `query`, `query:NAME`, `bearer`, `cookie:NAME`, `subprotocol`, `subprotocol:NAME`, `path`,
/// `message`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(into = "String", try_from = "String")]
#[schemars(with = "String")]
pub enum TokenPlace {
    /// `?token=…`, percent-encoded (DIAL-1, AUTH-4).
    Query,
    /// The same under another name.
    QueryAs(String),
    /// `Authorization: Bearer …`
    Bearer,
    /// `Cookie: NAME=…` (RFC 6265 section 4.2).
    Cookie(String),
    /// `Sec-WebSocket-Protocol: …`; the gateway selects it in its answer.
    Subprotocol,
    /// `Sec-WebSocket-Protocol: NAME, …`; the gateway selects the name, so that the token does not come back.
    SubprotocolAfter(String),
    /// `/ws/…`: a segment of its own behind the gateway's path, percent-encoded.
    Path,
    /// Not in the request: the first message has it (see [`SignIn`](super::SignIn)).
    Message,
}

/// A place that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is no place for a token: write `query` or `query:NAME`, `bearer`, `cookie:NAME`, `subprotocol` or `subprotocol:NAME`, `path` or \
     `message`"
)]
pub struct TokenPlaceError(String);

impl TokenPlace {
    /// The name of the query parameter that it is, where it is one.
    pub fn parameter(&self) -> Option<&str> {
        match self {
            Self::Query => Some("token"),
            Self::QueryAs(name) => Some(name),
            Self::Bearer
            | Self::Cookie(_)
            | Self::Subprotocol
            | Self::SubprotocolAfter(_)
            | Self::Path
            | Self::Message => None,
        }
    }

    /// The token, and the subprotocol that is agreed to, in a `Sec-WebSocket-Protocol` field of a request.
    pub fn of_subprotocols<'a>(&self, field: &'a str) -> Option<(&'a str, &'a str)> {
        match self {
            Self::Subprotocol => Some((field.trim(), field.trim())),
            Self::SubprotocolAfter(name) => {
                let mut offered = field.split(',').map(str::trim);
                let named = offered.find(|offer| offer == name)?;
                Some((offered.next()?, named))
            }
            Self::Query | Self::QueryAs(_) | Self::Bearer | Self::Cookie(_) | Self::Path | Self::Message => {
                None
            }
        }
    }

    /// Whether a name is a token of RFC 9110, section 5.6.2: whatever else would break the request.
    pub(super) fn is_token(name: &str) -> bool {
        let is_part = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&b);
        !name.is_empty() && name.bytes().all(is_part)
    }

    /// Whether the upgrade request has no token.
    pub fn is_message(&self) -> bool {
        *self == Self::Message
    }

    /// The path of a request for `path`, with the token where that is its place.
    pub fn path_with(&self, path: &str, token: &str) -> String {
        match self {
            Self::Path => format!("{}/{token}", path.trim_end_matches('/')),
            _ => path.to_owned(),
        }
    }

    /// The token that a path has behind `path`, where that is its place: one segment, which may be empty.
    pub fn of_path<'a>(&self, path: &str, asked: &'a str) -> Option<&'a str> {
        let rest = asked.strip_prefix(path.trim_end_matches('/'))?.strip_prefix('/')?;
        (*self == Self::Path && !rest.contains('/')).then_some(rest)
    }

    /// The token in a `Cookie` field of a request.
    pub fn of_cookies<'a>(&self, field: &'a str) -> Option<&'a str> {
        let Self::Cookie(name) = self else { return None };
        let mut pairs = field.split(';').filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(found, _)| found == name).map(|(_, value)| value)
    }
}

impl TryFrom<String> for TokenPlace {
    type Error = TokenPlaceError;

    fn try_from(text: String) -> Result<Self, TokenPlaceError> {
        let named = Self::is_token;
        match text.split_once(':') {
            None => match text.as_str() {
                "query" => Ok(Self::Query),
                "bearer" => Ok(Self::Bearer),
                "subprotocol" => Ok(Self::Subprotocol),
                "path" => Ok(Self::Path),
                "message" => Ok(Self::Message),
                _ => Err(TokenPlaceError(text)),
            },
            Some(("query", "token")) => Ok(Self::Query),
            Some(("query", name)) if named(name) => Ok(Self::QueryAs(name.to_owned())),
            Some(("cookie", name)) if named(name) => Ok(Self::Cookie(name.to_owned())),
            Some(("subprotocol", name)) if named(name) => Ok(Self::SubprotocolAfter(name.to_owned())),
            Some(_) => Err(TokenPlaceError(text)),
        }
    }
}

impl From<TokenPlace> for String {
    fn from(place: TokenPlace) -> Self {
        place.to_string()
    }
}

impl TokenPlace {
    /// Where it is, for people, where that is not the query.
    pub fn besides_query(&self) -> Option<String> {
        let place = match self {
            Self::Query | Self::QueryAs(_) => return None,
            Self::Bearer => "in `Authorization`",
            Self::Cookie(_) => "in a cookie",
            Self::Subprotocol | Self::SubprotocolAfter(_) => "in `Sec-WebSocket-Protocol`",
            Self::Path => "in the path",
            Self::Message => "in the first message",
        };
        Some(place.to_owned())
    }
}

impl fmt::Display for TokenPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Query => f.write_str("query"),
            Self::QueryAs(name) => write!(f, "query:{name}"),
            Self::Bearer => f.write_str("bearer"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Subprotocol => f.write_str("subprotocol"),
            Self::Path => f.write_str("path"),
            Self::Message => f.write_str("message"),
            Self::SubprotocolAfter(name) => write!(f, "subprotocol:{name}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each place is read as it is written; what is none says what there is.
    #[test]
    fn places_are_read_as_they_are_written() {
        let places =
            ["query", "query:access_token", "bearer", "cookie:sid", "subprotocol", "subprotocol:bearer"];
        for text in places.into_iter().chain(["path", "message"]) {
            assert_eq!(TokenPlace::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        for text in ["", "header", "bearer:x", "query:", "cookie:a b", "subprotocol:a,b", "query:a&b\r\nX: y"]
        {
            let error = TokenPlace::try_from(text.to_owned()).unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("`cookie:NAME`"), "{error}");
        }
    }

    /// A path has the token behind the gateway's own, in one segment.
    #[test]
    fn paths_hold_a_token() {
        for (path, token, whole) in [("/ws", "a.b", "/ws/a.b"), ("/", "a.b", "/a.b"), ("/ws", "", "/ws/")] {
            assert_eq!(TokenPlace::Path.path_with(path, token), whole);
            assert_eq!(TokenPlace::Path.of_path(path, whole), Some(token));
            assert_eq!(
                (TokenPlace::Query.path_with(path, token).as_str(), TokenPlace::Query.of_path(path, whole)),
                (path, None)
            );
        }
        for other in ["/ws", "/wsx/a", "/ws/x/a", "/"] {
            assert_eq!(TokenPlace::Path.of_path("/ws", other), None, "{other}");
        }
    }

    /// A list has the token behind the name, and the name alone is agreed to.
    #[test]
    fn lists_and_cookies_hold_a_token() {
        let after = TokenPlace::SubprotocolAfter("bearer".to_owned());
        assert_eq!(after.of_subprotocols("json, bearer ,a.b.c"), Some(("a.b.c", "bearer")));
        assert_eq!(after.of_subprotocols("bearer"), None);
        assert_eq!(after.of_subprotocols("a.b.c"), None);
        assert_eq!(TokenPlace::Subprotocol.of_subprotocols(" a.b.c "), Some(("a.b.c", "a.b.c")));
        let cookie = TokenPlace::Cookie("sid".to_owned());
        assert_eq!(cookie.of_cookies("a=1; sid=x=y; b=2"), Some("x=y"));
        assert_eq!(cookie.of_cookies("asid=1"), None);
    }
}
