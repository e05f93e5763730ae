//! Delays and attempts.

use std::time::Duration;

use protocol::{CloseCode, Timestamp};

use super::bench::Bench;
use super::{ABNORMAL, s};
use crate::{Command, ConnectionId, Input, Now, Output};

/// STATE-4, BACKOFF-1, BACKOFF-2: delays double up to the cap; after the last attempt comes one event, and no timer is left.
#[test]
fn exhausted_attempts_end_the_search() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    for (dial, delay) in (1..).zip([1, 2, 4, 4, 4]) {
        bench.dial_failed(dial);
        let (waited, outputs) = bench.at_deadline();
        assert_eq!((waited, outputs[1].clone()), (s(delay), format!("dial {} with old", dial + 1)));
    }
    assert_eq!(
        bench.dial_failed(6),
        ["connecting → error", "error → disconnected", r#"emit max_reconnect_attempts {"attempts":5}"#]
    );
    assert_eq!(bench.session.deadline(), None);
    assert!(bench.after(s(3600)).is_empty());
}

/// STATE-4: a `connect` after exhaustion starts with the full number of attempts.
#[test]
fn connecting_after_exhaustion_starts_anew() {
    let mut bench = Bench::with(|config| config.timing.max_reconnect_attempts = 0);
    bench.command(Command::Connect);
    assert!(bench.dial_failed(1).contains(&"error → disconnected".to_owned()));
    assert_eq!(bench.command(Command::Connect), ["disconnected → connecting", "dial 2 with old"]);
}

/// BACKOFF-3: after a stable connection the delays start over.
#[test]
fn a_stable_connection_resets_the_count() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.dial_failed(1);
    bench.at_deadline();
    bench.dial_failed(2);
    assert_eq!(bench.at_deadline().0, s(2));
    bench.opened(3);
    bench.after(s(5));
    bench.closed(3, ABNORMAL);
    assert_eq!(bench.at_deadline().0, s(1));
}

/// BACKOFF-3: so they do where a new token ends the stable connection.
#[test]
fn a_new_token_does_not_hide_a_stable_connection() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    bench.dial_failed(1);
    bench.at_deadline();
    bench.opened(2);
    bench.after(s(5));
    bench.command(Command::SetToken("new".into()));
    bench.closed(2, Some(CloseCode::NORMAL));
    bench.dial_failed(3);
    assert_eq!(bench.at_deadline().0, s(1));
}

/// BACKOFF-6: a gateway that accepts and closes is not hammered: the delays grow, and the attempts end.
#[test]
fn a_short_connection_does_not_reset_the_count() {
    let mut bench = Bench::connected();
    for (id, delay) in (1..).zip([1, 2, 4, 4, 4]) {
        bench.after(Duration::from_millis(4999));
        bench.closed(id, ABNORMAL);
        assert_eq!(bench.at_deadline().0, s(delay));
        bench.opened(id + 1);
    }
    assert_eq!(bench.closed(6, ABNORMAL)[0], "connected → disconnected");
}

/// BACKOFF-4: without reconnection a lost connection is the end, and no attempts are said to be exhausted.
#[test]
fn without_reconnection_a_loss_is_the_end() {
    let mut bench = Bench::with(|config| config.auto_reconnect = false);
    bench.command(Command::Connect);
    bench.opened(1);
    assert_eq!(bench.closed(1, ABNORMAL), ["connected → disconnected"]);
    assert_eq!(bench.session.deadline(), None);
}

/// BACKOFF-1: the delay of a redial is reported before the status becomes `reconnecting`.
#[test]
fn a_redial_is_reported_with_its_delay() {
    let mut bench = Bench::connected();
    let now = Now { monotonic: bench.now, wall: Timestamp::EPOCH };
    bench.session.handle(now, Input::Closed(ConnectionId(1), ABNORMAL)).unwrap();
    assert_eq!(bench.session.poll(), Some(Output::Redial { attempt: 1, delay: s(1) }));
    assert!(matches!(bench.session.poll(), Some(Output::Status { .. })));
}
