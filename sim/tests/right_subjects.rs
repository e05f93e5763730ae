//! Subjects that are right in a way of their own are not blamed: variants of the reference pair that some requirement's scenarios once
//! took for wrong ones.

use std::sync::Arc;
use std::time::Duration;

use protocol::{Dialect, Heartbeat, Timing};
use scenarios::frame::RawFrame;
use scenarios::{Ending, Judgement, Library, judge};
use serde_json::Value;
use sim::boundary::{Boundary, Passed, Wire};
use sim::{Options, play_through};

/// Times at which a simulation is short, and `pong_timeout` is longer than `ping_interval`.
fn impatient() -> Timing {
    let ms = Duration::from_millis;
    Timing {
        ping_interval: ms(400),
        pong_timeout: ms(600),
        reconnect_delay: ms(50),
        max_reconnect_delay: ms(400),
        connect_timeout: ms(500),
        stable_after: ms(200),
        ..Timing::default()
    }
}

/// Every expectation of these scenarios holds, and every wait comes true.
fn are_right(filter: &str, timing: &Timing, boundary: fn() -> Boundary) {
    are_right_in(&Dialect::default(), filter, timing, boundary);
}

fn are_right_in(dialect: &Dialect, filter: &str, timing: &Timing, boundary: fn() -> Boundary) {
    let library = Library::builtin().expect("the built-in scenarios are sound");
    let scenarios = library.select(&[filter.to_owned()]).expect("the filter selects");
    let scenarios: Vec<_> = scenarios.into_iter().filter(|scenario| scenario.simulated).collect();
    assert!(!scenarios.is_empty(), "{filter} selects nothing that is simulated");
    for scenario in scenarios {
        let options = Options { timing: timing.clone(), dialect: dialect.clone(), ..Options::default() };
        let played = play_through(scenario, &options, boundary())
            .unwrap_or_else(|error| panic!("{}: {error}", scenario.id));
        let trace = &played.play.trace;
        let timeline: Vec<_> = trace.observations.iter().map(|seen| seen.line().terminal()).collect();
        assert_eq!(played.play.outcome, Ok(()), "{}\n{}", scenario.id, timeline.join("\n"));
        let found = judge(&played.scenario, trace, &Ending::Complete, &played.times);
        for judged in found.judged {
            let Judgement::Passed = judged.judgement else {
                panic!("{}: {judged:?}\n{}", scenario.id, timeline.join("\n"));
            };
        }
        assert_eq!(found.violations, [], "{}\n{}", scenario.id, timeline.join("\n"));
    }
}

/// PING-3 counts from the oldest unanswered ping: with a `pong_timeout` above `ping_interval` there are newer ones.
#[test]
fn a_pong_timeout_may_be_longer_than_the_ping_interval() {
    for filter in ["client/ping/**", "client/network/**"] {
        are_right(filter, &impatient(), Boundary::default);
    }
}

/// HB-2 likewise, of gateways.
#[test]
fn a_gateways_pong_timeout_may_be_longer_than_its_ping_interval() {
    are_right("gateway/heartbeat/**", &impatient(), Boundary::default);
}

/// MSG-7: a heartbeat message may come while a client's own message lacks its last frame. It is answered behind that, since a message
/// within another one ends the connection (RFC 6455 section 5.4).
#[test]
fn heartbeat_messages_are_answered_between_messages() {
    let timing = Timing {
        ping_interval: Duration::from_millis(400),
        pong_timeout: Duration::from_secs(5),
        ..impatient()
    };
    let dialect = Dialect { heartbeat: Heartbeat::Message, ..Dialect::default() };
    are_right_in(&dialect, "gateway/rfc6455/utf8/fail-fast", &timing, Boundary::default);
}

/// Takes the list of rooms out of each welcome.
struct WithoutRooms;

impl Wire for WithoutRooms {
    fn down(&mut self, frame: RawFrame) -> Passed {
        let message = serde_json::from_slice::<Value>(&frame.payload).ok();
        let shortened = message.filter(|message| message["type"] == "connection:established");
        let frame = match shortened {
            Some(mut message) => {
                if let Some(payload) = message["payload"].as_object_mut() {
                    payload.remove("rooms");
                }
                RawFrame::text(message.to_string())
            }
            None => frame,
        };
        Passed { down: vec![frame], ..Passed::default() }
    }
}

/// A welcome that names no rooms is a finding of CONN-4 in its own case; the heartbeat's cases do not wait for one that can be read.
#[test]
fn a_welcome_without_rooms_delays_no_heartbeat() {
    fn boundary() -> Boundary {
        Boundary { wire: Some(Arc::new(|_| Some(Box::new(WithoutRooms)))), ..Boundary::default() }
    }
    are_right("gateway/heartbeat/**", &Timing::default(), boundary);
}

/// Says 1012 where the gateway closes with 1001.
struct Restarting;

impl Wire for Restarting {
    fn down(&mut self, mut frame: RawFrame) -> Passed {
        // No text begins so.
        let going_away = 1001_u16.to_be_bytes();
        if frame.payload.starts_with(&going_away) {
            frame.payload[..2].copy_from_slice(&1012_u16.to_be_bytes());
        }
        Passed { down: vec![frame], ..Passed::default() }
    }
}

/// CONN-6: a server that ends for a restart says so by 1012, as uvicorn does.
#[test]
fn a_gateway_may_close_for_a_restart() {
    fn boundary() -> Boundary {
        Boundary { wire: Some(Arc::new(|_| Some(Box::new(Restarting)))), ..Boundary::default() }
    }
    are_right("gateway/connections/shutdown", &Timing::default(), boundary);
}
