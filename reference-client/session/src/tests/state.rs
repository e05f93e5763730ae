//! Statuses, dials and their ends.

use std::time::Duration;

use protocol::CloseCode;

use super::bench::Bench;
use super::{ABNORMAL, EVENT, PONG, s};
use crate::Command;

/// STATE-1: from `disconnected` over `connecting` to `connected`, each change announced once.
#[test]
fn connecting_announces_each_change_once() {
    let mut bench = Bench::new();
    assert_eq!((bench.session.status().as_str(), bench.session.deadline()), ("disconnected", None));
    assert_eq!(bench.command(Command::Connect), ["disconnected → connecting", "dial 1 with old"]);
    let opened = bench.opened(1);
    assert_eq!(opened[0], "connecting → connected");
    assert_eq!(opened.iter().filter(|line| line.contains('→')).count(), 1);
}

/// STATE-3: a lost connection is sought again without an error between.
#[test]
fn a_lost_connection_makes_reconnecting() {
    let mut bench = Bench::connected();
    assert_eq!(bench.closed(1, Some(CloseCode::GOING_AWAY)), ["connected → reconnecting"]);
    assert_eq!(bench.at_deadline().1, ["reconnecting → connecting", "dial 2 with old"]);
}

/// STATE-3: a dial that fails is an error first.
#[test]
fn a_failed_dial_makes_error_then_reconnecting() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    assert_eq!(bench.dial_failed(1), ["connecting → error", "error → reconnecting"]);
}

/// DIAL-2: a dial that hangs is dropped at its deadline, not before, and counts as failed.
#[test]
fn a_hanging_dial_fails_at_its_deadline() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    assert!(bench.after(Duration::from_millis(9999)).is_empty());
    assert_eq!(
        bench.after(Duration::from_millis(1)),
        ["drop 1", "connecting → error", "error → reconnecting"]
    );
}

/// STATE-5: never two sockets, whatever the client is about.
#[test]
fn connecting_twice_dials_once() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    assert!(bench.command(Command::Connect).is_empty(), "while dialling");
    bench.opened(1);
    assert!(bench.command(Command::Connect).is_empty(), "while open");
    bench.closed(1, ABNORMAL);
    assert!(bench.command(Command::Connect).is_empty(), "while waiting");
    bench.at_deadline();
    bench.command(Command::SetToken("new".into()));
    assert!(bench.command(Command::Connect).is_empty(), "while replacing");
}

/// STATE-6: an open connection closes with 1000, and no timer is left; connecting works afterwards.
#[test]
fn disconnecting_is_final_until_connecting() {
    let mut bench = Bench::connected();
    assert_eq!(bench.command(Command::Disconnect), ["close 1 with 1000", "connected → disconnected"]);
    assert_eq!(bench.session.deadline(), None);
    assert!(bench.closed(1, Some(CloseCode::NORMAL)).is_empty());
    assert!(bench.after(s(3600)).is_empty());
    assert_eq!(bench.command(Command::Connect), ["disconnected → connecting", "dial 2 with old"]);
}

/// STATE-6: disconnecting gives up a dial, a delay and a replacement alike, and does nothing twice.
#[test]
fn disconnecting_stops_every_attempt() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    assert_eq!(bench.command(Command::Disconnect), ["close 1 with 1000", "connecting → disconnected"]);
    assert!(bench.command(Command::Disconnect).is_empty());
    assert!(bench.dial_failed(1).is_empty());

    bench.command(Command::Connect);
    bench.dial_failed(2);
    assert_eq!(bench.command(Command::Disconnect), ["reconnecting → disconnected"]);

    bench.command(Command::Connect);
    bench.opened(3);
    bench.command(Command::SetToken("new".into()));
    assert_eq!(bench.command(Command::Disconnect), ["reconnecting → disconnected"]);
    assert!(bench.closed(3, Some(CloseCode::NORMAL)).is_empty());
    assert_eq!(bench.session.deadline(), None);
}

/// STATE-6: late inputs of an ended socket change neither the status, nor the queue, nor the heartbeat.
#[test]
fn signs_of_an_old_connection_change_nothing() {
    let mut bench = Bench::connected();
    bench.command(Command::Disconnect);
    bench.closed(1, Some(CloseCode::NORMAL));
    bench.command(Command::Connect);
    bench.opened(2);
    bench.send(1);
    let (_, pinged) = bench.at_deadline();
    assert_eq!(pinged, ["on 2: ping"]);
    let deadline = bench.session.deadline();

    assert!(bench.opened(1).is_empty());
    assert!(bench.written(1).is_empty());
    assert!(bench.text(1, EVENT).is_empty());
    assert!(bench.text(1, PONG).is_empty());
    assert!(bench.closed(1, Some(CloseCode::UNAUTHORIZED)).is_empty());
    assert!(bench.dial_failed(1).is_empty());
    assert_eq!((bench.session.status().as_str(), bench.session.deadline()), ("connected", deadline));

    bench.closed(2, ABNORMAL);
    bench.at_deadline();
    assert!(bench.opened(3).contains(&"on 3: n 1".to_owned()), "the queue is as it was");
}

/// STATE-7: the gateway's 1000 ends it; other codes, and none, do not.
#[test]
fn only_a_normal_close_is_final() {
    for (code, status) in [
        (Some(CloseCode::NORMAL), "disconnected"),
        (Some(CloseCode::GOING_AWAY), "reconnecting"),
        (Some(CloseCode::TRY_AGAIN_LATER), "reconnecting"),
        (Some(CloseCode::FORBIDDEN), "reconnecting"),
        (ABNORMAL, "reconnecting"),
    ] {
        let mut bench = Bench::connected();
        assert_eq!(bench.closed(1, code), [format!("connected → {status}")]);
        assert_eq!(bench.session.deadline().is_some(), status == "reconnecting");
    }
}

/// QUEUE-4, STATE-5: a client that disconnects and connects at once is `connecting` immediately, but dials when the old socket is
/// over: what that one still wrote is not repeated.
#[test]
fn connecting_waits_for_the_old_socket() {
    let mut bench = Bench::connected();
    bench.send(1);
    bench.send(2);
    bench.command(Command::Disconnect);
    assert_eq!(bench.command(Command::Connect), ["disconnected → connecting"]);
    assert!(bench.command(Command::Connect).is_empty());
    bench.written(1);
    assert_eq!(bench.closed(1, Some(CloseCode::NORMAL)), ["dial 2 with old"]);
    assert_eq!(bench.opened(2)[1..2], ["on 2: n 2"]);
}

/// QUEUE-4: an old socket that does not end is waited for no longer than the connect timeout, however often the application
/// changes its mind.
#[test]
fn an_old_socket_is_not_waited_for_for_ever() {
    let mut bench = Bench::connected();
    bench.command(Command::Disconnect);
    bench.after(s(4));
    bench.command(Command::Connect);
    assert_eq!(bench.command(Command::Disconnect), ["connecting → disconnected"]);
    assert_eq!(bench.session.deadline(), None);
    bench.command(Command::Connect);
    assert_eq!(bench.at_deadline(), (s(6), vec!["drop 1".to_owned(), "dial 2 with old".to_owned()]));

    bench.command(Command::Disconnect);
    bench.after(s(11));
    assert_eq!(
        bench.command(Command::Connect),
        ["drop 2", "disconnected → connecting", "dial 3 with old"],
        "no dial waits for a socket that has already ended"
    );
}
