//! Reads the head of an HTTP request.

use std::io;

use reference_gateway::{Head, HeadError};
use tokio::io::{AsyncRead, AsyncReadExt};

/// What a browser's request, token and all, usually fits in.
const USUAL_HEAD_BYTES: usize = 2 * 1024;

/// Why a head cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ReadHeadError {
    /// The bytes are not HTTP, or too many.
    #[error(transparent)]
    Malformed(#[from] HeadError),
    /// The connection ended.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads a head, and perhaps more; `bytes` have been read already.
///
/// # Errors
/// When the bytes are not a valid head, the head is too long, or the stream ends first.
pub async fn read_head(
    stream: &mut (impl AsyncRead + Unpin),
    mut bytes: Vec<u8>,
) -> Result<Head, ReadHeadError> {
    loop {
        if let Some(head) = Head::parse(&bytes)? {
            return Ok(head);
        }
        bytes.reserve(USUAL_HEAD_BYTES);
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn read(text: &str) -> Result<Head, ReadHeadError> {
        let (begin, rest) = text.split_at(text.len() / 2);
        read_head(&mut rest.as_bytes(), begin.as_bytes().to_vec()).await
    }

    /// A head is read whole and what stands behind it is kept; one without end is read no further than its limit.
    #[tokio::test]
    async fn a_head_is_read_whole() {
        let head = read("GET /a HTTP/1.1\r\nHost: h\r\n\r\nmore").await.unwrap();
        assert_eq!((head.path.as_str(), &head.leftover[..]), ("/a", &b"more"[..]));
        assert!(matches!(read("GET / HT").await, Err(ReadHeadError::Io(_))));
        let mut endless = tokio::io::repeat(b'x');
        let read = read_head(&mut endless, b"GET / HTTP/1.1\r\nX: ".to_vec()).await;
        assert!(matches!(read, Err(ReadHeadError::Malformed(_))), "{read:?}");
    }
}
