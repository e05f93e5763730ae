//! The head of an HTTP request, read within limits.

use std::io;

use tokio::io::{AsyncRead, AsyncReadExt};

/// Longest head that is read.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// What a browser's request, token and all, usually fits in.
const USUAL_HEAD_BYTES: usize = 2 * 1024;
/// Most header fields that are read.
const MAX_FIELDS: usize = 64;

/// A request's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Head {
    /// The method.
    pub method: String,
    /// Whether it is of the version that knows no upgrades.
    pub is_http_1_0: bool,
    /// The path, still encoded.
    pub path: String,
    /// What stands behind the question mark, still encoded.
    pub query: String,
    fields: Vec<(String, String)>,
    /// What was read behind the head.
    pub leftover: Vec<u8>,
}

/// Why a head cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum HeadError {
    /// The bytes are not HTTP, or too many.
    #[error("not an HTTP request")]
    Malformed,
    /// The connection ended.
    #[error(transparent)]
    Io(#[from] io::Error),
}

impl Head {
    /// Reads a head, and perhaps more.
    ///
    /// # Errors
    /// When the bytes are not a valid head, the head is too long, or the stream ends first.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Result<Self, HeadError> {
        let mut bytes = Vec::with_capacity(USUAL_HEAD_BYTES);
        loop {
            if stream.read_buf(&mut bytes).await? == 0 {
                return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
            }
            if let Some(head) = Self::parse(&bytes)? {
                return Ok(head);
            }
            if bytes.len() > MAX_HEAD_BYTES {
                return Err(HeadError::Malformed);
            }
        }
    }

    /// The head, once it is whole.
    fn parse(bytes: &[u8]) -> Result<Option<Self>, HeadError> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let end = match request.parse(bytes).map_err(|_| HeadError::Malformed)? {
            httparse::Status::Complete(end) if end <= MAX_HEAD_BYTES => end,
            httparse::Status::Complete(_) => return Err(HeadError::Malformed),
            httparse::Status::Partial => return Ok(None),
        };
        let target = request.path.unwrap_or_default();
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        let fields = request.headers.iter().map(|field| {
            (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).into_owned())
        });
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

    /// Whether a field that is a list holds this word.
    pub fn lists(&self, name: &str, word: &str) -> bool {
        let lists = |value: &String| value.split(',').any(|item| item.trim().eq_ignore_ascii_case(word));
        self.fields.iter().any(|(found, value)| found == name && lists(value))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A head is read whole, and what stands behind it is kept.
    #[tokio::test]
    async fn a_head_is_read_whole() {
        let mut bytes =
            &b"GET /ws?token=a%20b HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n\r\nmore"[..];
        let head = Head::read(&mut bytes).await.unwrap();
        assert_eq!(
            (head.path.as_str(), head.query.as_str(), &head.leftover[..]),
            ("/ws", "token=a%20b", &b"more"[..])
        );
        assert!(head.lists("connection", "upgrade") && !head.lists("connection", "close"));
    }

    /// Garbage and heads without end are refused.
    #[tokio::test]
    async fn garbage_is_refused() {
        let garbage = [0xff_u8; 64];
        assert!(matches!(Head::read(&mut &garbage[..]).await, Err(HeadError::Malformed)));
        let long = format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "x".repeat(MAX_HEAD_BYTES));
        assert!(matches!(Head::read(&mut long.as_bytes()).await, Err(HeadError::Malformed)));
        let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(2 * MAX_HEAD_BYTES));
        assert!(matches!(Head::read(&mut endless.as_bytes()).await, Err(HeadError::Malformed)));
        assert!(matches!(Head::read(&mut &b"GET / HT"[..]).await, Err(HeadError::Io(_))));
    }

    proptest! {
        /// No bytes panic the parser.
        #[test]
        fn no_bytes_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = Head::parse(&bytes);
        }
    }
}
