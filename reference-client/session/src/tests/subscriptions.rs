//! Subscriptions, and what a connection is asked for.

use protocol::Target;

use super::ABNORMAL;
use super::bench::Bench;
use crate::{Command, SendKind};

/// QUEUE-5, SUB-1: a subscription made offline goes out once, as does one that is repeated.
#[test]
fn an_offline_subscription_goes_out_once() {
    let mut bench = Bench::new();
    assert!(bench.subscribe("a").is_empty());
    bench.command(Command::Connect);
    let opened = bench.opened(1);
    assert_eq!(opened.iter().filter(|line| line.contains("subscribe")).count(), 1);
    assert!(bench.subscribe("a").is_empty());
    assert_eq!(bench.subscribe("b"), ["on 1: subscribe b"]);
}

/// SUB-2: after a reconnect live subscriptions are renewed once each; ended ones are not.
#[test]
fn live_subscriptions_are_renewed() {
    let mut bench = Bench::connected();
    ["a", "b", "c"].iter().for_each(|name| assert_eq!(bench.subscribe(name).len(), 1));
    let end = |name: &str| Command::Unsubscribe(Target::EventType(name.to_owned()));
    assert_eq!(bench.command(end("b")), ["on 1: unsubscribe b"]);
    bench.closed(1, ABNORMAL);
    assert!(bench.command(end("c")).is_empty());
    bench.at_deadline();
    let opened = bench.opened(2);
    assert_eq!(opened[1..opened.len() - 1], ["on 2: subscribe a"]);
}

/// IN-2: a connection that writes nothing is given as many requests as the window says. Behind them only what is wanted in the end
/// is asked for, as soon as they are written.
#[test]
fn requests_keep_to_their_window() {
    let mut bench = Bench::with(|config| config.request_window = 2);
    bench.subscribe("a");
    bench.subscribe("b");
    bench.subscribe("c");
    bench.command(Command::Connect);
    let opened = bench.opened(1);
    assert_eq!(opened[1..opened.len() - 1], ["on 1: subscribe a", "on 1: subscribe b"]);
    for _ in 0..100 {
        assert!(bench.unsubscribe("a").is_empty());
        assert!(bench.subscribe("a").is_empty());
        assert!(bench.subscribe("d").is_empty());
        assert!(bench.unsubscribe("d").is_empty());
    }
    assert!(bench.unsubscribe("b").is_empty());
    assert_eq!(bench.written_of(1, SendKind::Request), ["on 1: unsubscribe b"]);
    assert_eq!(bench.written_of(1, SendKind::Request), ["on 1: subscribe c"]);
    assert!(bench.written_of(1, SendKind::Request).is_empty());
}

/// SUB-2: a connection has a window of its own, whatever the one before left unwritten.
#[test]
fn a_new_connection_has_its_whole_window() {
    let mut bench = Bench::with(|config| config.request_window = 1);
    bench.subscribe("a");
    bench.command(Command::Connect);
    assert!(bench.opened(1).contains(&"on 1: subscribe a".to_owned()));
    bench.closed(1, ABNORMAL);
    bench.at_deadline();
    assert!(bench.opened(2).contains(&"on 2: subscribe a".to_owned()));
    assert!(bench.written_of(1, SendKind::Request).is_empty());
    assert!(bench.subscribe("b").is_empty());
    assert_eq!(bench.written_of(2, SendKind::Request), ["on 2: subscribe b"]);
}
