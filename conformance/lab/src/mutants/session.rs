//! Clients that lose track of their connection.

use serde_json::{Value, json};

use super::Mutant;
use super::lines::{Change, answered, asked, ignoring, lines, reported};
use super::wire::{Change as OnWire, SharedState, down, end, is, is_control, message, nothing, up, wire};
use tungstenite::protocol::frame::coding::Control;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "client/connecting-is-not-announced",
        requirement: "STATE-1",
        about: "`connecting` is set without telling anybody.",
        boundary: || dropping("status", |line| line["status"] == "connecting"),
    },
    Mutant {
        id: "client/statuses-twice",
        requirement: "STATE-1",
        about: "Each status is announced by the setter and by the event handler.",
        boundary: || {
            lines(|| {
                Change::default().report(|line| {
                    if line["event"] == "status" { reported([line.clone(), line]) } else { reported([line]) }
                })
            })
        },
    },
    Mutant {
        id: "client/jumps-to-connected",
        requirement: "STATE-2",
        about: "A reconnection is announced as a connection at once.",
        boundary: || {
            lines(|| {
                let mut last = json!("disconnected");
                Change::default().report(move |mut line| {
                    if line["event"] != "status" {
                        return reported([line]);
                    }
                    if line["status"] == "connecting" {
                        return reported([]);
                    }
                    line["old"] = std::mem::replace(&mut last, line["status"].clone());
                    reported([line])
                })
            })
        },
    },
    Mutant {
        id: "client/failed-dials-are-no-error",
        requirement: "STATE-3",
        about: "A failed dial goes straight to `reconnecting`.",
        boundary: || {
            lines(|| {
                Change::default().report(|mut line| {
                    if line["status"] == "error" {
                        return reported([]);
                    }
                    if line["old"] == "error" {
                        line["old"] = json!("connecting");
                    }
                    reported([line])
                })
            })
        },
    },
    Mutant {
        id: "client/gives-up-in-silence",
        requirement: "STATE-4",
        about: "The event for exhausted attempts was forgotten.",
        boundary: || dropping("emit", |line| line["name"] == "max_reconnect_attempts"),
    },
    Mutant {
        id: "client/connects-twice",
        requirement: "STATE-5",
        about: "`connect()` opens a socket, whether there is one or not.",
        boundary: || {
            lines(|| {
                let (mut token, mut times) = (Value::Null, 0);
                Change::default().request(move |line| {
                    if line["op"] == "configure" {
                        token = line["token"].clone();
                    }
                    times += u32::from(line["op"] == "connect");
                    if line["op"] == "connect" && times > 1 {
                        // Another socket, as a new token makes one.
                        return asked([json!({ "id": line["id"], "op": "set_token", "token": token })]);
                    }
                    asked([line])
                })
            })
        },
    },
    Mutant {
        id: "client/does-not-disconnect",
        requirement: "STATE-6",
        about: "`disconnect()` sets a flag that is never read.",
        boundary: || ignoring("disconnect"),
    },
    Mutant {
        id: "client/dials-with-a-token-that-comes-too-late",
        requirement: "STATE-6",
        about: "`disconnect()` stops timers and closes the socket; a token that is awaited is dialled with when it comes.",
        boundary: || {
            lines(|| {
                let (wanted, left) = (SharedState::<bool>::new(), SharedState::<bool>::new());
                let (wants, leaves) = (wanted.clone(), left.clone());
                Change::default()
                    .report(move |line| {
                        wants.with(|wanted| *wanted |= line["event"] == "token_wanted");
                        let is_silent = left.with(|left| *left) && line["event"] == "status";
                        if is_silent { reported([]) } else { reported([line]) }
                    })
                    .request(move |line| {
                        if line["op"] != "disconnect" || !wanted.with(std::mem::take) {
                            return asked([line]);
                        }
                        leaves.with(|left| *left = true);
                        let status =
                            json!({ "event": "status", "old": "connecting", "status": "disconnected" });
                        reported([status, json!({ "id": line["id"], "ok": true })])
                    })
            })
        },
    },
    Mutant {
        id: "client/leaves-without-a-code",
        requirement: "STATE-6",
        about: "The socket is dropped without a close frame.",
        boundary: || {
            wire(|_| {
                OnWire::default()
                    .up(|frame| if is_control(&frame, Control::Close) { end() } else { up([frame]) })
            })
        },
    },
    Mutant {
        id: "client/takes-every-code-of-an-application-for-final",
        requirement: "STATE-7",
        about: "A close with 4000 or more is taken for one that nothing follows.",
        boundary: || {
            wire(|_| {
                OnWire::default().down(|mut frame| {
                    let code = frame.payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
                    if is_control(&frame, Control::Close) && code.is_some_and(|code| code >= 4000) {
                        frame.payload = 1000_u16.to_be_bytes().to_vec();
                    }
                    down([frame])
                })
            })
        },
    },
    Mutant {
        id: "client/comes-back-after-a-final-close",
        requirement: "STATE-7",
        about: "Every close is a lost connection.",
        boundary: || {
            wire(|_| {
                OnWire::default().down(|mut frame| {
                    if is_control(&frame, Control::Close)
                        && frame.payload.starts_with(&1000_u16.to_be_bytes())
                    {
                        frame.payload = 1001_u16.to_be_bytes().to_vec();
                    }
                    down([frame])
                })
            })
        },
    },
    Mutant {
        id: "client/hammers-who-refuses",
        requirement: "STATE-8",
        about: "A refused token is a failed dial like any other.",
        boundary: || wire(|_| OnWire::default().answer(|text| text.replacen(" 401 ", " 500 ", 1))),
    },
    Mutant {
        id: "client/subscribes-twice",
        requirement: "SUB-1",
        about: "Each `subscribe()` sends a request.",
        boundary: || {
            wire(|_| {
                OnWire::default().up(|frame| {
                    if is(&frame, "subscribe") { up([frame.clone(), frame]) } else { up([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "client/does-not-renew",
        requirement: "SUB-2",
        about: "Subscriptions are gone after a reconnect.",
        boundary: || {
            wire(|number| match number {
                0 => OnWire::default(),
                _ => OnWire::default()
                    .up(|frame| if is(&frame, "subscribe") { nothing() } else { up([frame]) }),
            })
        },
    },
    Mutant {
        id: "client/renews-what-has-ended",
        requirement: "SUB-2",
        about: "Everything that was ever subscribed to is renewed.",
        boundary: || {
            let ever = SharedState::<Vec<scenarios::frame::RawFrame>>::new();
            wire(move |number| {
                let (ever, mut first) = (ever.clone(), number > 0);
                OnWire::default().up(move |frame| {
                    if number == 0 && is(&frame, "subscribe") {
                        ever.with(|ever| ever.push(frame.clone()));
                    }
                    if std::mem::take(&mut first) {
                        let all = ever.with(|ever| ever.clone());
                        return if is(&frame, "subscribe") {
                            up(all)
                        } else {
                            up(all.into_iter().chain([frame]))
                        };
                    }
                    if number > 0 && is(&frame, "subscribe") { nothing() } else { up([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "client/off-changes-nothing",
        requirement: "SUB-3",
        about: "`off` compares a bound function with the one that was given.",
        boundary: || ignoring("off"),
    },
    Mutant {
        id: "client/off-removes-the-last",
        requirement: "SUB-3",
        about: "`off` takes the last listener of the event, whichever was given.",
        boundary: || {
            lines(|| {
                let mut listeners: Vec<Value> = Vec::new();
                Change::default().request(move |mut line| {
                    if line["op"] == "on" {
                        listeners.push(line["listener"].clone());
                    }
                    if line["op"] == "off"
                        && let Some(last) = listeners.pop()
                    {
                        line["listener"] = last;
                    }
                    asked([line])
                })
            })
        },
    },
    Mutant {
        id: "client/a-failing-listener-stops-the-others",
        requirement: "SUB-3",
        about: "An exception in a listener ends the loop over them.",
        boundary: || dropping("emit", |line| line["listener"] == "second"),
    },
    Mutant {
        id: "client/pong-is-an-event",
        requirement: "PING-2",
        about: "Every message is emitted, `pong` too.",
        boundary: || {
            let mut boundary = lines(|| {
                Change::default().request(|mut line| {
                    if line["op"] == "configure" {
                        line["dialect"]["pong"] = json!("pong, renamed");
                    }
                    asked([line])
                })
            });
            boundary.wire = wire(|_| {
                OnWire::default().down(|frame| {
                    if !is(&frame, "pong") {
                        return down([frame]);
                    }
                    let counted = super::wire::with(&frame, "type", json!("pong, renamed"));
                    down([counted, frame])
                })
            })
            .wire;
            boundary
        },
    },
    Mutant {
        id: "client/ping-frames-not-answered",
        requirement: "PING-4",
        about: "The library leaves ping frames to the application.",
        boundary: || {
            wire(|_| {
                OnWire::default()
                    .up(|frame| if is_control(&frame, Control::Pong) { nothing() } else { up([frame]) })
            })
        },
    },
    Mutant {
        id: "client/pongs-are-empty",
        requirement: "PING-4",
        about: "Ping frames are answered without their payload.",
        boundary: || {
            wire(|_| {
                OnWire::default().up(|mut frame| {
                    if is_control(&frame, Control::Pong) {
                        frame.payload.clear();
                    }
                    up([frame])
                })
            })
        },
    },
    Mutant {
        id: "client/events-without-their-payload",
        requirement: "IN-1",
        about: "Listeners are called with the whole message's absent `data`.",
        boundary: || {
            lines(|| {
                Change::default().report(|mut line| {
                    if line["event"] == "emit" && line["name"] != "connected" {
                        line["payload"] = Value::Null;
                    }
                    reported([line])
                })
            })
        },
    },
    Mutant {
        id: "client/bad-json-ends-the-connection",
        requirement: "IN-1",
        about: "An exception in the parser ends the connection.",
        boundary: || {
            wire(|_| {
                OnWire::default().down(|frame| {
                    let is_text = frame.opcode
                        == tungstenite::protocol::frame::coding::OpCode::Data(
                            tungstenite::protocol::frame::coding::Data::Text,
                        );
                    if is_text && message(&frame).is_none() { end() } else { down([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "client/writes-before-it-reads",
        requirement: "IN-2",
        about: "One loop reads and writes, and waits there until a write is done.",
        boundary: || wire(|_| OnWire::default().half_duplex()),
    },
    Mutant {
        id: "client/reports-for-nobody",
        requirement: "OBS-1",
        about: "The user is not handed to the error tracker.",
        boundary: || ignoring("set_user"),
    },
    Mutant {
        id: "client/reports-after-logout",
        requirement: "OBS-1",
        about: "The user stays set after logout.",
        boundary: || {
            lines(|| {
                Change::default().request(|line| {
                    let logout = line["op"] == "set_user" && line["user"].is_null();
                    if logout { answered(&line) } else { asked([line]) }
                })
            })
        },
    },
];

/// Drops reports of an event.
fn dropping(event: &'static str, which: fn(&Value) -> bool) -> sim::boundary::Boundary {
    lines(move || {
        Change::default().report(move |line| {
            if line["event"] == event && which(&line) { reported([]) } else { reported([line]) }
        })
    })
}
