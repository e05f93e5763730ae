//! The reference gateway on hosts of its own, judged by scripted clients.

use std::io;
use std::num::NonZeroU16;
use std::sync::{Arc, mpsc};
use std::time::Duration;

use player::{
    Consumers, GatewayStage, QueueNames, Setting, StageError, TopologyReport, journal, play_gateway,
};
use reference_gateway::{ConnectionLimits, GatewayConfig, RateLimit, RoutingTable};
use reference_server::auth::Key;
use reference_server::{Config, Server};
use scenarios::scenario::{BrokerState, Forgets, GatewayScript, Interval, NetworkAct, Settings};
use scenarios::times::Times;
use scenarios::trace::{Actor, AsSent, Event, Settlements};
use tokio::sync::{Notify, oneshot};
use tokio::time::timeout;
use turmoil::Sim;
use turmoil::net::TcpStream;

use crate::boundary::{FedThrough, Senses, Sockets};
use crate::broker::{Broker, lines, topology};
use crate::context::{Context, Fault, PATIENCE, clock, wall};
use crate::failing::Failing;
use crate::log::Log;
use crate::network::{PORT, SimListener, Wires};
use crate::source::SimSource;

/// The gateways' hosts.
const GATEWAYS: [&str; 4] = ["gateway", "gateway-2", "gateway-3", "gateway-4"];
/// The host of the player and of all actors that it plays.
const STAGE: &str = "stage";

/// Adds all hosts.
pub(crate) fn populate(sim: &mut Sim<'_>, script: GatewayScript, context: Context) {
    let hosts = &GATEWAYS[..script.gateways];
    let up = script.broker == BrokerState::Up;
    let (dial, exchange) = lines();
    let config = config(&context.setting, &script.settings);
    let (recorder, journal) = journal(clock());
    let of_dials = script.disturbs_broker().then(|| recorder.clone());
    let stop = Arc::new(Notify::new());
    let wires = Wires::new(context.boundary.wire.clone());
    let failing = Failing::new(context.boundary.failure, hosts, Actor::gateway(), &context.faults, &recorder);
    let channels = failing.channels().clone();
    for (number, host) in hosts.iter().enumerate() {
        let (config, fed_by, stop, recorder) = (config.clone(), dial.clone(), stop.clone(), recorder.clone());
        let topology = topology(number, hosts.len());
        let (wires, feed, channels) = (wires.clone(), context.boundary.feed.clone(), channels.clone());
        sim.host(*host, move || {
            let (config, stop, recorder) = (config.clone(), stop.clone(), recorder.clone());
            let feed = feed.as_ref().map(|make| make());
            let terms = feed.as_ref().map(|feed| feed.terms()).unwrap_or_default();
            let source = SimSource::new(fed_by.clone(), topology.clone(), terms);
            let source = FedThrough::new(source, feed, channels.wire.clone());
            let (wires, channels) = (wires.clone(), channels.clone());
            async move {
                let listener = SimListener::bind(wires, Sockets::new(channels.wire)).await?;
                let asked = asked_to_end(&stop, &channels.process);
                Server::new(config, listener, source, wall()).run(asked).await?;
                // A process that was frozen on its way out is still there.
                if !channels.process.speaks() {
                    std::future::pending::<()>().await;
                }
                let ended = Event::Ended { status: "exit code 0".to_owned() };
                recorder.record(Actor::gateway(), None, ended).await;
                Ok(())
            }
        });
    }
    sim.client(STAGE, async move {
        let Context { scenario, setting, faults, played, log, .. } = context;
        let heartbeat = script.broker_heartbeat.map_or(0, NonZeroU16::get);
        let heartbeat = Duration::from_secs(heartbeat.into());
        let broker =
            Broker::start(exchange, script.gateways, up, of_dials, (heartbeat, setting.seed)).await?;
        if up {
            broker.consumed().await?;
        }
        let mut stage = Stage { broker, consumed_for: "BRIDGE-1", faults, stop, log, failing };
        let play = play_gateway(&scenario, &script, &setting, &mut stage, &recorder, journal).await;
        played.send(play)?;
        Ok(())
    });
}

/// Resolves once a gateway is asked to end, and takes notice.
async fn asked_to_end(stop: &Notify, process: &Senses) {
    stop.notified().await;
    if !process.hears() {
        std::future::pending::<()>().await;
    }
}

fn config(setting: &Setting, settings: &Settings) -> Config {
    let timing = &setting.times.timing;
    let mut config = Config::with_secret(setting.issuer.current.as_str());
    if settings.previous_secret {
        config.verification.keys.push(Key::secret(None, setting.issuer.previous.as_str()));
    }
    if settings.public_key {
        let pem = setting.issuer.pair.public.as_deref().expect("the harness's own pair has both keys");
        let key = Key::public(None, pem.as_bytes()).expect("it is of a kind that the gateway knows");
        config.verification.algorithms.insert(key.default_algorithm());
        config.verification.keys.push(key);
    }
    let limit = |limit: Option<u32>| limit.map(|limit| limit as usize);
    Config {
        path: setting.path.clone(),
        routing: RoutingTable::usual(&setting.dialect.user_key),
        allowed_origins: settings.allowed_origin.iter().cloned().collect(),
        connect_timeout: timing.connect_timeout,
        connection_limits: ConnectionLimits {
            total: limit(settings.max_connections),
            per_user: limit(settings.max_connections_per_user),
            per_address: limit(settings.max_connections_per_address),
        },
        outbox_bytes: settings.outbox_bytes.unwrap_or(Settings::OUTBOX_BYTES) as usize,
        shards: 1,
        gateway: GatewayConfig {
            dialect: setting.dialect.clone(),
            ping_interval: settings.ping_interval.map_or(timing.ping_interval, |Interval(interval)| interval),
            pong_timeout: timing.pong_timeout,
            message_rate: RateLimit { per_second: settings.message_rate.unwrap_or(Settings::MESSAGE_RATE) },
            ..config.gateway.clone()
        },
        ..config
    }
}

