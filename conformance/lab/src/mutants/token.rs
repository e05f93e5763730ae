//! Clients that are careless with tokens.

use serde_json::{Value, json};

use super::Mutant;
use super::lines::{Change, asked, ignoring, lines};
use super::wire::{Change as OnWire, wire};

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
                    super::lines::reported([line])
                })
            })
        },
    },
];
