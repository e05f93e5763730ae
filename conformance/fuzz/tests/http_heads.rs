//! Heads of requests from clients under test, and of answers from gateways under test.

use futures_util::FutureExt;
use gatecheck_fuzz::edited;
use protocol::Dialect;
use tokio::io::AsyncReadExt;
use wire::handshake::{ReceivedRequest, UpgradeRequest, read_head, status_of, without_field};

const REQUESTS: [&str; 3] = [
    "GET /ws?token=a-token HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    "GET /ws/a-token HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer x\r\nCookie: a=b; token=c\r\nSec-WebSocket-Protocol: bearer, x\r\n\r\nmore",
    "GET http://h/ws HTTP/1.0\r\nupgrade:\twebsocket \r\n\r\n",
];
const ANSWERS: [&str; 3] = [
    "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
    "HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nSet-Cookie: a=b\r\n\r\nno",
    "HTTP/1.0 200\r\nTransfer-Encoding: chunked\r\n\r\n",
];

/// Where a head is cut does not matter, and nothing behind it is lost.
#[test]
fn request_heads() {
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = edited(&REQUESTS, input);
        let cut = input.first().map_or(0, |&first| usize::from(first).min(bytes.len()));
        let (first, second) = bytes.split_at(cut);
        let whole = read_head(&mut &*bytes).now_or_never().expect("the bytes are there");
        let in_pieces = read_head(&mut first.chain(second)).now_or_never().expect("the bytes are there");
        let (Ok((head, _)), Ok((again, _))) = (&whole, &in_pieces) else {
            assert_eq!(whole.is_err(), in_pieces.is_err());
            return;
        };
        assert_eq!(head, again);
        assert!(bytes.starts_with(head));
        if let Ok(request) = ReceivedRequest::parse(head, Vec::new()) {
            let request = request.apart_from_token("/ws", &Dialect::default());
            let _ = request.parameters(&Dialect::default());
        }
    });
}

/// Any answer is granted or not, and a field can be left out of it.
#[test]
fn answer_heads() {
    let request = UpgradeRequest::new("h", "/ws", None);
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = edited(&ANSWERS, input);
        let Some(Ok((head, _))) = read_head(&mut &*bytes).now_or_never() else { return };
        if request.check_answer(&head).is_ok() {
            assert_eq!(status_of(&head), Some(101));
        }
        let without = without_field(&head, "Sec-WebSocket-Accept");
        assert!(without.len() <= head.len());
    });
}
