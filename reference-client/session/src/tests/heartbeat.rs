//! Pings, and what follows where none is answered.

use std::time::Duration;

use super::bench::Bench;
use super::{ABNORMAL, EVENT, PONG, s};
use crate::{Command, Input, SendKind};

/// PING-1: one ping an interval while connected, none while not, and one rhythm after a reconnect.
#[test]
fn pings_keep_to_the_open_connection() {
    let mut bench = Bench::connected();
    for _ in 0..3 {
        assert!(bench.after(s(29)).is_empty());
        assert_eq!(bench.after(s(1)), ["on 1: ping"]);
        assert!(bench.written_of(1, SendKind::Ping).is_empty());
        assert!(bench.text(1, PONG).is_empty(), "PING-2: a pong is no event");
    }
    bench.closed(1, ABNORMAL);
    assert_eq!(bench.after(s(1))[1], "dial 2 with old");
    assert!(bench.after(s(5)).is_empty());
    bench.opened(2);
    assert!(bench.after(s(29)).is_empty());
    assert_eq!(bench.after(s(1)), ["on 2: ping"]);
    assert!(bench.handle(Input::Timer).is_empty());
}

/// PING-3: no answer within the timeout drops the socket, not a moment earlier, and the connection is sought again.
#[test]
fn an_unanswered_ping_drops_the_connection() {
    let mut bench = Bench::connected();
    assert_eq!(bench.after(s(30)), ["on 1: ping"]);
    assert!(bench.text(1, EVENT).len() == 1, "another message is no pong");
    assert!(bench.after(Duration::from_millis(9999)).is_empty());
    assert_eq!(bench.after(Duration::from_millis(1)), ["drop 1", "connected → reconnecting"]);
    assert_eq!(bench.at_deadline().1[1], "dial 2 with old");
}

/// PING-3, IN-2: a gateway that neither reads nor answers is left at the timeout of the first ping, whatever else it sends; of
/// pings that are not written one waits.
#[test]
fn a_gateway_that_neither_reads_nor_answers_is_left() {
    let mut bench = Bench::with(|config| config.timing.ping_interval = s(4));
    bench.command(Command::Connect);
    bench.opened(1);
    assert_eq!(bench.after(s(4)), ["on 1: ping"]);
    for _ in 0..2 {
        assert_eq!(bench.text(1, EVENT).len(), 1);
        assert!(bench.after(s(4)).is_empty(), "one ping waits already");
    }
    assert_eq!(bench.after(s(2)), ["drop 1", "connected → reconnecting"]);
}

/// PING-1: once the ping that waited is written, the next one goes out at its time.
#[test]
fn a_ping_that_is_written_makes_room_for_the_next() {
    let mut bench = Bench::with(|config| config.timing.ping_interval = s(4));
    bench.command(Command::Connect);
    bench.opened(1);
    assert_eq!(bench.after(s(4)), ["on 1: ping"]);
    assert!(bench.written_of(1, SendKind::Ping).is_empty());
    assert_eq!(bench.after(s(4)), ["on 1: ping"]);
}
