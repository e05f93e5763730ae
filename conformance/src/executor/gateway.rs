//! A gateway under test: started or attached, fed by a broker, dialled over TCP.

mod broker;
mod feed;
mod key_host;
mod launch;
mod launched;
mod port;
mod queues;
mod rig;
mod running;
mod settling;
mod start;

use std::io;
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use embedded_broker::Snapshot;
use player::{
    Consumers, GatewayStage, Play, PlayError, QueueNames, Recorder, StageError, TopologyReport, journal,
    play_gateway,
};
use scenarios::scenario::{Bindings, BrokerState, Forgets, GatewayScript, NetworkAct};
use scenarios::times::Times;
use scenarios::token::Issuer;
use scenarios::trace::{Actor, AsSent, Event, Resources, Settlements, Trace};
use scenarios::{NotPlayed, Scenario};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio_util::task::AbortOnDropHandle;

use super::{Execution, ExecutionError, Executor, Isolation, clock, now};
use crate::amqp::{BrokerLink, Outgoing, Queues};
use crate::noise::Watch;
use crate::profile::{EventsProfile, GatewayAccess, GatewayProfile, Ready};
use crate::proxy::{self, Proxy};
pub(crate) use broker::limits_of_cases;
use launched::Launched;
pub(crate) use port::Port;
use queues::GatewayQueues;
pub(crate) use queues::{LOGIN_REFUSED, OTHER_QUEUE};
pub(super) use rig::Pool;
pub(super) use rig::Rejection;
pub use rig::Rig;
pub(super) use rig::SECRET;
pub use running::RunningGateway;
use start::never_ready;

pub(super) async fn execute(
    executor: &Executor,
    profile: &GatewayProfile,
    (scenario, script): (Scenario, GatewayScript),
    bindings: Bindings,
    isolation: Isolation,
    lacks: Option<NotPlayed>,
) -> Result<Execution, ExecutionError> {
    let unplayed = |scenario, play, output| {
        let (began, waits, rig) = (now(), Vec::new(), None);
        Execution { began, scenario, play, waits, output, rig }
    };
    let issuer = executor.profile.token.issuer("");
    let cannot = || cannot_be_judged(profile, &script, &issuer);
    if let Some(why) = lacks.or_else(cannot) {
        let play = Play { trace: Trace::default(), outcome: Err(PlayError::NotRun(why)) };
        return Ok(unplayed(scenario, play, Vec::new()));
    }
    let shared = isolation == Isolation::AsTheProfileSays && executor.shares(&scenario);
    let rig = match shared.then(|| executor.pool.take()).flatten() {
        Some(rig) => rig,
        None => match Rig::set_up(executor, profile, &script, &bindings, limits_of_cases()).await {
            Ok(rig) => rig,
            Err(Rejection::Judged { play, output }) => return Ok(unplayed(scenario, play, output)),
            Err(Rejection::NotReady { reason, waited, output }) => {
                let play = Play { trace: never_ready(&scenario, reason, waited), outcome: Ok(()) };
                return Ok(unplayed(scenario, play, output));
            }
            Err(Rejection::Error(error)) => return Err(error),
        },
    };
    let began = now();
    let (recorder, journal) = journal(clock(began));
    let link = rig.link().await?;
    let link = match script.gateways {
        // At the embedded broker, queues without names are waited for by what it shows of itself.
        1 if rig.embedded().is_none() || rig.feed.queues != Queues::Any => link,
        // Each has a queue of its own.
        _ => link.map(BrokerLink::publishing_unconsumed),
    };
    let setting = executor.setting(bindings, rig.issuer.clone(), profile.path.clone());
    let refusals = rig.refusals.clone();
    let mut stage = Stage::new(executor, &script, rig, link, &recorder);
    let (authority, owed) = (watch::Sender::default(), "AUTH-1");
    stage.restart = Some(Restart { executor, profile, script: &script, authority, owed });
    let playing = play_gateway(&scenario, &script, &setting, &mut stage, &recorder, journal);
    let played = executor.in_time(&scenario, &refusals, playing).await;
    let Stage { mut rig, link, watches, .. } = stage;
    drop(watches);
    if let Some(link) = link {
        link.close().await;
    }
    let play = match played {
        Ok(play) => play,
        Err(error) => {
            rig.take_down().await;
            return Err(error);
        }
    };
    let waits = Watch::waits_since(&rig.watches, began).await;
    if shared && play.outcome.is_ok() {
        let output = rig.output().await;
        return Ok(Execution { began, scenario, play, waits, output, rig: Some(rig) });
    }
    let output = rig.kill().await;
    rig.take_down().await;
    Ok(Execution { began, scenario, play, waits, output, rig: None })
}

