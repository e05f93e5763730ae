//! What happened, as an executor recorded it: the only thing that expectations may read.

mod display;
mod meaning;
mod texts;

use std::fmt;
use std::time::Duration;

use protocol::{ClientMessage, CloseCode, ServerMessage};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub(crate) use self::display::{Key, Shortened};
use crate::label::Label;

/// Everything that was observed in one case, in the order in which the recorder saw it.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct Trace {
    /// The observations.
    pub observations: Vec<Observation>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// When, since the case began, in microseconds.
    pub at_us: u64,
    /// To whom.
    pub actor: Actor,
    /// On which of the actor's connections, counted from 0, where it was on one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connection: Option<u32>,
    /// What happened: its name, or an object whose one key is its name. New names may come within a version of the report.
    #[schemars(schema_with = "any_event")]
    pub event: Event,
}

/// Not derived: a reader of traces must expect events that this version does not know.
fn any_event(_: &mut SchemaGenerator) -> Schema {
    json_schema!({ "oneOf": [
        { "type": "string" },
        { "type": "object", "minProperties": 1, "maxProperties": 1 }
    ] })
}

/// Who acted or was acted on. Connections are always named by their client end, whichever end is scripted.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
#[schemars(inline)]
pub struct Actor(pub String);

/// What happened. `Sent` and `Received` are from the client's point of view, whichever end is scripted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Event {
    /// A step of the scenario began.
    Step {
        /// Its number, counted from 1.
        number: usize,
        /// What it does, for people.
        action: String,
    },
    /// A step waited in vain, or could not do what its label says; it was the last one played.
    InVain {
        /// The step, counted from 1; 0 before the first.
        step: usize,
        /// The requirement that the step rests on, and in which way.
        #[serde(flatten)]
        label: Label,
        /// What was waited for, or what failed.
        detail: String,
        /// How long, in microseconds.
        waited_us: u64,
    },
    /// The steps are over. What follows shows whether the subject is alive, and is not part of what expectations read.
    StepsEnded,
    /// A client began an upgrade.
    Dialled {
        /// The path asked for.
        path: String,
        /// The query, percent-decoded, in order; the token is `token` in it, whatever it is called, and wherever it travels.
        query: Vec<(String, String)>,
        /// Where the token travels, where that is not the query.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token_in: Option<String>,
    },
    /// What was said until an upgrade was granted or refused: requests and answers as they were, the long ones cut.
    Handshake {
        /// The client's side of it.
        request: String,
        /// The gateway's.
        answer: String,
    },
    /// The upgrade succeeded.
    Opened,
    /// The upgrade did not succeed.
    Refused {
        /// The HTTP status, where there was one.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
        /// The close code, where the upgrade was granted and closed before any message.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<CloseCode>,
        /// Who ended it, where that is certain.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<Side>,
        /// What else is known.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// The client sent a frame.
    Sent(Frame),
    /// The client received a frame.
    Received(Frame),
    /// A frame came that RFC 6455 does not allow. Its content was processed all the same.
    BadFrame {
        /// What is wrong with it.
        why: String,
        /// Who sent it.
        #[serde(default = "Side::gateway", skip_serializing_if = "Side::is_gateway")]
        by: Side,
    },
    /// The connection ended.
    Closed {
        /// The code of the first close frame, if there was one: 1005 where it has none (RFC 6455 section 7.1.5).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        code: Option<CloseCode>,
        /// Who ended it.
        by: Side,
    },
    /// The client under test announced a change of status.
    Status {
        /// The status it left.
        old: String,
        /// The status it is in.
        new: String,
    },
    /// The client under test called a listener.
    Emitted {
        /// The event's name.
        name: String,
        /// Its payload.
        payload: Value,
        /// Which listener.
        listener: String,
    },
    /// A request to the client under test was answered with an error.
    RequestFailed {
        /// The operation.
        op: String,
        /// What it said.
        error: String,
    },
    /// The broker confirmed a message.
    Published {
        /// The routing key, as scenarios have it.
        routing_key: String,
        /// The body, as scenarios have it.
        body: Value,
        /// How many queues had consumers at the broker, where that is known.
        #[serde(rename = "consumed_queues", default, skip_serializing_if = "Option::is_none")]
        queues: Option<usize>,
        /// What the broker really got, where a profile words events otherwise than scenarios.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        as_sent: Option<AsSent>,
    },
    /// What the broker says of the gateway's exchange and queue.
    Topology {
        /// Whether the exchange stands as specified; otherwise what is wrong.
        exchange: Result<(), String>,
        /// Whether the queue stands as specified; otherwise what is wrong.
        queue: Result<(), String>,
    },
    /// A page came, or none.
    Answered {
        /// The path asked for.
        path: String,
        /// The HTTP status.
        status: u16,
        /// The body.
        body: String,
    },
    /// What the program under test has printed.
    Log {
        /// All of it, where it is a gateway's; what came since it was last read, where it is a client's.
        text: String,
    },
    /// A query of the client under test was fetched, for the first time or anew.
    Refetched {
        /// The query's key.
        key: Vec<Value>,
    },
    /// The client under test was asked for a value.
    Read {
        /// What was read.
        what: Reading,
        /// What it is.
        value: Value,
    },
    /// The client under test reported an error as it would to an error tracker.
    Reported {
        /// What it said.
        message: String,
        /// The user that it named, or nothing.
        user: Value,
    },
    /// The client under test asked for a token to dial with.
    TokenWanted,
    /// The gateway under test ended after it was asked to.
    Ended {
        /// Its exit status, for people.
        status: String,
    },
    /// The broker had no queue for what was published.
    Unrouted {
        /// The exchange.
        exchange: String,
        /// The routing key.
        routing_key: String,
        /// What is bound to that exchange: `key → queue`.
        bindings: Vec<String>,
    },
    /// How many messages stand in the gateway's queue.
    QueueDepth {
        /// Messages ready for delivery.
        ready: u32,
    },
    /// What the processes of the subject hold.
    Resources(Resources),
    /// What the broker's consumers may have unsettled.
    Consumers {
        /// The most deliveries of each that has a limit, by its queue.
        limited: Vec<(String, u16)>,
        /// The queues of those that have none.
        unlimited: Vec<String>,
    },
    /// The queues that there are at the broker.
    Queues {
        /// Their names.
        names: Vec<String>,
        /// Those of them that have no consumer.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        unconsumed: Vec<String>,
    },
    /// What became of the deliveries of all queues at the broker, since it began.
    Settlements(Settlements),
    /// The gateway under test dialled its broker. Seen where a scenario disturbs what is between the two.
    BrokerDialled,
    /// The gateway ended its end of a connection of a pair, whatever the network lets the client see of that.
    GatewayClosed,
    /// The executor did something to the gateway or the network.
    Fault {
        /// What.
        what: String,
    },
    /// The process under test ended by itself.
    SubjectDied {
        /// Its exit status, for people.
        status: String,
    },
}

