//! Gateways that take rooms lightly.

use scenarios::frame::RawFrame;
use serde_json::{Value, json};
use sim::boundary::{Boundary, Passed};

use super::Mutant;
use super::connection::user;
use super::wire::{Change, SharedState, down, is, message, nothing, text, up, wire, with};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "gateway/subscribers-hear-nothing",
        requirement: "ROOM-1",
        about: "The subscription is acknowledged and forgotten.",
        boundary: || wire(|_| Change::default().silent(&["catalog:changed"])),
    },
    Mutant {
        id: "gateway/a-room-is-joined-once",
        requirement: "ROOM-1",
        about: "Requests are recognized as repeated by a list that leaving a room does not change.",
        boundary: || {
            wire(|_| {
                let left = SharedState::<bool>::new();
                let leaves = left.clone();
                Change::default()
                    .up(move |frame| {
                        leaves.with(|left| *left |= is(&frame, "unsubscribe"));
                        up([frame])
                    })
                    .down(move |frame| {
                        let is_missed = is(&frame, "catalog:changed") && left.with(|left| *left);
                        if is_missed { nothing() } else { down([frame]) }
                    })
            })
        },
    },
    Mutant {
        id: "gateway/unsubscribing-changes-nothing",
        requirement: "ROOM-2",
        about: "Leaving a room is acknowledged and forgotten.",
        boundary: || {
            wire(|_| {
                Change::default().up(|frame| {
                    if !is(&frame, "unsubscribe") {
                        return up([frame]);
                    }
                    let payload = message(&frame).unwrap_or_default()["payload"].take();
                    let answer = json!({ "type": "unsubscribed", "payload": payload, "timestamp": "2025-12-23T10:00:00.000Z" });
                    down([text(&answer)])
                })
            })
        },
    },
    Mutant {
        id: "gateway/leaves-nothing-while-in-several",
        requirement: "ROOM-2",
        about: "Leaving a room is acknowledged, and done where it is the only one.",
        boundary: || leaving(|joined, asked| if joined.len() > 1 { Vec::new() } else { vec![asked] }),
    },
    Mutant {
        id: "gateway/leaves-the-first",
        requirement: "ROOM-2",
        about: "The room that was joined first is left, whichever was asked for.",
        boundary: || leaving(|joined, asked| vec![joined.first().cloned().unwrap_or(asked)]),
    },
    Mutant {
        id: "gateway/leaves-the-last",
        requirement: "ROOM-2",
        about: "The room that was joined last is left, whichever was asked for.",
        boundary: || leaving(|joined, asked| vec![joined.last().cloned().unwrap_or(asked)]),
    },
    Mutant {
        id: "gateway/leaves-all",
        requirement: "ROOM-1",
        about: "A request to leave one room leaves all that were joined.",
        boundary: || leaving(|joined, asked| joined.iter().cloned().chain([asked]).collect()),
    },
    Mutant {
        id: "gateway/private-rooms-are-open",
        requirement: "ROOM-3",
        about: "Whoever asks for a user's room joins it.",
        boundary: || overheard(|room| room.starts_with("user:")),
    },
    Mutant {
        id: "gateway/rooms-are-private-as-they-begin",
        requirement: "ROOM-3",
        about: "A room is one's own if its name begins with that of one's own room.",
        boundary: || {
            near_by(|own, asked| {
                asked.strip_prefix("user:").is_some_and(|asked| asked != own && asked.starts_with(own))
            })
        },
    },
    Mutant {
        id: "gateway/beginnings-of-rooms-are-private",
        requirement: "ROOM-3",
        about: "A room is one's own if the name of one's own room begins with its name.",
        boundary: || {
            near_by(|own, asked| {
                asked.strip_prefix("user:").is_some_and(|asked| asked != own && own.starts_with(asked))
            })
        },
    },
    Mutant {
        id: "gateway/users-differ-by-more-than-case",
        requirement: "ROOM-3",
        about: "Whose a room is is compared without regard to case.",
        boundary: || {
            near_by(|own, asked| {
                asked
                    .strip_prefix("user:")
                    .is_some_and(|asked| asked != own && asked.eq_ignore_ascii_case(own))
            })
        },
    },
    Mutant {
        id: "gateway/names-are-folded-after-the-check",
        requirement: "ROOM-3",
        about: "A room's name is put into lower case when its members are looked up, and was checked before that.",
        boundary: || overheard(|room| !room.starts_with("user:") && room.to_lowercase().starts_with("user:")),
    },
    Mutant {
        id: "gateway/names-are-trimmed-after-the-check",
        requirement: "ROOM-3",
        about: "White space around a room's name is taken off when it is joined, and was there when it was checked.",
        boundary: || overheard(|room| !room.starts_with("user:") && room.trim().starts_with("user:")),
    },
    Mutant {
        id: "gateway/role-names-are-folded-after-the-check",
        requirement: "ROOM-3",
        about: "The name of a role's room is put into lower case when its members are looked up, and was checked before that.",
        boundary: || {
            overheard_of("admin:alert", |room| {
                !room.starts_with("role:") && room.to_lowercase().starts_with("role:")
            })
        },
    },
    Mutant {
        id: "gateway/separators-are-replaced-after-the-check",
        requirement: "ROOM-3",
        about: "Colons are replaced for the layer below, where another name has the replacement from the start.",
        boundary: || overheard(|room| room.starts_with("user.")),
    },
    Mutant {
        id: "gateway/role-rooms-are-no-good-names",
        requirement: "ROOM-3",
        about: "A request for another role's room is answered as one for a bad name, not as one that is forbidden.",
        boundary: || {
            wire(|_| {
                let asked = SharedState::<bool>::new();
                let asks = asked.clone();
                Change::default()
                    .up(move |frame| {
                        let payload = message(&frame).unwrap_or_default()["payload"].take();
                        asks.with(|asked| *asked = payload.to_string().contains("role:"));
                        up([frame])
                    })
                    .down(move |frame| {
                        let mut payload = message(&frame).unwrap_or_default()["payload"].take();
                        if payload["code"] != "forbidden" || !asked.with(|asked| *asked) {
                            return down([frame]);
                        }
                        payload["code"] = json!("bad_room");
                        down([with(&frame, "payload", payload)])
                    })
            })
        },
    },
    Mutant {
        id: "gateway/role-rooms-are-joined-on-request",
        requirement: "ROOM-3",
        about: "Connections are not put into the room of their role; any connection may join any role's room.",
        boundary: || {
            wire(|_| {
                Change::default().silent(&["admin:alert"]).up(|frame| {
                    let target = message(&frame).unwrap_or_default()["payload"].take();
                    let is_of_role = target.to_string().contains("role:");
                    if !is(&frame, "subscribe") || !is_of_role {
                        return up([frame]);
                    }
                    let answer = json!({ "type": "subscribed", "payload": target, "timestamp": "2025-12-23T10:00:00.000Z" });
                    down([text(&answer)])
                })
            })
        },
    },
    Mutant {
        id: "gateway/bad-names-pass-in-silence",
        requirement: "ROOM-4",
        about: "A name that is none is ignored without a word.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| {
                    let bad = message(&frame).is_some_and(|message| message["payload"]["code"] == "bad_room");
                    if bad { nothing() } else { down([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "gateway/rooms-without-limit",
        requirement: "ROOM-5",
        about: "A connection may be in as many rooms as it asks for.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| {
                    let code = message(&frame).unwrap_or_default()["payload"]["code"].take();
                    if code == "too_many_rooms" { nothing() } else { down([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "gateway/twice-is-twice",
        requirement: "ROOM-5",
        about: "Members are a list: whoever subscribes twice hears everything twice.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| {
                    if is(&frame, "catalog:changed") { down([frame.clone(), frame]) } else { down([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "gateway/no-acknowledgement",
        requirement: "ROOM-6",
        about: "Subscriptions are not answered.",
        boundary: || wire(|_| Change::default().silent(&["subscribed", "unsubscribed"])),
    },
    Mutant {
        id: "gateway/private-events-leak",
        requirement: "BRIDGE-4",
        about: "Events of one user are broadcast, and filtered by the page.",
        boundary: everyone_overhears,
    },
    Mutant {
        id: "gateway/members-are-found-as-they-begin",
        requirement: "BRIDGE-4",
        about: "An event for a user goes to every room whose name begins with the user's.",
        boundary: || {
            let heard = SharedState::<Option<String>>::new();
            wire(move |_| {
                let own = SharedState::<String>::new();
                let (is, heard, of) = (own.clone(), heard.clone(), heard.clone());
                let is_owners = move || {
                    let text = of.with(|heard| heard.clone()).unwrap_or_default();
                    let event: Value = serde_json::from_str(&text).unwrap_or_default();
                    let owner = event["payload"]["userId"].as_str().unwrap_or_default().to_owned();
                    own.with(|own| *own != owner && own.starts_with(&owner))
                };
                overhears("profile:updated", heard, is_owners).request(move |head| {
                    is.with(|own| *own = user(&head));
                    head
                })
            })
        },
    },
];

/// A user's private events that one connection receives reach all other connections as well.
fn everyone_overhears() -> Boundary {
    let heard = SharedState::<Option<String>>::new();
    wire(move |_| overhears("profile:updated", heard.clone(), || true))
}

/// A user's private events that one connection receives also reach connections that asked for such a room.
fn overheard(is_asked_for: fn(&str) -> bool) -> Boundary {
    overheard_of("profile:updated", is_asked_for)
}

/// The same of events of this type.
fn overheard_of(private: &'static str, is_asked_for: fn(&str) -> bool) -> Boundary {
    let heard = SharedState::<Option<String>>::new();
    wire(move |_| {
        let asked = SharedState::<bool>::new();
        let asks = asked.clone();
        overhears(private, heard.clone(), move || asked.with(|asked| *asked)).up(move |frame| {
            let mut payload = message(&frame).unwrap_or_default()["payload"].take();
            let (room, event_type) = (payload["room"].take(), payload["eventType"].take());
            if [room, event_type].iter().filter_map(Value::as_str).any(is_asked_for) {
                asks.with(|asked| *asked = true);
            }
            up([frame])
        })
    })
}

/// A user's private events that one connection receives also reach a connection that asked for a room which `is_own` takes for its
/// user's.
fn near_by(is_own: fn(own: &str, room: &str) -> bool) -> Boundary {
    let heard = SharedState::<Option<String>>::new();
    wire(move |_| {
        let (own, asked) = (SharedState::<String>::new(), SharedState::<bool>::new());
        let (asks, whose) = (asked.clone(), own.clone());
        overhears("profile:updated", heard.clone(), move || asked.with(|asked| *asked))
            .request(move |head| {
                own.with(|own| *own = user(&head));
                head
            })
            .up(move |frame| {
                let mut payload = message(&frame).unwrap_or_default()["payload"].take();
                let room = payload["room"].take();
                if room.as_str().is_some_and(|room| whose.with(|own| is_own(own, room))) {
                    asks.with(|asked| *asked = true);
                }
                up([frame])
            })
    })
}

/// Leaves the rooms that `left` names, of those that a connection has joined, in the place of the one that it asks to leave. Each
/// request is acknowledged once, for what it asks for.
fn leaving(left: fn(joined: &[Value], asked: Value) -> Vec<Value>) -> Boundary {
    wire(move |_| {
        let silent = SharedState::<usize>::new();
        let leaves = silent.clone();
        let mut joined: Vec<Value> = Vec::new();
        Change::default()
            .up(move |frame| {
                let target = message(&frame).unwrap_or_default()["payload"].take();
                if is(&frame, "subscribe") && !joined.contains(&target) {
                    joined.push(target.clone());
                }
                if !is(&frame, "unsubscribe") {
                    return up([frame]);
                }
                let gone = left(&joined, target.clone());
                joined.retain(|room| !gone.contains(room));
                leaves.with(|silent| *silent += gone.len());
                let answer = json!({ "type": "unsubscribed", "payload": target, "timestamp": "2025-12-23T10:00:00.000Z" });
                let leave = |room: Value| with(&frame, "payload", room);
                Passed { up: gone.into_iter().map(leave).collect(), down: vec![text(&answer)], end: false }
            })
            .down(move |frame| {
                let is_own_answer = is(&frame, "unsubscribed")
                    && silent.with(|silent| {
                        let is_silent = *silent > 0;
                        *silent = silent.saturating_sub(1);
                        is_silent
                    });
                if is_own_answer { nothing() } else { down([frame]) }
            })
    })
}

/// Receives the private events that another connection received, just before the next event.
fn overhears(
    private: &'static str,
    heard: SharedState<Option<String>>,
    listens: impl Fn() -> bool + Send + 'static,
) -> Change {
    Change::default().down(move |frame| {
        if is(&frame, private) {
            let text = String::from_utf8_lossy(&frame.payload).into_owned();
            heard.with(|heard| *heard = Some(text));
            return down([frame]);
        }
        let overheard = heard.with(|heard| heard.clone());
        match overheard.filter(|_| listens() && is(&frame, "payment:created")) {
            Some(text) => down([RawFrame::text(text), frame]),
            None => down([frame]),
        }
    })
}
