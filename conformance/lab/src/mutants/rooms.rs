//! Gateways that take rooms lightly.

use serde_json::json;

use super::Mutant;
use super::wire::{Change, Shared, down, is, message, nothing, text, up, wire};

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
                let left = Shared::<bool>::new();
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
        id: "gateway/private-rooms-are-open",
        requirement: "ROOM-3",
        about: "Whoever asks for a user's room joins it.",
        boundary: || overheard(|| true),
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
        boundary: || overheard(|| false),
    },
];

/// What one connection hears of a user's own is heard by others as well, just before they hear the next event: by all of
/// them, or by those who have asked for a private room.
fn overheard(must_ask: fn() -> bool) -> sim::boundary::Boundary {
    let heard = Shared::<Option<String>>::new();
    wire(move |_| {
        let (heard, asked) = (heard.clone(), Shared::<bool>::new());
        let asks = asked.clone();
        Change::default()
            .up(move |frame| {
                let room = message(&frame).unwrap_or_default()["payload"]["room"].take();
                if room.as_str().is_some_and(|room| room.starts_with("user:")) {
                    asks.with(|asked| *asked = true);
                }
                up([frame])
            })
            .down(move |frame| {
                if is(&frame, "profile:updated") {
                    let text = String::from_utf8_lossy(&frame.payload).into_owned();
                    heard.with(|heard| *heard = Some(text));
                    return down([frame]);
                }
                let listens = !must_ask() || asked.with(|asked| *asked);
                match heard.with(|heard| heard.clone()).filter(|_| listens && is(&frame, "payment:created")) {
                    Some(text) => down([scenarios::frame::RawFrame::text(text), frame]),
                    None => down([frame]),
                }
            })
    })
}
