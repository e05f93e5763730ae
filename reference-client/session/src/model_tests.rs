//! Arbitrary interleavings against a model that is written from the requirements, not from the machine.
//!
//! Whatever happens, in whatever order, with a token provider and without, with reconnection and without:
//!
//! * STATE-1, STATE-2: each change is announced from the status announced last, along a way that exists, and the status is that
//!   of the connection there is;
//! * STATE-3: a client that seeks a connection waits for something: an answer, the end of a socket, or a timer;
//! * STATE-4, BACKOFF-2: `max_reconnect_attempts` redials and no more, then one event and no dial;
//! * STATE-5, TOKEN-1: there is one socket at a time: a dial begins only when no other is under way, open, or closing;
//! * STATE-6: after `disconnect()` no timer is left and nothing is dialled until the next `connect()`;
//! * STATE-8: a refused token stops the client with one `error`, until a new token or the next `connect()`; a provider that
//!   returns the refused token again stops it too;
//! * DIAL-2: a dial, its question for a token included, is over by its timeout, and so is the wait for a closing socket;
//! * BACKOFF-1, BACKOFF-3, BACKOFF-6: the delay before a redial lies in its window, counted since a stable connection, and is
//!   reported beforehand; BACKOFF-4: without reconnection there is no redial;
//! * QUEUE-1, QUEUE-3, QUEUE-4: queued messages are offered in order, again after a dropped connection, never twice to one
//!   connection, nor again once written, even by a connection that was closing;
//! * QUEUE-5, SUB-1, SUB-2: a connection sends one subscribe per live subscription, and one unsubscribe for each that it
//!   subscribed and that ended, as soon as the earlier requests are written;
//! * IN-2: what a connection was given and has not written is bounded: the queue, the window of requests, one ping, one pong;
//! * PING-1, PING-3: pings keep the interval, on the open connection only, and one left unanswered ends it;
//! * TOKEN-1, TOKEN-2: a dial uses the newest token: what was given and not used yet, or what the provider answers for it;
//! * late inputs of an ended connection change nothing, and a handled timer does not stay due.
//!
//! More cases: `PROPTEST_CASES=100000 cargo test --release -p reference-session --lib model`.

mod step;
mod world;

use std::time::Duration;

use proptest::prelude::*;
use protocol::Timing;

use self::step::steps;
use self::world::World;

/// Messages that the queue holds; few, so that it is often full.
const CAPACITY: usize = 4;
/// Requests that wait to be written; few, so that some must wait longer.
const WINDOW: usize = 2;
/// Steps of the longest case.
const STEPS: usize = 120;

/// What is configured for one case.
#[derive(Debug, Clone, Copy)]
struct Variant {
    seed: u64,
    asks_for_token: bool,
    auto_reconnect: bool,
    /// Whether several pings go out before the first must be answered.
    quick_pings: bool,
}

impl Variant {
    fn timing(self) -> Timing {
        let s = Duration::from_secs;
        Timing {
            reconnect_delay: s(1),
            max_reconnect_delay: s(2),
            max_reconnect_attempts: 3,
            jitter: 0.2,
            ping_interval: if self.quick_pings { s(4) } else { s(30) },
            pong_timeout: s(10),
            connect_timeout: s(10),
            stable_after: s(5),
        }
    }
}

fn variants() -> impl Strategy<Value = Variant> {
    (any::<u64>(), any::<bool>(), prop::bool::weighted(0.9), prop::bool::weighted(0.3)).prop_map(
        |(seed, asks_for_token, auto_reconnect, quick_pings)| Variant {
            seed,
            asks_for_token,
            auto_reconnect,
            quick_pings,
        },
    )
}

proptest! {
    /// The invariants at the top hold, whatever happens in whatever order.
    #[test]
    fn the_invariants_hold(variant in variants(), steps in prop::collection::vec(steps(), 1..STEPS)) {
        let mut world = World::new(variant);
        for step in &steps {
            world.take(*step);
        }
    }
}
