//! Untrusted messages, parsed by both the server and the client.

use protocol::{Dialect, EventStyle, SubscriptionKeys, Timestamp, Welcome};

/// The seed's dialect, and one that differs wherever it can.
fn dialects() -> [Dialect; 2] {
    let other = Dialect {
        events: EventStyle::Enveloped,
        subscribe: SubscriptionKeys::single("channel"),
        acknowledge: SubscriptionKeys::single("channel"),
        welcome: Welcome::Named("hello".to_owned()),
        ping: "heartbeat".to_owned(),
        pong: "alive".to_owned(),
        error: "failure".to_owned(),
        ..Dialect::default()
    };
    [Dialect::default(), other]
}

/// What is read from a client says the same when it is written and read again.
#[test]
fn messages_of_clients() {
    bolero::check!().for_each(|input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        for dialect in dialects() {
            let Ok(decoded) = dialect.decode_client(text) else { continue };
            let again = dialect.encode_client(&decoded.message, Timestamp::EPOCH);
            assert_eq!(dialect.decode_client(&again).unwrap().message, decoded.message, "{again}");
        }
    });
}

/// What is read from a gateway says the same when it is written and read again, its `id` included.
#[test]
fn messages_of_gateways() {
    bolero::check!().for_each(|input: &[u8]| {
        let Ok(text) = std::str::from_utf8(input) else { return };
        for dialect in dialects() {
            let Ok(decoded) = dialect.decode_server(text) else { continue };
            let again = dialect.encode_server(&decoded.message, Timestamp::EPOCH, decoded.id.as_deref());
            let again = dialect.decode_server(&again).unwrap();
            assert_eq!(again.message, decoded.message);
            // An event answers nothing, so nothing names it.
            assert!(again.id == decoded.id || again.id.is_none());
        }
    });
}
