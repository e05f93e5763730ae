//! Defects of gateways.

use std::collections::BTreeSet;

use bytes::Bytes;
use embedded_broker::Request;
use protocol::{Claims, Role, RoomName};
use reference_gateway::{Input, Output, text_frame};

use super::{Changes, Planted, every, gateway_does, gateway_hears};

pub(super) const PLANTED: &[Planted] = &[
    Planted {
        id: "gateway/is-deaf-to-unsubscribe-after-a-while",
        requirement: "ROOM-6",
        about: "From the third on, nothing answers a request to leave a room.",
        make: || {
            let mut requests = 0;
            gateway_hears(move |input| match &input {
                Input::Text(_, text) if text.contains("\"unsubscribe\"") => {
                    requests += 1;
                    if requests >= 3 { vec![] } else { vec![input] }
                }
                _ => vec![input],
            })
        },
    },
    Planted {
        id: "gateway/answers-twice",
        requirement: "ROOM-6",
        about: "Every seventh acknowledgement goes out twice.",
        make: || {
            let mut is_next = every(7);
            gateway_does(move |output| match &output {
                Output::Send(_, bytes) if says(bytes, "subscribed") && is_next() => {
                    vec![output.clone(), output]
                }
                _ => vec![output],
            })
        },
    },
    Planted {
        id: "gateway/keeps-every-third-membership",
        requirement: "CONN-5",
        about: "The end of every third connection is not noted, and no heartbeat notices it later.",
        make: || {
            let mut is_next = every(3);
            let mut kept = Vec::new();
            gateway_hears(move |input| match input {
                Input::Closed(connection) if is_next() => {
                    kept.push(connection);
                    vec![]
                }
                Input::Timer => kept.iter().copied().map(Input::Pong).chain([input]).collect(),
                input => vec![input],
            })
        },
    },
    Planted {
        id: "gateway/keeps-dead-peers",
        requirement: "HB-2",
        about: "A peer that is taken for dead keeps its socket.",
        make: || gateway_does(|output| if matches!(output, Output::Drop(_)) { vec![] } else { vec![output] }),
    },
    Planted {
        id: "gateway/misses-a-pong",
        requirement: "HB-3",
        about: "Every twelfth pong is not counted.",
        make: || {
            let mut is_next = every(12);
            gateway_hears(move |input| match input {
                Input::Pong(_) if is_next() => vec![],
                input => vec![input],
            })
        },
    },
    Planted {
        id: "gateway/overtakes",
        requirement: "BRIDGE-6",
        about: "Every fortieth event is handed on behind the next one.",
        make: || {
            let mut is_next = every(40);
            let mut held = None;
            gateway_hears(move |input| match input {
                Input::Deliver(_) if held.is_none() && is_next() => {
                    held = Some(input);
                    vec![]
                }
                Input::Deliver(_) => std::iter::once(input).chain(held.take()).collect(),
                input => vec![input],
            })
        },
    },
    Planted {
        id: "gateway/delivers-twice",
        requirement: "BRIDGE-5",
        about: "Every fiftieth event is handed on twice.",
        make: || {
            let mut is_next = every(50);
            gateway_hears(move |input| match input {
                Input::Deliver(_) if is_next() => vec![input.clone(), input],
                input => vec![input],
            })
        },
    },
    Planted {
        id: "gateway/loses-an-event-of-many",
        requirement: "BRIDGE-2",
        about: "The hundred-and-first event since the start is dropped.",
        make: || {
            let mut events = 0;
            gateway_hears(move |input| {
                events += u32::from(matches!(input, Input::Deliver(_)));
                if events == 101 && matches!(input, Input::Deliver(_)) { vec![] } else { vec![input] }
            })
        },
    },
    Planted {
        id: "gateway/loses-private-events",
        requirement: "BRIDGE-18",
        about: "Every fifth event for a user alone is dropped.",
        make: || {
            let mut is_next = every(5);
            gateway_hears(move |input| match &input {
                Input::Deliver(delivery) if delivery.rooms.iter().all(is_private) && is_next() => vec![],
                _ => vec![input],
            })
        },
    },
    Planted {
        id: "gateway/garbles-a-message",
        requirement: "MSG-1",
        about: "Every two-hundredth frame is cut.",
        make: || {
            let mut is_next = every(200);
            gateway_does(move |output| match output {
                Output::Send(connection, bytes) if bytes.len() > 2 && is_next() => {
                    vec![Output::Send(connection, text_frame("{\"type\":"))]
                }
                output => vec![output],
            })
        },
    },
    Planted {
        id: "gateway/consumes-twice-at-most",
        requirement: "BRIDGE-9",
        about: "From the third connection to the broker on nothing is consumed.",
        make: || {
            let mut consumed = 0;
            Box::new(Changes {
                broker_request: Some(Box::new(move |request| {
                    consumed += u32::from(matches!(request, Request::Consume { .. }));
                    let is_dropped = consumed > 2 && matches!(request, Request::Consume { .. });
                    if is_dropped { vec![] } else { vec![request] }
                })),
                ..Changes::default()
            })
        },
    },
    Planted {
        id: "gateway/acknowledges-all-but-the-last",
        requirement: "BRIDGE-7",
        about: "A delivery is acknowledged together with the next one.",
        make: || {
            let mut held = None;
            Box::new(Changes {
                broker_request: Some(Box::new(move |request| match request {
                    Request::AcknowledgeUpTo(_) => held.replace(request).into_iter().collect(),
                    request => vec![request],
                })),
                ..Changes::default()
            })
        },
    },
    Planted {
        id: "gateway/promotes-the-fourth",
        requirement: "BRIDGE-4",
        about: "The fourth connection since the start is an administrator's.",
        make: || {
            with_claims(|number, claims, _| Claims {
                role: if number == 4 { Role::Admin } else { claims.role },
                ..claims
            })
        },
    },
    Planted {
        id: "gateway/confuses-users",
        requirement: "BRIDGE-4",
        about: "Every sixth connection speaks for the user of the one before.",
        make: || {
            with_claims(|number, claims, last| if number % 6 == 0 { last.unwrap_or(claims) } else { claims })
        },
    },
    Planted {
        id: "gateway/ends-a-connection-before-its-token",
        requirement: "AUTH-6",
        about: "Connections end ten seconds before their tokens do.",
        make: || {
            with_claims(|_, claims, _| Claims { expires_at: claims.expires_at.saturating_sub(10), ..claims })
        },
    },
    Planted {
        id: "gateway/outlives-tokens",
        requirement: "AUTH-6",
        about: "The expiry of a token is looked at when it is presented, and not again.",
        make: || with_claims(|_, claims, _| Claims { expires_at: u64::MAX / 4, ..claims }),
    },
    Planted {
        id: "gateway/welcomes-late",
        requirement: "CONN-4",
        about: "A connection's first message follows its second.",
        make: || {
            let mut held = None;
            let mut opened = BTreeSet::new();
            gateway_does(move |output| match &output {
                Output::Send(connection, _) if opened.insert(*connection) => {
                    held.replace(output).into_iter().collect()
                }
                Output::Send(..) => std::iter::once(output).chain(held.take()).collect(),
                _ => vec![output],
            })
        },
    },
    Planted {
        id: "gateway/skips-pings",
        requirement: "HB-1",
        about: "Every ninth ping is not sent.",
        make: || {
            let mut is_next = every(9);
            gateway_does(move |output| match &output {
                Output::Send(_, bytes) if bytes[..] == [0x89, 0] && is_next() => vec![],
                _ => vec![output],
            })
        },
    },
];

fn is_private(room: &RoomName) -> bool {
    room.as_str().starts_with("user:")
}

fn says(frames: &Bytes, word: &str) -> bool {
    frames.windows(word.len()).any(|window| window == word.as_bytes())
}

/// A gateway that takes connections for others': given the number of a connection, its claims, and those of the one before.
fn with_claims(change: fn(u32, Claims, Option<Claims>) -> Claims) -> Box<dyn super::Defect> {
    let (mut number, mut last) = (0, None);
    gateway_hears(move |input| match input {
        Input::Opened(connection, claims) => {
            number += 1;
            let before = last.replace(claims.clone());
            vec![Input::Opened(connection, change(number, claims, before))]
        }
        input => vec![input],
    })
}
