//! What an executor supplies, and what it gets back.

use scenarios::NotPlayed;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use protocol::Dialect;
use tokio::io::{AsyncRead, AsyncWrite};

use scenarios::requirement::RequirementId;
use scenarios::scenario::{Bindings, BrokerState, Forgets, NetworkAct, ProcessAct};
use scenarios::times::Times;
use scenarios::token::Issuer;
use scenarios::trace::{AsSent, Resources, Settlements, Trace};

/// Why nothing can be done to a process.
const NO_PROCESS: &str = "needs a client that is a process of its own";

/// What one run of a scenario takes place in.
#[derive(Clone)]
pub struct Setting {
    /// What the names in braces stand for.
    pub bindings: Bindings,
    /// What the symbolic times mean.
    pub times: Times,
    /// How the subject spells the wire.
    pub dialect: Dialect,
    /// Who signs tokens.
    pub issuer: Issuer,
    /// The gateway's path.
    pub path: String,
    /// The wall clock that tokens and timestamps are made by, in milliseconds since the Unix epoch.
    pub unix_ms: Arc<dyn Fn() -> i64 + Send + Sync>,
    /// Where masks and the client's jitter begin.
    pub seed: u64,
    /// Whether the handshakes of a client under test are recorded. Their keys are random (RFC 6455, 4.1), and a simulation's trace
    /// repeats byte for byte.
    pub keeps_handshakes: bool,
}

/// Consumers with a limit, by their queue, and the queues of those without.
pub type Consumers = (Vec<(String, u16)>, Vec<String>);

/// The names of all queues, and of those that have no consumer.
pub type QueueNames = (Vec<String>, Vec<String>);

/// A gateway under test, and the broker that feeds it.
pub trait GatewayStage {
    /// A connection to the gateway.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// A step begins, counted from 1; after the last one, what shows whether the subject is alive. A stage that does something of
    /// its own at a certain step does it now.
    fn begin_step(&mut self, _number: usize) {}

    /// The `Host` field of requests to a gateway, counted from 1.
    fn host(&self, gateway: usize) -> String;

    /// Opens a connection to a gateway, counted from 1.
    fn dial(&self, gateway: usize) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Ends a connection by a reset, where the stage can.
    fn reset(stream: Self::Stream);

    /// Publishes bodies in one burst and returns once the broker has confirmed them; says what it has really got, one for
    /// each body, where that is something else.
    fn publish(
        &mut self,
        bodies: &[String],
        routing_key: &str,
    ) -> impl Future<Output = Result<Vec<Option<AsSent>>, StageError>> + Send;

    /// How many queues have consumers at the broker; `None` where that is unknown.
    fn consumed_queues(&self) -> impl Future<Output = Option<usize>> + Send {
        std::future::ready(None)
    }

    /// Asks the broker whether the gateway's exchange and queue stand as specified.
    fn topology(&mut self) -> impl Future<Output = Result<TopologyReport, StageError>> + Send;

    /// Counts the messages that are ready in the gateway's queue once it has no consumer.
    fn queue_ready(&mut self) -> impl Future<Output = Result<u32, StageError>> + Send;

    /// Counts the messages that are ready in the gateway's queues while they have consumers.
    fn backlog(&mut self) -> impl Future<Output = Result<u32, StageError>> + Send;

    /// Counts how deliveries were settled, where the broker reports it.
    fn settlements(&mut self) -> impl Future<Output = Result<Settlements, StageError>> + Send;

    /// Waits until more deliveries than this are settled, and counts them then.
    fn settled_beyond(
        &mut self,
        count: u64,
        patience: Duration,
    ) -> impl Future<Output = Result<Settlements, StageError>> + Send;

    /// Cuts the gateways off from the broker, or lets them reach it again. Events can be published all the while.
    fn set_broker(&mut self, state: BrokerState) -> impl Future<Output = Result<(), StageError>> + Send;

    /// How many deliveries each consumer of a gateway may have unsettled, with its queue, and the queues of those without a limit,
    /// where the broker reports it.
    fn consumers(&mut self) -> impl Future<Output = Result<Consumers, StageError>> + Send;

    /// The queues that there are, where the broker reports it.
    fn queues(&mut self) -> impl Future<Output = Result<QueueNames, StageError>> + Send;

    /// What the gateway's processes hold, where the stage can see it.
    fn resources(&mut self) -> impl Future<Output = Result<Resources, StageError>> + Send {
        std::future::ready(Err(StageError::Unavailable("needs a gateway that gatecheck starts".to_owned())))
    }

    /// Has the broker take away what is the gateways'.
    fn forget(&mut self, what: Forgets) -> impl Future<Output = Result<(), StageError>> + Send;

    /// Has the network between gateways and broker act.
    fn act_on_broker_link(
        &mut self,
        act: &NetworkAct,
        times: &Times,
    ) -> impl Future<Output = Result<(), StageError>> + Send;

