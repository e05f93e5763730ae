//! The steps of a scenario about a gateway.

use std::fmt;
use std::time::Duration;

use protocol::{ClientMessage, Dialect};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tungstenite::protocol::frame::coding::{Data, OpCode};

use super::{FrameSpec, NetworkAct, ScriptedClientAct, Wait, Waits};
use crate::pattern::Pattern;
use crate::scenario::BrokerState;
use crate::scenario::addressed::OWNER;
use crate::times::{Expr, Times};
use crate::trace::Shortened;

/// How long one connection of many takes at most, on the average.
const CHURN_DIAL: Duration = Duration::from_millis(100);

/// What a step does.
#[derive(Debug, Clone, PartialEq)]
pub enum GatewayAction {
    /// Waits.
    Wait(Wait),
    /// Lets time pass.
    Quiet(Expr),
    /// A scripted client acts on a gateway under test.
    ScriptedClient(String, ScriptedClientAct),
    /// Messages are published and confirmed.
    Publish {
        /// What.
        publication: Publication,
        /// They are published repeatedly until each of these has matched, for gateways that do not show otherwise that they consume.
        until: Vec<Pattern>,
        /// For how long at most, where that is not `patience`.
        within: Option<Expr>,
        /// Whether they are left out where the gateway has no such event, as long as something else is published in that way.
        optional: bool,
    },
    /// The broker is asked what it knows.
    Inspect(Inspection),
    /// A page is asked for by plain HTTP, on a connection of its own.
    Get {
        /// The client that asks.
        client: String,
        /// The path.
        path: String,
    },
    /// The broker goes or comes, as the gateway sees it, or what is between them changes.
    Broker(BrokerAct),
    /// The gateway under test is asked to end.
    ShutDown,
    /// The gateway under test is killed without warning.
    Kill,
    /// A gateway is started in the place of the one that was killed.
    Start,
}

/// What is published.
#[derive(Debug, Clone, PartialEq)]
pub enum Publication {
    /// Events of a type.
    Events {
        /// The type.
        kind: String,
        /// Their data.
        data: Value,
        /// How many; more than one are numbered by a `seq` in their data.
        count: u32,
    },
    /// An event for each of certain clients, whatever the gateway has for them: see [`crate::Scenario::addressed`].
    Addressed {
        /// The clients.
        to: Vec<String>,
        /// Its data.
        data: Value,
        /// How many for each.
        count: u32,
        /// Another routing key than its own.
        routing_key: Option<String>,
    },
    /// Whatever this is.
    Body {
        /// The body.
        body: String,
        /// The routing key.
        routing_key: String,
    },
}

/// What the broker takes away, whether or not the gateway is connected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Forgets {
    /// Exchange and queues, as a broker that is set up anew.
    Forgets,
    /// The queues that the gateway consumes, and its consumers with them.
    DeletesQueues,
    /// Those of them that what was published last did not come through; all, where there are no others.
    DeletesOtherQueues,
    /// The channels that the gateway consumes on, as for an acknowledgement that is overdue.
    ClosesChannels,
    /// Those of them on which it does not consume what was published last; all, where there are no others.
    ClosesOtherChannels,
}

/// What happens between gateway and broker.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected `\"up\"`, `\"down\"`, `\"forgets\"`, `\"deletes_queues\"`, `\"deletes_other_queues\"`, `\"closes_channels\"`, `\"closes_other_channels\"`, or what `network` takes"
)]
pub enum BrokerAct {
    /// The broker goes or comes.
    State(BrokerState),
    /// It forgets.
    Forgets(Forgets),
    /// The network between them acts.
    Network(NetworkAct),
}

/// What the broker is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Inspection {
    /// Whether exchange and queue stand as specified.
    Topology,
    /// How many messages are ready in the queue.
    Queue,
    /// How many messages are ready in the queues that are consumed: what the broker has not sent, and keeps.
    Backlog,
    /// How the deliveries of all queues were settled; only the embedded broker reports it.
    Settlements,
    /// Waits until one more delivery is settled than at the last count, and counts then; only the embedded broker reports it.
    Acknowledgement,
    /// How many deliveries each consumer may have unsettled; only the embedded broker reports it.
    Consumers,
    /// Which queues there are; only the embedded broker reports it.
    Queues,
    /// What the gateway's processes hold.
    Resources,
    /// What the gateway or client under test has printed.
    Log,
}

