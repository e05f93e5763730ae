//! Clients that speak another WebSocket than RFC 6455.

use scenarios::frame::RawFrame;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::Mutant;
use super::wire::{Change, SharedState, down, end, is_control, nothing, up, wire};

/// A reserved data opcode.
const RESERVED: u8 = 3;

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "client/frames-are-not-masked",
        requirement: "WIRE-1",
        about: "The masking bit is left out.",
        boundary: || wire(|_| Change::default().mask(|_| None)),
    },
    Mutant {
        id: "client/one-masking-key",
        requirement: "WIRE-1",
        about: "The masking key is a constant.",
        boundary: || wire(|_| Change::default().mask(|_| Some([0; 4]))),
    },
    Mutant {
        id: "client/closes-are-not-answered",
        requirement: "WIRE-1",
        about: "A gateway's close ends the connection without an answer.",
        boundary: || {
            wire(|_| {
                Change::default()
                    .down(|frame| if is_control(&frame, Control::Close) { end() } else { down([frame]) })
            })
        },
    },
    Mutant {
        id: "client/fragments-are-lost",
        requirement: "WIRE-1",
        about: "Continuations are not known: a message in fragments does not come.",
        boundary: || {
            wire(|_| {
                Change::default().down(|frame| {
                    let is_part = frame.opcode == OpCode::Data(Data::Continue)
                        || matches!(frame.opcode, OpCode::Data(_)) && !frame.fin;
                    if is_part { nothing() } else { down([frame]) }
                })
            })
        },
    },
    Mutant {
        id: "client/wrong-frames-are-skipped",
        requirement: "WIRE-1",
        about: "A frame that makes no sense is passed over, and the next one read.",
        boundary: || {
            wire(|_| {
                let mut is_open = false;
                Change::default().down(move |frame| {
                    let is_wrong = frame.fault(is_open).is_some() || frame.opcode == OpCode::from(RESERVED);
                    if is_wrong {
                        return nothing();
                    }
                    if let OpCode::Data(_) = frame.opcode {
                        is_open = !frame.fin;
                    }
                    down([frame])
                })
            })
        },
    },
    Mutant {
        id: "client/broken-texts-are-repaired",
        requirement: "WIRE-1",
        about: "What is not UTF-8 is decoded with replacement characters.",
        boundary: || {
            wire(|_| {
                let mut text: Option<RawFrame> = None;
                Change::default().down(move |frame| {
                    if frame.opcode == OpCode::Data(Data::Text) && frame.rsv == 0 && text.is_none() {
                        text = Some(RawFrame { payload: Vec::new(), ..frame.clone() });
                    }
                    let Some(whole) = text.as_mut().filter(|_| matches!(frame.opcode, OpCode::Data(_)))
                    else {
                        return down([frame]);
                    };
                    whole.payload.extend(&frame.payload);
                    if !frame.fin {
                        return nothing();
                    }
                    let whole = text.take().map(|whole| whole.payload).unwrap_or_default();
                    down([RawFrame::text(String::from_utf8_lossy(&whole))])
                })
            })
        },
    },
    Mutant {
        id: "client/masks-of-gateways-are-taken",
        requirement: "WIRE-1",
        about: "A mask is removed, whichever end has set it.",
        boundary: || wire(|_| Change::default().unmasks()),
    },
    Mutant {
        id: "client/any-101-will-do",
        requirement: "WIRE-1",
        about: "What stands beside the status of an upgrade is not looked at.",
        boundary: || {
            wire(|_| {
                Change::default().answer(|head| {
                    let wrong = ["Sec-WebSocket-Protocol: x-", "Sec-WebSocket-Extensions: x-"];
                    let right = |line: &&str| !wrong.iter().any(|field| line.starts_with(field));
                    head.split_inclusive('\n').filter(right).collect()
                })
            })
        },
    },
    Mutant {
        id: "client/pongs-end-at-a-hundred-bytes",
        requirement: "WIRE-1",
        about: "The buffer for pongs is too short for a control frame.",
        boundary: || {
            wire(|_| {
                Change::default().up(|mut frame| {
                    if is_control(&frame, Control::Pong) {
                        frame.payload.truncate(100);
                    }
                    up([frame])
                })
            })
        },
    },
    Mutant {
        id: "client/talks-on-after-its-close",
        requirement: "WIRE-1",
        about: "A ping goes out behind the answer to a close.",
        boundary: || {
            wire(|_| {
                Change::default().up(|frame| {
                    if is_control(&frame, Control::Close) {
                        up([frame, RawFrame::control(Control::Ping, "late")])
                    } else {
                        up([frame])
                    }
                })
            })
        },
    },
    Mutant {
        id: "client/says-of-no-code-that-it-was-one",
        requirement: "WIRE-1",
        about: "A close without a code is answered with 1005.",
        boundary: || {
            wire(|_| {
                let coded = SharedState::<bool>::new();
                let has_code = coded.clone();
                Change::default()
                    .down(move |frame| {
                        if is_control(&frame, Control::Close) {
                            has_code.with(|coded| *coded = !frame.payload.is_empty());
                        }
                        down([frame])
                    })
                    .up(move |mut frame| {
                        if is_control(&frame, Control::Close)
                            && frame.payload.is_empty()
                            && !coded.with(|coded| *coded)
                        {
                            frame.payload = 1005_u16.to_be_bytes().to_vec();
                        }
                        up([frame])
                    })
            })
        },
    },
];
