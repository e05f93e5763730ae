//! Clients that lose, repeat or mix up what they send.

use scenarios::frame::RawFrame;
use serde_json::{Value, json};

use super::Mutant;
use super::lines::{Change, answered, asked, configured, lines, reported};
use super::wire::{Change as OnWire, SharedState, is, message, nothing, up, wire};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "client/the-queue-is-a-stack",
        requirement: "QUEUE-1",
        about: "What was queued goes out newest first.",
        boundary: || {
            wire(|_| {
                let mut held = None;
                OnWire::default().up(move |frame| {
                    if !is_own(&frame) {
                        return up(held.take().into_iter().chain([frame]));
                    }
                    match held.take() {
                        Some(earlier) => up([frame, earlier]),
                        None => {
                            held = Some(frame);
                            nothing()
                        }
                    }
                })
            })
        },
    },
    Mutant {
        id: "client/a-queue-for-each-type",
        requirement: "QUEUE-1",
        about: "Messages are queued by their type, and the types are flushed one after the other.",
        boundary: || {
            wire(|_| {
                let mut held: Vec<RawFrame> = Vec::new();
                OnWire::default().up(move |frame| {
                    if is(&frame, "note") && held.is_empty() || !is_own(&frame) {
                        return up([frame]);
                    }
                    held.push(frame);
                    // As many as are not notes when the last note has gone out.
                    if held.len() < 4 {
                        return nothing();
                    }
                    let mut held = std::mem::take(&mut held);
                    held.sort_by_key(|frame| !is(frame, "note"));
                    up(held)
                })
            })
        },
    },
    Mutant {
        id: "client/loses-what-is-sent-while-connecting",
        requirement: "QUEUE-1",
        about: "What is sent is queued while the client is disconnected or reconnecting; `connecting` was forgotten.",
        boundary: || {
            let is_connecting = SharedState::<bool>::new();
            lines(move || {
                let (announces, asks) = (is_connecting.clone(), is_connecting.clone());
                Change::default()
                    .report(move |line| {
                        if line["event"] == "status" {
                            announces.with(|is_connecting| *is_connecting = line["status"] == "connecting");
                        }
                        reported([line])
                    })
                    .request(move |line| {
                        let is_lost = line["op"] == "send" && asks.with(|is_connecting| *is_connecting);
                        if is_lost { answered(&line) } else { asked([line]) }
                    })
            })
        },
    },
    Mutant {
        id: "client/the-first-of-the-queue-is-lost",
        requirement: "QUEUE-1",
        about: "The flush begins behind the first message.",
        boundary: || {
            wire(|_| {
                let mut first = true;
                OnWire::default().up(move |frame| {
                    if is_own(&frame) && std::mem::take(&mut first) { nothing() } else { up([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "client/connected-is-emitted-too-early",
        requirement: "QUEUE-2",
        about: "`connected` is emitted before the status is set.",
        boundary: || {
            lines(|| {
                let mut held: Option<Value> = None;
                Change::default().report(move |line| {
                    if line["status"] == "connected" && line["event"] == "status" {
                        held = Some(line);
                        return reported([]);
                    }
                    let emitted = line["event"] == "emit" && line["name"] == "connected";
                    if emitted { reported([line].into_iter().chain(held.take())) } else { reported([line]) }
                })
            })
        },
    },
    Mutant {
        id: "client/the-queue-has-no-end",
        requirement: "QUEUE-3",
        about: "The queue is not bounded.",
        boundary: || configured("queueCapacity", |_| json!(1_000_000)),
    },
    Mutant {
        id: "client/the-flush-begins-anew",
        requirement: "QUEUE-4",
        about: "The queue is emptied when all of it is sent; a connection that dies in between has all of it sent again.",
        boundary: || {
            let sent = SharedState::<Vec<RawFrame>>::new();
            wire(move |number| {
                let (sent, mut first) = (sent.clone(), true);
                OnWire::default().up(move |frame| {
                    if !is_own(&frame) {
                        return up([frame]);
                    }
                    if number == 0 {
                        sent.with(|sent| sent.push(frame.clone()));
                        return up([frame]);
                    }
                    let again =
                        if std::mem::take(&mut first) { sent.with(std::mem::take) } else { Vec::new() };
                    up(again.into_iter().chain([frame]))
                })
            })
        },
    },
    Mutant {
        id: "client/a-short-life-counts-for-nothing",
        requirement: "QUEUE-4",
        about: "What was flushed goes back to the queue where its connection ends soon, sent or not.",
        boundary: || {
            let sent = SharedState::<Vec<RawFrame>>::new();
            wire(move |_| {
                let (sent, mut again) = (sent.clone(), sent.with(std::mem::take));
                OnWire::default().up(move |frame| {
                    if is_own(&frame) {
                        sent.with(|sent| sent.push(frame.clone()));
                    }
                    up(std::mem::take(&mut again).into_iter().chain([frame]))
                })
            })
        },
    },
    Mutant {
        id: "client/offline-subscriptions-go-out-twice",
        requirement: "QUEUE-5",
        about: "A subscription made offline is queued as a message, and renewed on opening.",
        boundary: || {
            wire(|number| match number {
                0 => OnWire::default().up(|frame| {
                    if is(&frame, "subscribe") { up([frame.clone(), frame]) } else { up([frame]) }
                }),
                _ => OnWire::default(),
            })
        },
    },
];

/// Whether a frame is a message of the application's own.
fn is_own(frame: &RawFrame) -> bool {
    let known = ["ping", "pong", "subscribe", "unsubscribe"];
    message(frame).is_some_and(|message| {
        message["type"].is_string() && known.iter().all(|name| message["type"] != *name)
    })
}