/// Why this gateway cannot be judged by a scenario, if so: it is not started by the harness, or cannot be given the
/// settings that the scenario needs, or its tokens cannot be made so.
pub(super) fn cannot_be_judged(
    profile: &GatewayProfile,
    script: &GatewayScript,
    issuer: &Issuer,
) -> Option<NotPlayed> {
    if let Some(why) = script.clients.values().find_map(|client| client.token.lacks(issuer)) {
        return Some(NotPlayed::by_design(why));
    }
    let elsewhere = script.clients.values().filter(|client| client.path.is_some());
    if elsewhere.into_iter().any(|client| client.path_on(&profile.path) == profile.path) {
        return Some(NotPlayed::by_design(format!("`{}` is the gateway's own path", profile.path)));
    }
    match &profile.access {
        GatewayAccess::Attach { .. } => {
            let why = "needs a gateway that gatecheck starts";
            script.needs_own_gateway().then(|| NotPlayed::in_this_run(why))
        }
        GatewayAccess::InProcess { .. } => {
            let why = "needs several gateways, each a process of its own";
            (script.gateways > 1).then(|| NotPlayed::in_this_run(why))
        }
        // Whose queue is its own cannot be waited for at the broker.
        GatewayAccess::Spawn { ready: Ready { path: None, .. }, .. } if script.gateways > 1 => {
            let why = "needs `ready.path`: events are lost on a gateway that does not consume yet";
            Some(NotPlayed::undeclared(why))
        }
        GatewayAccess::Spawn { command, .. } => {
            let needed = script.settings.placeholders().into_iter();
            let missing =
                needed.filter(|names| !names.iter().any(|name| command.uses(name))).flatten().next()?;
            let why = format!("needs `{{{missing}}}` in the command or its environment");
            // A gateway without a hardened requirement still shows the core one that the case is about.
            Some(if script.where_claimed.is_some() {
                NotPlayed::by_design(why)
            } else {
                NotPlayed::undeclared(why)
            })
        }
    }
}

pub(super) struct Stage<'a> {
    pub(super) rig: Rig,
    pub(super) link: Option<BrokerLink>,
    events: EventsProfile,
    /// Each records in the trace when one of the rig's gateways ends; the last one, when the gateway dials its broker.
    pub(super) watches: Vec<AbortOnDropHandle<()>>,
    recorder: Recorder,
    /// The queues that the gateway has been seen to consume.
    queues: GatewayQueues,
    /// Whether what is published waits until the gateway consumes.
    waits: bool,
    /// Whether the gateway has been seen to have set up what it consumes from.
    is_settled: bool,
    /// Whether it cannot reach its broker.
    is_cut_off: bool,
    /// Whether a client has dialled it: it may have a queue for each.
    pub(super) has_clients: AtomicBool,
    /// What starts another gateway.
    pub(super) restart: Option<Restart<'a>>,
    /// Whether it is noted that no queue takes what is published, as where a pair is judged.
    pub(super) notes_unrouted: bool,
    /// The heartbeat that the broker proposes, in seconds, where that is not the usual one.
    heartbeat: Option<NonZeroU16>,
}

/// What another gateway in the place of the first is started with.
pub(super) struct Restart<'a> {
    pub(super) executor: &'a Executor,
    pub(super) profile: &'a GatewayProfile,
    pub(super) script: &'a GatewayScript,
    /// Where the gateway is dialled.
    pub(super) authority: watch::Sender<String>,
    /// The requirement by which it starts.
    pub(super) owed: &'static str,
}

