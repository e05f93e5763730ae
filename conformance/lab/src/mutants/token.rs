//! Clients that are careless with tokens.

use serde_json::{Value, json};
use sim::boundary::AdapterLine;

use super::Mutant;
use super::lines::{Change, answered, asked, ignoring, lines, reported};
use super::wire::{Change as OnWire, SharedState, wire};

/// The id of requests that no judge has made.
const OWN_ID: u64 = 1 << 32;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "client/other-parameters-are-lost",
        requirement: "DIAL-1",
        about: "The query is replaced by the token's.",
        boundary: || {
            wire(|_| {
                OnWire::default().request(|head| match (head.find('?'), head.find("token=")) {
                    (Some(query), Some(token)) if token > query => {
                        format!("{}{}", &head[..=query], &head[token..])
                    }
                    _ => head,
                })
            })
        },
    },
    Mutant {
        id: "client/token-is-not-encoded",
        requirement: "DIAL-1",
        about: "The token is put into the URL as it is.",
        boundary: || wire(|_| OnWire::default().request(|head| head.replacen("%2B", "+", 1))),
    },
    Mutant {
        id: "client/new-tokens-are-for-later",
        requirement: "TOKEN-1",
        about: "A new token is kept for the next connection, and the old one goes on.",
        boundary: || ignoring("set_token"),
    },
    Mutant {
        id: "client/a-new-token-empties-the-queue",
        requirement: "TOKEN-1",
        about: "A new token makes a new client, whose queue is empty.",
        boundary: || {
            lines(|| {
                let kept = SharedState::<(bool, Vec<Value>)>::new();
                let goes_out = kept.clone();
                Change::default()
                    .request(move |line| {
                        if line["op"] == "set_token" {
                            kept.with(|(_, waiting)| waiting.clear());
                        }
                        if line["op"] != "send" || kept.with(|(is_online, _)| *is_online) {
                            return asked([line]);
                        }
                        let mut copy = line.clone();
                        copy["id"] = json!(OWN_ID);
                        kept.with(|(_, waiting)| waiting.push(copy));
                        answered(&line)
                    })
                    .report(move |line| {
                        if line["id"] == OWN_ID {
                            return reported([]);
                        }
                        if line["event"] != "status" {
                            return reported([line]);
                        }
                        let is_online = line["status"] == "connected";
                        let to_adapter = goes_out.with(|(online, waiting)| {
                            *online = is_online;
                            if is_online { std::mem::take(waiting) } else { Vec::new() }
                        });
                        AdapterLine { to_adapter, to_judge: vec![line] }
                    })
            })
        },
    },
    Mutant {
        id: "client/a-failing-provider-ends-it",
        requirement: "TOKEN-4",
        about: "An exception of the token provider is not caught: there is no dial, then or later.",
        boundary: || ignoring("fail_token"),
    },
    Mutant {
        id: "client/a-failing-provider-is-asked-at-once",
        requirement: "TOKEN-4",
        about: "A token provider that fails is asked again until it does not.",
        boundary: || {
            lines(|| {
                let failed = SharedState::<Option<Value>>::new();
                let fails = failed.clone();
                Change::default()
                    .request(move |line| {
                        if line["op"] != "fail_token" {
                            return asked([line]);
                        }
                        fails.with(|failed| *failed = Some(line.clone()));
                        // The dial goes on waiting, and another question is put.
                        reported([
                            json!({ "id": line["id"], "ok": true }),
                            json!({ "event": "token_wanted" }),
                        ])
                    })
                    .report(move |line| {
                        let is_asked_twice =
                            line["event"] == "token_wanted" && failed.with(Option::take).is_some();
                        if is_asked_twice { reported([]) } else { reported([line]) }
                    })
            })
        },
    },
    Mutant {
        id: "client/a-provider-may-hang-for-ever",
        requirement: "TOKEN-4",
        about: "The timeout of a dial begins once its token is known.",
        boundary: || {
            lines(|| {
                let mut asked_for = 0;
                Change::default().report(move |line| {
                    if line["event"] != "token_wanted" {
                        return reported([line]);
                    }
                    asked_for += 1;
                    if asked_for == 1 { reported([line]) } else { reported([]) }
                })
            })
        },
    },
    Mutant {
        id: "client/the-first-token-is-kept",
        requirement: "TOKEN-2",
        about: "The token provider's first answer is cached.",
        boundary: || {
            lines(|| {
                let mut first = Value::Null;
                Change::default().request(move |mut line| {
                    if line["op"] == "token" && line["token"].is_string() {
                        if first.is_null() {
                            first = line["token"].clone();
                        }
                        line["token"] = first.clone();
                    }
                    asked([line])
                })
            })
        },
    },
    Mutant {
        id: "client/tokens-in-the-log",
        requirement: "TOKEN-3",
        about: "The debug log shows the URL that is dialled.",
        boundary: || {
            lines(|| {
                Change::default().request(|line| {
                    if line["op"] == "configure" {
                        tracing::info!(target: "reference_client", "Connecting with {}", line["token"].as_str().unwrap_or_default());
                    }
                    asked([line])
                })
            })
        },
    },
    Mutant {
        id: "client/dials-without-a-token",
        requirement: "PROV-2",
        about: "The provider connects whether somebody is signed in or not.",
        boundary: || {
            lines(|| {
                Change::default().request(|mut line| {
                    if line["op"] == "configure" && line["token"].is_null() {
                        line["token"] = json!("undefined");
                    }
                    asked([line])
                })
            })
        },
    },
    Mutant {
        id: "client/always-auto-connects",
        requirement: "PROV-2",
        about: "`autoConnect` is not looked at.",
        boundary: || super::lines::configured("autoConnect", |_| json!(true)),
    },
    Mutant {
        id: "client/stays-when-all-have-gone",
        requirement: "PROV-3",
        about: "The provider's clean-up was forgotten.",
        boundary: || ignoring("unmount"),
    },
    Mutant {
        id: "client/another-default",
        requirement: "CONF-1",
        about: "A default is not that of the table.",
        boundary: || {
            lines(|| {
                Change::default().report(|mut line| {
                    if line["config"]["pingInterval"].is_u64() {
                        line["config"]["pingInterval"] = json!(25_000);
                    }
                    reported([line])
                })
            })
        },
    },
];