impl Publication {
    /// Has `rename` put the owner in its data where it belongs, given the event's type.
    pub(in crate::scenario) fn rename_owner(&mut self, rename: &impl Fn(Option<&str>, &mut Value)) {
        match self {
            Self::Events { kind, data, .. } => rename(Some(kind), data),
            Self::Body { body, .. } => {
                if let Ok(mut event) = serde_json::from_str::<Value>(body)
                    && let Some(kind) = event["type"].as_str().map(str::to_owned)
                    && event["data"].get(OWNER).is_some()
                {
                    rename(Some(&kind), &mut event["data"]);
                    *body = event.to_string();
                }
            }
            Self::Addressed { .. } => {}
        }
    }

    /// The bodies, in order.
    pub fn bodies(&self) -> Vec<String> {
        match self {
            Self::Body { body, .. } => vec![body.clone()],
            // A bound scenario has none.
            Self::Addressed { .. } => Vec::new(),
            Self::Events { kind, data, count: 1 } => vec![json!({ "type": kind, "data": data }).to_string()],
            Self::Events { kind, data, count } => {
                let body = |number: u32| {
                    let mut data = data.clone();
                    data["seq"] = json!(number);
                    json!({ "type": kind, "data": data }).to_string()
                };
                (1..=*count).map(body).collect()
            }
        }
    }

    /// The routing key of all of them.
    pub fn routing_key(&self) -> String {
        match self {
            Self::Events { kind, .. } => kind.replace(':', "."),
            Self::Addressed { to, .. } => format!("an event for {}", to.join(", ")),
            Self::Body { routing_key, .. } => routing_key.clone(),
        }
    }
}

/// The messages that frames make, each put together as far as it goes.
fn messages(frames: &[FrameSpec]) -> Vec<Vec<u8>> {
    let mut messages: Vec<(Vec<u8>, bool)> = Vec::new();
    for FrameSpec { frame, .. } in frames {
        match (frame.opcode, messages.last_mut()) {
            (OpCode::Data(Data::Continue), Some((message, is_open @ true))) => {
                message.extend(&frame.payload);
                *is_open = !frame.fin;
            }
            (OpCode::Data(Data::Text | Data::Binary | Data::Continue), _) => {
                messages.push((frame.payload.to_vec(), !frame.fin));
            }
            _ => {}
        }
    }
    messages.into_iter().map(|(message, _)| message).collect()
}

fn is_known(message: &ClientMessage) -> bool {
    !matches!(message, ClientMessage::Other { .. })
}

impl GatewayAction {
    /// The clients for whom it publishes whatever the gateway has for them.
    pub(in crate::scenario) fn addressees(&self) -> &[String] {
        match self {
            Self::Publish { publication: Publication::Addressed { to, .. }, .. } => to,
            _ => &[],
        }
    }

    /// Whether a client sends what is no message of the dialect, or none that a gateway needs to understand.
    pub(in crate::scenario) fn is_not_understood(&self, dialect: &Dialect) -> bool {
        let Self::ScriptedClient(_, act) = self else { return false };
        match act {
            ScriptedClientAct::Send { .. }
            | ScriptedClientAct::SendText(_)
            | ScriptedClientAct::SendBinary(_) => true,
            ScriptedClientAct::SendFrames { frames, .. } => {
                messages(frames).iter().any(|message| match str::from_utf8(message) {
                    Ok(text) => !matches!(dialect.decode_client(text), Ok(read) if is_known(&read.message)),
                    // What is no text is an error before it is no message.
                    Err(_) => false,
                })
            }
            _ => false,
        }
    }

    /// Longest time that the step can take.
    pub(in crate::scenario) fn longest(&self, times: &Times) -> Duration {
        match self {
            Self::Wait(wait) => wait.window(times),
            Self::Publish { within: Some(within), .. } => within.duration(times),
            Self::Quiet(time) => time.duration(times),
            Self::ScriptedClient(_, ScriptedClientAct::Connect) => {
                times.patience + times.timing.connect_timeout
            }
            Self::ScriptedClient(_, ScriptedClientAct::Churn { count, rounds }) => {
                (times.patience + CHURN_DIAL * *count) * *rounds
            }
            _ => times.patience,
        }
    }

