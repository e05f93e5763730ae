//! Tokens: given, asked for, refused.

use std::time::Duration;

use protocol::CloseCode;

use super::bench::Bench;
use super::{ABNORMAL, s};
use crate::{Command, ConnectionId, DialFailure, Input};

/// STATE-8: a refused token is not tried again; a new one is, at once.
#[test]
fn a_refused_token_waits_for_a_new_one() {
    let refused = r#"emit error {"code":"unauthorized","message":"the gateway refused the token"}"#;
    for code in [CloseCode::UNAUTHORIZED, CloseCode::POLICY] {
        let mut bench = Bench::connected();
        assert_eq!(bench.closed(1, Some(code)), ["connected → disconnected", refused]);
        assert_eq!(bench.session.deadline(), None);
    }
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    let outcome = bench.handle(Input::DialFailed(ConnectionId(1), DialFailure::Unauthorized));
    assert_eq!(outcome, ["connecting → error", "error → disconnected", refused]);
    assert!(bench.after(s(3600)).is_empty());
    assert_eq!(
        bench.command(Command::SetToken("new".into())),
        ["disconnected → connecting", "dial 2 with new"]
    );
}

/// TOKEN-1: a new token alone does not open a connection that was not asked for.
#[test]
fn a_new_token_does_not_connect_by_itself() {
    let mut bench = Bench::new();
    assert!(bench.command(Command::SetToken("new".into())).is_empty());
    assert_eq!(bench.command(Command::Connect)[1], "dial 1 with new");
}

/// TOKEN-1: the new dial waits for the end of the old connection; queue and subscriptions survive.
#[test]
fn a_new_token_replaces_the_connection() {
    let mut bench = Bench::connected();
    bench.subscribe("a");
    assert_eq!(
        bench.command(Command::SetToken("new".into())),
        ["close 1 with 1000", "connected → reconnecting"]
    );
    assert!(bench.send(1).is_empty());
    assert!(bench.after(Duration::from_millis(9999)).is_empty());
    assert_eq!(bench.closed(1, Some(CloseCode::NORMAL)), ["reconnecting → connecting", "dial 2 with new"]);
    assert_eq!(bench.opened(2)[1..3], ["on 2: n 1", "on 2: subscribe a"]);
}

/// TOKEN-1: an old connection that does not end is dropped before the new one is dialled, so that never two live.
#[test]
fn a_connection_that_does_not_close_is_dropped() {
    let mut bench = Bench::connected();
    bench.command(Command::SetToken("new".into()));
    assert_eq!(
        bench.at_deadline(),
        (
            s(10),
            vec!["drop 1".to_owned(), "reconnecting → connecting".to_owned(), "dial 2 with new".to_owned()]
        )
    );
}

/// TOKEN-1: a dial that succeeds just as it is given up opens nothing.
#[test]
fn a_dial_that_is_replaced_does_not_open() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.command(Command::SetToken("new".into()));
    assert!(bench.opened(1).is_empty());
    assert_eq!(bench.closed(1, Some(CloseCode::NORMAL))[1], "dial 2 with new");
}

/// TOKEN-2: a redial takes the newest token.
#[test]
fn a_redial_takes_the_newest_token() {
    let mut bench = Bench::connected();
    bench.closed(1, ABNORMAL);
    assert!(bench.command(Command::SetToken("new".into())).is_empty());
    assert_eq!(bench.at_deadline().1[1], "dial 2 with new");
}

fn asking() -> Bench {
    Bench::with(|config| config.asks_for_token = true)
}

/// TOKEN-2: every dial begins with the question for its token, the redial too, within one connect timeout.
#[test]
fn every_dial_asks_for_its_token() {
    let mut bench = asking();
    assert_eq!(bench.command(Command::Connect), ["disconnected → connecting", "ask for 1"]);
    bench.now += s(3);
    assert_eq!(bench.token(1, Ok("one")), ["dial 1 with one"]);
    assert_eq!(bench.session.deadline(), Some(s(10)), "DIAL-2: one timeout for both");
    bench.opened(1);
    bench.closed(1, ABNORMAL);
    assert_eq!(bench.at_deadline().1, ["reconnecting → connecting", "ask for 2"]);
    assert!(bench.token(1, Ok("late")).is_empty());
    assert_eq!(bench.token(2, Ok("two")), ["dial 2 with two"]);
    assert!(bench.token(2, Ok("twice")).is_empty());
}