/// A message as a broker got it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AsSent {
    /// The exchange.
    pub exchange: String,
    /// The routing key.
    pub routing_key: String,
    /// The body.
    pub body: String,
}

/// A step that waited in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InVain<'a> {
    /// Where the trace says so.
    pub at: usize,
    /// The requirement that the step rests on, and in which way.
    pub label: &'a Label,
    /// What was waited for, or what failed.
    pub detail: &'a str,
    /// How long.
    pub waited: Duration,
}

/// How deliveries were settled (AMQP 0-9-1 `basic.ack`, `basic.reject`, `no-ack`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settlements {
    /// Deliveries that were acknowledged.
    pub acknowledged: u64,
    /// Deliveries that were rejected without being put back.
    pub rejected: u64,
    /// Deliveries to consumers that acknowledge none.
    pub unasked: u64,
}

impl Settlements {
    /// How many deliveries are settled, in whatever way.
    pub fn total(self) -> u64 {
        self.acknowledged + self.rejected + self.unasked
    }
}

/// What the processes of a subject hold.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resources {
    /// How many there are.
    pub processes: u64,
    /// Resident memory of all of them, in KiB; what they share is counted for each.
    pub memory_kib: u64,
    /// Open descriptors of all of them.
    pub descriptors: u64,
}

