//! The upgrade request: input from clients that are not authenticated yet.

use futures_util::FutureExt;
use protocol::TokenPlace;
use reference_gateway::{Handshake, Head};
use reference_server::net::{ReadHeadError, read_head, switching_protocols};
use tokio::io::AsyncReadExt;

/// Where the request is cut must not matter, and what grants it must be HTTP with nothing in it that the request put there
/// but the subprotocol.
#[test]
fn upgrade_requests() {
    bolero::check!().for_each(|input: &[u8]| {
        // The first byte says where the rest is cut.
        let Some((&cut, bytes)) = input.split_first() else { return };
        let (first, second) = bytes.split_at(usize::from(cut).min(bytes.len()));
        let (whole, rest) = read(bytes);
        let mut pieces = first.chain(second);
        let in_pieces = read_head(&mut pieces, Vec::new()).now_or_never().expect("the bytes are there");
        let Ok(mut head) = whole else {
            assert!(in_pieces.is_err(), "{in_pieces:?} of bytes that are no head");
            return;
        };
        let mut again = in_pieces.expect("a head in pieces is a head");
        let (first, second) = pieces.into_inner();
        let unread = [first, second].concat();
        let body = [std::mem::take(&mut head.leftover), rest.to_vec()].concat();
        assert_eq!(
            [std::mem::take(&mut again.leftover), unread].concat(),
            body,
            "nothing behind the head is lost"
        );
        assert!(bytes.ends_with(&body));
        assert_eq!(again, head);
        let named = [
            TokenPlace::QueryAs("t".to_owned()),
            TokenPlace::Cookie("t".to_owned()),
            TokenPlace::SubprotocolAfter("t".to_owned()),
            TokenPlace::Path,
        ];
        for place in named.into_iter().chain([TokenPlace::Query, TokenPlace::Bearer, TokenPlace::Subprotocol])
        {
            let _ = head.token(&place);
        }
        if let Ok(handshake) = Handshake::read(&head) {
            granted(&Handshake { subprotocol: head.field("sec-websocket-protocol"), ..handshake });
        }
    });
}

/// What is read of these bytes, and what is left unread.
fn read(mut bytes: &[u8]) -> (Result<Head, ReadHeadError>, &[u8]) {
    let head = read_head(&mut bytes, Vec::new()).now_or_never().expect("the bytes are there");
    (head, bytes)
}

fn granted(handshake: &Handshake<'_>) {
    let subprotocol = handshake.subprotocol;
    let answer = switching_protocols(handshake);
    let mut fields = [httparse::EMPTY_HEADER; 5];
    let mut response = httparse::Response::new(&mut fields);
    let parsed = response.parse(answer.as_bytes()).expect("the answer is HTTP");
    assert_eq!(parsed, httparse::Status::Complete(answer.len()));
    assert_eq!(response.code, Some(101));
    let names: Vec<_> = response.headers.iter().map(|field| field.name).collect();
    let usual = ["Connection", "Upgrade", "Sec-WebSocket-Accept"];
    assert_eq!(names[..3], usual);
    assert_eq!(names.get(3).is_some(), subprotocol.is_some());
    assert!(names.len() <= 4);
    assert_eq!(response.headers[2].value.len(), 28, "20 bytes in base64");
    if let (Some(field), Some(subprotocol)) = (response.headers.get(3), subprotocol) {
        assert_eq!((field.name, field.value), ("Sec-WebSocket-Protocol", subprotocol.as_bytes()));
    }
}
