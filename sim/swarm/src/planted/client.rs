//! Defects of clients.

use protocol::CloseCode;
use reference_session::{Command, ConnectionId, DialFailure, Input, Output, SendKind, Status};

use super::{Planted, does, every, hears, lives};

pub(super) const PLANTED: &[Planted] = &[
    Planted {
        id: "client/hears-late-that-it-wrote",
        requirement: "QUEUE-4",
        about: "A message leaves the queue when the next one is written.",
        make: || {
            let mut held = None;
            hears(move |input| match input {
                Input::Written(_, SendKind::Message) => held.replace(input).into_iter().collect(),
                Input::Closed(..) => {
                    held = None;
                    vec![input]
                }
                input => vec![input],
            })
        },
    },
    Planted {
        id: "client/forgets-what-the-socket-did-not-take",
        requirement: "QUEUE-1",
        about: "A message leaves the queue when it is handed to the socket, written or not.",
        make: || {
            lives(
                0_usize,
                |unwritten, input| match input {
                    Input::Written(_, SendKind::Message) => {
                        *unwritten = unwritten.saturating_sub(1);
                        vec![input]
                    }
                    Input::Closed(connection, _) => {
                        let written = Input::Written(connection, SendKind::Message);
                        let mut inputs = vec![written; std::mem::take(unwritten)];
                        inputs.push(input);
                        inputs
                    }
                    input => vec![input],
                },
                |unwritten, output| {
                    *unwritten += usize::from(is_send(&output, SendKind::Message));
                    vec![output]
                },
            )
        },
    },
    Planted {
        id: "client/pings-twice-after-a-redial",
        requirement: "PING-1",
        about: "The ping timer of the lost connection is not stopped.",
        make: || {
            does(|output| match &output {
                Output::Send { connection, kind: SendKind::Ping, .. } if connection.0 > 1 => {
                    vec![output.clone(), output]
                }
                _ => vec![output],
            })
        },
    },
    Planted {
        id: "client/does-not-ping-after-a-new-token",
        requirement: "PING-1",
        about: "A connection that replaces another one has no ping timer.",
        make: || {
            lives(
                (false, false),
                |(given, replaces), input| {
                    *given |= matches!(input, Input::Command(Command::SetToken(_)));
                    if matches!(input, Input::Opened(_)) {
                        *replaces = std::mem::take(given);
                    }
                    vec![input]
                },
                |(_, replaces), output| {
                    if *replaces && is_send(&output, SendKind::Ping) { vec![] } else { vec![output] }
                },
            )
        },
    },
    Planted {
        id: "client/leaves-dead-sockets-open",
        requirement: "STATE-5",
        about: "A connection that is taken for dead is not closed.",
        make: || does(|output| if matches!(output, Output::Drop(_)) { vec![] } else { vec![output] }),
    },
    Planted {
        id: "client/asks-twice",
        requirement: "SUB-2",
        about: "After a redial each subscription is renewed by the session and by its hook.",
        make: || {
            does(|output| match &output {
                Output::Send { connection, kind: SendKind::Request, .. } if connection.0 > 1 => {
                    vec![output.clone(), output]
                }
                _ => vec![output],
            })
        },
    },
    Planted {
        id: "client/renews-all-but-one",
        requirement: "SUB-2",
        about: "The second request of each third connection is lost.",
        make: || {
            let mut counted = (ConnectionId(0), 0);
            does(move |output| match &output {
                Output::Send { connection, kind: SendKind::Request, .. } => {
                    if counted.0 != *connection {
                        counted = (*connection, 0);
                    }
                    counted.1 += 1;
                    if connection.0 % 3 == 0 && counted.1 == 2 { vec![] } else { vec![output] }
                }
                _ => vec![output],
            })
        },
    },
    Planted {
        id: "client/flushes-last",
        requirement: "QUEUE-2",
        about: "Subscriptions are renewed before the queue is flushed.",
        make: || {
            let mut held = None::<Vec<Output>>;
            does(move |output| match (&output, &mut held) {
                (Output::Status { new: Status::Connected, .. }, _) => {
                    held = Some(Vec::new());
                    vec![output]
                }
                (Output::Send { kind: SendKind::Message, .. }, Some(held)) => {
                    held.push(output);
                    vec![]
                }
                (Output::Emit { name, .. }, Some(_)) if name == "connected" => {
                    let mut outputs = held.take().unwrap_or_default();
                    outputs.push(output);
                    outputs
                }
                _ => vec![output],
            })
        },
    },
    Planted {
        id: "client/flushes-a-stack",
        requirement: "QUEUE-1",
        about: "The queue is flushed from its end.",
        make: || {
            let mut held = None::<Vec<Output>>;
            does(move |output| match (&output, &mut held) {
                (Output::Status { new: Status::Connected, .. }, _) => {
                    held = Some(Vec::new());
                    vec![output]
                }
                (Output::Send { kind: SendKind::Message, .. }, Some(held)) => {
                    held.push(output);
                    vec![]
                }
                (_, Some(_)) => {
                    let mut outputs = held.take().unwrap_or_default();
                    outputs.reverse();
                    outputs.push(output);
                    outputs
                }
                _ => vec![output],
            })
        },
    },
    Planted {
        id: "client/hides-errors-from-the-third-on",
        requirement: "STATE-1",
        about: "`error` is not announced any more once two dials have failed.",
        make: || {
            let mut errors = 0;
            does(move |output| match output {
                Output::Status { new: Status::Error, .. } => {
                    errors += 1;
                    if errors > 2 { vec![] } else { vec![output] }
                }
                output => vec![output],
            })
        },
    },
    Planted {
        id: "client/hides-that-it-connects",
        requirement: "STATE-2",
        about: "The first `connecting` is set without a word.",
        make: || {
            let mut hides = false;
            does(move |output| match output {
                Output::Status { old: Status::Disconnected, new: Status::Connecting } => {
                    hides = true;
                    vec![]
                }
                Output::Status { new, .. } if std::mem::take(&mut hides) => {
                    vec![Output::Status { old: Status::Disconnected, new }]
                }
                output => vec![output],
            })
        },
    },
    Planted {
        id: "client/says-too-early-that-it-gives-up",
        requirement: "STATE-4",
        about: "The event for exhausted attempts comes with the last attempt but one.",
        make: || {
            does(|output| match output {
                Output::Redial { attempt: 2, .. } => {
                    let payload = serde_json::json!({ "attempts": 2 });
                    vec![output, Output::Emit { name: "max_reconnect_attempts".to_owned(), payload }]
                }
                output => vec![output],
            })
        },
    },
    Planted {
        id: "client/dials-after-its-end",
        requirement: "STATE-6",
        about: "A redial that was planned when the application disconnected is made all the same.",
        make: || {
            let mut last = None;
            does(move |output| match &output {
                Output::Dial { token, .. } => {
                    last = Some(token.clone());
                    vec![output]
                }
                Output::Status { old: Status::Reconnecting, new: Status::Disconnected } => {
                    let late =
                        last.take().map(|token| Output::Dial { connection: ConnectionId(u64::MAX), token });
                    std::iter::once(output).chain(late).collect()
                }
                _ => vec![output],
            })
        },
    },
    Planted {
        id: "client/tries-a-refused-token-again",
        requirement: "STATE-8",
        about: "A token that was refused is tried once more, in case it was a mistake.",
        make: || {
            let mut last = None;
            does(move |output| match &output {
                Output::Dial { token, .. } => {
                    last = Some(token.clone());
                    vec![output]
                }
                Output::DialFailed(DialFailure::Unauthorized) => {
                    let again =
                        last.take().map(|token| Output::Dial { connection: ConnectionId(u64::MAX), token });
                    std::iter::once(output).chain(again).collect()
                }
                _ => vec![output],
            })
        },
    },
    Planted {
        id: "client/loses-a-dial",
        requirement: "BACKOFF-1",
        about: "Every fourth dial is never made, and its timeout is waited for.",
        make: || {
            let mut is_next = every(4);
            does(move |output| match output {
                Output::Dial { .. } if is_next() => vec![],
                output => vec![output],
            })
        },
    },
    Planted {
        id: "client/dials-with-its-first-token",
        requirement: "STATE-8",
        about: "A redial uses the token of the first dial.",
        make: || {
            let mut first = None;
            does(move |output| match output {
                Output::Dial { connection, token } => {
                    let token = first.get_or_insert(token).clone();
                    vec![Output::Dial { connection, token }]
                }
                output => vec![output],
            })
        },
    },
    Planted {
        id: "client/takes-no-one-for-dead",
        requirement: "PING-3",
        about: "Pongs are not waited for.",
        make: || {
            let mut open = None;
            hears(move |input| match input {
                Input::Opened(connection) => {
                    open = Some(connection);
                    vec![input]
                }
                Input::Closed(..) => {
                    open = None;
                    vec![input]
                }
                Input::Timer => {
                    let pong = |connection| Input::Text(connection, r#"{"type":"pong"}"#.to_owned());
                    open.map(pong).into_iter().chain([input]).collect()
                }
                input => vec![input],
            })
        },
    },
    Planted {
        id: "client/swallows-events-of-a-burst",
        requirement: "IN-1",
        about: "A listener's queue holds fifty events; what comes beside them is dropped.",
        make: || {
            lives(
                0_u32,
                |burst, input| {
                    if !matches!(input, Input::Text(..)) {
                        *burst = 0;
                    }
                    vec![input]
                },
                |burst, output| match &output {
                    Output::Emit { name, .. } if name.contains(':') => {
                        *burst += 1;
                        if *burst > 50 { vec![] } else { vec![output] }
                    }
                    _ => vec![output],
                },
            )
        },
    },
    Planted {
        id: "client/forgets-a-subscription-made-while-it-renews-its-token",
        requirement: "SUB-2",
        about: "What is subscribed to between a new token and its connection is not renewed.",
        make: || while_replacing(|command| matches!(command, Command::Subscribe(_))),
    },
    Planted {
        id: "client/keeps-what-was-ended-while-it-renews-its-token",
        requirement: "SUB-2",
        about: "What is unsubscribed from between a new token and its connection is renewed.",
        make: || while_replacing(|command| matches!(command, Command::Unsubscribe(_))),
    },
    Planted {
        id: "client/loses-what-is-sent-while-it-renews-its-token",
        requirement: "QUEUE-1",
        about: "What is sent between a new token and its connection goes to the old one.",
        make: || while_replacing(|command| matches!(command, Command::Send { .. })),
    },
    Planted {
        id: "client/loses-what-is-sent-while-it-dials",
        requirement: "QUEUE-1",
        about: "What is sent while a redial is under way is dropped.",
        make: || {
            lives(
                false,
                |dials, input| match input {
                    Input::Command(Command::Send { .. }) if *dials => vec![],
                    Input::Opened(_) | Input::DialFailed(..) => {
                        *dials = false;
                        vec![input]
                    }
                    input => vec![input],
                },
                |dials, output| {
                    *dials |= matches!(&output, Output::Dial { connection, .. } if connection.0 > 1);
                    vec![output]
                },
            )
        },
    },
    Planted {
        id: "client/repeats-a-message-after-a-new-token",
        requirement: "QUEUE-4",
        about: "The first message on a connection that replaces another one is sent twice.",
        make: || {
            lives(
                false,
                |replaces, input| {
                    *replaces |= matches!(input, Input::Command(Command::SetToken(_)));
                    vec![input]
                },
                |replaces, output| match &output {
                    Output::Send { kind: SendKind::Message, .. } if std::mem::take(replaces) => {
                        vec![output.clone(), output]
                    }
                    _ => vec![output],
                },
            )
        },
    },
    Planted {
        id: "client/does-not-renew-an-expired-token",
        requirement: "STATE-3",
        about: "4401 is final, although a provider has a newer token.",
        make: || closed_as_final(CloseCode::UNAUTHORIZED),
    },
    Planted {
        id: "client/stays-away-after-a-goodbye",
        requirement: "STATE-3",
        about: "1001 is final.",
        make: || closed_as_final(CloseCode::GOING_AWAY),
    },
    Planted {
        id: "client/stays-away-once-it-was-slow",
        requirement: "STATE-3",
        about: "1013 is final.",
        make: || closed_as_final(CloseCode::TRY_AGAIN_LATER),
    },
    Planted {
        id: "client/takes-a-failed-provider-for-the-end",
        requirement: "STATE-3",
        about: "A token provider that fails ends the search for a connection.",
        make: || {
            hears(|input| match input {
                Input::Token(_, Err(_)) => vec![input, Input::Command(Command::Disconnect)],
                input => vec![input],
            })
        },
    },
];

fn is_send(output: &Output, wanted: SendKind) -> bool {
    matches!(output, Output::Send { kind, .. } if *kind == wanted)
}

/// A client that takes a close code for a final one.
fn closed_as_final(code: CloseCode) -> Box<dyn super::Defect> {
    hears(move |input| match input {
        Input::Closed(connection, Some(closed)) if closed == code => {
            vec![Input::Closed(connection, Some(CloseCode::NORMAL))]
        }
        input => vec![input],
    })
}

/// A client that ignores some commands between a new token and its connection.
fn while_replacing(ignores: fn(&Command) -> bool) -> Box<dyn super::Defect> {
    let mut replaces = false;
    hears(move |input| {
        match &input {
            Input::Command(Command::SetToken(_)) => replaces = true,
            Input::Opened(_) => replaces = false,
            Input::Command(command) if replaces && ignores(command) => return vec![],
            _ => {}
        }
        vec![input]
    })
}