impl Resources {
    /// What memory may move by between two readings of a process that keeps nothing: heaps are taken and given back in pages, and by
    /// collectors whenever they like.
    const STEADY_KIB: u64 = 512;

    /// Every reading of a trace, and where it stands.
    pub(crate) fn readings(trace: &Trace) -> Vec<(usize, Self)> {
        let reading = |(index, seen): (usize, &Observation)| match seen.event {
            Event::Resources(resources) => Some((index, resources)),
            _ => None,
        };
        trace.iter().filter_map(reading).collect()
    }

    /// Whether memory did not grow between the last three readings: that it stays where it is once can be chance.
    pub fn are_steady(trace: &Trace) -> bool {
        let read = Self::readings(trace);
        let [.., (_, first), (_, second), (_, third)] = read[..] else { return false };
        let grows = |before: Self, after: Self| after.memory_kib > before.memory_kib + Self::STEADY_KIB;
        !grows(first, second) && !grows(second, third)
    }
}

/// What a client was asked for.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reading {
    /// What a consumer under its provider shows.
    Consumer(String),
    /// What its query cache holds under a key.
    Query(Vec<Value>),
    /// What it is configured with.
    Configuration,
}

/// A message or control frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Frame {
    /// What kind of frame.
    pub kind: FrameKind,
    /// The text of a text message; the bytes of any other frame in hexadecimal.
    pub body: String,
    /// What the text means in the dialect of the case.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub message: Option<Message>,
    /// Whether a gateway's text has the form that the dialect declares, where that is not the seed's envelope (MSG-1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub form: Option<Form>,
}

/// The form of a text, beside what the dialect declares.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Form {
    /// As declared.
    Declared,
    /// What is wrong.
    Wrong(String),
}

/// What kind of frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FrameKind {
    /// A whole text message.
    Text,
    /// A whole binary message.
    Binary,
    /// A ping control frame.
    Ping,
    /// A pong control frame.
    Pong,
    /// A close control frame.
    Close,
    /// Bytes that are no frame.
    Raw,
}

impl FrameKind {
    /// Whether it is a control frame (RFC 6455, 5.5).
    pub fn is_control(self) -> bool {
        matches!(self, Self::Ping | Self::Pong | Self::Close)
    }
}

/// The meaning of a text frame.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Message {
    /// From a client.
    Client(ClientMessage),
    /// From a gateway.
    Server(ServerMessage),
    /// Not a message of the dialect, and why.
    Unreadable(String),
}

/// Which end of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Side {
    /// The client's end.
    Client,
    /// The gateway's end.
    Gateway,
}

impl Side {
    fn gateway() -> Self {
        Self::Gateway
    }

    fn is_gateway(&self) -> bool {
        *self == Self::Gateway
    }
}

