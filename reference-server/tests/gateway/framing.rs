//! The rules of RFC 6455 (MSG-7), and what becomes of those who break them (MSG-3 to MSG-5).

use protocol::ServerMessage;
use protocol::limits::MAX_MESSAGE_BYTES;
use tokio_tungstenite::tungstenite::Message;

use crate::client::Client;
use crate::running::{config, start};
use crate::wire::{CLOSE, CONTINUATION, Frame, PING, PONG, TEXT, Wire, masked};

/// A ping between the fragments of a message is answered with its own payload, and the message is whole.
#[tokio::test]
async fn fragments_and_pings_mix() {
    let (_gateway, address) = start(config()).await;
    let mut wire = Wire::sign_in(address, "ann").await;
    wire.write(&masked(TEXT, br#"{"type":"#)).await;
    wire.send(PING, b"between").await;
    assert_eq!(wire.frame().await, Some(Frame { opcode: PONG, payload: b"between".to_vec() }));
    wire.write(&masked(CONTINUATION, br#""pi"#)).await;
    wire.send(CONTINUATION, br#"ng"}"#).await;
    let answer = wire.frame().await.unwrap();
    assert!(answer.opcode == TEXT && answer.payload.starts_with(br#"{"type":"pong""#), "{answer:?}");
}

/// A close is answered by its own code, and then the connection ends.
#[tokio::test]
async fn a_close_is_answered() {
    let (_gateway, address) = start(config()).await;
    for code in [1000_u16, 1001, 4000] {
        let mut wire = Wire::sign_in(address, "ann").await;
        wire.send(CLOSE, &code.to_be_bytes()).await;
        assert_eq!(wire.close_code().await, code);
        assert_eq!(wire.frame().await, None);
    }
}

/// Malformed messages are answered with an error, and close neither their sender nor another connection (MSG-3, MSG-4).
#[tokio::test]
async fn nonsense_is_answered() {
    let (_gateway, address) = start(config()).await;
    let mut client = Client::sign_in(address, "ann").await;
    for (message, wanted) in [
        (Message::text("{"), "bad_message"),
        (Message::text("[]"), "bad_message"),
        (Message::text(r#"{"type":"dance"}"#), "unknown_type"),
        (Message::text(r#"{"type":"subscribe","payload":{"room":"a b"}}"#), "bad_room"),
        (Message::binary([1, 2, 3].as_slice()), "bad_message"),
    ] {
        client.send(message.clone()).await;
        let answer = client.message().await;
        assert!(
            matches!(&answer, ServerMessage::Error { code, .. } if code == wanted),
            "{message:?}: {answer:?}"
        );
    }
    assert!(client.is_served().await);
}

/// A framing violation is closed with its close code; other connections are unaffected.
#[tokio::test]
async fn who_breaks_the_framing_goes_alone() {
    let (_gateway, address) = start(config()).await;
    let mut bystander = Client::sign_in(address, "bob").await;
    for (bytes, code) in [
        (vec![0x81, 2, b'h', b'i'], 1002),          // no mask
        (masked(0xc1, b"hi"), 1002),                // a reserved bit
        (masked(0x83, b""), 1002),                  // a reserved opcode
        (masked(0x80 | CONTINUATION, b"hi"), 1002), // the end of no message
        (masked(0x80 | PING, &[b'x'; 126]), 1002),  // a long control frame
        (masked(0x80 | TEXT, &[0xc3, 0x28]), 1007), // no UTF-8
        (vec![0xff; 64], 1002),                     // anything
    ] {
        let mut wire = Wire::sign_in(address, "ann").await;
        wire.write(&bytes).await;
        assert_eq!(wire.close_code().await, code, "{bytes:?}");
        assert_eq!(wire.frame().await, None);
        assert!(bystander.is_served().await);
    }
}

/// Text that can no longer become UTF-8 is not waited for: the connection fails before the message ends.
#[tokio::test]
async fn broken_text_fails_fast() {
    let (_gateway, address) = start(config()).await;
    for fragments in [vec![&b"\xf4\x90\x80\x80"[..]], vec![b"\xce\xba", b"\xed\xa0"], vec![b"\xce", b"\xce"]]
    {
        let mut wire = Wire::sign_in(address, "ann").await;
        for (number, fragment) in fragments.iter().enumerate() {
            wire.write(&masked(if number == 0 { TEXT } else { CONTINUATION }, fragment)).await;
        }
        assert_eq!(wire.close_code().await, 1007, "{fragments:?}");
    }
}

/// The largest message is accepted, one byte more is not (MSG-5); however it is fragmented, the peer receives the reason.
#[tokio::test]
async fn large_messages_have_a_limit() {
    let (_gateway, address) = start(config()).await;
    let mut wire = Wire::sign_in(address, "ann").await;
    wire.send(TEXT, &vec![b'x'; MAX_MESSAGE_BYTES]).await;
    assert_eq!(wire.frame().await.unwrap().opcode, TEXT, "it is no message, but is read");
    wire.send(TEXT, &vec![b'x'; MAX_MESSAGE_BYTES + 1]).await;
    assert_eq!(wire.close_code().await, 1009);
    assert_eq!(wire.frame().await, None);

    let mut wire = Wire::sign_in(address, "ann").await;
    wire.write(&masked(TEXT, &vec![b'x'; MAX_MESSAGE_BYTES])).await;
    wire.send(CONTINUATION, b"x").await;
    assert_eq!(wire.close_code().await, 1009);
}
