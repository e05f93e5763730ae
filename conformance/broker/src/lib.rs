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
//! RabbitMQ does, down to codes and wording, wherever the contract suite (`tests/broker`) looks, and leaves out:
//! transactions (540), persistence (durable things outlive clients and not the broker), `x-expires`,
//! `x-max-length-bytes`, priorities of messages and consumers, single active consumers (these arguments are accepted
//! and change nothing), other queue types (all are classic), `CC` and `BCC` headers, direct reply-to, and names that
//! are not UTF-8. It has one user (`guest` with password `guest`, unless told otherwise) and one virtual host (`/`).
//!
//! | module | what it is about |
//! |---|---|
//! | `config` | settings and limits |
//! | `server` | the handle: start, outages on demand, snapshot, shutdown |
//! | `listen` | where connections come from |
//! | `owner`, `socket` | the driver: one task for the state, one for each socket |
//! | `state` | the machine: connections, channels, publishing, deliveries, settlements |
//! | `topology` | exchanges, queues, bindings, patterns |
//! | `wire`, `message`, `fault` | frames, messages and refusals |

mod config;
mod fault;
mod listen;
mod message;
mod owner;
mod server;
mod snapshot;
mod socket;
mod state;
mod topology;
mod wire;

pub use config::{BrokerConfig, Limits};
pub use listen::Listen;
pub use server::{Broker, BrokerError, Ended};
pub use snapshot::{ExchangeStats, QueueStats, Snapshot};
