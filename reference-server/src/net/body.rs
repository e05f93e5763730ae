//! The body of a request, read within limits.

use std::io;

use reference_gateway::Head;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Largest body that is read.
const MAX_BODY_BYTES: usize = 64 * 1024;

/// Why a body cannot be read.
#[derive(Debug, thiserror::Error)]
pub(super) enum BodyError {
    /// It does not say how long it is.
    #[error("say by Content-Length how long the body is")]
    Unmeasured,
    /// It is over the limit.
    #[error("a body has at most {MAX_BODY_BYTES} bytes")]
    TooLarge,
    /// The connection ended.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Reads what `Content-Length` announces. Other ways to measure a body, such as chunks, are not understood. A client that waits to be
/// asked for it is (RFC 9110 section 10.1.1), once it is known to be of a length that is read.
pub(super) async fn read(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    head: &Head,
) -> Result<Vec<u8>, BodyError> {
    let announced = head.field("content-length").filter(|_| head.field("transfer-encoding").is_none());
    let announced =
        announced.filter(|text| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit()));
    // A number that does not fit is too large in any case.
    let length = announced.ok_or(BodyError::Unmeasured)?.parse().unwrap_or(usize::MAX);
    if length > MAX_BODY_BYTES {
        return Err(BodyError::TooLarge);
    }
    let mut body = head.leftover.clone();
    let read = body.len().min(length);
    if read < length && !head.is_http_1_0 && head.lists("expect", "100-continue") {
        stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n").await?;
        stream.flush().await?;
    }
    body.resize(length, 0);
    stream.read_exact(&mut body[read..]).await?;
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::super::head::read_head;
    use super::*;
    use std::io::Cursor;

    async fn body(request: &str) -> Result<Vec<u8>, BodyError> {
        let mut stream = pipe(request);
        let head = read_head(&mut stream, Vec::new()).await.unwrap();
        read(&mut stream, &head).await
    }

    /// What a client has written, and nothing more.
    fn pipe(text: &str) -> tokio::io::Join<Cursor<Vec<u8>>, tokio::io::Sink> {
        tokio::io::join(Cursor::new(text.as_bytes().to_vec()), tokio::io::sink())
    }

    /// What is announced is read, wherever the head's reader stopped, and no more.
    #[tokio::test]
    async fn what_is_announced_is_read() {
        assert_eq!(body("POST / HTTP/1.1\r\nContent-Length: 3\r\n\r\nabcd").await.unwrap(), b"abc");
        let (begin, end) = ("POST / HTTP/1.1\r\nContent-Length: 4\r\n\r\nab", "cd");
        let head = read_head(&mut begin.as_bytes(), Vec::new()).await.unwrap();
        assert_eq!(read(&mut pipe(end), &head).await.unwrap(), b"abcd");
        let short = read(&mut pipe("c"), &head).await;
        assert!(matches!(short, Err(BodyError::Io(_))), "{short:?}");
    }

    /// A client that waits to be asked for its body is asked, unless it has sent it already or speaks HTTP/1.0.
    #[tokio::test]
    async fn who_waits_to_be_asked_is_asked() {
        for (version, sent, asked) in [("1.1", "", true), ("1.1", "abc", false), ("1.0", "", false)] {
            let head =
                format!("POST / HTTP/{version}\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n{sent}");
            let head = read_head(&mut head.as_bytes(), Vec::new()).await.unwrap();
            let mut answers = Vec::new();
            let mut stream = tokio::io::join(&b"abc"[sent.len()..], &mut answers);
            assert_eq!(read(&mut stream, &head).await.unwrap(), b"abc");
            assert_eq!(
                answers,
                if asked { &b"HTTP/1.1 100 Continue\r\n\r\n"[..] } else { b"" },
                "{version} {sent}"
            );
        }
    }

    /// Bodies of unknown length, and too long ones, are not read.
    #[tokio::test]
    async fn others_are_not() {
        for (fields, too_large) in [
            ("X: y", false),
            ("Content-Length: 3\r\nTransfer-Encoding: chunked", false),
            ("Content-Length: +3", false),
            ("Content-Length: ", false),
            ("Content-Length: 65537", true),
            ("Content-Length: 99999999999999999999999", true),
        ] {
            match body(&format!("POST / HTTP/1.1\r\n{fields}\r\n\r\nabc")).await {
                Err(BodyError::TooLarge) => assert!(too_large, "{fields}"),
                Err(BodyError::Unmeasured) => assert!(!too_large, "{fields}"),
                other => panic!("{fields}: {other:?}"),
            }
        }
        let longest = "x".repeat(MAX_BODY_BYTES);
        let request = format!("POST / HTTP/1.1\r\nContent-Length: {MAX_BODY_BYTES}\r\n\r\n{longest}");
        assert_eq!(body(&request).await.unwrap().len(), MAX_BODY_BYTES);
    }
}
