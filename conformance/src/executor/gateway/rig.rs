//! The rig for a gateway case: a broker, and the gateways that it feeds. Each case has its own rig, unless the profile lets
//! gateways be shared: then the next case reuses a rig whose case has passed.

use scenarios::NotPlayed;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use player::{Play, PlayError};
use scenarios::scenario::{Bindings, BrokerState, ClientSpec, GatewayScript};
use scenarios::token::{Brings, Issuer};
use scenarios::trace::Trace;
use url::Url;

use super::broker;
use super::key_host::KeyHost;
use super::launch::Launch;
use super::launched::Launched;
use super::port::Port;
use super::start::start;
use crate::amqp::{BrokerLink, Feed, redacted};
use crate::executor::{BrokerChoice, ExecutionError, Executor};
use crate::limits::{HostLimit, Refusals};
use crate::noise::Watch;
use crate::profile::{GatewayAccess, GatewayProfile, Ready};
use crate::proxy::Proxy;
use embedded_broker::{Broker, Limits, Snapshot};

/// A broker, and the gateways that it feeds.
pub struct Rig {
    /// The broker in this process, where it is one.
    embedded: Option<Broker>,
    /// The broker's URL, without anything in between; none where there is no broker.
    url: Option<String>,
    /// The same as the gateways are given it.
    gateways_url: String,
    /// The gateways' exchanges and queues.
    pub(super) feed: Feed,
    /// Whether their names are unique to this rig, and are deleted with it.
    own_names: bool,
    /// What stands between the gateways and the broker, where a scenario wants that.
    pub(super) proxy: Option<Proxy>,
    /// Serves what tokens name, where they do.
    _key_host: Option<KeyHost>,
    /// Who signs the tokens that they accept.
    pub(in crate::executor) issuer: Issuer,
    /// The gateways that were started; none where one is attached.
    pub(super) gateways: Vec<Launched>,
    /// Each measures one of them, where this host can.
    pub(in crate::executor) watches: Vec<Watch>,
    /// What the host refuses the broker, the proxy and the scripted clients.
    pub(in crate::executor) refusals: Refusals,
    /// The gateways' ports, leased while the rig exists.
    ports: Vec<Port>,
    /// Host and port of each gateway.
    pub(in crate::executor) authorities: Vec<String>,
}

/// No rig.
pub(in crate::executor) enum Rejection {
    /// The gateway did not do what the scenario is about: start.
    Judged { play: Play, output: Vec<String> },
    /// It neither ended nor took connections, though that is what the scenario is about.
    NotReady { reason: String, waited: Duration, output: Vec<String> },
    /// The case cannot begin.
    Error(ExecutionError),
}

impl Rejection {
    fn judged(error: PlayError, output: Vec<String>) -> Self {
        Self::Judged { play: Play { trace: Trace::default(), outcome: Err(error) }, output }
    }
}

impl Rig {
    /// Starts what the scenario needs; an embedded broker with these limits.
    pub(in crate::executor) async fn set_up(
        executor: &Executor,
        profile: &GatewayProfile,
        script: &GatewayScript,
        bindings: &Bindings,
        limits: Limits,
    ) -> Result<Self, Rejection> {
        let harness = |error: &dyn ToString| ExecutionError::Harness(error.to_string());
        let refusals = Refusals::none();
        let (embedded, url) = match &executor.broker {
            BrokerChoice::Embedded => {
                let broker = broker::start(refusals.clone(), limits, script.broker_heartbeat).await.map_err(
                    |error| {
                        ExecutionError::Harness(HostLimit::explain(
                            "the embedded broker cannot listen",
                            &error,
                        ))
                    },
                )?;
                let url = broker.url();
                (Some(broker), Some(url))
            }
            BrokerChoice::Url(_) if script.broker_heartbeat.is_some() => {
                let why = "needs the embedded broker, which proposes a heartbeat of its own";
                let not_run = PlayError::NotRun(NotPlayed::in_this_run(why));
                return Err(Rejection::judged(not_run, Vec::new()));
            }
            BrokerChoice::Url(url) => (None, Some(url.clone())),
            BrokerChoice::None => (None, None),
        };
        let feed = executor.feed(profile, bindings);
        let own_names = feed.queues != profile.queues;
        let (proxy, gateways_url) = match url.as_deref().filter(|_| script.disturbs_broker()) {
            None => (None, url.clone().unwrap_or_default()),
            Some(url) => {
                let between = in_between(url, script.broker, refusals.clone()).await;
                let (proxy, url) = between.map_err(|error| harness(&error))?;
                (Some(proxy), url)
            }
        };
        let secret = match &profile.access {
            GatewayAccess::Attach { jwt_secret, .. } => jwt_secret.clone(),
            GatewayAccess::Spawn { .. } | GatewayAccess::InProcess { .. } => {
                format!("{SECRET}-{}", bindings.case)
            }
        };
        let brings = |client: &ClientSpec| client.token.brings.is_some_and(Brings::is_served);
        let key_host = match script.clients.values().any(brings) {
            true => Some(KeyHost::start().await.map_err(|error| {
                ExecutionError::Harness(HostLimit::explain("keys cannot be served", &error))
            })?),
            false => None,
        };
        let key_address = key_host.as_ref().map(KeyHost::address);
        let issuer = Issuer { key_host: key_address, ..executor.profile.token.issuer(secret) };
        let mut rig = Self {
            embedded,
            url,
            gateways_url,
            feed,
            own_names,
            proxy,
            _key_host: key_host,
            issuer,
            gateways: Vec::new(),
            watches: Vec::new(),
            refusals,
            ports: Vec::new(),
            authorities: Vec::new(),
        };
        if rig.embedded.is_none()
            && !own_names
            && let Some(link) = rig.link().await?
        {
            link.purge().await.map_err(|error| harness(&error))?;
            link.close().await;
        }
        rig.start(executor, profile, script).await?;
        Ok(rig)
    }

