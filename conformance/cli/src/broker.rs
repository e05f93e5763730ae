//! `broker`: the embedded broker alone, for trying things out by hand.

use std::collections::BTreeSet;
use std::env;
use std::io::{self, IsTerminal};
use std::net::SocketAddr;
use std::sync::Arc;

use clap::Args;
use embedded_broker::{Broker, BrokerConfig, QueueStats};
use miette::miette;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use super::Failure;
use super::control::{self, Control, announce};
use super::judge::interrupted;
use conformance::exit::Exit;

/// Options of `gatecheck broker`.
#[derive(Args, Clone, Debug)]
pub(super) struct BrokerArgs {
    /// Where to listen; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to take requests over HTTP; port 0 takes a free one [default: nowhere]
    #[arg(long, value_name = "ADDR")]
    control: Option<SocketAddr>,
}

/// The broker, and whether clients can reach it.
struct ControlledBroker {
    broker: Arc<Broker>,
    state: Mutex<Reach>,
}

/// Whether clients can reach the broker.
#[derive(Clone, Copy, Deserialize, Serialize)]
#[serde(rename_all = "snake_case")]
enum Reach {
    /// They can.
    Up,
    /// Their connections are reset, and those to come.
    Down,
    /// It neither reads nor writes.
    Stalled,
}

/// What it does at once.
#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum Outage {
    /// Every connection is reset; clients may dial again.
    DropsConnections,
    /// Every channel that consumes is closed; connections stay.
    ClosesChannels,
}

impl Control for ControlledBroker {
    const PARTS: &'static [&'static str] = &["state", "outage"];

    async fn state(&self) -> Result<Value, String> {
        let held = self.broker.snapshot().await.map_err(|error| error.to_string())?;
        let queue = |(name, queue): (String, QueueStats)| {
            let QueueStats { ready, unacked, consumers, .. } = queue;
            (name, json!({ "ready": ready, "unacknowledged": unacked, "consumers": consumers }))
        };
        Ok(json!({
            "url": self.broker.url(),
            "state": *self.state.lock().await,
            "connections": held.connections,
            "exchanges": held.exchanges.into_keys().collect::<Vec<_>>(),
            "queues": held.queues.into_iter().map(queue).collect::<serde_json::Map<_, _>>(),
            "published": held.published,
            "unroutable": held.unroutable,
            "acknowledged": held.acknowledged,
            "rejected": held.rejected,
        }))
    }

    async fn change(&self, part: &str, value: Value) -> Result<(), String> {
        let said = |error: serde_json::Error| error.to_string();
        let ended = |error: embedded_broker::Ended| error.to_string();
        if part == "outage" {
            return match serde_json::from_value(value).map_err(said)? {
                Outage::DropsConnections => self.broker.drop_connections().await,
                Outage::ClosesChannels => self.broker.close_consuming_channels(BTreeSet::new()).await,
            }
            .map_err(ended);
        }
        let reach: Reach = serde_json::from_value(value).map_err(said)?;
        let mut state = self.state.lock().await;
        self.broker.stall(matches!(reach, Reach::Stalled)).await.map_err(ended)?;
        self.broker.refuse_connections(matches!(reach, Reach::Down)).await.map_err(ended)?;
        if matches!(reach, Reach::Down) {
            self.broker.drop_connections().await.map_err(ended)?;
        }
        *state = reach;
        Ok(())
    }
}

pub(super) fn run(args: &BrokerArgs) -> Result<Exit, Failure> {
    let targets = env::var("RUST_LOG").ok().and_then(|targets| targets.parse::<Targets>().ok());
    let ours = ["gatecheck", "conformance", "embedded_broker"].map(|target| (target, LevelFilter::INFO));
    let targets = targets.unwrap_or_else(|| Targets::new().with_targets(ours));
    let lines =
        tracing_subscriber::fmt::layer().with_writer(io::stderr).with_ansi(io::stderr().is_terminal());
    tracing_subscriber::registry().with(targets).with(lines).init();
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    runtime.block_on(serve(args)).map_err(Failure::usage)?;
    Ok(Exit::Conformant)
}

/// Runs a broker until a signal ends it. The first line on standard output is its URL, the second the one that controls it.
async fn serve(args: &BrokerArgs) -> miette::Result<()> {
    let interrupted = interrupted();
    let broker = Broker::start(BrokerConfig { listen: args.listen, ..BrokerConfig::default() });
    let broker = Arc::new(broker.await.map_err(|error| miette!("{error}"))?);
    let mut lines = vec![broker.url()];
    let mut listener = None;
    if let Some(control) = args.control {
        let failed = |error| miette!("cannot listen on {control}: {error}");
        let bound = TcpListener::bind(control).await.map_err(failed)?;
        lines.push(format!("http://{}", bound.local_addr().map_err(failed)?));
        listener = Some(bound);
    }
    announce(&lines).map_err(|error| miette!("cannot write the broker's URL to standard output: {error}"))?;
    let control = Arc::new(ControlledBroker { broker: Arc::clone(&broker), state: Mutex::new(Reach::Up) });
    let controlling = async {
        match listener {
            Some(listener) => control::serve(listener, control).await,
            None => std::future::pending().await,
        }
    };
    tokio::select! {
        () = controlling => {}
        () = interrupted => {}
    }
    // Its last holder ends it.
    if let Some(broker) = Arc::into_inner(broker) {
        broker.shutdown().await;
    }
    Ok(())
}
