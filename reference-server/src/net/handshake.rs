//! What asks for a WebSocket, and the answer that grants it (RFC 6455 section 4.2).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::answer::Answer;
use super::head::Head;

/// Bytes of a key before they are encoded.
const KEY_BYTES: usize = 16;

/// A request for a WebSocket of the one version there is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Handshake<'a> {
    key: &'a str,
}

impl<'a> Handshake<'a> {
    /// Reads a request.
    ///
    /// # Errors
    /// Holds the answer: 426 for a request that is no upgrade to WebSocket version 13 (AUTH-9), 400 for an invalid one.
    pub fn read(head: &'a Head) -> Result<Self, Answer> {
        let asks =
            head.method == "GET" && head.lists("connection", "upgrade") && head.lists("upgrade", "websocket");
        if !asks || head.field("sec-websocket-version") != Some("13") {
            let answer = Answer::plain(426, "Upgrade Required");
            return Err(answer.with("Upgrade", "websocket").with("Sec-WebSocket-Version", "13"));
        }
        match head.field("sec-websocket-key") {
            Some(key) if is_key(key) && !head.is_http_1_0 && head.field("host").is_some() => Ok(Self { key }),
            _ => Err(Answer::plain(400, "Bad Request")),
        }
    }

    /// The answer that grants it.
    pub fn switching_protocols(&self, subprotocol: Option<&str>) -> String {
        let accept = derive_accept_key(self.key.as_bytes());
        let mut head = format!(
            "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Accept: {accept}\r\n"
        );
        if let Some(subprotocol) = subprotocol {
            head += &format!("Sec-WebSocket-Protocol: {subprotocol}\r\n");
        }
        head + "\r\n"
    }
}

fn is_key(key: &str) -> bool {
    STANDARD.decode(key).is_ok_and(|bytes| bytes.len() == KEY_BYTES)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, upgrade\r\nUpgrade: WebSocket\r\n\
                        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

    async fn status(request: &str) -> u16 {
        let head = Head::read(&mut request.as_bytes()).await.unwrap();
        match Handshake::read(&head) {
            Ok(handshake) => {
                let answer = handshake.switching_protocols(None);
                assert!(
                    answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"),
                    "{answer}"
                );
                101
            }
            Err(answer) if answer == Answer::plain(400, "Bad Request") => 400,
            Err(_) => 426,
        }
    }

    /// Each part of a handshake is asked for (RFC 6455 section 4.2.1).
    #[tokio::test]
    async fn every_part_is_asked_for() {
        assert_eq!(status(GOOD).await, 101);
        for (from, to, wanted) in [
            ("GET", "POST", 426),
            ("keep-alive, upgrade", "keep-alive", 426),
            ("WebSocket\r", "h2c\r", 426),
            ("Version: 13", "Version: 8", 426),
            ("Host: h\r\n", "", 400),
            ("HTTP/1.1", "HTTP/1.0", 400),
            ("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZQ==", 400),
            ("dGhlIHNhbXBsZSBub25jZQ==", "dGhlIHNhbXBsZSBub25jZ", 400),
        ] {
            let request = GOOD.replacen(from, to, 1);
            assert_ne!(request, GOOD, "{from}");
            assert_eq!(status(&request).await, wanted, "{from} → {to}");
        }
    }
}
