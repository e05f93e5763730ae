//! A client that writes and reads bytes, and so can break every rule and answers nothing by itself.

use std::net::SocketAddr;

use protocol::Role;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::running::{token, within};

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

pub(crate) struct Wire<S> {
    stream: S,
    received: Vec<u8>,
}

/// A frame from the gateway, which is never fragmented.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Frame {
    pub(crate) opcode: u8,
    pub(crate) payload: Vec<u8>,
}

impl Wire<TcpStream> {
    pub(crate) async fn connect(address: SocketAddr) -> Self {
        Self::new(TcpStream::connect(address).await.unwrap())
    }

    /// Signs in, and takes the welcome.
    pub(crate) async fn sign_in(address: SocketAddr, user: &str) -> Self {
        let mut wire = Self::connect(address).await;
        wire.upgrade(user).await;
        wire
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, received: Vec::new() }
    }

    pub(crate) async fn upgrade(&mut self, user: &str) {
        let head =
            self.request(&upgrade_request(&format!("/ws?token={}", token(user, Role::Customer)), "")).await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        let welcome = self.frame().await.expect("a welcome");
        assert_eq!(welcome.opcode, TEXT);
    }

    /// Sends a request and hands back the head of the answer.
    pub(crate) async fn request(&mut self, request: &str) -> String {
        self.write(request.as_bytes()).await;
        loop {
            if let Some(end) = self.received.windows(4).position(|four| four == b"\r\n\r\n") {
                let rest = self.received.split_off(end + 4);
                let head = std::mem::replace(&mut self.received, rest);
                return String::from_utf8(head).unwrap();
            }
            assert!(self.receive().await, "the answer has an end");
        }
    }

    /// Sends a request, and hands back the head and the content of the answer, which says how long that is.
    pub(crate) async fn page(&mut self, request: &str) -> (String, String) {
        let head = self.request(request).await;
        let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
        let length = length.expect("its length").parse().unwrap();
        while self.received.len() < length {
            assert!(self.receive().await, "the content has an end");
        }
        let rest = self.received.split_off(length);
        (head, String::from_utf8(std::mem::replace(&mut self.received, rest)).unwrap())
    }

    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        within(self.stream.write_all(bytes)).await.unwrap();
    }

    /// Whether these bytes could be written: the connection may have ended.
    pub(crate) async fn try_write(&mut self, bytes: &[u8]) -> bool {
        within(self.stream.write_all(bytes)).await.is_ok()
    }

    pub(crate) async fn send(&mut self, opcode: u8, payload: &[u8]) {
        self.write(&masked(0x80 | opcode, payload)).await;
    }

    /// The next frame, or none at the end of the connection.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        loop {
            if let Some((frame, length)) = parse(&self.received) {
                self.received.drain(..length);
                return Some(frame);
            }
            if !self.receive().await {
                return None;
            }
        }
    }

    /// The first line of an answer to what was written bit by bit, or none at the end of the connection.
    pub(crate) async fn status_line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.received.windows(2).position(|two| two == b"\r\n") {
                return Some(String::from_utf8_lossy(&self.received[..end]).into_owned());
            }
            if !self.receive().await {
                return None;
            }
        }
    }

    /// Waits for the end of the connection; whether that is an orderly one.
    pub(crate) async fn ends_in_order(&mut self) -> bool {
        loop {
            match within(self.stream.read_buf(&mut self.received)).await {
                Ok(0) => return true,
                Ok(_) => {}
                Err(_) => return false,
            }
        }
    }

    /// The code of the close that comes next.
    pub(crate) async fn close_code(&mut self) -> u16 {
        let frame = self.frame().await.expect("a close");
        assert_eq!((frame.opcode, frame.payload.len()), (CLOSE, 2), "{frame:?}");
        u16::from_be_bytes([frame.payload[0], frame.payload[1]])
    }

    /// Whether more came; a reset is as much an end as any.
    async fn receive(&mut self) -> bool {
        matches!(within(self.stream.read_buf(&mut self.received)).await, Ok(read) if read > 0)
    }
}

/// An upgrade request for `target`, with more header lines.
pub(crate) fn upgrade_request(target: &str, lines: &str) -> String {
    format!(
        "GET {target} HTTP/1.1\r\nHost: gateway\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n{lines}\r\n"
    )
}

/// A client's frame; `first` is its first byte.
pub(crate) fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];
    let mut bytes = vec![first];
    match (u8::try_from(payload.len()), u16::try_from(payload.len())) {
        (Ok(length @ ..126), _) => bytes.push(0x80 | length),
        (_, Ok(length)) => {
            bytes.push(0x80 | 126);
            bytes.extend(length.to_be_bytes());
        }
        _ => {
            bytes.push(0x80 | 127);
            bytes.extend((payload.len() as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

/// The first frame of these bytes and how many of them it takes, once it is whole.
fn parse(bytes: &[u8]) -> Option<(Frame, usize)> {
    let (&first, &second) = (bytes.first()?, bytes.get(1)?);
    assert_eq!((first & 0xf0, second & 0x80), (0x80, 0), "a gateway's frames are whole and carry no mask");
    let (start, length) = match second {
        126 => (4, usize::from(u16::from_be_bytes(bytes.get(2..4)?.try_into().unwrap()))),
        127 => (10, usize::try_from(u64::from_be_bytes(bytes.get(2..10)?.try_into().unwrap())).unwrap()),
        length => (2, usize::from(length)),
    };
    let payload = bytes.get(start..start + length)?.to_vec();
    Some((Frame { opcode: first & 0x0f, payload }, start + length))
}