/// It was not asked to end.
fn died(status: String) -> Event {
    Event::SubjectDied { status }
}

fn tell_end(gateway: &Launched, recorder: &Recorder, as_event: fn(String) -> Event) -> AbortOnDropHandle<()> {
    let (end, recorder) = (gateway.instance.end(), recorder.clone());
    AbortOnDropHandle::new(tokio::spawn(async move {
        let event = as_event(end.await);
        recorder.record(Actor::gateway(), None, event).await;
    }))
}

/// Each time that the gateway dials its broker.
fn record_dials(mut dials: mpsc::Receiver<()>, recorder: &Recorder) -> AbortOnDropHandle<()> {
    let recorder = recorder.clone();
    AbortOnDropHandle::new(tokio::spawn(async move {
        while dials.recv().await.is_some() {
            recorder.record(Actor::gateway(), None, Event::BrokerDialled).await;
        }
    }))
}

impl Stage<'_> {
    pub(super) fn new(
        executor: &Executor,
        script: &GatewayScript,
        mut rig: Rig,
        link: Option<BrokerLink>,
        recorder: &Recorder,
    ) -> Self {
        let mut watches: Vec<_> =
            rig.gateways.iter().map(|gateway| tell_end(gateway, recorder, died)).collect();
        watches.extend(rig.proxy.as_mut().and_then(Proxy::dials).map(|dials| record_dials(dials, recorder)));
        Self {
            rig,
            link,
            events: executor.profile.events.clone(),
            watches,
            recorder: recorder.clone(),
            queues: GatewayQueues::default(),
            waits: script.gateways == 1,
            is_settled: false,
            is_cut_off: script.broker == BrokerState::Down,
            has_clients: AtomicBool::new(false),
            restart: None,
            notes_unrouted: false,
            heartbeat: script.broker_heartbeat,
        }
    }

    fn link(&mut self) -> Result<&mut BrokerLink, StageError> {
        self.link.as_mut().ok_or_else(|| StageError::Unavailable("needs a broker".to_owned()))
    }

    /// What stands between gateway and broker.
    fn proxy(&self) -> Result<&Proxy, StageError> {
        // Where there is a broker, what disturbs it has a proxy.
        self.rig.proxy.as_ref().ok_or_else(|| StageError::Unavailable("needs a broker".to_owned()))
    }

    /// The gateway that steps act on.
    fn first(&mut self) -> Result<&mut Launched, StageError> {
        self.rig.gateways.first_mut().ok_or_else(unavailable)
    }

    /// Records the first of these messages for which the embedded broker has no binding; other brokers do not report bindings.
    async fn record_unrouted(&self, messages: &[Outgoing]) {
        let Some(snapshot) = self.rig.snapshot().await.filter(|_| self.notes_unrouted) else { return };
        for Outgoing { exchange, routing_key, .. } in messages {
            if snapshot.routes(exchange, routing_key) != Some(false) {
                continue;
            }
            let bindings = snapshot.bindings_of(exchange).map(ToString::to_string).collect();
            let event =
                Event::Unrouted { exchange: exchange.clone(), routing_key: routing_key.clone(), bindings };
            self.recorder.record(Actor::broker(), None, event).await;
            // One of a burst says it of all.
            return;
        }
    }

    /// What the embedded broker holds.
    async fn held(&self) -> Result<Snapshot, StageError> {
        let lacking = || StageError::Unavailable("needs the embedded broker, which reports it".to_owned());
        self.rig.snapshot().await.ok_or_else(lacking)
    }

    /// Where the broker proposes a heartbeat, a gateway may agree to a longer one. Whether it notices by that is not waited for.
    async fn beats_as_proposed(&self) -> Result<(), StageError> {
        let Some(proposed) = self.heartbeat else { return Ok(()) };
        let agreed = self.held().await?.consumers.iter().map(|consumer| consumer.heartbeat).max();
        match agreed {
            Some(agreed) if agreed > proposed.get() => Err(StageError::Unavailable(format!(
                "needs a gateway that takes the heartbeat which its broker proposes, {proposed} s: this one insists on {agreed} s"
            ))),
            _ => Ok(()),
        }
    }

    /// From now on its end is no news.
    fn unwatch_first(&self) {
        if let Some(watch) = self.watches.first() {
            watch.abort();
        }
    }
}

