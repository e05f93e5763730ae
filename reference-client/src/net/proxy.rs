//! A tunnel through an HTTP proxy (RFC 9110 section 9.3.6).

use std::io;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use percent_encoding::percent_decode_str;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use url::Url;

/// Longest answer of a proxy, headers and all.
const ANSWER_BYTES: usize = 8 * 1024;
/// Most headers in it.
const ANSWER_HEADERS: usize = 64;

/// Why a proxy opened no tunnel. It holds neither name nor password.
#[derive(Debug, thiserror::Error)]
pub(super) enum ProxyError {
    #[error("the proxy went away: {0}")]
    Io(#[from] io::Error),
    #[error("the proxy closed the connection before it answered")]
    Closed,
    #[error("the proxy did not answer in HTTP")]
    NotHttp,
    #[error("the proxy's answer is longer than {ANSWER_BYTES} bytes")]
    TooLong,
    #[error("the proxy asks for a name and a password, or refuses those given")]
    Unauthorized,
    #[error("the proxy answered {0}")]
    Refused(u16),
}

/// Makes this stream to a proxy one to `host`.
pub(super) async fn tunnel<S>(stream: &mut S, proxy: &Url, host: &str, port: u16) -> Result<(), ProxyError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut request = format!("CONNECT {host}:{port} HTTP/1.1\r\nHost: {host}:{port}\r\n");
    if let Some(credentials) = credentials(proxy) {
        request.push_str(&format!("Proxy-Authorization: Basic {credentials}\r\n"));
    }
    request.push_str("\r\n");
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut answer = Vec::new();
    loop {
        if answer.len() == ANSWER_BYTES {
            return Err(ProxyError::TooLong);
        }
        // Byte by byte, since what follows the answer is not the proxy's; it comes once for each dial.
        match stream.read_u8().await {
            Ok(byte) => answer.push(byte),
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Err(ProxyError::Closed),
            Err(error) => return Err(error.into()),
        }
        if answer.ends_with(b"\r\n\r\n") {
            return verdict(&answer);
        }
    }
}

fn verdict(answer: &[u8]) -> Result<(), ProxyError> {
    let mut headers = [httparse::EMPTY_HEADER; ANSWER_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    match response.parse(answer) {
        Ok(httparse::Status::Complete(_)) => {}
        Ok(httparse::Status::Partial) | Err(_) => return Err(ProxyError::NotHttp),
    }
    match response.code {
        Some(200..=299) => Ok(()),
        Some(407) => Err(ProxyError::Unauthorized),
        Some(code) => Err(ProxyError::Refused(code)),
        None => Err(ProxyError::NotHttp),
    }
}

/// Name and password as `Proxy-Authorization` has them (RFC 7617), where the proxy's URL names any.
fn credentials(proxy: &Url) -> Option<String> {
    let password = proxy.password().unwrap_or_default();
    if proxy.username().is_empty() && password.is_empty() {
        return None;
    }
    let mut plain: Vec<u8> = percent_decode_str(proxy.username()).collect();
    plain.push(b':');
    plain.extend(percent_decode_str(password));
    Some(BASE64_STANDARD.encode(plain))
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::duplex;

    /// A proxy's answers, and the request that it receives.
    async fn ask(proxy: &str, answer: &[u8]) -> (Result<(), ProxyError>, String) {
        let (mut near, mut far) = duplex(2 * ANSWER_BYTES);
        far.write_all(answer).await.unwrap();
        far.shutdown().await.unwrap();
        let outcome = tunnel(&mut near, &Url::parse(proxy).unwrap(), "h", 443).await;
        drop(near);
        let mut asked = String::new();
        far.read_to_string(&mut asked).await.unwrap();
        (outcome, asked)
    }

    /// A tunnel is asked for by host and port; name and password are decoded from the URL.
    #[tokio::test]
    async fn a_tunnel_is_asked_for() {
        let (outcome, asked) = ask("http://me:p%40ss@p:8080", b"HTTP/1.1 200 OK\r\nVia: x\r\n\r\n").await;
        outcome.unwrap();
        let encoded = BASE64_STANDARD.encode("me:p@ss");
        let head =
            format!("CONNECT h:443 HTTP/1.1\r\nHost: h:443\r\nProxy-Authorization: Basic {encoded}\r\n\r\n");
        assert_eq!(asked, head);
        let (_, asked) = ask("http://p:8080", b"HTTP/1.1 200 OK\r\n\r\n").await;
        assert!(!asked.contains("Authorization"));
    }

    /// The error for any other answer names it, and the length of an answer is bounded.
    #[tokio::test]
    async fn other_answers_are_errors() {
        let long = [b"HTTP/1.1 200 OK\r\nX: ".as_slice(), &[b'x'; ANSWER_BYTES]].concat();
        for (answer, expected) in [
            (b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n".as_slice(), "asks for a name"),
            (b"HTTP/1.1 502 Bad Gateway\r\n\r\n", "answered 502"),
            (b"SSH-2.0-x\r\n\r\n", "not answer in HTTP"),
            (b"HTTP/1.1 200 OK\r\n", "closed the connection"),
            (&long, "longer than 8192"),
        ] {
            let error = ask("http://me:secret@p", answer).await.0.unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains("secret"), "{error}");
        }
    }
}
