//! The upgrade request, and where the token stands in it (DIAL-1).

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use protocol::{Dialect, TokenPlace};
use tokio_tungstenite::tungstenite;
use tungstenite::client::IntoClientRequest;
use tungstenite::handshake::client::Request;
use tungstenite::http::HeaderValue;
use tungstenite::http::header::{AUTHORIZATION, COOKIE, SEC_WEBSOCKET_PROTOCOL};
use url::Url;

/// What a token keeps in a query: letters, digits, and the other unreserved characters (RFC 3986 section 2.3).
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// The request cannot be made. It says no more, since the token is part of it (TOKEN-3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the upgrade request cannot be made of this URL and token")]
pub(super) struct RequestError;

/// The request for a gateway at `url`; query parameters that the URL has already stay.
pub(super) fn upgrade(url: &Url, token: &str, dialect: &Dialect) -> Result<Request, RequestError> {
    let mut url = url.clone();
    let encoded = encoded(token);
    if let Some(name) = dialect.token.parameter() {
        let query = match url.query() {
            Some(query) if !query.is_empty() => format!("{query}&{name}={encoded}"),
            _ => format!("{name}={encoded}"),
        };
        url.set_query(Some(&query));
    }
    let path = dialect.token.path_with(url.path(), &encoded);
    url.set_path(&path);
    let mut request = url.as_str().into_client_request().map_err(|_| RequestError)?;
    let secret = |text: String| {
        let mut value = HeaderValue::try_from(text).map_err(|_| RequestError)?;
        value.set_sensitive(true);
        Ok(value)
    };
    if let Some(name) = &dialect.subprotocol {
        let offered = HeaderValue::try_from(name).map_err(|_| RequestError)?;
        request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, offered);
    }
    match &dialect.token {
        TokenPlace::Query | TokenPlace::QueryAs(_) | TokenPlace::Path | TokenPlace::Message => {}
        TokenPlace::Cookie(name) => {
            request.headers_mut().insert(COOKIE, secret(format!("{name}={encoded}"))?);
        }
        TokenPlace::SubprotocolAfter(name) => {
            let offered = secret(format!("{name}, {encoded}"))?;
            request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, offered);
        }
        TokenPlace::Bearer => {
            request.headers_mut().insert(AUTHORIZATION, secret(format!("Bearer {encoded}"))?);
        }
        TokenPlace::Subprotocol => {
            request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, secret(encoded)?);
        }
    }
    Ok(request)
}

/// A token as it travels.
pub(super) fn encoded(token: &str) -> String {
    utf8_percent_encode(token, KEPT).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(url: &str, place: TokenPlace) -> Request {
        let dialect = Dialect { token: place, ..Dialect::default() };
        upgrade(&Url::parse(url).unwrap(), "a+b/c d", &dialect).unwrap()
    }

    /// The token is encoded, and stands beside what is there already.
    #[test]
    fn the_token_joins_the_query() {
        let with = request("ws://h:1/ws?v=7", TokenPlace::Query);
        assert_eq!(with.uri().to_string(), "ws://h:1/ws?v=7&token=a%2Bb%2Fc%20d");
        let named = request("ws://h:1/ws", TokenPlace::QueryAs("access_token".to_owned()));
        assert_eq!(named.uri().query(), Some("access_token=a%2Bb%2Fc%20d"));
        let path = request("ws://h:1/ws?v=7", TokenPlace::Path);
        assert_eq!(path.uri().to_string(), "ws://h:1/ws/a%2Bb%2Fc%20d?v=7");
        let elsewhere = request("ws://h:1/ws", TokenPlace::Message);
        assert_eq!(elsewhere.uri().to_string(), "ws://h:1/ws");
        let without = request("ws://h:1/ws", TokenPlace::Query);
        assert_eq!(without.uri().query(), Some("token=a%2Bb%2Fc%20d"));
    }

    /// In the other places it does not reach the URL, and is marked as secret.
    #[test]
    fn headers_keep_the_token_secret() {
        let bearer = request("ws://h:1/ws?v=7", TokenPlace::Bearer);
        assert_eq!(bearer.uri().query(), Some("v=7"));
        assert!(bearer.headers()[AUTHORIZATION].is_sensitive());
        assert_eq!(
            request("ws://h/ws", TokenPlace::Subprotocol).headers()[SEC_WEBSOCKET_PROTOCOL],
            "a%2Bb%2Fc%20d"
        );
        let listed = request("ws://h/ws", TokenPlace::SubprotocolAfter("bearer".to_owned()));
        assert_eq!(listed.headers()[SEC_WEBSOCKET_PROTOCOL], "bearer, a%2Bb%2Fc%20d");
        let cookie = request("ws://h/ws", TokenPlace::Cookie("sid".to_owned()));
        assert_eq!(cookie.headers()[COOKIE], "sid=a%2Bb%2Fc%20d");
        assert!(
            listed.headers()[SEC_WEBSOCKET_PROTOCOL].is_sensitive()
                && cookie.headers()[COOKIE].is_sensitive()
        );
    }
}
