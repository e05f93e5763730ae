//! Subjects that do not come back, and what only some cases let them do.

use serde_json::json;
use sim::boundary::{Boundary, Failure, FailureKind};

use super::Mutant;
use super::lines::{Change, asked, lines, reported};
use super::wire::{Change as OnWire, SharedState, down, is, up, wire};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "gateway/dies-once-it-has-refused",
        requirement: "AUTH-2",
        about: "A token is refused as it must be, and the exception that was thrown for it ends the process.",
        boundary: || Boundary {
            failure: Some(Failure { from_step: 1, kind: FailureKind::Killed }),
            ..Boundary::default()
        },
    },
    Mutant {
        id: "client/never-returns-from-silence",
        requirement: "PING-3",
        about: "A heartbeat that times out is reported as `reconnecting`, and nothing dials again.",
        boundary: || {
            let unanswered = SharedState::<bool>::new();
            wire(move |_| {
                let (asks, hears, dials) = (unanswered.clone(), unanswered.clone(), unanswered.clone());
                OnWire::default()
                    // A request without a byte is a dial that does not take place.
                    .request(move |head| if dials.with(|waits| *waits) { String::new() } else { head })
                    .up(move |frame| {
                        if is(&frame, "ping") {
                            asks.with(|waits| *waits = true);
                        }
                        up([frame])
                    })
                    .down(move |frame| {
                        if is(&frame, "pong") {
                            hears.with(|waits| *waits = false);
                        }
                        down([frame])
                    })
            })
        },
    },
    Mutant {
        id: "client/listens-once-more-after-many-connections",
        requirement: "LIFE-2",
        about: "From the fiftieth connection on listeners are registered again with each.",
        boundary: || {
            lines(|| {
                let mut connections = 0;
                Change::default().report(move |line| {
                    connections += u32::from(line["status"] == "connected");
                    let is_twice = connections > 50 && line["event"] == "emit" && line["name"] != "connected";
                    if is_twice { reported([line.clone(), line]) } else { reported([line]) }
                })
            })
        },
    },
    Mutant {
        id: "client/one-more-ping-timer-after-many-connections",
        requirement: "LIFE-2",
        about: "From the fiftieth connection on a ping timer stays behind.",
        boundary: || {
            wire(|number| {
                OnWire::default().up(move |frame| {
                    if number > 50 && is(&frame, "ping") { up([frame.clone(), frame]) } else { up([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "client/a-new-token-skips-a-status",
        requirement: "STATE-2",
        about: "A connection that is replaced goes from `connected` to `connecting`.",
        boundary: || {
            lines(|| {
                let (renews, skipped) = (SharedState::<bool>::new(), SharedState::<bool>::new());
                let renewing = renews.clone();
                Change::default()
                    .request(move |line| {
                        renewing.with(|renews| *renews |= line["op"] == "set_token");
                        asked([line])
                    })
                    .report(move |mut line| {
                        let leaves = line["event"] == "status" && line["old"] == "connected";
                        if leaves && renews.with(std::mem::take) {
                            skipped.with(|skipped| *skipped = true);
                            return reported([]);
                        }
                        if line["event"] == "status" && skipped.with(std::mem::take) {
                            line["old"] = json!("connected");
                        }
                        reported([line])
                    })
            })
        },
    },
];
