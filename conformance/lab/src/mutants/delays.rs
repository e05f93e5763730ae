//! Clients that do not wait for as long as they should.

use serde_json::{Value, json};
use sim::boundary::AdapterLine;
use tungstenite::protocol::frame::coding::Control;

use super::Mutant;
use super::lines::{Change, asked, lines, reported};
use super::wire::{Change as OnWire, SharedState, down, is_control, wire};

/// Where the ids of requests begin that no judge has made.
const OWN_IDS: u64 = 1 << 32;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "client/comes-back-at-once-from-a-clean-close",
        requirement: "BACKOFF-7",
        about: "A connection that was closed politely is dialled again without a delay.",
        boundary: || at_once_after(|_| true),
    },
    Mutant {
        id: "client/comes-back-at-once-from-a-restart",
        requirement: "BACKOFF-7",
        about: "A gateway that closes with 1012 says that it will be back, and is dialled at once.",
        boundary: || at_once_after(|code| code == Some(1012)),
    },
    Mutant {
        id: "client/a-send-hurries-the-redial",
        requirement: "BACKOFF-7",
        about: "A message that is sent while there is no connection dials one.",
        boundary: || hurried_by("send"),
    },
    Mutant {
        id: "client/a-subscription-hurries-the-redial",
        requirement: "BACKOFF-7",
        about: "A subscription that is made while there is no connection dials one.",
        boundary: || hurried_by("subscribe"),
    },
    Mutant {
        id: "client/a-listener-hurries-the-redial",
        requirement: "BACKOFF-7",
        about: "A listener that is added while there is no connection dials one.",
        boundary: || hurried_by("on"),
    },
];

/// A client that dials at once after a close with such a code.
fn at_once_after(is_such: fn(Option<u16>) -> bool) -> sim::boundary::Boundary {
    let clean = SharedState::<bool>::new();
    let closes = clean.clone();
    let mut boundary = lines(move || {
        let (clean, mut again) = (clean.clone(), Again::default());
        let redials = again.clone();
        Change::default().request(|line| asked([line])).report(move |line| {
            let waits = line["event"] == "status" && line["status"] == "reconnecting";
            if waits && clean.with(std::mem::take) {
                return AdapterLine { to_adapter: redials.begin(), to_judge: vec![line] };
            }
            again.report(line)
        })
    });
    boundary.wire = wire(move |_| {
        let closes = closes.clone();
        OnWire::default().down(move |frame| {
            let code = frame.payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
            if is_control(&frame, Control::Close) && is_such(code) {
                closes.with(|clean| *clean = true);
            }
            down([frame])
        })
    })
    .wire;
    boundary
}

/// A client whose delay ends when it is asked for this.
fn hurried_by(op: &'static str) -> sim::boundary::Boundary {
    lines(move || {
        let (waits, mut again) = (SharedState::<bool>::new(), Again::default());
        let (waiting, redials) = (waits.clone(), again.clone());
        Change::default()
            .request(move |line| {
                if line["op"] == op && waiting.with(std::mem::take) {
                    return asked(redials.begin().into_iter().chain([line]));
                }
                asked([line])
            })
            .report(move |line| {
                if line["event"] == "status" {
                    waits.with(|waits| *waits = line["status"] == "reconnecting");
                }
                again.report(line)
            })
    })
}

/// A redial at once: the client disconnects and connects, and its judge learns nothing of that.
#[derive(Clone)]
struct Again {
    hidden: SharedState<bool>,
}

impl Default for Again {
    fn default() -> Self {
        Self { hidden: SharedState::new() }
    }
}

impl Again {
    fn begin(&self) -> Vec<Value> {
        self.hidden.with(|hidden| *hidden = true);
        vec![json!({ "id": OWN_IDS, "op": "disconnect" }), json!({ "id": OWN_IDS + 1, "op": "connect" })]
    }

    fn report(&mut self, mut line: Value) -> AdapterLine {
        if line["id"].as_u64() >= Some(OWN_IDS) {
            return reported([]);
        }
        if line["event"] == "status" && self.hidden.with(|hidden| *hidden) {
            if line["status"] == "disconnected" {
                return reported([]);
            }
            self.hidden.with(|hidden| *hidden = false);
            line["old"] = json!("reconnecting");
        }
        reported([line])
    }
}
