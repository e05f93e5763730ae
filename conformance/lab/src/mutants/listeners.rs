//! Clients whose listeners must not touch them.

use serde_json::{Value, json};

use super::Mutant;
use super::lines::{Change, asked, lines};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "client/what-listeners-send-is-lost",
        requirement: "IN-3",
        about: "The client is busy while it calls listeners, and takes nothing.",
        boundary: || listening_instead_of("send"),
    },
    Mutant {
        id: "client/what-listeners-subscribe-to-is-lost",
        requirement: "IN-3",
        about: "Subscriptions that are made while they are gone through are not seen.",
        boundary: || listening_instead_of("subscribe"),
    },
    Mutant {
        id: "client/listeners-cannot-disconnect",
        requirement: "IN-3",
        about: "`disconnect()` within a listener waits for the loop that calls it.",
        boundary: || listening_instead_of("disconnect"),
    },
    Mutant {
        id: "client/listeners-cannot-connect",
        requirement: "IN-3",
        about: "`connect()` within a listener comes before the attempts are counted as over.",
        boundary: || listening_instead_of("connect"),
    },
    Mutant {
        id: "client/listeners-cannot-renew-the-token",
        requirement: "IN-3",
        about: "A token that is set within a listener is overwritten.",
        boundary: || listening_instead_of("set_token"),
    },
    Mutant {
        id: "client/listeners-speak-out-of-turn",
        requirement: "IN-3",
        about: "What a listener sends overtakes what is queued.",
        boundary: || {
            lines(|| {
                let mut sent: Option<Value> = None;
                Change::default()
                    .request(move |line| {
                        if line["op"] == "react" && line["do"]["op"] == "send" {
                            let first = sent.get_or_insert(line["do"]["message"].clone()).clone();
                            let listens = listener(&line);
                            let overtakes = json!({ "id": 1_u64 << 32, "op": "send", "message": first });
                            return asked([listens, overtakes]);
                        }
                        asked([line])
                    })
                    .report(|line| {
                        let is_own = line["id"].as_u64() >= Some(1 << 32);
                        super::lines::reported((!is_own).then_some(line))
                    })
            })
        },
    },
];

/// A client that calls such a listener, and does not do what it asks for.
fn listening_instead_of(op: &'static str) -> sim::boundary::Boundary {
    lines(move || {
        Change::default().request(move |line| {
            let is_ignored = line["op"] == "react" && line["do"]["op"] == op;
            if is_ignored { asked([listener(&line)]) } else { asked([line]) }
        })
    })
}

/// The same listener without what it does.
fn listener(line: &Value) -> Value {
    json!({ "id": line["id"], "op": "on", "name": line["name"], "listener": line["listener"] })
}