    /// What the gateways are launched with, and how they show that they are ready; nothing where one is attached.
    fn launch<'a>(
        &self,
        executor: &'a Executor,
        profile: &'a GatewayProfile,
        script: &'a GatewayScript,
    ) -> Result<Option<(Launch<'a>, Ready)>, ExecutionError> {
        let ready = match &profile.access {
            GatewayAccess::Attach { .. } => return Ok(None),
            GatewayAccess::Spawn { ready, .. } | GatewayAccess::InProcess { ready, .. } => ready,
        };
        let mut values = executor.values();
        values.set_settings(&script.settings, script.gateways);
        executor.set_keys(&mut values, &self.issuer, &script.settings)?;
        values.set("amqp_url", self.gateways_url.as_str());
        values.set("exchange", self.feed.exchange.as_str());
        values.set("queue", self.feed.queues.named().first().cloned().unwrap_or_default());
        values.set("path", profile.path.as_str());
        let ready = match script.broker {
            BrokerState::Up => ready.clone(),
            // It cannot be ready; that it takes connections must do.
            BrokerState::Down => Ready { path: None, ..ready.clone() },
        };
        Ok(Some((Launch { executor, profile, script, values }, ready)))
    }

    /// Starts another gateway in the place of the first, which has ended.
    pub(super) async fn restart(
        &mut self,
        executor: &Executor,
        profile: &GatewayProfile,
        script: &GatewayScript,
    ) -> Result<(), ExecutionError> {
        let Some((launch, ready)) = self.launch(executor, profile, script)? else { return Ok(()) };
        let (gateway, port) = start(executor, &ready, |port| launch.on(port)).await?;
        self.authorities[0] = format!("127.0.0.1:{}", port.number());
        self.ports[0] = port;
        self.watches.extend(gateway.instance.measured().and_then(|process| executor.probe.watch(process)));
        self.gateways[0] = gateway;
        Ok(())
    }

    async fn start(
        &mut self,
        executor: &Executor,
        profile: &GatewayProfile,
        script: &GatewayScript,
    ) -> Result<(), Rejection> {
        let Some((launch, ready)) = self.launch(executor, profile, script)? else {
            if let GatewayAccess::Attach { authority, .. } = &profile.access {
                self.authorities.push(authority.clone());
            }
            return Ok(());
        };
        for _ in 0..script.gateways {
            match start(executor, &ready, |port| launch.on(port)).await {
                Ok((gateway, port)) => {
                    self.authorities.push(format!("127.0.0.1:{}", port.number()));
                    self.ports.push(port);
                    self.watches.extend(
                        gateway.instance.measured().and_then(|process| executor.probe.watch(process)),
                    );
                    self.gateways.push(gateway);
                }
                // That it starts without a broker is what the scenario is about.
                Err(ExecutionError::Subject { reason, output }) if script.broker == BrokerState::Down => {
                    return Err(Rejection::judged(PlayError::DidNotStart(reason), output));
                }
                Err(ExecutionError::NotReady { reason, output }) if script.broker == BrokerState::Down => {
                    return Err(Rejection::NotReady { reason, waited: ready.timeout, output });
                }
                Err(error) => return Err(error.into()),
            }
        }
        match self.gateways.iter().find_map(|gateway| gateway.lacks(&script.settings)) {
            Some(why) => Err(Rejection::judged(PlayError::NotRun(NotPlayed::undeclared(why)), Vec::new())),
            None => Ok(()),
        }
    }

    /// A connection to the broker, beside the gateways'; none where there is no broker.
    pub(in crate::executor) async fn link(&self) -> Result<Option<BrokerLink>, ExecutionError> {
        let Some(url) = &self.url else { return Ok(None) };
        let link = BrokerLink::open(url, self.feed.clone(), CONSUMES_WITHIN).await;
        link.map(Some).map_err(|error| match error.limit() {
            Some(limit) => limit.into(),
            None if error.is_login_refused() => ExecutionError::Harness(format!(
                "the broker refuses the login of {}: are user and password right? ({error})",
                redacted(url)
            )),
            None => ExecutionError::Harness(error.to_string()),
        })
    }

    /// What the embedded broker holds; nothing where it is another, which says little of itself over AMQP.
    pub(super) async fn snapshot(&self) -> Option<Snapshot> {
        self.embedded.as_ref()?.snapshot().await.ok()
    }

    /// The broker in this process, where it is one.
    pub(super) fn embedded(&self) -> Option<&Broker> {
        self.embedded.as_ref()
    }

    /// Kills the gateways and says what they printed last.
    pub(in crate::executor) async fn kill(&mut self) -> Vec<String> {
        for gateway in &mut self.gateways {
            gateway.instance.kill().await;
        }
        self.output().await
    }

    /// What the gateways printed last.
    pub(super) async fn output(&self) -> Vec<String> {
        let mut output = Vec::new();
        for gateway in &self.gateways {
            output.extend(gateway.instance.output().await);
        }
        output
    }

    /// Leaves nothing behind.
    pub async fn take_down(mut self) {
        self.kill().await;
        if self.own_names
            && let Ok(Some(link)) = self.link().await
        {
            link.delete().await;
            link.close().await;
        }
        if let Some(broker) = self.embedded {
            broker.shutdown().await;
        }
    }

    fn is_alive(&self) -> bool {
        self.gateways.iter().all(|gateway| gateway.instance.ended().is_none())
    }
}

