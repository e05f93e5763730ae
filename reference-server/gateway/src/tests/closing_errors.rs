//! Dialects in which an error is a close, or nothing, and frames with which clients open.

use super::*;

fn speaking(dialect: &str) -> Gateway {
    let mut gateway = machine(dialect.parse().unwrap());
    open(&mut gateway, 1, "7");
    gateway
}

/// What is no message, or one of no meaning, closes with the declared code; other errors are messages still.
#[test]
fn errors_close_where_that_is_declared() {
    for (text, code) in [("{", 4400), (r#"{"type":"dance"}"#, 4404)] {
        let mut gateway = speaking(r#"{"closes":{"bad_message":4400,"unknown_type":4404}}"#);
        let forbidden = say(&mut gateway, 1, r#"{"type":"subscribe","payload":{"room":"user:8"}}"#);
        assert_eq!(error_code(&forbidden), "forbidden");
        let closed = say(&mut gateway, 1, text);
        assert_eq!(closed, [Output::Close(ConnectionId(1), CloseCode(code))]);
        assert!(say(&mut gateway, 1, text).is_empty(), "it is over");
    }
}

/// A dialect without error messages has none; the request is refused all the same.
#[test]
fn errors_may_be_silent() {
    let mut gateway = speaking(r#"{"error_messages":false}"#);
    assert!(say(&mut gateway, 1, r#"{"type":"subscribe","payload":{"room":"user:8"}}"#).is_empty());
    assert!(say(&mut gateway, 1, "{").is_empty());
}

/// A frame with which clients open is answered as declared.
#[test]
fn an_opening_is_answered() {
    let opening = r#"{"opening":[{"send":"40{\"v\":1}","answer":"40{\"sid\":\"s\"}"}]}"#;
    let mut gateway = speaking(opening);
    let outputs = say(&mut gateway, 1, r#"40{"v":1,"more":2}"#);
    let [Output::Send(_, frame)] = &outputs[..] else { panic!("{outputs:?}") };
    assert_eq!(text(frame), r#"40{"sid":"s"}"#);
    assert_eq!(error_code(&say(&mut gateway, 1, "40{}")), "bad_message");
}