impl Trace {
    /// Every observation with its index.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = (usize, &Observation)> {
        self.observations.iter().enumerate()
    }

    /// One JSON object a line: the form in which traces are compared byte for byte.
    pub fn to_json_lines(&self) -> String {
        let line =
            |observation| serde_json::to_string(observation).expect("observations have string keys") + "\n";
        self.observations.iter().map(line).collect()
    }

    /// The index from which on it counts for a case of which so many steps are the preamble; its end where the case did not begin.
    pub(crate) fn begin_of_case(&self, preamble: usize) -> usize {
        if preamble == 0 {
            return 0;
        }
        let begins =
            |seen: &Observation| matches!(seen.event, Event::Step { number, .. } if number > preamble);
        self.observations.iter().position(begins).unwrap_or(self.observations.len())
    }

    /// The step that waited in vain, if any: there is at most one, since it ends the steps.
    pub fn in_vain(&self) -> Option<InVain<'_>> {
        self.iter().find_map(|(at, observation)| match &observation.event {
            Event::InVain { label, detail, waited_us, .. } => {
                Some(InVain { at, label, detail, waited: Duration::from_micros(*waited_us) })
            }
            _ => None,
        })
    }

    /// Whether a connection has opened and, as far as the trace knows, not ended.
    pub fn is_open(&self, actor: &Actor, connection: Option<u32>) -> bool {
        let last = self.observations.iter().rev().find_map(|seen| match seen.event {
            _ if seen.actor != *actor || seen.connection != connection => None,
            Event::Opened => Some(true),
            Event::Closed { .. } | Event::Refused { .. } => Some(false),
            _ => None,
        });
        last.unwrap_or(false)
    }

    /// What happened up to the end of the steps: expectations read this.
    pub fn of_steps(&self) -> Self {
        let ended = self.iter().find(|(_, observation)| observation.event == Event::StepsEnded);
        self.prefix(ended.map_or(self.observations.len(), |(at, _)| at))
    }

    /// The first observations.
    pub fn prefix(&self, length: usize) -> Self {
        Self { observations: self.observations[..length].to_vec() }
    }
}

impl Observation {
    /// When, since the case began.
    pub fn at(&self) -> Duration {
        Duration::from_micros(self.at_us)
    }
}

impl Actor {
    /// The client under test.
    pub fn client() -> Self {
        Self("client".to_owned())
    }

    /// One of the clients under test, counted from 1, where a whole fleet of them is.
    pub fn client_of_fleet(number: usize) -> Self {
        Self(format!("client-{number}"))
    }

    /// A consumer under the provider of the client under test.
    pub fn consumer(name: &str) -> Self {
        Self(name.to_owned())
    }

    /// The gateway, under test or scripted.
    pub fn gateway() -> Self {
        Self("gateway".to_owned())
    }

    /// The message broker.
    pub fn broker() -> Self {
        Self("broker".to_owned())
    }

    /// The scenario itself.
    pub fn scenario() -> Self {
        Self("scenario".to_owned())
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Message {
    /// The message's name, free of dialect: `ping`, `pong`, `subscribe`, `subscribed`, `welcome`, `error`, or the
    /// event's or message's own type.
    pub fn name(&self) -> &str {
        match self {
            Self::Client(message) => match message {
                ClientMessage::Ping => "ping",
                ClientMessage::Pong => "pong",
                ClientMessage::Subscribe(_) => "subscribe",
                ClientMessage::Unsubscribe(_) => "unsubscribe",
                ClientMessage::Other { kind, .. } => kind,
            },
            Self::Server(message) => match message {
                ServerMessage::Ping => "ping",
                ServerMessage::Pong => "pong",
                ServerMessage::Welcome { .. } => "welcome",
                ServerMessage::Subscribed(_) => "subscribed",
                ServerMessage::Unsubscribed(_) => "unsubscribed",
                ServerMessage::Error { .. } => "error",
                ServerMessage::Event { name, .. } => name,
            },
            Self::Unreadable(_) => "unreadable",
        }
    }

    /// Whether it is what scenarios call by this name. An event that happens to be called `pong` is no pong.
    pub fn is_called(&self, name: &str) -> bool {
        let is_taken = match self {
            Self::Client(ClientMessage::Other { .. }) => {
                ["ping", "pong", "subscribe", "unsubscribe"].contains(&name)
            }
            Self::Server(ServerMessage::Event { .. }) => {
                ["ping", "pong", "welcome", "subscribed", "unsubscribed", "error"].contains(&name)
            }
            _ => false,
        };
        !is_taken && self.name() == name
    }
}
