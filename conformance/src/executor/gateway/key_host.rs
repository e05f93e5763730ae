//! Where a token's header says that its key is: a key host on this machine, which a gateway must not ask (AUTH-12).

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use scenarios::token::fetched;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio_util::task::AbortOnDropHandle;
use wire::handshake::read_head;

/// Answers requests for keys and certificates, until it is dropped.
pub(super) struct KeyHost {
    address: SocketAddr,
    _serving: AbortOnDropHandle<()>,
}

impl KeyHost {
    /// Starts on a free port.
    ///
    /// # Errors
    /// When there is none.
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let serving = tokio::spawn(async move {
            // One at a time: who holds its connection open has no use of it.
            while let Ok((stream, _)) = listener.accept().await {
                let _ = answer(stream).await;
            }
        });
        Ok(Self { address, _serving: AbortOnDropHandle::new(serving) })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }
}

async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let (head, _) = read_head(&mut stream).await?;
    let head = String::from_utf8_lossy(&head);
    let path = head.split(' ').nth(1).unwrap_or_default();
    let (status, kind, body) = match fetched(path) {
        Some((kind, body)) => ("200 OK", kind, body),
        None => ("404 Not Found", "text/plain", String::new()),
    };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(body.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt;

    use super::*;

    /// Keys and certificates are there, and nothing else.
    #[tokio::test]
    async fn keys_can_be_fetched() {
        let host = KeyHost::start().await.unwrap();
        for (path, status, begins) in [
            ("/ES256/keys.json", "200", "{\"keys\":[{"),
            ("/RS256/certificate.pem", "200", "-----BEGIN CERTIFICATE-----"),
            ("/HS256/keys.json", "404", ""),
        ] {
            let mut stream = TcpStream::connect(host.address()).await.unwrap();
            stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n").as_bytes()).await.unwrap();
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await.unwrap();
            let (head, body) = answer.split_once("\r\n\r\n").unwrap();
            assert!(head.starts_with(&format!("HTTP/1.1 {status}")) && body.starts_with(begins), "{answer}");
        }
    }
}
