//! Publishes numbered events, and restarts the broker now and then.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{mpsc, watch};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::config::{PATIENCE, SoakConfig, SoakError, now};
use super::feed::{Audience, Feed, HEAVY, users};
use super::summary::{Outages, Problem};
use conformance::amqp::{BrokerLink, Names};
use embedded_broker::{Broker, Snapshot};

/// How long the broker is away.
const OUTAGE: Duration = Duration::from_secs(2);
/// How often the broker is asked while something is awaited that it does not announce.
const ASK_AGAIN: Duration = Duration::from_millis(10);
/// Time between two events for the heavy room.
const HEAVY_EVERY: Duration = Duration::from_secs(1);
/// Bytes of such an event.
const HEAVY_BYTES: usize = 400_000;

/// The one who publishes.
pub(super) struct Publisher {
    link: BrokerLink,
    names: Names,
    feed: Arc<Feed>,
    users: u64,
    pace: Duration,
    restart_every: Duration,
    random: fastrand::Rng,
    outages: Outages,
    /// Whether the queue had no consumer at the last check.
    is_gateway_away: bool,
}

impl Publisher {
    pub(super) async fn open(
        broker: &Broker,
        feed: Arc<Feed>,
        config: &SoakConfig,
        names: Names,
    ) -> Result<Self, SoakError> {
        Ok(Self {
            link: connect(broker, &names).await?,
            names,
            feed,
            users: users(config.connections),
            pace: Duration::from_secs(1) / config.events.max(1),
            restart_every: config.restart_every,
            random: fastrand::Rng::with_seed(config.seed),
            outages: Outages::default(),
            is_gateway_away: false,
        })
    }

    /// Publishes until `over`, and says what became of the broker.
    pub(super) async fn run(
        mut self,
        broker: Arc<Broker>,
        problems: mpsc::Sender<Problem>,
        mut over: watch::Receiver<bool>,
    ) -> Result<Outages, SoakError> {
        let mut pace = interval(self.pace);
        let mut heavy = interval(HEAVY_EVERY);
        let mut restart = interval(self.restart_every);
        // A late event is made up for, so that the pace is kept; a late restart is not.
        restart.set_missed_tick_behavior(MissedTickBehavior::Delay);
        restart.tick().await;
        loop {
            tokio::select! {
                biased;
                () = ending(&mut over) => return Ok(self.outages),
                _ = restart.tick() => {
                    let begun = now();
                    self.restart(&broker, &problems).await?;
                    self.outages.silence += begun.elapsed();
                    self.outages.restarts += 1;
                    self.is_gateway_away = true;
                    // What was not published during an outage is not made up for.
                    pace.reset();
                    heavy.reset();
                }
                _ = heavy.tick() => {
                    let body = json!({ "type": HEAVY, "data": { "load": "x".repeat(HEAVY_BYTES) } }).to_string();
                    self.publish(&body, "heavy.load").await?;
                }
                _ = pace.tick() => {
                    let audience = Audience::draw(&mut self.random, self.users);
                    let number = self.feed.begin(audience);
                    let (body, routing_key) = audience.event(number);
                    self.publish(&body, routing_key).await?;
                    self.feed.confirm(number + 1);
                    if self.is_gateway_away {
                        self.look_for_the_gateway(&broker).await?;
                    }
                }
            }
        }
    }

    async fn publish(&mut self, body: &str, routing_key: &str) -> Result<(), SoakError> {
        self.link
            .publish(&[body.to_owned()], routing_key)
            .await
            .map_err(|error| SoakError::Harness(error.to_string()))
    }

    /// Events published while there is no consumer wait in the durable queue.
    async fn look_for_the_gateway(&mut self, broker: &Broker) -> Result<(), SoakError> {
        let snapshot = broker.snapshot().await?;
        self.is_gateway_away =
            snapshot.queues.get(&self.names.queue).is_some_and(|queue| queue.consumers == 0);
        self.outages.waited += u64::from(self.is_gateway_away);
        Ok(())
    }

    /// Takes the broker away at a quiet moment, so that nothing has to be delivered twice: AMQP promises at least once, and
    /// an event whose acknowledgement is cut off comes again.
    async fn restart(&mut self, broker: &Broker, problems: &mpsc::Sender<Problem>) -> Result<(), SoakError> {
        let queue = self.names.queue.clone();
        let quiet = async {
            let held = |snapshot: Snapshot| {
                snapshot.queues.get(&queue).is_some_and(|queue| queue.ready + queue.unacked > 0)
            };
            while broker.snapshot().await.is_ok_and(held) {
                sleep(ASK_AGAIN).await;
            }
        };
        if timeout(PATIENCE, quiet).await.is_err() {
            let held = format!("{:?}", broker.snapshot().await?.queues.get(&queue));
            // The receiver is dropped once the soak is over.
            let _ = problems.send(Problem::Unacknowledged(held)).await;
        }
        broker.refuse_connections(true).await?;
        broker.drop_connections().await?;
        sleep(OUTAGE).await;
        broker.refuse_connections(false).await?;
        // The gateway's redial comes when its backoff says; events go on before, into the queue that outlived the outage.
        self.link = connect(broker, &self.names).await?.publishing_unconsumed();
        Ok(())
    }
}

/// Returns when it is over, or when the sender is dropped.
async fn ending(over: &mut watch::Receiver<bool>) {
    let _ = over.wait_for(|over| *over).await;
}

async fn connect(broker: &Broker, names: &Names) -> Result<BrokerLink, SoakError> {
    let link = BrokerLink::open(&broker.url(), names.clone(), PATIENCE).await;
    link.map_err(|error| SoakError::Harness(error.to_string()))
}
