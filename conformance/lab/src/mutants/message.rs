//! Gateways that speak badly.

use std::collections::BTreeMap;

use scenarios::frame::RawFrame;
use serde_json::json;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::Mutant;
use super::connection::user;
use super::wire::{Change, SharedState, down, end, is, is_control, message, nothing, text, up, wire, with};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "gateway/no-timestamps",
        requirement: "MSG-1",
        about: "Messages have no `timestamp`.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| {
                    let Some(mut message) = message(&frame) else { return down([frame]) };
                    message.as_object_mut().map(|members| members.remove("timestamp"));
                    down([text(&message)])
                })
            })
        },
    },
    Mutant {
        id: "gateway/odd-timestamps",
        requirement: "MSG-1",
        about: "Timestamps are milliseconds since 1970.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| match message(&frame) {
                    Some(_) => down([with(&frame, "timestamp", json!(1_766_484_000_000_u64))]),
                    None => down([frame]),
                })
            })
        },
    },
    Mutant {
        id: "gateway/no-pong",
        requirement: "MSG-2",
        about: "`ping` messages are not answered.",
        boundary: || wire(|_| Change::default().silent(&["pong"])),
    },
    Mutant {
        id: "gateway/two-pongs",
        requirement: "MSG-2",
        about: "Two handlers answer each `ping`.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| {
                    if is(&frame, "pong") { down([frame.clone(), frame]) } else { down([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "gateway/two-pongs-to-subscribers",
        requirement: "MSG-2",
        about: "Subscribing adds another listener for `ping`.",
        boundary: || {
            wire(|_| {
                let joined = SharedState::<bool>::new();
                let joins = joined.clone();
                Change::default()
                    .up(move |frame| {
                        joins.with(|joined| *joined |= is(&frame, "subscribe"));
                        up([frame])
                    })
                    .down(move |frame| match is(&frame, "pong") && joined.with(|joined| *joined) {
                        true => down([frame.clone(), frame]),
                        false => down([frame]),
                    })
            })
        },
    },
    Mutant {
        id: "gateway/pongs-for-all-of-a-user",
        requirement: "MSG-2",
        about: "A pong goes to the user, and so to each of the user's connections.",
        boundary: || {
            let pongs = SharedState::<BTreeMap<String, Vec<(usize, RawFrame)>>>::new();
            wire(move |number| {
                let (pongs, own, mut seen) = (pongs.clone(), SharedState::<String>::new(), 0);
                let owner = own.clone();
                Change::default()
                    .request(move |head| {
                        own.with(|own| *own = user(&head));
                        head
                    })
                    .down(move |frame| {
                        let user = owner.with(|own| own.clone());
                        pongs.with(|pongs| {
                            let all = pongs.entry(user).or_default();
                            let others = all[seen..].to_vec();
                            if is(&frame, "pong") {
                                all.push((number, frame.clone()));
                            }
                            seen = all.len();
                            let missed = others.into_iter().filter(|(by, _)| *by != number);
                            down(missed.map(|(_, pong)| pong).chain([frame]))
                        })
                    })
            })
        },
    },
    Mutant {
        id: "gateway/agrees-to-compression-that-it-lacks",
        requirement: "MSG-9",
        about: "What stands before the gateway answers the offer of compression, and nothing inflates what comes then.",
        boundary: || {
            wire(|_| {
                let offered = SharedState::<bool>::new();
                let agreed = offered.clone();
                Change::default()
                    .request(move |head| {
                        offered.with(|offered| *offered = head.contains("permessage-deflate"));
                        head
                    })
                    .answer(move |text| match agreed.with(|offered| *offered) {
                        true => text.replacen(
                            "\r\n\r\n",
                            "\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n",
                            1,
                        ),
                        false => text,
                    })
            })
        },
    },
    Mutant {
        id: "gateway/bad-json-ends-the-connection",
        requirement: "MSG-3",
        about: "An exception in the parser ends the connection.",
        boundary: || {
            wire(|_| {
                Change::default().up(|frame| {
                    // A parser is given whole messages, in text that is UTF-8.
                    let is_text = frame.opcode == OpCode::Data(Data::Text) && frame.fin && frame.rsv == 0;
                    let is_given = is_text && std::str::from_utf8(&frame.payload).is_ok();
                    let broken = is_given && message(&frame).is_none();
                    if broken { end() } else { up([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "gateway/binary-ends-the-connection",
        requirement: "MSG-3",
        about: "A binary frame ends the connection.",
        boundary: || {
            wire(|_| {
                Change::default()
                    .up(|frame| if frame.opcode == OpCode::Data(Data::Binary) { end() } else { up([frame]) })
            })
        },
    },
    Mutant {
        id: "gateway/a-broadcast-ends-at-a-broken-connection",
        requirement: "MSG-3",
        about: "A client that sends what cannot be parsed stays in its rooms, and members that joined after it receive no more events.",
        boundary: || {
            let broken = SharedState::<bool>::new();
            wire(move |_| {
                let (breaks, is_broken) = (broken.clone(), broken.clone());
                Change::default()
                    .up(move |frame| {
                        let is_text = frame.opcode == OpCode::Data(Data::Text) && frame.fin;
                        breaks.with(|broken| *broken |= is_text && message(&frame).is_none());
                        up([frame])
                    })
                    .down(move |frame| {
                        let is_lost = is(&frame, "payment:created") && is_broken.with(|broken| *broken);
                        if is_lost { nothing() } else { down([frame]) }
                    })
            })
        },
    },
    Mutant {
        id: "gateway/errors-are-not-told",
        requirement: "MSG-4",
        about: "What cannot be understood is logged and not answered.",
        boundary: || wire(|_| Change::default().silent(&["error"])),
    },
    Mutant {
        id: "gateway/garbage-closes-without-its-code",
        requirement: "MSG-4",
        about: "What cannot be understood ends the connection without the declared code.",
        boundary: || wire(|_| Change::default().speechless(4400)),
    },
    Mutant {
        id: "gateway/too-big-without-a-word",
        requirement: "MSG-5",
        about: "A message that is too big ends the connection without 1009.",
        boundary: || wire(|_| Change::default().speechless(1009)),
    },
    Mutant {
        id: "gateway/floods-are-not-told",
        requirement: "MSG-6",
        about: "Messages beyond the rate are dropped without `rate_limited`.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| {
                    let limited =
                        message(&frame).is_some_and(|message| message["payload"]["code"] == "rate_limited");
                    if limited { nothing() } else { down([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "gateway/old-http-upgrades",
        requirement: "MSG-8",
        about: "A request of HTTP/1.0 is upgraded (RFC 6455 section 4.2.1).",
        boundary: || wire(|_| Change::default().request(|head| head.replacen("HTTP/1.0", "HTTP/1.1", 1))),
    },
    Mutant {
        id: "gateway/masks-are-optional",
        requirement: "MSG-7",
        about: "Frames without a mask are read like any others (RFC 6455 section 5.1).",
        // Forwarded frames are masked again.
        boundary: || wire(|_| Change::default()),
    },
    Mutant {
        id: "gateway/reserved-bits-ignored",
        requirement: "MSG-7",
        about: "Reserved bits are not looked at (RFC 6455 section 5.2).",
        boundary: || {
            wire(|_| {
                Change::default().up(|mut frame| {
                    frame.rsv = 0;
                    up([frame])
                })
            })
        },
    },
    Mutant {
        id: "gateway/utf8-not-looked-at",
        requirement: "MSG-7",
        about: "Broken UTF-8 is replaced instead of refused (RFC 6455 section 8.1).",
        boundary: || {
            wire(|_| {
                Change::default().up(|mut frame| {
                    if frame.opcode == OpCode::Data(Data::Text) && frame.fin {
                        frame.payload = String::from_utf8_lossy(&frame.payload).into_owned().into_bytes();
                    }
                    up([frame])
                })
            })
        },
    },
    Mutant {
        id: "gateway/pings-not-answered",
        requirement: "MSG-7",
        about: "Ping frames are not answered (RFC 6455 section 5.5.2).",
        boundary: || {
            wire(|_| {
                Change::default()
                    .down(|frame| if is_control(&frame, Control::Pong) { nothing() } else { down([frame]) })
            })
        },
    },
    Mutant {
        id: "gateway/closes-not-answered",
        requirement: "MSG-7",
        about: "A close frame is not answered (RFC 6455 section 5.5.1).",
        boundary: || {
            wire(|_| {
                Change::default()
                    .down(|frame| if is_control(&frame, Control::Close) { end() } else { down([frame]) })
            })
        },
    },
];
