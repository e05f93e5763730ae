//! Pages of a gateway, by plain HTTP.

use std::io;

use http_body_util::{BodyExt, Empty, Limited};
use hyper::body::Bytes;
use hyper::header::{CONNECTION, HOST};
use hyper::{Request, client};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};

/// Longest body that is read.
const MAX_BODY_BYTES: usize = 1024 * 1024;
/// Largest head that is read.
const MAX_HEAD_BYTES: usize = 64 * 1024;

/// Asks for a page; its status and body, however that is framed.
///
/// # Errors
/// When the connection fails, or the answer is not HTTP, or too long.
pub async fn get<S>(stream: S, host: &str, path: &str) -> io::Result<(u16, String)>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut pages, connection) = client::conn::http1::Builder::new()
        .max_buf_size(MAX_HEAD_BYTES)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(io::Error::other)?;
    let request = Request::get(path)
        .header(HOST, host)
        .header(CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(io::Error::other)?;
    let page = async {
        let answer = pages.send_request(request).await.map_err(io::Error::other)?;
        let status = answer.status().as_u16();
        let body =
            Limited::new(answer.into_body(), MAX_BODY_BYTES).collect().await.map_err(io::Error::other)?;
        Ok((status, String::from_utf8_lossy(&body.to_bytes()).into_owned()))
    };
    // The connection must be driven for the answer to come, and is of no interest after it.
    let mut page = std::pin::pin!(page);
    tokio::select! {
        biased;
        answer = &mut page => answer,
        ended = connection => match ended {
            Ok(()) => page.await,
            Err(error) => Err(io::Error::other(error)),
        },
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    async fn answered(answer: &'static str) -> io::Result<(u16, String)> {
        let (near, mut far) = duplex(4096);
        let server = async {
            let mut request = vec![0; 1024];
            let length = far.read(&mut request).await.unwrap();
            assert!(request[..length].starts_with(b"GET /stats HTTP/1.1\r\n"));
            far.write_all(answer.as_bytes()).await.unwrap();
            far.shutdown().await.unwrap();
        };
        tokio::join!(get(near, "h", "/stats"), server).0
    }

    /// A body is the same with a length, in chunks, or up to the end of the connection; what is no HTTP is an error.
    #[tokio::test]
    async fn bodies_are_read_however_they_are_framed() {
        for answer in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n{\r\n1\r\n}\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\n\r\n{}",
        ] {
            assert_eq!(answered(answer).await.unwrap(), (200, "{}".to_owned()), "{answer}");
        }
        assert!(answered("what?\r\n\r\n").await.is_err());
    }
}
