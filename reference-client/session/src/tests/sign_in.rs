//! A token that travels in the first message: its answer is a part of the dial.

use protocol::{CloseCode, Dialect};

use super::bench::Bench;
use super::s;
use crate::{Command, Status};

const FIRST: &str = r#"on 1: connection_init {"token":"old"}"#;
const ACK: &str = r#"{"type":"connection_ack"}"#;
const REFUSED: &str = r#"emit error {"code":"unauthorized","message":"the gateway refused the token"}"#;

/// A client whose upgrade has just been granted.
fn upgraded() -> Bench {
    let mut bench = Bench::with(|config| config.dialect = Dialect::builtin("first-message").unwrap());
    bench.command(Command::Connect);
    assert_eq!(bench.opened(1), [FIRST]);
    bench
}

/// QUEUE-2: nothing is sent, and nothing announced, before the gateway has granted the token.
#[test]
fn a_client_is_connected_once_it_is_signed_in() {
    let mut bench = upgraded();
    bench.subscribe("a");
    assert!(bench.send(1).is_empty() && bench.text(1, r#"{"type":"hello"}"#).is_empty());
    assert_eq!(bench.session.status(), Status::Connecting);
    assert_eq!(bench.text(1, ACK)[..3], ["connecting → connected", "on 1: n 1", "on 1: subscribe a"]);
}

/// STATE-8: a close with the code of a refusal refuses the token; any other is a failed dial.
#[test]
fn a_close_before_the_answer_fails_the_dial() {
    for code in [CloseCode::UNAUTHORIZED, CloseCode::POLICY] {
        let outcome = upgraded().closed(1, Some(code));
        assert_eq!(outcome, ["connecting → error", "error → disconnected", REFUSED]);
    }
    for code in [None, Some(CloseCode::INTERNAL)] {
        assert_eq!(upgraded().closed(1, code), ["connecting → error", "error → reconnecting"]);
    }
}

/// A gateway that does not answer is given up at the deadline of the dial.
#[test]
fn an_answer_is_not_waited_for_for_ever() {
    let (wait, outcome) = upgraded().at_deadline();
    assert_eq!(wait, s(10));
    assert_eq!(outcome, ["drop 1", "connecting → error", "error → reconnecting"]);
}

/// Where nothing else answers, the welcome does, and the application gets it.
#[test]
fn the_welcome_may_be_the_answer() {
    let mut bench = Bench::with(|config| {
        config.dialect = Dialect::builtin("first-message").unwrap();
        config.dialect.sign_in.as_mut().unwrap().answer = None;
    });
    bench.command(Command::Connect);
    assert_eq!(bench.opened(1), [FIRST]);
    let welcome = r#"{"type":"connection:established","payload":{"userId":"ada","rooms":[]}}"#;
    let outcome = bench.text(1, welcome);
    assert_eq!(outcome.first().unwrap(), "connecting → connected");
    assert_eq!(outcome.last().unwrap(), r#"emit connection:established {"rooms":[],"userId":"ada"}"#);
}
