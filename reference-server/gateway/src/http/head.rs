//! The head of an HTTP request, parsed within limits.

use protocol::TokenPlace;

/// Longest head that is parsed.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Most header fields that are parsed.
const MAX_FIELDS: usize = 64;

/// Fields that a request has once (RFC 9112 section 3.2, RFC 9110 sections 8.6 and 11.6.2, RFC 6455 sections 11.3.1 and 11.3.5, RFC 6454
/// section 7.3).
const SINGLE: [&str; 6] =
    ["host", "content-length", "authorization", "origin", "sec-websocket-key", "sec-websocket-version"];

/// A request's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The method.
    pub method: String,
    /// Whether it is of the version that knows neither upgrades nor persistent connections.
    pub is_http_1_0: bool,
    /// The path, still encoded.
    pub path: String,
    /// What stands behind the question mark, still encoded.
    pub query: String,
    fields: Vec<(String, String)>,
    /// What was read behind the head.
    pub leftover: Vec<u8>,
}

/// The bytes are not HTTP, or too many.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an HTTP request")]
pub struct HeadError;

impl Head {
    /// The head that these bytes begin with, or none while it is incomplete.
    ///
    /// # Errors
    /// When the bytes are not a valid head, or the head is too long.
    pub fn parse(bytes: &[u8]) -> Result<Option<Self>, HeadError> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let end = match request.parse(bytes).map_err(|_| HeadError)? {
            httparse::Status::Complete(end) if end <= MAX_HEAD_BYTES => end,
            httparse::Status::Partial if bytes.len() <= MAX_HEAD_BYTES => return Ok(None),
            httparse::Status::Complete(_) | httparse::Status::Partial => return Err(HeadError),
        };
        let target = request.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let fields = request.headers.iter().map(|field| {
            (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).into_owned())
        });
        // Whatever stands between the peer and the gateway may have read another one.
        let has_several = |name: &&str| {
            request.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name)).count() > 1
        };
        if SINGLE.iter().any(has_several) {
            return Err(HeadError);
        }
        Ok(Some(Self {
            method: request.method.unwrap_or_default().to_owned(),
            is_http_1_0: request.version == Some(0),
            path: path.to_owned(),
            query: query.to_owned(),
            fields: fields.collect(),
            leftover: bytes[end..].to_vec(),
        }))
    }

    /// A field by its name in lower case.
    pub fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// The values of all fields of a name in lower case.
    pub(super) fn values(&self, name: &str) -> impl Iterator<Item = &str> {
        self.fields.iter().filter(move |(found, _)| found == name).map(|(_, value)| value.as_str())
    }

    /// Whether a body is to follow (RFC 9112 section 6).
    pub(super) fn announces_body(&self) -> bool {
        self.field("transfer-encoding").is_some()
            || self.field("content-length").is_some_and(|length| length != "0")
    }

    /// Whether a field that is a list holds this word.
    pub fn lists(&self, name: &str, word: &str) -> bool {
        let lists = |value: &String| value.split(',').any(|item| item.trim().eq_ignore_ascii_case(word));
        self.fields.iter().any(|(found, value)| found == name && lists(value))
    }

    /// The token, still percent-encoded (AUTH-4).
    pub fn token(&self, place: &TokenPlace) -> Option<&str> {
        let found = match place {
            TokenPlace::Query | TokenPlace::QueryAs(_) => {
                let mut pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
                pairs.find(|(name, _)| Some(*name) == place.parameter()).map(|(_, token)| token)
            }
            TokenPlace::Bearer => self.field("authorization").and_then(|value| {
                let (scheme, token) = value.split_once(' ')?;
                scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
            }),
            TokenPlace::Cookie(_) => self.field("cookie").and_then(|cookies| place.of_cookies(cookies)),
            TokenPlace::Subprotocol | TokenPlace::SubprotocolAfter(_) => {
                let offered = self.field("sec-websocket-protocol");
                offered.and_then(|offered| place.of_subprotocols(offered)).map(|(token, _)| token)
            }
            TokenPlace::Path => self.path.rsplit_once('/').map(|(_, token)| token),
            TokenPlace::Message => None,
        };
        found.filter(|token| !token.is_empty())
    }

    /// Whether another request may follow on this connection (RFC 9112 section 9.3). A body would have to be read first, so that one
    /// that has a body is the last.
    pub fn is_persistent(&self) -> bool {
        !self.is_http_1_0 && !self.announces_body() && !self.lists("connection", "close")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn head(text: &str) -> Head {
        Head::parse(text.as_bytes()).unwrap().expect("a whole head")
    }

    /// A head is parsed whole, and what stands behind it is kept.
    #[test]
    fn a_head_is_parsed_whole() {
        let bytes = b"GET /ws?token=a%20b HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\r\nmore";
        let head = Head::parse(bytes).unwrap().unwrap();
        assert_eq!(
            (head.path.as_str(), head.query.as_str(), &head.leftover[..]),
            ("/ws", "token=a%20b", &b"more"[..])
        );
        assert!(head.lists("connection", "upgrade") && !head.lists("connection", "close"));
    }

    /// Garbage and heads without end are refused; a beginning is neither.
    #[test]
    fn garbage_is_refused() {
        assert_eq!(Head::parse(&[0xff; 64]), Err(HeadError));
        let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(MAX_HEAD_BYTES));
        assert_eq!(Head::parse(endless.as_bytes()), Err(HeadError));
        assert_eq!(Head::parse((endless + "\r\n\r\n").as_bytes()), Err(HeadError));
        assert_eq!(Head::parse(b"GET / HT"), Ok(None));
        for name in SINGLE {
            let request = |names: &str| format!("GET / HTTP/1.1\r\n{names}\r\n");
            assert!(
                Head::parse(request(&format!("{name}: 1\r\n")).as_bytes()).is_ok_and(|head| head.is_some())
            );
            let twice = request(&format!("{name}: 1\r\nX: y\r\n{}: 1\r\n", name.to_uppercase()));
            assert_eq!(Head::parse(twice.as_bytes()), Err(HeadError), "{name}");
        }
    }

    /// Each dialect has one place for the token, and no other is looked at.
    #[test]
    fn a_token_has_one_place() {
        let head = |query: &str| {
            head(&format!(
                "GET /ws?{query} HTTP/1.1\r\nAuthorization: bearer x.y\r\nSec-WebSocket-Protocol: p.q\r\n\r\n"
            ))
        };
        assert_eq!(head("a=1&token=t.u").token(&TokenPlace::Query), Some("t.u"));
        assert_eq!(head("mytoken=t").token(&TokenPlace::Query), None);
        assert_eq!(head("token=").token(&TokenPlace::Query), None);
        assert_eq!(head("token=t").token(&TokenPlace::Bearer), Some("x.y"));
        assert_eq!(head("token=t").token(&TokenPlace::Subprotocol), Some("p.q"));
    }

    /// HTTP/1.0, `Connection: close` and a body end a connection after its answer.
    #[test]
    fn some_requests_are_the_last() {
        for (request, persistent) in [
            ("GET / HTTP/1.1\r\n", true),
            ("GET / HTTP/1.1\r\nContent-Length: 0\r\n", true),
            ("GET / HTTP/1.0\r\n", false),
            ("GET / HTTP/1.0\r\nConnection: keep-alive\r\n", false),
            ("GET / HTTP/1.1\r\nConnection: te, Close\r\n", false),
            ("GET / HTTP/1.1\r\nContent-Length: 1\r\n", false),
            ("GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n", false),
        ] {
            assert_eq!(head(&format!("{request}\r\n")).is_persistent(), persistent, "{request}");
        }
    }

    proptest! {
        /// No bytes panic the parser.
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Head::parse(&bytes);
        }
    }
}
