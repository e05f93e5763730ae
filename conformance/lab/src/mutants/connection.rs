//! Gateways that lose count of their connections.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use scenarios::frame::RawFrame;
use tungstenite::protocol::frame::coding::Control;

use super::Mutant;
use super::auth::claim;
use super::feed::{Change as Feeding, feed};
use super::wire::{Change, SharedState, down, is, is_control, message, nothing, wire, with};

/// Not longer than a handshake may take, and longer than the pauses of one that drips.
const IDLE_TIMEOUT: Duration = Duration::from_secs(1);

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "gateway/one-connection-of-each-user",
        requirement: "CONN-1",
        about: "Connections are kept in a map by user: the second one is served, and hears nothing.",
        boundary: || {
            let users = SharedState::<BTreeSet<String>>::new();
            wire(move |_| {
                let (users, second) = (users.clone(), SharedState::<bool>::new());
                let known = second.clone();
                Change::default()
                    .request(move |head| {
                        let again = !users.with(|users| users.insert(user(&head)));
                        second.with(|second| *second = again);
                        head
                    })
                    .down(move |frame| {
                        if known.with(|second| *second) && is(&frame, "profile:updated") {
                            nothing()
                        } else {
                            down([frame])
                        }
                    })
            })
        },
    },
    Mutant {
        id: "gateway/not-in-its-own-room",
        requirement: "CONN-2",
        about: "The user's room is joined by those only who subscribe to it.",
        boundary: || wire(|_| without_room("user:", &["profile:updated", "session:ended"])),
    },
    Mutant {
        id: "gateway/not-in-its-role-room",
        requirement: "CONN-3",
        about: "Roles have no rooms.",
        boundary: || wire(|_| without_room("role:", &["admin:alert", "admin:notice"])),
    },
    Mutant {
        id: "gateway/no-welcome",
        requirement: "CONN-4",
        about: "A connection begins with silence.",
        boundary: || wire(|_| Change::default().silent(&["connection:established"])),
    },
    Mutant {
        id: "gateway/events-overtake-the-welcome",
        requirement: "CONN-4",
        about: "A connection is in its rooms before the name for its welcome has been looked up.",
        boundary: || {
            wire(|_| {
                let mut held = None;
                Change::default().down(move |frame| {
                    if is(&frame, "connection:established") {
                        held = Some(frame);
                        return nothing();
                    }
                    if message(&frame).is_none() {
                        return down([frame]);
                    }
                    let welcome = held.take();
                    if is(&frame, "payment:created") {
                        return down([frame].into_iter().chain(welcome));
                    }
                    down(welcome.into_iter().chain([frame]))
                })
            })
        },
    },
    Mutant {
        id: "gateway/rooms-outlive-connections",
        requirement: "CONN-5",
        about: "Memberships are kept by user and never cleaned: a user who connects again is still in them.",
        boundary: || {
            let joined = SharedState::<BTreeMap<String, Vec<RawFrame>>>::new();
            wire(move |_| {
                let (joined, owner) = (joined.clone(), SharedState::<String>::new());
                let (mine, kept, back) = (owner.clone(), joined.clone(), owner.clone());
                Change::default()
                    .request(move |head| {
                        owner.with(|owner| *owner = user(&head));
                        head
                    })
                    .up(move |frame| {
                        if is(&frame, "subscribe") {
                            let user = mine.with(|user| user.clone());
                            joined.with(|joined| joined.entry(user).or_default().push(frame.clone()));
                        }
                        super::wire::up([frame])
                    })
                    .down(move |frame| {
                        let user = back.with(|user| user.clone());
                        let before = if is(&frame, "connection:established") {
                            kept.with(|kept| kept.get(&user).cloned().unwrap_or_default())
                        } else {
                            Vec::new()
                        };
                        sim::boundary::Passed { up: before, down: vec![frame], end: false }
                    })
            })
        },
    },
    Mutant {
        id: "gateway/dropped-connections-are-counted",
        requirement: "CONN-5",
        about: "What is done when a connection ends is done at its close frame: one that ends without it stays in its rooms.",
        boundary: || {
            let dropped = SharedState::<u64>::new();
            wire(move |_| {
                let shown = dropped.clone();
                let mut left = Left { is_member: false, is_closed: false, dropped: dropped.clone() };
                Change::default()
                    .up(move |frame| {
                        left.sees(&frame);
                        super::wire::up([frame])
                    })
                    .answer(move |text| {
                        let gone = shown.with(|gone| *gone);
                        text.replacen(
                            "\"catalog:changed\":1",
                            &format!("\"catalog:changed\":{}", 1 + gone),
                            1,
                        )
                    })
            })
        },
    },
    Mutant {
        id: "gateway/ended-connections-count-against-the-limit",
        requirement: "CONN-5",
        about: "The limit of one user is compared with how many connections the user ever had.",
        boundary: || {
            let had = SharedState::<BTreeMap<String, usize>>::new();
            wire(move |_| {
                let (had, again) = (had.clone(), SharedState::<bool>::new());
                let refuses = again.clone();
                Change::default()
                    .request(move |head| {
                        let count = had.with(|had| {
                            let count = had.entry(user(&head)).or_default();
                            *count += 1;
                            *count
                        });
                        again.with(|again| *again = count > 1);
                        head
                    })
                    .answer(move |text| match refuses.with(|again| *again) {
                        true => text.replacen("101 Switching Protocols", "503 Service Unavailable", 1),
                        false => text,
                    })
            })
        },
    },
    Mutant {
        id: "gateway/goes-without-a-word",
        requirement: "CONN-6",
        about: "On shutdown sockets are closed without 1001.",
        boundary: || wire(|_| Change::default().speechless(1001)),
    },
    Mutant {
        id: "gateway/takes-events-while-it-ends",
        requirement: "CONN-6",
        about: "Events that come after the close frames are acknowledged, though no one is there to get them.",
        boundary: || feed(|| Feeding::default().lingers(Duration::from_millis(250))),
    },
    Mutant {
        id: "gateway/full-is-an-error",
        requirement: "CONN-7",
        about: "Beyond the limit the answer is 500.",
        boundary: || wire(|_| Change::default().answer(|text| text.replacen(" 503 ", " 500 ", 1))),
    },
    Mutant {
        id: "gateway/handshake-without-end",
        requirement: "CONN-8",
        about: "What stands before the gateway waits for the end of a request, however long that takes.",
        // Nothing is changed: to have a request to change, a connection's wire waits for all of it.
        boundary: || wire(|_| Change::default()),
    },
    Mutant {
        id: "gateway/handshake-with-an-idle-timeout",
        requirement: "CONN-8",
        about: "Each byte of a request begins its time anew.",
        boundary: || wire(|_| Change::default().idle_timeout(IDLE_TIMEOUT)),
    },
    Mutant {
        id: "gateway/a-peer-that-closes-ends-the-broadcast",
        requirement: "CONN-10",
        about: "What a connection that is closing throws ends the loop over all of them.",
        boundary: || {
            let closing = SharedState::<usize>::new();
            wire(move |_| {
                let (seen, count) = (closing.clone(), closing.clone());
                let mut known = seen.with(|count| *count);
                Change::default()
                    .up(move |frame| {
                        count.with(|count| *count += usize::from(is_control(&frame, Control::Close)));
                        super::wire::up([frame])
                    })
                    .down(move |frame| {
                        let is_event =
                            message(&frame).is_some_and(|message| message["type"] == "payment:created");
                        let now = seen.with(|count| *count);
                        if is_event && std::mem::replace(&mut known, now) < now {
                            return nothing();
                        }
                        down([frame])
                    })
            })
        },
    },
    Mutant {
        id: "gateway/a-target-that-cannot-be-decoded-ends-it",
        requirement: "CONN-11",
        about: "What decodes the target throws, outside of whatever catches; the process lives, and its loop does not.",
        boundary: || {
            let stuck = SharedState::<bool>::new();
            wire(move |_| {
                let (hears, stuck) = (stuck.clone(), stuck.clone());
                Change::default()
                    .request(move |head| {
                        let target = head.lines().next().unwrap_or_default();
                        let is_odd = target.contains("%zz") || target.contains("%ff");
                        stuck.with(|stuck| *stuck |= is_odd);
                        head
                    })
                    .up(move |frame| match hears.with(|stuck| *stuck) {
                        true => nothing(),
                        false => super::wire::up([frame]),
                    })
            })
        },
    },
    Mutant {
        id: "gateway/late-joins-stay",
        requirement: "CONN-12",
        about: "A join that is finished when its connection has ended adds the member again, for good.",
        boundary: || {
            let late = SharedState::<u64>::new();
            wire(move |_| {
                let (late, shown) = (late.clone(), late.clone());
                let mut joins = false;
                Change::default()
                    .up(move |frame| {
                        joins |= is(&frame, "subscribe");
                        late.with(|late| {
                            *late += u64::from(joins && is_control(&frame, Control::Close));
                        });
                        super::wire::up([frame])
                    })
                    .answer(move |text| {
                        let late = shown.with(|late| *late);
                        text.replacen(
                            "\"catalog:changed\":1",
                            &format!("\"catalog:changed\":{}", 1 + late),
                            1,
                        )
                    })
            })
        },
    },
    Mutant {
        id: "gateway/ready-without-a-broker",
        requirement: "BRIDGE-10",
        about: "`/readyz` answers as `/healthz` does.",
        boundary: || {
            wire(|_| {
                let mut asked = false;
                let shared = SharedState::<bool>::new();
                let ready = shared.clone();
                Change::default()
                    .request(move |head| {
                        asked |= head.starts_with("GET /readyz");
                        shared.with(|ready| *ready = asked);
                        head
                    })
                    .answer(move |text| {
                        let lies = ready.with(|ready| *ready);
                        if lies { text.replacen(" 503 ", " 200 ", 1) } else { text }
                    })
            })
        },
    },
    Mutant {
        id: "gateway/no-metrics",
        requirement: "CONN-9",
        about: "`/metrics` was forgotten.",
        boundary: || {
            wire(|_| {
                Change::default().answer(|text| {
                    if text.contains("# TYPE") { text.replacen("200 OK", "404 Not Found", 1) } else { text }
                })
            })
        },
    },
];

