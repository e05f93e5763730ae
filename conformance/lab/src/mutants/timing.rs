//! Clients that are too quick, too slow, or do not stop.

use serde_json::{Value, json};

use super::Mutant;
use super::lines::configured;
use super::wire::{Change, is, up, wire};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "client/delay-is-not-capped",
        requirement: "BACKOFF-1",
        about: "Delays double for ever.",
        boundary: || configured("maxReconnectDelay", |given| times(given, 1000)),
    },
    Mutant {
        id: "client/delay-begins-doubled",
        requirement: "BACKOFF-1",
        about: "The exponent begins at one.",
        boundary: || configured("reconnectDelay", |given| times(given, 2)),
    },
    Mutant {
        id: "client/one-attempt-too-many",
        requirement: "BACKOFF-2",
        about: "`<=` instead of `<`.",
        boundary: || configured("maxReconnectAttempts", |given| json!(given.as_u64().unwrap_or(10) + 1)),
    },
    Mutant {
        id: "client/one-attempt-too-few",
        requirement: "BACKOFF-2",
        about: "The first dial is counted as a redial.",
        boundary: || configured("maxReconnectAttempts", |given| json!(given.as_u64().unwrap_or(10) - 1)),
    },
    Mutant {
        id: "client/success-does-not-reset",
        requirement: "BACKOFF-3",
        about: "The count of attempts is never reset.",
        boundary: || configured("stableAfter", |_| json!(3_600_000)),
    },
    Mutant {
        id: "client/always-reconnects",
        requirement: "BACKOFF-4",
        about: "`autoReconnect` is not looked at.",
        boundary: || configured("autoReconnect", |_| json!(true)),
    },
    Mutant {
        id: "client/returns-in-lockstep",
        requirement: "BACKOFF-5",
        about: "There is no jitter.",
        boundary: || configured("jitter", |_| json!(0.0)),
    },
    Mutant {
        id: "client/hammers-who-accepts-and-closes",
        requirement: "BACKOFF-6",
        about: "Any open connection resets the count.",
        boundary: || configured("stableAfter", |_| json!(0)),
    },
    Mutant {
        id: "client/dials-hang",
        requirement: "DIAL-2",
        about: "A dial has no timeout.",
        boundary: || configured("connectTimeout", |given| times(given, 1000)),
    },
    Mutant {
        id: "client/pings-at-half-the-rate",
        requirement: "PING-1",
        about: "The interval is that of another setting.",
        boundary: || configured("pingInterval", |given| times(given, 2)),
    },
    Mutant {
        id: "client/pings-doubled",
        requirement: "PING-1",
        about: "The old timer goes on after a reconnect.",
        boundary: || {
            wire(|number| match number {
                0 => Change::default(),
                _ => Change::default()
                    .up(|frame| if is(&frame, "ping") { up([frame.clone(), frame]) } else { up([frame]) }),
            })
        },
    },
    Mutant {
        id: "client/silence-is-not-noticed",
        requirement: "PING-3",
        about: "No pong timeout is set.",
        boundary: || configured("pongTimeout", |given| times(given, 1000)),
    },
    Mutant {
        id: "client/silence-is-noticed-too-early",
        requirement: "PING-3",
        about: "A pong is waited for half as long as it may take.",
        boundary: || configured("pongTimeout", |given| json!(given.as_u64().unwrap_or(1000) / 2)),
    },
];

fn times(given: &Value, factor: u64) -> Value {
    json!(given.as_u64().unwrap_or(1000) * factor)
}
