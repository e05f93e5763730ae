//! Mutants of the client that need a process of their own: what is about sleep, memory, descriptors and pairs cannot be simulated.

use std::fs::File;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reference_client::{Dial, TcpDial, adapter, system_clock};
use scenarios::frame::RawFrame;
use sim::boundary::{AdapterLine, Boundary, WireMaker, join, speak};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, duplex};

use super::Mutant;
use super::lines::{Change, answered, asked, ignoring, lines};
use super::wire::{Change as OnWire, SharedState, is, up, wire};

/// What a pipe of the mutant holds.
const PIPE_BYTES: usize = 64 * 1024;
/// Longer than a timer is late, and shorter than any case sleeps.
const SLEPT: Duration = Duration::from_millis(1500);
/// What is kept of each connection, in bytes.
const KEPT_BYTES: usize = 1024 * 1024;

/// Played over sockets, by `gatecheck mutant-client ID`.
pub const PROCESSES: &[Mutant] = &[
    Mutant {
        id: "client/catches-up-on-missed-pings",
        requirement: "LIFE-1",
        about: "A timer that was late fires once for each time that it has missed.",
        boundary: || {
            let last = SharedState::<Option<Instant>>::new();
            wire(move |_| {
                let last = last.clone();
                OnWire::default().up(move |frame| {
                    if !is(&frame, "ping") {
                        return up([frame]);
                    }
                    let before = last.with(|last| last.replace(now()));
                    let has_slept = before.is_some_and(|before| now() - before > SLEPT);
                    up(vec![frame; if has_slept { 8 } else { 1 }])
                })
            })
        },
    },
    Mutant {
        id: "client/forgets-in-its-sleep",
        requirement: "LIFE-1",
        about: "What has waited for too long by the clock is thrown away.",
        boundary: || lines(forgetful),
    },
    Mutant {
        id: "client/keeps-descriptors",
        requirement: "LIFE-2",
        about: "Each connection leaves a descriptor open.",
        boundary: || {
            wire(|_| {
                std::mem::forget(File::open("/dev/null"));
                OnWire::default()
            })
        },
    },
    Mutant {
        id: "client/keeps-buffers",
        requirement: "LIFE-2",
        about: "Each connection leaves its buffers behind.",
        boundary: || {
            wire(|_| {
                std::mem::forget(vec![1_u8; KEPT_BYTES]);
                OnWire::default()
            })
        },
    },
    Mutant {
        id: "pair/subscribes-once",
        requirement: "PAIR-6",
        about: "What was subscribed to on the first connection is not subscribed to on the next.",
        boundary: || {
            wire(|number| {
                OnWire::default().up(move |frame| {
                    let is_lost = number > 0 && is(&frame, "subscribe");
                    up((!is_lost).then_some(frame))
                })
            })
        },
    },
    Mutant {
        id: "pair/loses-what-waited",
        requirement: "PAIR-7",
        about: "One of the messages that have waited for a connection is not sent.",
        boundary: || {
            wire(|_| {
                let mut is_lost = is_at(3, "note");
                OnWire::default().up(move |frame| up((!is_lost(&frame)).then_some(frame)))
            })
        },
    },
    Mutant {
        id: "pair/keeps-its-token",
        requirement: "PAIR-9",
        about: "The client goes on with the token that it had.",
        boundary: || ignoring("set_token"),
    },
];

/// Whether a frame's place among those of its type is this, on its connection.
fn is_at(place: usize, kind: &'static str) -> impl FnMut(&RawFrame) -> bool + Send {
    let mut count = 0;
    move |frame| {
        count += usize::from(is(frame, kind));
        is(frame, kind) && count == place
    }
}

/// Holds what is sent without a connection, and drops it where it has waited for too long.
fn forgetful() -> Change {
    let waiting = SharedState::<(bool, Vec<(Instant, serde_json::Value)>)>::new();
    let goes_out = waiting.clone();
    Change::default()
        .request(move |line| {
            if line["op"] != "send" || waiting.with(|(is_online, _)| *is_online) {
                return asked([line]);
            }
            let mut copy = line.clone();
            copy["id"] = serde_json::json!(1_u64 << 32);
            waiting.with(|(_, held)| held.push((now(), copy)));
            answered(&line)
        })
        .report(move |line| {
            if line["id"] == 1_u64 << 32 {
                return AdapterLine::default();
            }
            if line["event"] != "status" {
                return super::lines::reported([line]);
            }
            let to_adapter = goes_out.with(|(is_online, held)| {
                *is_online = line["status"] == "connected";
                if !*is_online {
                    return Vec::new();
                }
                let held = std::mem::take(held).into_iter();
                held.filter(|(since, _)| since.elapsed() < SLEPT).map(|(_, line)| line).collect()
            });
            AdapterLine { to_adapter, to_judge: vec![line] }
        })
}

/// Serves the mutant's adapter on these pipes until they end.
///
/// # Errors
/// When a pipe fails.
pub async fn serve(
    mutant: &Mutant,
    input: impl AsyncRead + Unpin,
    output: impl AsyncWrite + Unpin,
) -> io::Result<()> {
    let Boundary { wire, lines, .. } = (mutant.boundary)();
    let dial = ThroughWire { wire, count: Arc::default() };
    let Some(lines) = lines else { return adapter::run(input, output, dial, system_clock()).await };
    let (requests, changed_input) = duplex(PIPE_BYTES);
    let (changed_output, reports) = duplex(PIPE_BYTES);
    tokio::select! {
        spoken = speak(lines(), (input, output), (requests, reports)) => spoken,
        ran = adapter::run(changed_input, changed_output, dial, system_clock()) => ran,
    }
}

/// TCP, through what changes the connection.
#[derive(Clone)]
struct ThroughWire {
    wire: Option<WireMaker>,
    count: Arc<AtomicUsize>,
}

impl Dial for ThroughWire {
    type Stream = DuplexStream;

    async fn dial(&self, host: &str, port: u16) -> io::Result<DuplexStream> {
        let stream = TcpDial.dial(host, port).await?;
        let (near, mut far) = duplex(PIPE_BYTES);
        let number = self.count.fetch_add(1, Ordering::Relaxed);
        match self.wire.as_ref().and_then(|make| make(number)) {
            Some(wire) => drop(tokio::spawn(join(wire, far, stream))),
            None => drop(tokio::spawn(async move {
                let mut stream = stream;
                tokio::io::copy_bidirectional(&mut far, &mut stream).await
            })),
        }
        Ok(near)
    }
}

#[expect(clippy::disallowed_methods, reason = "these mutants are about the clock of their process")]
fn now() -> Instant {
    Instant::now()
}
