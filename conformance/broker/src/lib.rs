//! An in-process AMQP 0-9-1 broker, for tests: nothing to install, ready in a millisecond, with outages on demand.
//!
//! ```
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use embedded_broker::{Broker, BrokerConfig};
//!
//! let broker = Broker::start(BrokerConfig::default()).await?;
//! let connection = lapin::Connection::connect(&broker.url(), lapin::ConnectionProperties::default()).await?;
//! let channel = connection.create_channel().await?;
//! channel.queue_declare("work".into(), Default::default(), Default::default()).await?;
//! assert_eq!(broker.snapshot().await?.queues["work"].ready, 0);
//! broker.drop_connections().await?; // an outage
//! # Ok(()) }
//! ```
//!
//! ```text
//!  client ══ socket ══► socket task ── frames ──►┐           ┌── outputs ──► outbox ──► socket task ══► client
//!                       (one each)               ├─► State ──┤               (one each)
//!  client ══ socket ══► socket task ── frames ──►┘  (one     └── outputs ──► outbox ──► socket task ══► client
//!                                                   owner)
//! ```
//!
//! `State` is all of AMQP as a synchronous machine; [`Broker`] puts it behind sockets. It behaves as
//! RabbitMQ does, down to codes and wording, wherever the contract suite (`tests/contract`) looks: classic and quorum
//! queues with their limits, priorities and dead letters, single active consumers, direct reply-to, confirms, returns.
//! Nothing is left out in silence:
//!
//! * **refused** with 540 (`NOT_IMPLEMENTED`): transactions, streams, `CC` and `BCC` headers, the overflow
//!   `reject-publish-dlx`, the dead-letter strategy `at-least-once`, and what RabbitMQ refuses so itself;
//! * **reported** in [`Snapshot::ignored_arguments`] and by a warning: arguments about storage and placement
//!   (`x-queue-mode`, `x-queue-version`, leaders, group sizes), and those that RabbitMQ ignores as well;
//! * **different**: what returns to a quorum queue precedes what is new there, which RabbitMQ does not promise; durable things outlive clients and not the broker; names that are not UTF-8 do not parse (502).
//!
//! Users are those of [`BrokerConfig::users`], and there is one virtual host (`/`).
//!
//! | module | what it is about |
//! |---|---|
//! | `config` | settings and limits |
//! | `server` | the handle: start, outages on demand, snapshot, shutdown |
//! | `listen` | where connections come from |
//! | `owner`, `socket` | the driver: one task for the state, one for each socket |
//! | `machine` | the state without sockets, for simulations with a network of their own |
//! | `state` | the machine: connections, channels, publishing, deliveries, settlements |
//! | `topology` | exchanges, queues, bindings, patterns |
//! | `wire`, `message`, `fault` | frames, messages and refusals |

mod config;
mod fault;
mod listen;
mod machine;
mod message;
mod owner;
mod server;
mod snapshot;
mod socket;
mod state;
mod topology;
mod wire;

pub use config::{BrokerConfig, Limits, Users};
pub use listen::Listen;
pub use machine::{Machine, Peer, Reply, Request};
pub use server::{Broker, BrokerError, Ended};
pub use snapshot::{BindingStats, ConsumerStats, ExchangeStats, QueueStats, Snapshot};