fn unavailable() -> StageError {
    StageError::Unavailable("needs a gateway that gatecheck starts".to_owned())
}

impl GatewayStage for Stage<'_> {
    type Stream = TcpStream;

    fn host(&self, gateway: usize) -> String {
        self.rig.authorities[gateway - 1].clone()
    }

    async fn dial(&self, gateway: usize) -> io::Result<TcpStream> {
        let dialled = TcpStream::connect(&self.rig.authorities[gateway - 1]).await;
        let stream = self.rig.refusals.look("cannot dial the gateway", dialled)?;
        stream.set_nodelay(true)?;
        self.has_clients.store(true, Ordering::Relaxed);
        Ok(stream)
    }

    fn reset(stream: TcpStream) {
        proxy::reset(stream);
    }

    async fn publish(
        &mut self,
        bodies: &[String],
        routing_key: &str,
    ) -> Result<Vec<Option<AsSent>>, StageError> {
        let own = self.rig.feed.exchange.clone();
        let outgoing = |body: &String| self.events.outgoing(&own, routing_key, body);
        let messages: Vec<Outgoing> = bodies.iter().map(outgoing).collect();
        self.await_queues().await?;
        let published = self.link()?.publish_all(&messages).await;
        if let Err(error) = published {
            return Err(self.explained(error).await);
        }
        if let Some(snapshot) = self.rig.snapshot().await {
            self.queues.look(&self.rig.feed, &snapshot);
            self.queues.published(&messages, &snapshot);
        }
        self.record_unrouted(&messages).await;
        let as_sent = messages.into_iter().zip(bodies).map(|(message, body)| {
            let Outgoing { exchange, routing_key: key, body: sent } = message;
            let is_usual = exchange == own && key == routing_key && sent == *body;
            (!is_usual).then_some(AsSent { exchange, routing_key: key, body: sent })
        });
        Ok(as_sent.collect())
    }

    async fn consumed_queues(&self) -> Option<usize> {
        let snapshot = self.rig.snapshot().await?;
        Some(snapshot.queues.values().filter(|queue| queue.consumers > 0).count())
    }

    async fn topology(&mut self) -> Result<TopologyReport, StageError> {
        self.sees_queues("looked at")?;
        let unbound = self.await_bound_consumer().await.err().map(|error| error.to_string());
        let mut report = self.link()?.topology().await?;
        report.queue = report.queue.and(unbound.map_or(Ok(()), Err));
        Ok(report)
    }

    async fn queue_ready(&mut self) -> Result<u32, StageError> {
        self.sees_queues("counted")?;
        match self.rig.embedded() {
            Some(broker) => self.queues.ready_when_unconsumed(broker, &self.rig.feed).await,
            None => self.link()?.ready_when_unconsumed().await,
        }
    }

    async fn backlog(&mut self) -> Result<u32, StageError> {
        self.sees_queues("counted")?;
        match self.rig.snapshot().await {
            Some(snapshot) => Ok(self.queues.ready_now(&self.rig.feed, &snapshot)),
            None => self.link()?.ready().await,
        }
    }

    async fn settlements(&mut self) -> Result<Settlements, StageError> {
        let lacking = || StageError::Unavailable("needs the embedded broker, which counts them".to_owned());
        Ok(queues::settlements(&self.rig.snapshot().await.ok_or_else(lacking)?))
    }

    async fn settled_beyond(&mut self, count: u64, patience: Duration) -> Result<Settlements, StageError> {
        let lacking = || StageError::Unavailable("needs the embedded broker, which counts them".to_owned());
        let broker = self.rig.embedded().ok_or_else(lacking)?;
        let settled = broker.until(move |snapshot| queues::settlements(snapshot).total() > count);
        match tokio::time::timeout(patience, settled).await {
            Ok(snapshot) => {
                let snapshot = snapshot.map_err(|error| StageError::Failed(error.to_string()))?;
                Ok(queues::settlements(&snapshot))
            }
            Err(_) => Err(StageError::unsettled(patience)),
        }
    }

    async fn consumers(&mut self) -> Result<Consumers, StageError> {
        Ok(queues::consumers(self.held().await?))
    }

    async fn queues(&mut self) -> Result<QueueNames, StageError> {
        Ok(queues::names(self.held().await?))
    }

    async fn resources(&mut self) -> Result<Resources, StageError> {
        let held = self.first()?.instance.id().and_then(crate::noise::resources);
        held.ok_or_else(|| {
            StageError::Unavailable(
                "needs a gateway that is a process of its own, and `/proc` of Linux".to_owned(),
            )
        })
    }

    async fn forget(&mut self, what: Forgets) -> Result<(), StageError> {
        if matches!(what, Forgets::ClosesChannels | Forgets::ClosesOtherChannels) {
            let closed = self.close_channels(what == Forgets::ClosesOtherChannels).await;
            self.is_settled &= self.rig.feed.queues != Queues::Any;
            self.link.iter_mut().for_each(|link| link.awaits_consumers_again("BRIDGE-14"));
            return closed;
        }
        self.sees_queues("deleted")?;
        if what == Forgets::DeletesOtherQueues {
            let others = self.queues.others(&self.held().await?);
            if !others.is_empty() {
                return self.delete_queues(others).await;
            }
        }
        let named = self.rig.feed.queues.named().iter().cloned();
        let queues = named.chain(self.queues.names()).collect();
        self.is_settled &= self.rig.feed.queues != Queues::Any;
        self.delete_queues(queues).await?;
        let is_all = what == Forgets::Forgets;
        let link = self.link()?;
        if is_all {
            link.delete_exchanges().await;
        }
        link.awaits_consumers_again(if is_all { "BRIDGE-9" } else { "BRIDGE-14" });
        Ok(())
    }

    async fn set_broker(&mut self, state: BrokerState) -> Result<(), StageError> {
        self.proxy()?.set_open(state == BrokerState::Up);
        self.is_cut_off = state == BrokerState::Down;
        self.consumes_anew();
        Ok(())
    }

    async fn act_on_broker_link(&mut self, act: &NetworkAct, times: &Times) -> Result<(), StageError> {
        if act.loses() {
            self.beats_as_proposed().await?;
        }
        self.proxy()?.network().apply(act.change(times));
        if act.resets() || act.loses() {
            self.consumes_anew();
        }
        Ok(())
    }

    async fn log(&mut self) -> Result<String, StageError> {
        self.first()?.log().await
    }

    async fn shut_down(&mut self) -> Result<(), StageError> {
        self.unwatch_first();
        self.first()?.ask_to_end()?;
        let watch = tell_end(&self.rig.gateways[0], &self.recorder, |status| Event::Ended { status });
        self.watches.push(watch);
        Ok(())
    }

    async fn start_gateway(&mut self) -> Result<(), StageError> {
        let Restart { executor, profile, script, authority, owed } =
            self.restart.as_ref().ok_or_else(unavailable)?;
        if self.rig.gateways.is_empty() {
            return Err(unavailable());
        }
        self.rig.restart(executor, profile, script).await.map_err(|error| match error {
            ExecutionError::Harness(reason) => StageError::Failed(reason),
            error => StageError::Precondition {
                requires: owed.parse().expect("a requirement"),
                detail: error.to_string(),
                waited: Duration::ZERO,
            },
        })?;
        authority.send_replace(self.rig.authorities[0].clone());
        let watch = tell_end(&self.rig.gateways[0], &self.recorder, died);
        match self.watches.first_mut() {
            Some(old) => *old = watch,
            None => self.watches.push(watch),
        }
        self.consumes_anew();
        self.is_settled = false;
        Ok(())
    }

    async fn kill_gateway(&mut self) -> Result<(), StageError> {
        self.unwatch_first();
        if let Some(snapshot) = self.rig.snapshot().await {
            self.queues.look(&self.rig.feed, &snapshot);
            self.queues.gateway_ends(&snapshot);
        }
        self.first()?.kill().await
    }
}
