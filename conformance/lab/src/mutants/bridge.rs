//! Gateways that hand events on badly.

use std::time::Duration;

use reference_server::broker::SourceEvent;
use serde_json::json;
use sim::boundary::{Boundary, Rejection, Terms};
use tungstenite::protocol::frame::coding::{Control, OpCode};

use super::Mutant;
use super::feed::{Change as Feeding, feed, says};
use super::wire::{Change, SharedState, down, is, message, wire, with};

/// Bytes of a message that is large.
const LARGE: usize = 4096;
/// Bytes of one that is larger than a client may send.
const HUGE: usize = 65536;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "gateway/payments-only",
        requirement: "BRIDGE-18",
        about: "The switch over event types knows payments: what is for a user alone goes nowhere.",
        boundary: || wire(|_| Change::default().silent(&["profile:updated", "session:ended"])),
    },
    Mutant {
        id: "gateway/payments-created-are-lost",
        requirement: "BRIDGE-2",
        about: "The switch over event types forgot one.",
        boundary: || {
            feed(|| {
                Feeding::default()
                    .event(|event| if says(&event, "payment:created") { Vec::new() } else { vec![event] })
            })
        },
    },
    Mutant {
        id: "gateway/payload-is-the-whole-event",
        requirement: "BRIDGE-2",
        about: "The payload is the event instead of its `data`.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| {
                    if !is(&frame, "payment:created") {
                        return down([frame]);
                    }
                    let data = message(&frame).unwrap_or_default()["payload"].take();
                    down([with(&frame, "payload", json!({ "type": "payment:created", "data": data }))])
                })
            })
        },
    },
    Mutant {
        id: "gateway/failed-payments-are-lost",
        requirement: "BRIDGE-3",
        about: "The switch over event types forgot `payment:failed`.",
        boundary: || wire(|_| Change::default().silent(&["payment:failed"])),
    },
    Mutant {
        id: "gateway/an-event-for-each-room",
        requirement: "BRIDGE-5",
        about: "Each of an event's rooms gets a copy, whoever is in several of them.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| {
                    if is(&frame, "payment:updated") { down([frame.clone(), frame]) } else { down([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "gateway/sessions-end-twice",
        requirement: "BRIDGE-5",
        about: "An event for a user goes to the user's room, and once more to each of the user's sessions.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| {
                    if is(&frame, "session:ended") { down([frame.clone(), frame]) } else { down([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "gateway/alerts-come-twice",
        requirement: "BRIDGE-5",
        about: "An alert goes to the role's room, and once more to each administrator.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| {
                    if is(&frame, "admin:alert") { down([frame.clone(), frame]) } else { down([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "gateway/events-overtake",
        requirement: "BRIDGE-6",
        about: "Events are handled side by side, and the quicker one comes first.",
        boundary: || {
            wire(|_| {
                let mut held = None;
                Change::default().down(move |frame| {
                    if !is(&frame, "payment:created") {
                        return down(held.take().into_iter().chain([frame]));
                    }
                    match held.take() {
                        Some(earlier) => down([frame, earlier]),
                        None => {
                            held = Some(frame);
                            super::wire::nothing()
                        }
                    }
                })
            })
        },
    },
    Mutant {
        id: "gateway/events-of-owners-overtake",
        requirement: "BRIDGE-6",
        about: "An event that names an owner waits for a look-up of that owner, each by itself.",
        boundary: || {
            wire(|_| {
                let mut held = None;
                Change::default().down(move |frame| {
                    if !is(&frame, "profile:updated") || held.is_some() {
                        return down([frame].into_iter().chain(held.take()));
                    }
                    held = Some(frame);
                    super::wire::nothing()
                })
            })
        },
    },
    Mutant {
        id: "gateway/alerts-overtake",
        requirement: "BRIDGE-6",
        about: "Alerts have a consumer of their own, which waits for a look-up with every second one.",
        boundary: || {
            wire(|_| {
                let mut held = None;
                Change::default().down(move |frame| {
                    if !is(&frame, "admin:alert") || held.is_some() {
                        return down([frame].into_iter().chain(held.take()));
                    }
                    held = Some(frame);
                    super::wire::nothing()
                })
            })
        },
    },
    Mutant {
        id: "gateway/large-private-events-are-lost",
        requirement: "BRIDGE-18",
        about: "What is for a user or a role is handed over through a channel that refuses large messages.",
        boundary: || wire(|_| lost_if_huge(&["profile:updated", "admin:alert"])),
    },
    Mutant {
        id: "gateway/large-events-for-subscribers-are-lost",
        requirement: "ROOM-1",
        about: "What is for a room is handed over through a channel that refuses large messages.",
        boundary: || wire(|_| lost_if_huge(&["catalog:changed"])),
    },
    Mutant {
        id: "gateway/large-events-are-overtaken",
        requirement: "BRIDGE-6",
        about: "Large events are compressed by another thread, and small ones do not wait for it.",
        boundary: || {
            wire(|_| {
                let mut held = None;
                Change::default().down(move |frame| {
                    if frame.payload.len() < LARGE || held.is_some() {
                        return down([frame].into_iter().chain(held.take()));
                    }
                    held = Some(frame);
                    super::wire::nothing()
                })
            })
        },
    },
    Mutant {
        id: "gateway/acknowledges-before-it-hands-on",
        requirement: "BRIDGE-7",
        about: "A delivery is acknowledged as it comes, and its event waits for a worker.",
        boundary: || {
            feed(|| Feeding::default().acknowledges_before(Duration::from_millis(30)).acknowledge(|_| None))
        },
    },
    Mutant {
        id: "gateway/consumes-without-acknowledgements",
        requirement: "BRIDGE-19",
        about: "Messages are consumed with `no-ack`: what the broker has sent, it has forgotten.",
        boundary: || feed(|| Feeding::default().terms(Terms { acknowledges: false, ..Terms::default() })),
    },
    Mutant {
        id: "gateway/poison-is-acknowledged",
        requirement: "BRIDGE-8",
        about: "A body that is no event is acknowledged like any other: no dead-letter exchange gets it.",
        boundary: || feed(|| Feeding::default().reject(Rejection::Acknowledged)),
    },
    Mutant {
        id: "gateway/hammers-its-broker",
        requirement: "BRIDGE-9",
        about: "The broker is dialled again as soon as a dial has failed.",
        boundary: || {
            let reconnect = Duration::from_millis(2);
            feed(move || Feeding::default().terms(Terms { reconnect, ..Terms::default() }))
        },
    },
    Mutant {
        id: "gateway/nothing-is-acknowledged",
        requirement: "BRIDGE-7",
        about: "Messages are consumed with acknowledgements, and none is sent.",
        boundary: || feed(|| Feeding::default().acknowledge(|_| None)),
    },
    Mutant {
        id: "gateway/the-last-is-not-acknowledged",
        requirement: "BRIDGE-7",
        about: "Acknowledgements are sent for batches that are full, and the last one never is.",
        boundary: || {
            feed(|| {
                let mut count = 0;
                Feeding::default().acknowledge(move |tag| {
                    count += 1;
                    (count % 1000 == 0).then_some(tag)
                })
            })
        },
    },
    Mutant {
        id: "gateway/events-without-an-owner-are-forgotten",
        requirement: "BRIDGE-13",
        about: "An event whose owner is not there is passed over before it comes to be acknowledged.",
        boundary: || {
            feed(|| {
                let mut held = Unsettled::default();
                Feeding::default().event(move |event| {
                    let is_for_nobody = says(&event, "profile:updated") && !says(&event, "userId");
                    held.pass(event, is_for_nobody)
                })
            })
        },
    },
    Mutant {
        id: "gateway/events-without-a-listener-are-forgotten",
        requirement: "BRIDGE-13",
        about: "While no client is connected, nothing calls what acknowledges.",
        boundary: || {
            let open = SharedState::<usize>::new();
            let fed = open.clone();
            let feed = feed(move || {
                let (fed, mut held) = (fed.clone(), Unsettled::default());
                Feeding::default().event(move |event| {
                    let is_for_nobody = fed.with(|open| *open == 0);
                    held.pass(event, is_for_nobody)
                })
            });
            let wire = wire(move |_| {
                open.with(|open| *open += 1);
                let left = open.clone();
                Change::default().up(move |frame| {
                    if frame.opcode == OpCode::Control(Control::Close) {
                        left.with(|open| *open = open.saturating_sub(1));
                    }
                    super::wire::up([frame])
                })
            });
            Boundary { wire: wire.wire, ..feed }
        },
    },
    Mutant {
        id: "gateway/watches-its-connection-alone",
        requirement: "BRIDGE-14",
        about: "What ends a consumer or a channel has no handler; only the end of the connection has.",
        boundary: || feed(|| Feeding::default().terms(Terms { recovers: false, ..Terms::default() })),
    },
    Mutant {
        id: "gateway/no-heartbeat-with-its-broker",
        requirement: "BRIDGE-15",
        about: "The heartbeat is set to 0, which stopped the log's complaints about one that was missed.",
        boundary: || feed(|| Feeding::default().terms(Terms { beats: false, ..Terms::default() })),
    },
    Mutant {
        id: "gateway/takes-a-backlog-whole",
        requirement: "BRIDGE-16",
        about: "No prefetch is asked for, and the default is no limit.",
        boundary: || feed(|| Feeding::default().terms(Terms { prefetch: 0, ..Terms::default() })),
    },
    Mutant {
        id: "gateway/a-prefetch-that-limits-nothing",
        requirement: "BRIDGE-16",
        about: "The greatest number there is stands for no limit.",
        boundary: || feed(|| Feeding::default().terms(Terms { prefetch: u16::MAX, ..Terms::default() })),
    },
    Mutant {
        id: "gateway/leaves-its-queues",
        requirement: "BRIDGE-17",
        about: "Each connection to the broker makes a durable queue with a name of its own.",
        boundary: || feed(|| Feeding::default().terms(Terms { queues_anew: true, ..Terms::default() })),
    },
    Mutant {
        id: "gateway/a-broker-that-goes-is-gone",
        requirement: "BRIDGE-9",
        about: "The broker is dialled once, at the start.",
        boundary: || {
            feed(|| {
                let mut gone = false;
                Feeding::default().event(move |event| {
                    gone |= event == SourceEvent::Down;
                    if gone && event != SourceEvent::Down { Vec::new() } else { vec![event] }
                })
            })
        },
    },
    Mutant {
        id: "gateway/alerts-are-not-consumed-again",
        requirement: "BRIDGE-9",
        about: "Alerts have a queue of their own, which is consumed once, at the start.",
        boundary: || {
            feed(|| {
                let mut gone = false;
                Feeding::default().event(move |event| {
                    gone |= event == SourceEvent::Down;
                    if gone && says(&event, "admin:alert") { Vec::new() } else { vec![event] }
                })
            })
        },
    },
    Mutant {
        id: "gateway/instances-share-a-queue",
        requirement: "BRIDGE-11",
        about: "Two gateways take turns at one queue.",
        boundary: || {
            let made = SharedState::<usize>::new();
            feed(move || {
                let number = made.with(|made| {
                    *made += 1;
                    *made
                });
                let mut count = 0;
                Feeding::default().event(move |event| {
                    count += usize::from(matches!(event, SourceEvent::Delivery { .. }));
                    let mine = !matches!(event, SourceEvent::Delivery { .. }) || count % 2 == number % 2;
                    if mine { vec![event] } else { Vec::new() }
                })
            })
        },
    },
    Mutant {
        id: "gateway/poison-stops-the-bridge",
        requirement: "BRIDGE-8",
        about: "A body that is no event ends the consumer.",
        boundary: || {
            feed(|| {
                let mut ended = false;
                Feeding::default().event(move |event| {
                    let SourceEvent::Delivery { body, .. } = &event else { return vec![event] };
                    let shape = serde_json::from_slice::<serde_json::Value>(body).unwrap_or_default();
                    ended |= !shape["type"].is_string();
                    if ended { Vec::new() } else { vec![event] }
                })
            })
        },
    },
    Mutant {
        id: "gateway/poison-stops-alerts",
        requirement: "BRIDGE-8",
        about: "Alerts have a handler of their own, which ends on a body that is no event.",
        boundary: || {
            feed(|| {
                let mut ended = false;
                Feeding::default().event(move |event| {
                    ended |= says(&event, "this is not JSON");
                    if ended && says(&event, "admin:alert") { Vec::new() } else { vec![event] }
                })
            })
        },
    },
    Mutant {
        id: "gateway/alerts-without-a-listener-are-forgotten",
        requirement: "BRIDGE-13",
        about: "While no administrator is connected, nothing calls what acknowledges an alert.",
        boundary: || {
            feed(|| {
                let mut held = Unsettled::default();
                Feeding::default().event(move |event| {
                    let is_for_nobody = says(&event, "admin:alert") && !says(&event, "addressed");
                    held.pass(event, is_for_nobody)
                })
            })
        },
    },
    Mutant {
        id: "gateway/slow-readers-go-without-a-word",
        requirement: "BRIDGE-12",
        about: "A reader that is too slow is cut off without 1013.",
        boundary: || wire(|_| Change::default().speechless(1013)),
    },
];

/// Lets no message of these types through that is too large.
fn lost_if_huge(types: &'static [&'static str]) -> Change {
    Change::default().down(move |frame| {
        let is_lost = frame.payload.len() > HUGE && types.iter().any(|name| is(&frame, name));
        if is_lost { super::wire::nothing() } else { down([frame]) }
    })
}

/// Deliveries that are never settled, as a consumer has them that settles each by itself. Once there are as many as it may have, it
/// gets no others.
#[derive(Default)]
struct Unsettled(usize);

/// How many deliveries a consumer may have unsettled.
const PREFETCH: usize = 10;

impl Unsettled {
    fn pass(&mut self, event: SourceEvent, is_forgotten: bool) -> Vec<SourceEvent> {
        let SourceEvent::Delivery { .. } = &event else {
            self.0 = 0;
            return vec![event];
        };
        self.0 += usize::from(is_forgotten);
        if is_forgotten || self.0 >= PREFETCH { Vec::new() } else { vec![event] }
    }
}