/// Long enough for each of the HMAC algorithms (RFC 7518 section 3.2): some libraries refuse less.
pub(in crate::executor) const SECRET: &str =
    "a-secret-for-tests-that-is-long-enough-for-sixty-four-bytes-of-signature";

impl From<ExecutionError> for Rejection {
    fn from(error: ExecutionError) -> Self {
        Self::Error(error)
    }
}

/// How long a gateway that is ready may take until it consumes: some dial their broker again only every few seconds.
pub(super) const CONSUMES_WITHIN: Duration = Duration::from_secs(10);

/// Rigs whose case has passed, for the next.
#[derive(Default)]
pub(in crate::executor) struct Pool {
    idle: Mutex<Vec<Rig>>,
}

impl Pool {
    /// One that is still alive, where there is any.
    pub(super) fn take(&self) -> Option<Rig> {
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(rig) = idle.pop() {
            if rig.is_alive() {
                return Some(rig);
            }
        }
        None
    }

    pub(in crate::executor) fn put(&self, rig: Rig) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(rig);
    }

    /// Takes all of them down.
    pub(in crate::executor) async fn empty(&self) {
        while let Some(rig) = self.take() {
            rig.take_down().await;
        }
    }
}

/// A proxy before the broker, and the URL by which the gateway goes through it.
async fn in_between(url: &str, state: BrokerState, refusals: Refusals) -> Result<(Proxy, String), String> {
    /// The port of AMQP where a URL names none.
    const AMQP: u16 = 5672;
    let mut through = Url::parse(url).map_err(|error| error.to_string())?;
    let host = through.host_str().unwrap_or("127.0.0.1").to_owned();
    let port = through.port().unwrap_or(AMQP);
    let proxy = Proxy::start(&host, port, state == BrokerState::Up, refusals)
        .await
        .map_err(|error| HostLimit::explain("cannot start a proxy", &error))?;
    // An AMQP URL that has a host takes another one, and a port.
    let _ = through.set_host(Some("127.0.0.1"));
    let _ = through.set_port(Some(proxy.addr().port()));
    Ok((proxy, through.to_string()))
}
