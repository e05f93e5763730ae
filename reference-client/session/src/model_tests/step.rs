//! What can happen.

use proptest::prelude::*;

/// What happens next, as far as it can; where it cannot, nothing does.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Connect,
    Disconnect,
    Send,
    Subscribe(u8),
    Unsubscribe(u8),
    /// The application gives this token.
    SetToken(u8),
    /// The provider answers this token.
    TokenComes(u8),
    NoTokenComes,
    DialSucceeds,
    DialFails,
    DialIsRefused,
    ServerCloses(u16),
    ClosingEnds,
    /// A connection that is closing writes what it was given before.
    ClosingWrites,
    Written,
    Pong,
    /// A ping message comes.
    Ping,
    Event,
    Garbage,
    /// Time passes to the deadline, or by this many milliseconds where that is less or there is no deadline.
    Wait(u32),
    Deadline,
    /// A sign of a connection that is over.
    Late(u8),
}

/// How many tokens there are. Few, so that a refused one comes again.
const TOKENS: u8 = 3;
/// How many things there are to subscribe to.
const TARGETS: u8 = 3;
/// Kinds of late signs.
const SIGNS: u8 = 7;

pub(super) fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        3 => Just(Step::Connect),
        1 => Just(Step::Disconnect),
        3 => Just(Step::Send),
        2 => (0..TARGETS).prop_map(Step::Subscribe),
        1 => (0..TARGETS).prop_map(Step::Unsubscribe),
        1 => (0..TOKENS).prop_map(Step::SetToken),
        5 => (0..TOKENS).prop_map(Step::TokenComes),
        1 => Just(Step::NoTokenComes),
        6 => Just(Step::DialSucceeds),
        2 => Just(Step::DialFails),
        1 => Just(Step::DialIsRefused),
        2 => prop::sample::select(&[1000, 1001, 1006, 1008, 4401][..]).prop_map(Step::ServerCloses),
        2 => Just(Step::ClosingEnds),
        2 => Just(Step::ClosingWrites),
        5 => Just(Step::Written),
        2 => Just(Step::Pong),
        1 => Just(Step::Ping),
        1 => Just(Step::Event),
        1 => Just(Step::Garbage),
        2 => (0_u32..40_000).prop_map(Step::Wait),
        5 => Just(Step::Deadline),
        1 => (0..SIGNS).prop_map(Step::Late),
    ]
}