struct Stage {
    broker: Broker,
    /// The requirement by which gateways that can be published to consume.
    consumed_for: &'static str,
    faults: mpsc::Sender<Fault>,
    /// Asks the gateways to end.
    stop: Arc<Notify>,
    log: Log,
    failing: Failing,
}

impl GatewayStage for Stage {
    type Stream = TcpStream;

    fn begin_step(&mut self, number: usize) {
        self.failing.begin_step(number);
    }

    fn host(&self, gateway: usize) -> String {
        format!("{}:{PORT}", GATEWAYS[gateway - 1])
    }

    async fn dial(&self, gateway: usize) -> io::Result<TcpStream> {
        TcpStream::connect((GATEWAYS[gateway - 1], PORT)).await
    }

    fn reset(stream: TcpStream) {
        drop(stream);
    }

    async fn publish(
        &mut self,
        bodies: &[String],
        routing_key: &str,
    ) -> Result<Vec<Option<AsSent>>, StageError> {
        let published = timeout(PATIENCE, self.broker.publish(bodies, routing_key)).await;
        published.map_err(|_| StageError::Precondition {
            requires: self.consumed_for.parse().expect("a requirement"),
            detail: "no gateway consumes".to_owned(),
            waited: PATIENCE,
        })??;
        Ok(Vec::new())
    }

    async fn consumed_queues(&self) -> Option<usize> {
        self.broker.consumed_queues().await
    }

    async fn topology(&mut self) -> Result<TopologyReport, StageError> {
        let report = timeout(PATIENCE, self.broker.topology()).await;
        Ok(report.map_err(|_| StageError::Failed("no gateway consumes".to_owned()))??)
    }

    async fn queue_ready(&mut self) -> Result<u32, StageError> {
        let counted = timeout(PATIENCE, self.broker.ready_when_unconsumed()).await;
        Ok(counted.map_err(|_| StageError::Failed("a gateway still consumes".to_owned()))??)
    }

    async fn backlog(&mut self) -> Result<u32, StageError> {
        Ok(self.broker.ready().await?)
    }

    async fn consumers(&mut self) -> Result<Consumers, StageError> {
        Ok(self.broker.consumers().await?)
    }

    async fn queues(&mut self) -> Result<QueueNames, StageError> {
        Ok(self.broker.queues().await?)
    }

    async fn forget(&mut self, what: Forgets) -> Result<(), StageError> {
        match what {
            Forgets::Forgets => self.broker.forget().await?,
            // The gateway has one queue, and one channel.
            Forgets::DeletesQueues | Forgets::DeletesOtherQueues => self.broker.delete_queues().await?,
            Forgets::ClosesChannels | Forgets::ClosesOtherChannels => self.broker.close_channels().await?,
        }
        self.consumed_for = match what {
            Forgets::Forgets => "BRIDGE-9",
            _ => "BRIDGE-14",
        };
        Ok(())
    }

    async fn set_broker(&mut self, state: BrokerState) -> Result<(), StageError> {
        Ok(self.broker.set_up(state == BrokerState::Up).await?)
    }

    async fn settlements(&mut self) -> Result<Settlements, StageError> {
        Ok(self.broker.settlements().await?)
    }

    async fn settled_beyond(&mut self, count: u64, patience: Duration) -> Result<Settlements, StageError> {
        match timeout(patience, self.broker.settled_beyond(count)).await {
            Ok(settlements) => Ok(settlements?),
            Err(_) => Err(StageError::unsettled(patience)),
        }
    }

    async fn act_on_broker_link(&mut self, act: &NetworkAct, _times: &Times) -> Result<(), StageError> {
        if act.loses() {
            self.broker.lose();
            return Ok(());
        }
        match act.holds_back() {
            Some(holds) => {
                self.broker.hold_back(holds);
                Ok(())
            }
            None => Err(StageError::Unavailable("the simulated broker is behind no network".to_owned())),
        }
    }

    async fn log(&mut self) -> Result<String, StageError> {
        Ok(self.log.text())
    }

    async fn shut_down(&mut self) -> Result<(), StageError> {
        self.stop.notify_waiters();
        Ok(())
    }

    async fn kill_gateway(&mut self) -> Result<(), StageError> {
        let (done, crashed) = oneshot::channel();
        let failed = || StageError::Failed("the simulation is ending".to_owned());
        self.faults.send(Fault::Crash(GATEWAYS[0], done)).map_err(|_| failed())?;
        crashed.await.map_err(|_| failed())
    }
}
