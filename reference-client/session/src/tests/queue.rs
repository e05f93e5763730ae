//! The queue, and what is written of it.

use protocol::CloseCode;
use serde_json::json;

use super::bench::Bench;
use super::{ABNORMAL, s};
use crate::{Command, Input, QueueFull};

/// QUEUE-2: status, then queue, then subscriptions, then the event; the first ping an interval later.
#[test]
fn opening_follows_its_order() {
    let mut bench = Bench::new();
    bench.subscribe("a");
    bench.send(1);
    bench.send(2);
    bench.subscribe("b");
    bench.command(Command::Connect);
    assert_eq!(
        bench.opened(1),
        [
            "connecting → connected",
            "on 1: n 1",
            "on 1: n 2",
            "on 1: subscribe a",
            "on 1: subscribe b",
            r#"emit connected {"message":"WebSocket connected"}"#,
        ]
    );
    assert_eq!(bench.at_deadline(), (s(30), vec!["on 1: ping".to_owned()]));
}

/// QUEUE-3: a full queue keeps the oldest and refuses the newest; there is room again once one has been written.
#[test]
fn a_full_queue_refuses_the_newest() {
    let mut bench = Bench::with(|config| config.queue_capacity = 1);
    bench.send(1);
    let second = Input::Command(Command::Send { kind: "n".to_owned(), payload: json!(2) });
    assert_eq!(bench.try_handle(second.clone()), Err(QueueFull { capacity: 1 }));
    bench.command(Command::Connect);
    assert_eq!(bench.opened(1)[1], "on 1: n 1");
    assert_eq!(bench.try_handle(second.clone()), Err(QueueFull { capacity: 1 }));
    bench.written(1);
    assert_eq!(bench.try_handle(second), Ok(vec!["on 1: n 2".to_owned()]));
}

/// QUEUE-4: of three messages the first was written before the connection died; the others go out on the next, in order.
#[test]
fn a_death_in_mid_flush_loses_and_repeats_nothing() {
    let mut bench = Bench::new();
    (1..=3).for_each(|number| assert!(bench.send(number).is_empty()));
    bench.command(Command::Connect);
    bench.opened(1);
    bench.written(1);
    bench.closed(1, ABNORMAL);
    bench.at_deadline();
    assert_eq!(bench.opened(2)[1..3], ["on 2: n 2", "on 2: n 3"]);
    bench.written(2);
    bench.written(2);
    bench.closed(2, ABNORMAL);
    bench.at_deadline();
    assert!(!bench.opened(3).iter().any(|line| line.starts_with("on 3: n")));
}

/// QUEUE-4, TOKEN-1: what the old connection still wrote before its close is not repeated on the new one.
#[test]
fn what_is_written_while_replacing_is_not_repeated() {
    let mut bench = Bench::connected();
    bench.send(1);
    bench.send(2);
    bench.command(Command::SetToken("new".into()));
    bench.written(1);
    bench.closed(1, Some(CloseCode::NORMAL));
    assert_eq!(bench.opened(2)[1..2], ["on 2: n 2"]);
}

/// QUEUE-4, STATE-6: what a connection still wrote on disconnecting is not repeated when the application connects again.
#[test]
fn what_is_written_while_disconnecting_is_not_repeated() {
    let mut bench = Bench::connected();
    bench.send(1);
    bench.send(2);
    bench.command(Command::Disconnect);
    bench.written(1);
    bench.closed(1, Some(CloseCode::NORMAL));
    bench.command(Command::Connect);
    assert_eq!(bench.opened(2)[1..2], ["on 2: n 2"]);
}

/// QUEUE-3, QUEUE-4, IN-2: what a connection has not written stands in the queue as what was sent offline does. While the gateway
/// does not read, the queue's capacity bounds it, and no message is lost when that connection ends.
#[test]
fn a_connection_that_writes_nothing_fills_the_queue() {
    let mut bench = Bench::with(|config| config.queue_capacity = 2);
    bench.command(Command::Connect);
    bench.opened(1);
    assert_eq!((bench.send(1), bench.send(2)), (vec!["on 1: n 1".to_owned()], vec!["on 1: n 2".to_owned()]));
    let third = Input::Command(Command::Send { kind: "n".to_owned(), payload: json!(3) });
    assert_eq!(bench.try_handle(third), Err(QueueFull { capacity: 2 }));
    bench.closed(1, ABNORMAL);
    bench.at_deadline();
    assert_eq!(bench.opened(2)[1..3], ["on 2: n 1", "on 2: n 2"]);
}