/// A connection that counts for good where it ends without a close frame.
struct Left {
    is_member: bool,
    is_closed: bool,
    dropped: SharedState<u64>,
}

impl Left {
    fn sees(&mut self, frame: &RawFrame) {
        self.is_member |= is(frame, "subscribe");
        self.is_closed |= is_control(frame, Control::Close);
    }
}

impl Drop for Left {
    fn drop(&mut self) {
        let stays = self.is_member && !self.is_closed;
        self.dropped.with(|dropped| *dropped += u64::from(stays));
    }
}

/// No client is in rooms with this prefix: the welcome does not name them, and their events do not come.
fn without_room(beginning: &'static str, events: &'static [&'static str]) -> Change {
    Change::default().down(move |frame| {
        if events.iter().any(|name| is(&frame, name)) {
            return nothing();
        }
        if !is(&frame, "connection:established") {
            return down([frame]);
        }
        let mut payload = message(&frame).unwrap_or_default()["payload"].take();
        if let Some(rooms) = payload["rooms"].as_array_mut() {
            rooms.retain(|room| !room.as_str().is_some_and(|room| room.starts_with(beginning)));
        }
        down([with(&frame, "payload", payload)])
    })
}

/// The user in a request's token.
pub(super) fn user(head: &str) -> String {
    let token =
        head.split_once("token=").map_or("", |(_, rest)| rest.split([' ', '&']).next().unwrap_or_default());
    claim(token, "userId").as_str().unwrap_or_default().to_owned()
}
