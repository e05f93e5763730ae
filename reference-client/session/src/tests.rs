//! The machine, one behaviour at a time. Jitter is off, so that every delay is known.

mod bench;

use std::time::Duration;

use protocol::{CloseCode, Target, Timestamp};
use serde_json::json;

use self::bench::Bench;
use super::{Command, ConnectionId, DialFailure, Input, Now, Output, QueueFull};

const ABNORMAL: Option<CloseCode> = None;
const PONG: &str = r#"{"type":"pong"}"#;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

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

/// STATE-4, BACKOFF-1, BACKOFF-2: delays double up to the cap; after the last attempt comes one event, and no timer is left.
#[test]
fn exhausted_attempts_end_the_search() {
    let mut bench = Bench::new();
    bench.command(Command::Connect);
    for (dial, delay) in (1..).zip([1, 2, 4, 4, 4]) {
        bench.dial_failed(dial);
        let (waited, told) = bench.at_deadline();
        assert_eq!((waited, told[1].clone()), (s(delay), format!("dial {} with old", dial + 1)));
    }
    assert_eq!(
        bench.dial_failed(6),
        ["connecting → error", "error → disconnected", r#"emit max_reconnect_attempts {"attempts":5}"#]
    );
    assert_eq!(bench.session.deadline(), None);
    assert!(bench.after(s(3600)).is_empty());
}

/// STATE-4: whoever connects after exhaustion has every attempt again.
#[test]
fn connecting_after_exhaustion_starts_anew() {
    let mut bench = Bench::with(|config| config.timing.max_reconnect_attempts = 0);
    bench.command(Command::Connect);
    assert!(bench.dial_failed(1).contains(&"error → disconnected".to_owned()));
    assert_eq!(bench.command(Command::Connect), ["disconnected → connecting", "dial 2 with old"]);
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

/// STATE-6: whatever a socket that is over still says, nothing changes: not the status, not the queue, not the heartbeat.
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
    assert!(bench.text(1, r#"{"type":"a:b"}"#).is_empty());
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

/// TOKEN-1: a new token alone connects nobody who did not ask for a connection.
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

/// QUEUE-3: the oldest are kept, the newest is refused, and there is room again once the network has taken one.
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

/// PING-1: one ping an interval while connected, none while not, and one rhythm after a reconnect.
#[test]
fn pings_keep_to_the_open_connection() {
    let mut bench = Bench::connected();
    for _ in 0..3 {
        assert!(bench.after(s(29)).is_empty());
        assert_eq!(bench.after(s(1)), ["on 1: ping"]);
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
    assert!(bench.text(1, r#"{"type":"a:b"}"#).len() == 1, "another message is no pong");
    assert!(bench.after(Duration::from_millis(9999)).is_empty());
    assert_eq!(bench.after(Duration::from_millis(1)), ["drop 1", "connected → reconnecting"]);
    assert_eq!(bench.at_deadline().1[1], "dial 2 with old");
}

/// BACKOFF-3: after a stable connection the delays begin anew.
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

/// QUEUE-4, STATE-5: whoever disconnects and connects in one breath is `connecting` at once, but dials when the old socket is
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
        "nobody waits for what is long over"
    );
}

/// BACKOFF-1: what a `reconnecting` client waits for is told before the status.
#[test]
fn a_redial_is_told_with_its_delay() {
    let mut bench = Bench::connected();
    let now = Now { monotonic: bench.now, wall: Timestamp::EPOCH };
    bench.session.handle(now, Input::Closed(ConnectionId(1), ABNORMAL)).unwrap();
    assert_eq!(bench.session.poll(), Some(Output::Redial { attempt: 1, delay: s(1) }));
    assert!(matches!(bench.session.poll(), Some(Output::Status { .. })));
}
