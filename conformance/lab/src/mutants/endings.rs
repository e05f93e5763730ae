//! Clients that are not done with a connection when it is over, or with themselves when they have given up.

use serde_json::{Value, json};
use sim::boundary::AdapterLine;
use tungstenite::protocol::frame::coding::Control;

use super::Mutant;
use super::lines::{Change, answered, asked, lines, reported};
use super::wire::{Change as OnWire, SharedState, down, end, is, is_control, message, text, up, wire};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "client/gives-up-for-ever",
        requirement: "STATE-9",
        about: "After the last attempt `connect()` finds that there are none left.",
        boundary: || {
            lines(|| {
                let gave_up = SharedState::<bool>::new();
                let gives_up = gave_up.clone();
                Change::default()
                    .report(move |line| {
                        gives_up.with(|gave_up| *gave_up |= line["name"] == "max_reconnect_attempts");
                        reported([line])
                    })
                    .request(move |line| {
                        let is_in_vain = line["op"] == "connect" && gave_up.with(|gave_up| *gave_up);
                        if is_in_vain { answered(&line) } else { asked([line]) }
                    })
            })
        },
    },
    Mutant {
        id: "client/one-attempt-after-giving-up",
        requirement: "STATE-9",
        about: "`connect()` dials, but the count of attempts stays where it was.",
        boundary: || lines(one_attempt_more),
    },
    Mutant {
        id: "client/a-final-close-is-final-for-ever",
        requirement: "STATE-9",
        about: "`closed` is set once, and looked at by `connect()`.",
        boundary: || {
            let closed = SharedState::<bool>::new();
            let closes = closed.clone();
            let mut boundary = lines(move || {
                let closed = closed.clone();
                Change::default().request(move |line| {
                    let is_in_vain = line["op"] == "connect" && closed.with(|closed| *closed);
                    if is_in_vain { answered(&line) } else { asked([line]) }
                })
            });
            boundary.wire = wire(move |_| {
                let closes = closes.clone();
                OnWire::default().down(move |frame| {
                    if is_control(&frame, Control::Close)
                        && frame.payload.starts_with(&1000_u16.to_be_bytes())
                    {
                        closes.with(|closed| *closed = true);
                    }
                    down([frame])
                })
            })
            .wire;
            boundary
        },
    },
    Mutant {
        id: "client/an-old-pong-ends-the-new-connection",
        requirement: "STATE-10",
        about: "The timer of a pong is not stopped with its connection, and ends whichever is open.",
        boundary: || {
            let owed = SharedState::<Option<usize>>::new();
            wire(move |number| {
                let (asks, hears) = (owed.clone(), owed.clone());
                OnWire::default()
                    .up(move |frame| {
                        if is(&frame, "ping") {
                            asks.with(|owed| *owed.get_or_insert(number));
                        }
                        up([frame])
                    })
                    .down(move |frame| {
                        if !is(&frame, "pong") {
                            return down([frame]);
                        }
                        match hears.with(Option::take) {
                            Some(older) if older < number => end(),
                            _ => down([frame]),
                        }
                    })
            })
        },
    },
    Mutant {
        id: "client/an-old-delay-goes-on",
        requirement: "STATE-10",
        about: "`disconnect()` does not stop the delay, which dials beside whatever is open.",
        boundary: || {
            lines(|| {
                let (waits, left) = (SharedState::<bool>::new(), SharedState::<bool>::new());
                let (waiting, leaves, given) = (waits.clone(), left.clone(), SharedState::<Value>::new());
                let gives = given.clone();
                Change::default()
                    .request(move |line| {
                        if line["op"] == "configure" {
                            gives.with(|given| *given = line["token"].clone());
                        }
                        if line["op"] == "disconnect" {
                            leaves.with(|left| *left = waiting.with(|waits| *waits));
                        }
                        asked([line])
                    })
                    .report(move |line| {
                        if line["id"] == 1_u64 << 32 {
                            return reported([]);
                        }
                        if line["event"] == "status" {
                            waits.with(|waits| *waits = line["status"] == "reconnecting");
                        }
                        if line["status"] == "connected" && left.with(std::mem::take) {
                            let token = given.with(|given| given.clone());
                            let dials = json!({ "id": 1_u64 << 32, "op": "set_token", "token": token });
                            return AdapterLine { to_adapter: vec![dials], to_judge: vec![line] };
                        }
                        reported([line])
                    })
            })
        },
    },
    Mutant {
        id: "client/speaks-of-a-connection-that-is-over",
        requirement: "STATE-10",
        about: "The handler of an old socket's messages is not taken off.",
        boundary: || {
            let (left, late) = (SharedState::<bool>::new(), SharedState::<Vec<Value>>::new());
            let (leaves, says) = (left.clone(), late.clone());
            let mut boundary = lines(move || {
                let (leaves, late) = (leaves.clone(), late.clone());
                Change::default()
                    .request(move |line| {
                        leaves.with(|left| *left = line["op"] == "disconnect");
                        asked([line])
                    })
                    .report(move |line| reported(late.with(std::mem::take).into_iter().chain([line])))
            });
            boundary.wire = wire(move |_| {
                let (left, says) = (left.clone(), says.clone());
                OnWire::default().down(move |frame| {
                    if let Some(message) = message(&frame).filter(|_| left.with(|left| *left)) {
                        let emit = json!({
                            "event": "emit", "name": message["type"], "payload": message["payload"], "listener": "main"
                        });
                        says.with(|late| late.push(emit));
                    }
                    down([frame])
                })
            })
            .wire;
            boundary
        },
    },
    Mutant {
        id: "client/loses-what-is-sent-while-a-close-is-under-way",
        requirement: "QUEUE-6",
        about: "A socket that is closing takes messages, and throws them away.",
        boundary: || {
            let closing = SharedState::<bool>::new();
            let begins = closing.clone();
            let mut boundary = lines(move || {
                let (closing, over) = (closing.clone(), closing.clone());
                Change::default()
                    .request(move |line| {
                        let is_lost = line["op"] == "send" && closing.with(|closing| *closing);
                        if is_lost { answered(&line) } else { asked([line]) }
                    })
                    .report(move |line| {
                        if line["event"] == "status" {
                            over.with(|closing| *closing = false);
                        }
                        reported([line])
                    })
            });
            boundary.wire = wire(move |_| {
                let begins = begins.clone();
                OnWire::default().down(move |frame| {
                    if is_control(&frame, Control::Close) {
                        begins.with(|closing| *closing = true);
                    }
                    down([frame])
                })
            })
            .wire;
            boundary
        },
    },
    Mutant {
        id: "client/loses-what-is-sent-while-it-disconnects",
        requirement: "QUEUE-6",
        about: "`disconnect()` empties the queue once the socket has closed.",
        boundary: || {
            lines(|| {
                let mut has_left = false;
                Change::default().request(move |line| {
                    match line["op"].as_str() {
                        Some("disconnect") => has_left = true,
                        Some("connect") => has_left = false,
                        Some("send") if has_left => return answered(&line),
                        _ => {}
                    }
                    asked([line])
                })
            })
        },
    },
    Mutant {
        id: "client/ends-subscriptions-once-more",
        requirement: "SUB-4",
        about: "What is unsubscribed from without a connection is sent when there is one.",
        boundary: || {
            let offline = SharedState::<(bool, Vec<Value>)>::new();
            let ends = offline.clone();
            let mut boundary = lines(move || {
                let (sees, notes) = (offline.clone(), offline.clone());
                Change::default()
                    .report(move |line| {
                        if line["event"] == "status" {
                            sees.with(|(is_online, _)| *is_online = line["status"] == "connected");
                        }
                        reported([line])
                    })
                    .request(move |line| {
                        if line["op"] == "unsubscribe" {
                            notes.with(|(is_online, ended)| {
                                if !*is_online {
                                    ended.push(line["target"].clone());
                                }
                            });
                        }
                        asked([line])
                    })
            });
            boundary.wire = wire(move |_| {
                let ends = ends.clone();
                OnWire::default().up(move |frame| {
                    let late = ends.with(|(_, ended)| std::mem::take(ended));
                    let late = late
                        .into_iter()
                        .map(|target| text(&json!({ "type": "unsubscribe", "payload": target })));
                    up([frame].into_iter().chain(late))
                })
            })
            .wire;
            boundary
        },
    },
];

/// One that gives up after the first failed dial, once it has given up before. Its judge sees it do so.
fn one_attempt_more() -> Change {
    const OWN_ID: u64 = 1 << 32;
    let again = SharedState::<u32>::new();
    let connects = again.clone();
    let mut is_giving_up = false;
    Change::default()
        .request(move |line| {
            connects.with(|times| *times += u32::from(line["op"] == "connect"));
            asked([line])
        })
        .report(move |mut line| {
            if line["id"] == OWN_ID {
                return reported([]);
            }
            let gives_up = line["status"] == "reconnecting" && again.with(|times| *times) > 1;
            if line["event"] == "status" && gives_up {
                is_giving_up = true;
                let to_adapter = vec![json!({ "id": OWN_ID, "op": "disconnect" })];
                return AdapterLine { to_adapter, to_judge: Vec::new() };
            }
            if line["status"] == "disconnected" && std::mem::take(&mut is_giving_up) {
                line["old"] = json!("error");
                let emit = json!({
                    "event": "emit", "name": "max_reconnect_attempts", "payload": { "attempts": 0 }, "listener": "main"
                });
                return reported([line, emit]);
            }
            reported([line])
        })
}
