//! Clients that deal with one kind of failure in another way than with all the others.

use serde_json::{Value, json};
use sim::boundary::{AdapterLine, Boundary};

use super::Mutant;
use super::lines::{Change, asked, lines, reported};
use super::wire::{Change as OnWire, SharedState, is, up, wire};

/// Where the ids of requests begin that no judge has made.
const OWN_ID: u64 = 1 << 32;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "client/dials-that-time-out-are-no-error",
        requirement: "STATE-3",
        about: "The timer of a dial goes straight to `reconnecting`; the handlers of its failures go by `error`.",
        boundary: || {
            let waiting = SharedState::<bool>::new();
            let dials = waiting.clone();
            let mut boundary = without_an_error(move || waiting.with(|waiting| *waiting));
            boundary.wire = wire(move |_| {
                let (asks, hears) = (dials.clone(), dials.clone());
                // A client whose timer ends a dial says so before its connection is gone; a dial that fails is gone before.
                let ends = WhenDropped(dials.clone());
                OnWire::default()
                    .request(move |head| {
                        let _ = &ends;
                        asks.with(|waiting| *waiting = true);
                        head
                    })
                    .answer(move |text| {
                        hears.with(|waiting| *waiting = false);
                        text
                    })
            })
            .wire;
            boundary
        },
    },
    Mutant {
        id: "client/an-unavailable-gateway-is-no-error",
        requirement: "STATE-3",
        about: "The library reports a status in another way than a failure, and `error` is announced for that alone.",
        boundary: || {
            let unavailable = SharedState::<bool>::new();
            let answers = unavailable.clone();
            let mut boundary = without_an_error(move || unavailable.with(std::mem::take));
            boundary.wire = wire(move |_| {
                let answers = answers.clone();
                OnWire::default().answer(move |text| {
                    answers.with(|unavailable| *unavailable = text.starts_with("HTTP/1.1 503 "));
                    text
                })
            })
            .wire;
            boundary
        },
    },
    Mutant {
        id: "client/a-listener-that-fails-on-an-error-ends-the-reconnecting",
        requirement: "SUB-3",
        about: "`error` is emitted before the delay begins, and an exception of its listener leaves the handler.",
        boundary: || {
            lines(|| {
                let (broken, mut is_over) = (SharedState::<bool>::new(), false);
                let breaks = broken.clone();
                Change::default()
                    .request(move |line| {
                        let fails = line["op"] == "on" && line["name"] == "error" && line["fails"] == true;
                        breaks.with(|broken| *broken |= fails);
                        asked([line])
                    })
                    .report(move |line| {
                        let is_own = line["id"] == OWN_ID;
                        if is_own || (is_over && line["event"] == "status") {
                            return reported([]);
                        }
                        if line["status"] == "error" && broken.with(|broken| *broken) {
                            is_over = true;
                            let to_adapter = vec![json!({ "id": OWN_ID, "op": "disconnect" })];
                            return AdapterLine { to_adapter, to_judge: vec![line] };
                        }
                        reported([line])
                    })
            })
        },
    },
    Mutant {
        id: "client/a-listener-that-fails-as-it-gives-up-stops-the-others",
        requirement: "SUB-3",
        about: "Listeners of messages are called one by one, those of the last failure in a bare loop.",
        boundary: || {
            lines(|| {
                Change::default().report(|line| {
                    let is_last = line["name"] == "max_reconnect_attempts" && line["listener"] == "second";
                    if is_last { reported([]) } else { reported([line]) }
                })
            })
        },
    },
    Mutant {
        id: "client/pings-doubled-after-a-new-token",
        requirement: "PING-1",
        about: "What ends a connection for a new token does not stop its timer.",
        boundary: || doubled_after("set_token"),
    },
    Mutant {
        id: "client/pings-doubled-after-disconnecting",
        requirement: "PING-1",
        about: "`disconnect()` does not stop the timer of the pings, which the next connection finds.",
        boundary: || doubled_after("disconnect"),
    },
];

/// A client that goes straight to `reconnecting` where it would announce an error, and this holds.
fn without_an_error(holds: impl Fn() -> bool + Clone + Send + Sync + 'static) -> Boundary {
    lines(move || {
        let holds = holds.clone();
        let mut is_left_out = false;
        Change::default().report(move |mut line| {
            if line["event"] != "status" {
                return reported([line]);
            }
            if line["status"] == "error" && holds() {
                is_left_out = true;
                return reported([]);
            }
            if std::mem::take(&mut is_left_out) {
                line["old"] = json!("connecting");
            }
            reported([line])
        })
    })
}

/// A client whose pings go out twice on whatever connection follows this request.
fn doubled_after(op: &'static str) -> Boundary {
    let doubled = SharedState::<bool>::new();
    let is_doubled = doubled.clone();
    let mut boundary = lines(move || {
        let doubled = doubled.clone();
        Change::default().request(move |line: Value| {
            doubled.with(|doubled| *doubled |= line["op"] == op);
            asked([line])
        })
    });
    boundary.wire = wire(move |number| {
        let is_doubled = is_doubled.clone();
        OnWire::default().up(move |frame| {
            let is_twice = number > 0 && is(&frame, "ping") && is_doubled.with(|doubled| *doubled);
            if is_twice { up([frame.clone(), frame]) } else { up([frame]) }
        })
    })
    .wire;
    boundary
}

/// Says that no dial waits any more, once its connection is gone.
struct WhenDropped(SharedState<bool>);

impl Drop for WhenDropped {
    fn drop(&mut self) {
        self.0.with(|waiting| *waiting = false);
    }
}