    /// Why a simulation cannot do it, where it cannot.
    pub(in crate::scenario) fn is_beyond_simulation(&self) -> Option<&'static str> {
        match self {
            Self::Broker(BrokerAct::Network(act)) if act.holds_back().is_none() && !act.loses() => Some(
                "a simulated broker can hold deliveries back and lose connections, and do nothing else to its network",
            ),
            Self::ScriptedClient(_, ScriptedClientAct::Network(act)) if act.loses() => {
                Some("a simulated client's connection cannot be lost")
            }
            Self::Inspect(Inspection::Resources)
            | Self::ScriptedClient(_, ScriptedClientAct::Churn { rounds: 2.., .. }) => {
                Some("a simulated process has no memory of its own")
            }
            Self::Start => Some("a simulated gateway does not begin again"),
            Self::ScriptedClient(_, ScriptedClientAct::Network(act)) if act.resets() => {
                Some("a simulated connection cannot be reset")
            }
            _ => None,
        }
    }
}

impl Waits for GatewayAction {
    fn patterns(&self) -> Vec<&Pattern> {
        match self {
            Self::Wait(wait) => vec![&wait.pattern],
            Self::Publish { until, .. } => until.iter().collect(),
            _ => Vec::new(),
        }
    }

    fn patterns_mut(&mut self) -> Vec<&mut Pattern> {
        match self {
            Self::Wait(wait) => vec![&mut wait.pattern],
            Self::Publish { until, .. } => until.iter_mut().collect(),
            _ => Vec::new(),
        }
    }
}

impl fmt::Display for GatewayAction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wait(wait) => wait.fmt(f),
            Self::Quiet(time) => write!(f, "let {time} pass"),
            Self::ScriptedClient(client, act) => write!(f, "{client}: {act}"),
            Self::Publish { publication, until, .. } => {
                match publication {
                    Publication::Events { kind, count: 1, .. } => write!(f, "publish {kind}")?,
                    Publication::Events { kind, count, .. } => write!(f, "publish {kind} ({count})")?,
                    Publication::Addressed { to, count: 1, .. } => {
                        write!(f, "publish an event for {}", to.join(", "))?;
                    }
                    Publication::Addressed { to, count, .. } => {
                        write!(f, "publish {count} events for {}", to.join(", "))?;
                    }
                    // Under which key, the profile decides: the trace has it.
                    Publication::Body { body, .. } => write!(f, "publish the body {}", Shortened(body))?,
                }
                let patterns: Vec<_> = until.iter().map(ToString::to_string).collect();
                if patterns.is_empty() { Ok(()) } else { write!(f, " until {}", patterns.join(" and ")) }
            }
            Self::Inspect(Inspection::Topology) => f.write_str("read the broker's topology"),
            Self::Inspect(Inspection::Queue) => f.write_str("count the gateway's queue"),
            Self::Inspect(Inspection::Backlog) => {
                f.write_str("count what waits for the gateway at the broker")
            }
            Self::Inspect(Inspection::Settlements) => f.write_str("count what was acknowledged and rejected"),
            Self::Inspect(Inspection::Acknowledgement) => f.write_str("wait for an acknowledgement"),
            Self::Inspect(Inspection::Consumers) => f.write_str("look at the broker's consumers"),
            Self::Inspect(Inspection::Queues) => f.write_str("list the broker's queues"),
            Self::Inspect(Inspection::Resources) => f.write_str("look at what its processes hold"),
            Self::Inspect(Inspection::Log) => f.write_str("read the log"),
            Self::Get { client, path } => write!(f, "{client}: get {path}"),
            Self::Broker(BrokerAct::State(BrokerState::Up)) => f.write_str("let the broker come back"),
            Self::Broker(BrokerAct::State(BrokerState::Down)) => f.write_str("cut the broker off"),
            Self::Broker(BrokerAct::Forgets(what)) => match what {
                Forgets::Forgets => f.write_str("have the broker forget exchange and queue"),
                Forgets::DeletesQueues => f.write_str("have the broker delete the gateway's queues"),
                Forgets::DeletesOtherQueues => {
                    f.write_str("have the broker delete the gateway's queues but the one that was used last")
                }
                Forgets::ClosesChannels => f.write_str("have the broker close the gateway's channels"),
                Forgets::ClosesOtherChannels => {
                    f.write_str("have the broker close the gateway's channels but the one that was used last")
                }
            },
            Self::Broker(BrokerAct::Network(act)) => write!(f, "the network to the broker {act}"),
            Self::ShutDown => f.write_str("ask the gateway to end"),
            Self::Kill => f.write_str("kill the gateway"),
            Self::Start => f.write_str("start the gateway again"),
        }
    }
}