/// TOKEN-2, STATE-3: a provider that fails, or never answers, is a failed dial; the next one asks again.
#[test]
fn no_token_is_a_failed_dial() {
    let mut bench = asking();
    bench.command(Command::Connect);
    assert_eq!(bench.token(1, Err("offline")), ["connecting → error", "error → reconnecting"]);
    assert_eq!(bench.at_deadline().1, ["reconnecting → connecting", "ask for 2"]);
    assert_eq!(
        bench.at_deadline(),
        (
            s(10),
            vec!["drop 2".to_owned(), "connecting → error".to_owned(), "error → reconnecting".to_owned(),]
        )
    );
}

/// STATE-8, TOKEN-2: after a refusal the provider may know a newer token; the refused one is never dialled with again, until
/// the application connects.
#[test]
fn a_provider_without_a_newer_token_stops() {
    let stopped = [
        "drop 2",
        "connecting → error",
        "error → disconnected",
        r#"emit error {"code":"unauthorized","message":"the gateway refused the token"}"#,
    ];
    let mut bench = asking();
    bench.command(Command::Connect);
    bench.token(1, Ok("old"));
    assert_eq!(bench.dial_refused(1), ["connecting → error", "error → reconnecting"]);
    assert_eq!(bench.at_deadline().1[1], "ask for 2");
    assert_eq!(bench.token(2, Ok("old")), stopped);
    assert_eq!(bench.session.deadline(), None);
    bench.command(Command::Connect);
    assert_eq!(bench.token(3, Ok("old")), ["dial 3 with old"]);
}

/// AUTH-6, TOKEN-2: a token that expires while the connection is open is replaced by the provider's next one.
#[test]
fn an_expired_token_is_asked_for_again() {
    for code in [CloseCode::UNAUTHORIZED, CloseCode::POLICY] {
        let mut bench = asking();
        bench.command(Command::Connect);
        bench.token(1, Ok("old"));
        bench.opened(1);
        assert_eq!(bench.closed(1, Some(code)), ["connected → reconnecting"]);
        bench.at_deadline();
        assert_eq!(bench.token(2, Ok("new")), ["dial 2 with new"]);
    }
}

/// STATE-8, BACKOFF-4: without reconnection a refusal is said to be one, provider or not.
#[test]
fn without_reconnection_a_refusal_stops() {
    let mut bench = Bench::with(|config| (config.asks_for_token, config.auto_reconnect) = (true, false));
    bench.command(Command::Connect);
    bench.token(1, Ok("old"));
    assert!(bench.dial_refused(1)[2].starts_with("emit error"));
}

/// TOKEN-1, TOKEN-2: a token that is given makes the question moot, and serves one dial.
#[test]
fn a_given_token_comes_before_the_providers() {
    let mut bench = asking();
    bench.command(Command::Connect);
    assert_eq!(bench.command(Command::SetToken("given".into())), ["dial 1 with given"]);
    assert!(bench.token(1, Ok("late")).is_empty());
    assert_eq!(bench.dial_failed(1), ["connecting → error", "error → reconnecting"]);
    bench.command(Command::SetToken("waiting".into()));
    assert_eq!(bench.at_deadline().1[1], "dial 2 with waiting");
    bench.dial_failed(2);
    assert_eq!(bench.at_deadline().1[1], "ask for 3");
}

/// STATE-6: disconnecting gives up the question; there is no socket that would have to end first.
#[test]
fn disconnecting_gives_up_the_question() {
    let mut bench = asking();
    bench.command(Command::Connect);
    assert_eq!(bench.command(Command::Disconnect), ["drop 1", "connecting → disconnected"]);
    assert!(bench.token(1, Ok("late")).is_empty());
    assert_eq!(bench.command(Command::Connect), ["disconnected → connecting", "ask for 2"]);
}