    /// Everything that the gateway has printed.
    fn log(&mut self) -> impl Future<Output = Result<String, StageError>> + Send;

    /// Asks the gateway to end, and returns at once; its end is recorded in the trace.
    fn shut_down(&mut self) -> impl Future<Output = Result<(), StageError>> + Send;

    /// Starts a gateway where one was killed, and returns once it is ready. A stage that does not offer it says so.
    fn start_gateway(&mut self) -> impl Future<Output = Result<(), StageError>> + Send {
        std::future::ready(Err(StageError::Unavailable("needs a gateway that gatecheck starts".to_owned())))
    }

    /// Ends the gateway without warning and returns once it is gone.
    fn kill_gateway(&mut self) -> impl Future<Output = Result<(), StageError>> + Send;
}

impl StageError {
    /// No further delivery was settled in time (BRIDGE-7).
    pub fn unsettled(waited: Duration) -> Self {
        Self::Precondition {
            requires: "BRIDGE-7".parse().expect("the catalogue has it"),
            detail: "no further delivery was acknowledged".to_owned(),
            waited,
        }
    }
}

/// What the broker says of the gateway's exchange and queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TopologyReport {
    /// Whether the exchange stands as specified; otherwise what is wrong.
    pub exchange: Result<(), String>,
    /// Whether the queue stands as specified; otherwise what is wrong.
    pub queue: Result<(), String>,
}

/// A client under test.
pub trait ClientStage {
    /// A connection from the client.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// Takes connections on which the client dials the scripted gateway.
    type Listener: Accept<Stream = Self::Stream> + Send + 'static;
    /// Takes requests to the adapter.
    type Requests: AsyncWrite + Unpin + Send + 'static;
    /// Gives the adapter's answers and reports.
    type Reports: AsyncRead + Unpin + Send + 'static;

    /// As [`GatewayStage::begin_step`].
    fn begin_step(&mut self, _number: usize) {}

    /// The URL, without a query, at which the client reaches the listener.
    fn url(&self) -> String;

    /// Hands over the listener; called once.
    fn take_listener(&mut self) -> Self::Listener;

    /// Hands over both ends of each adapter's pipes: of one, or of a fleet's. Called once.
    fn take_adapters(&mut self) -> Vec<(Self::Requests, Self::Reports)>;

    /// Stops the clients' processes, or lets them go on. A stage whose clients are no processes of their own cannot.
    fn signal(&mut self, _act: ProcessAct) -> impl Future<Output = Result<(), StageError>> + Send {
        std::future::ready(Err(StageError::Unavailable(NO_PROCESS.to_owned())))
    }

    /// What the clients' processes hold, where the stage can see it.
    fn resources(&mut self) -> impl Future<Output = Result<Resources, StageError>> + Send {
        std::future::ready(Err(StageError::Unavailable(NO_PROCESS.to_owned())))
    }

    /// Everything that the clients have logged.
    fn log(&mut self) -> impl Future<Output = Result<String, StageError>> + Send;
}

/// A listening socket.
pub trait Accept {
    /// What it gives.
    type Stream;

    /// Waits for the next connection.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Ends a connection by a reset, where the stage can.
    fn reset(stream: Self::Stream);
}

/// Why a stage cannot do what a step asks for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StageError {
    /// This stage does not offer it; neither the subject nor the harness is at fault.
    #[error("{0}")]
    Unavailable(String),
    /// The subject lacks what the step relies on.
    #[error("{detail}")]
    Precondition {
        /// The requirement that does not hold.
        requires: RequirementId,
        /// What was seen.
        detail: String,
        /// How long it was waited for.
        waited: Duration,
    },
    /// It failed.
    #[error("{0}")]
    Failed(String),
}

/// What came of playing a scenario.
#[derive(Debug, Clone, PartialEq)]
pub struct Play {
    /// What happened, to the end or to the failure.
    pub trace: Trace,
    /// Whether every step was played; a step whose precondition does not hold ends the play without being a failure.
    pub outcome: Result<(), PlayError>,
}

/// Why a scenario could not be played to its end.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PlayError {
    /// The stage, or the client under test, does not offer what a step needs.
    #[error("{0}")]
    NotRun(NotPlayed),
    /// The subject ended by itself.
    #[error("{0}")]
    SubjectDied(String),
    /// The subject did not begin, though the scenario asks it to begin as things are.
    #[error("{0}")]
    DidNotStart(String),
    /// The subject broke the adapter protocol.
    #[error("{0}")]
    Adapter(String),
    /// The subject said more than a case may hold.
    #[error("{0}")]
    Flooded(String),
    /// All cases that were played at once held more than they may, and this one ended for it. That says nothing of its subject.
    #[error("{0}")]
    Crowded(String),
    /// The harness failed.
    #[error("{0}")]
    Harness(String),
}
