//! A reference that fails at a step: what is lost is lost, and nothing else is.

use player::PlayError;
use scenarios::trace::Event;
use scenarios::{Library, Scenario};
use sim::boundary::{Boundary, Failure, FailureKind};
use sim::{Options, Played, play_through};

fn scenario(id: &str) -> Scenario {
    let library = Library::builtin().expect("the built-in scenarios are sound");
    library.iter().find(|scenario| scenario.id.0 == id).unwrap_or_else(|| panic!("{id} is built in")).clone()
}

fn fail(scenario: &Scenario, from_step: usize, kind: FailureKind) -> Played {
    let failure = Some(Failure { from_step, kind });
    let boundary = Boundary { failure, ..Boundary::default() };
    play_through(scenario, &Options::default(), boundary).expect("a reference that fails can be played")
}

/// The requirement that the play waited for in vain.
fn in_vain(played: &Played) -> Option<String> {
    played.play.trace.in_vain().map(|in_vain| in_vain.label.requirement().to_string())
}

/// A client that is frozen answers nothing, and one that is killed is gone; one whose wire is cut answers, and does not connect.
#[test]
fn clients_fail() {
    let scenario = scenario("client/messages/emitted");
    let frozen = fail(&scenario, 1, FailureKind::Frozen);
    assert!(matches!(frozen.play.outcome, Err(PlayError::Adapter(_))), "{:?}", frozen.play.outcome);
    let killed = fail(&scenario, 1, FailureKind::Killed);
    assert!(matches!(killed.play.outcome, Err(PlayError::SubjectDied(_))), "{:?}", killed.play.outcome);
    for kind in [FailureKind::Deaf, FailureKind::Mute] {
        let cut_off = fail(&scenario, 1, kind);
        assert_eq!((&cut_off.play.outcome, in_vain(&cut_off).as_deref()), (&Ok(()), Some("STATE-1")));
    }
}

/// A gateway that fails before the look whether it is alive is found out by that, in whatever way it fails: also one that is deaf,
/// whose heartbeats still come.
#[test]
fn gateways_fail() {
    let scenario = scenario("gateway/rooms/private");
    let last = scenario.actions().len() + 1;
    let killed = fail(&scenario, last, FailureKind::Killed);
    assert!(matches!(killed.play.outcome, Err(PlayError::SubjectDied(_))), "{:?}", killed.play.outcome);
    for kind in [FailureKind::Frozen, FailureKind::Deaf, FailureKind::Mute] {
        let failed = fail(&scenario, last, kind);
        assert_eq!((&failed.play.outcome, in_vain(&failed).as_deref()), (&Ok(()), Some("MSG-2")), "{kind:?}");
    }
}

/// A deaf gateway does not take what its broker delivers, so nothing of it is broadcast; a gateway that has not failed yet does.
#[test]
fn the_deaf_do_not_hear_their_broker() {
    let scenario = scenario("gateway/bridge/created-reaches-all");
    let last = scenario.actions().len();
    let is_broadcast = |from_step| {
        let played = fail(&scenario, from_step, FailureKind::Deaf);
        played.play.trace.observations.iter().any(
            |seen| matches!(&seen.event, Event::Received(frame) if frame.body.contains("payment:created")),
        )
    };
    assert_eq!([1, last].map(is_broadcast), [false, true]);
}

/// A frozen gateway does not end when it is asked to, nor goes on ending; a deaf one hears a signal.
#[test]
fn the_frozen_do_not_end() {
    let scenario = scenario("gateway/connections/shutdown");
    let asked = 1 + scenario.actions().iter().position(|action| action == "ask the gateway to end").unwrap();
    let has_ended = |(from_step, kind)| {
        let played = fail(&scenario, from_step, kind);
        played.play.trace.observations.iter().any(|seen| matches!(seen.event, Event::Ended { .. }))
    };
    let plays = [(asked, FailureKind::Frozen), (asked + 1, FailureKind::Frozen), (asked, FailureKind::Deaf)];
    assert_eq!(plays.map(has_ended), [false, false, true]);
}

/// Nothing is awaited on a connection that has ended: each of a hundred requests would be, for a second.
#[test]
fn no_answer_is_awaited_from_the_dead() {
    let scenario = scenario("gateway/rooms/limit");
    let played = fail(&scenario, 9, FailureKind::Deaf);
    let closed = |event: &Event| matches!(event, Event::Closed { .. });
    let observations = &played.play.trace.observations;
    let ended = observations.iter().find(|seen| closed(&seen.event)).expect("its heartbeat ends it");
    let last = observations.last().unwrap();
    assert!(last.at_us - ended.at_us < 20_000_000, "{} to {}", ended.at_us, last.at_us);
}
