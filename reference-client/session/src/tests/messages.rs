//! What comes in.

use protocol::Timestamp;

use super::bench::Bench;
use super::{EVENT, PING};
use crate::{ConnectionId, Input, Now, Output, SendKind};

/// IN-1: a message is emitted under its type with its payload; what cannot be read is logged, and the next one is emitted.
#[test]
fn messages_are_emitted_and_garbage_is_not() {
    let mut bench = Bench::connected();
    for garbage in ["{", "", "[]", "null", r#"{"payload":1}"#, r#"{"type":7}"#] {
        let now = Now { monotonic: bench.now, wall: Timestamp::EPOCH };
        bench.session.handle(now, Input::Text(ConnectionId(1), garbage.to_owned())).unwrap();
        assert!(matches!(bench.session.poll(), Some(Output::Log(_))), "{garbage}");
        assert_eq!(bench.session.poll(), None, "{garbage}");
    }
    assert_eq!(
        bench.text(1, r#"{"type":"payment:created","payload":{"id":7}}"#),
        [r#"emit payment:created {"id":7}"#]
    );
}

/// IN-2: input is processed whatever waits to be written. At most one pong message waits; it answers all earlier pings.
#[test]
fn what_waits_to_be_written_holds_up_nothing_that_comes() {
    let mut bench = Bench::connected();
    (1..=8).for_each(|number| assert_eq!(bench.send(number).len(), 1));
    assert_eq!(bench.text(1, PING), ["on 1: pong"]);
    for _ in 0..1000 {
        assert!(bench.text(1, PING).is_empty());
        assert_eq!(bench.text(1, EVENT), ["emit a:b"]);
    }
    assert!(bench.written_of(1, SendKind::Pong).is_empty());
    assert_eq!(bench.text(1, PING), ["on 1: pong"]);
}
