//! The reference gateway on a host of its own, judged by scripted clients.

use std::io;
use std::sync::mpsc;

use reference_server::gateway::GatewayConfig;
use reference_server::{Config, Server};
use scenarios::player::{GatewayStage, Setting, StageError, TopologyReport, journal, play_gateway};
use tokio::sync::oneshot;
use turmoil::Sim;
use turmoil::net::TcpStream;

use crate::broker::Broker;
use crate::network::{PORT, SimListener};
use crate::world::{Context, Fault, clock, wall};

/// The gateway's host.
const GATEWAY: &str = "gateway";
/// The player's host, and everybody's whom it plays.
const STAGE: &str = "stage";

/// Adds both hosts.
pub(crate) fn populate(sim: &mut Sim<'_>, context: Context) {
    let (broker, task) = Broker::new();
    let config = config(&context.setting);
    let fed_by = broker.clone();
    sim.host(GATEWAY, move || {
        let (config, source) = (config.clone(), fed_by.source());
        async move {
            let listener = SimListener::bind().await?;
            Server::new(config, listener, source, wall()).run(std::future::pending()).await?;
            Ok(())
        }
    });
    sim.client(STAGE, async move {
        tokio::spawn(task);
        broker.consumed().await?;
        let Context { scenario, setting, faults, played } = context;
        let (recorder, journal) = journal(clock());
        let mut stage = Stage { broker, faults };
        let play = play_gateway(&scenario, &setting, &mut stage, &recorder, journal).await;
        played.send(play)?;
        Ok(())
    });
}

fn config(setting: &Setting) -> Config {
    let timing = &setting.times.timing;
    let config = Config::with_secret(setting.jwt_secret.as_str());
    Config {
        path: setting.path.clone(),
        connect_timeout: timing.connect_timeout,
        shards: 1,
        gateway: GatewayConfig {
            dialect: setting.dialect.clone(),
            ping_interval: timing.ping_interval,
            pong_timeout: timing.pong_timeout,
            ..config.gateway.clone()
        },
        ..config
    }
}

struct Stage {
    broker: Broker,
    faults: mpsc::Sender<Fault>,
}

impl GatewayStage for Stage {
    type Stream = TcpStream;

    fn host(&self) -> String {
        format!("{GATEWAY}:{PORT}")
    }

    async fn dial(&self) -> io::Result<TcpStream> {
        TcpStream::connect((GATEWAY, PORT)).await
    }

    async fn publish(&mut self, body: &str, _routing_key: &str) -> Result<(), StageError> {
        // The simulated broker has one queue, to which everything goes, as the binding `#` says.
        self.broker.publish(body).await.map_err(|gone| StageError::Failed(gone.to_string()))
    }

    async fn topology(&mut self) -> Result<TopologyReport, StageError> {
        Err(StageError::Unavailable("the simulated broker has no topology".to_owned()))
    }

    async fn queue_ready(&mut self) -> Result<u32, StageError> {
        self.broker.count().await.map_err(|gone| StageError::Failed(gone.to_string()))
    }

    async fn kill_gateway(&mut self) -> Result<(), StageError> {
        let (done, crashed) = oneshot::channel();
        let failed = || StageError::Failed("the simulation is ending".to_owned());
        self.faults.send(Fault::Crash(GATEWAY, done)).map_err(|_| failed())?;
        crashed.await.map_err(|_| failed())
    }
}
