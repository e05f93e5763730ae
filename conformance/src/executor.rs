//! Plays scenarios against processes, over real sockets. The reference pair and third-party programs take the same path.

mod client;
mod gateway;
mod instance;
mod pair;
mod public_key;

use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use player::{Clock, Play, Setting};
use scenarios::scenario::{Bindings, Script, Settings};
use scenarios::token::Issuer;
use scenarios::{NotPlayed, Scenario, SubjectKind, Times};
use tokio::sync::Semaphore;

use gateway::Pool;
pub(crate) use gateway::{LOGIN_REFUSED, OTHER_QUEUE, Port, limits_of_cases};
pub use gateway::{Rig, RunningGateway};
pub(crate) use public_key::PublicKeyFile;

use crate::limits::{HostLimit, Refusals};
use crate::noise::{SubjectProbe, Waits};
use crate::process::SpawnError;
use crate::profile::{GatewayAccess, GatewayProfile, Profile};
use crate::secrets;
use crate::template::Values;

/// How much later than ordered things may happen on a host like this before that is a finding.
const SLACK: Duration = Duration::from_millis(60);
/// Gateways that may start at once for each core.
const STARTS_PER_CORE: usize = 2;
/// Longest time for a case to end, beyond its steps.
const BEYOND: Duration = Duration::from_secs(15);
/// How long a step waits for what has no window of its own.
const PATIENCE: Duration = Duration::from_secs(3);

/// Everything that the cases of a run have in common.
pub struct Executor {
    profile: Profile,
    /// The client's profile, where a pair is judged by two.
    partner: Option<Profile>,
    broker: BrokerChoice,
    program: PathBuf,
    seed: u64,
    /// A word that no other run has, so that queues on a broker that lives on are not met again.
    run: String,
    cases: AtomicU32,
    pool: Pool,
    public_key: PublicKeyFile,
    probe: SubjectProbe,
    /// Gateways that may start at once: a start works, where a case mostly waits.
    starts: Semaphore,
    /// How long the first gateway took to get ready.
    first_start: OnceLock<Duration>,
}

/// Whether a case may have a gateway that an earlier one has left.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// Where the profile lets gateways be shared and the scenario does not mind.
    AsTheProfileSays,
    /// Never.
    Own,
}

/// Which broker feeds a gateway under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BrokerChoice {
    /// One in this process, a new one for each case.
    Embedded,
    /// One that runs already.
    Url(String),
    /// None: whatever needs events is not run.
    None,
}

impl From<&str> for BrokerChoice {
    /// `embedded`, `none`, or the URL of one that runs.
    fn from(broker: &str) -> Self {
        match broker {
            "embedded" => Self::Embedded,
            "none" => Self::None,
            url => Self::Url(url.to_owned()),
        }
    }
}

/// What came of one case.
pub struct Execution {
    /// When the trace's time began.
    pub began: Instant,
    /// The scenario, its names bound to this run's.
    pub scenario: Scenario,
    /// The trace, and whether it is whole.
    pub play: Play,
    /// How long the processes under test, with their children, were kept waiting for a processor; none where that is not measured.
    pub waits: Vec<Waits>,
    /// What the process under test printed last.
    pub output: Vec<String>,
    /// The gateway, still alive, where the next case may have it: see [`Executor::give_back`].
    pub rig: Option<Rig>,
}

/// A case could not begin.
#[derive(Debug, thiserror::Error)]
pub enum ExecutionError {
    /// The subject did not start, or did not become ready.
    #[error("{reason}")]
    Subject {
        /// Why.
        reason: String,
        /// What it printed last.
        output: Vec<String>,
    },
    /// It lives, and did not become ready in time: beside others it may need longer than its profile says.
    #[error("{reason}")]
    NotReady {
        /// Why.
        reason: String,
        /// What it printed last.
        output: Vec<String>,
    },
    /// The harness failed.
    #[error("{0}")]
    Harness(String),
    /// The profile has no such subject.
    #[error("the profile has no [{0}]")]
    NoSubject(SubjectKind),
}

impl Executor {
    /// An executor for a subject. `program` is this program, which a profile may start as `{gatecheck}`.
    pub fn new(profile: Profile, broker: BrokerChoice, program: PathBuf, seed: u64) -> Self {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let run = format!("{:x}-{:x}", std::process::id(), unix_ms() & 0xff_ffff);
        if let Some(GatewayAccess::Attach { jwt_secret, .. }) =
            profile.gateway.as_ref().map(|gateway| &gateway.access)
        {
            secrets::keep(jwt_secret);
        }
        secrets::keep(gateway::SECRET);
        if let BrokerChoice::Url(url) = &broker {
            secrets::keep_password(url);
        }
        Self {
            profile,
            partner: None,
            broker,
            program,
            seed,
            run,
            cases: AtomicU32::new(0),
            pool: Pool::default(),
            public_key: PublicKeyFile::default(),
            probe: SubjectProbe::start(),
            starts: Semaphore::new(STARTS_PER_CORE * cores),
            first_start: OnceLock::new(),
        }
    }

    /// The same run, with a subject that is described otherwise.
    pub fn with_profile(&self, profile: Profile) -> Self {
        let broker = self.broker.clone();
        Self {
            run: format!("{}-{:x}", self.run, self.number()),
            probe: self.probe.clone(),
            ..Self::new(profile, broker, self.program.clone(), self.seed)
        }
    }

    /// The subject.
    pub fn profile(&self) -> &Profile {
        &self.profile
    }

    /// The same, with a client that another profile describes: its gateway is the pair's.
    #[must_use]
    pub fn with_partner(self, partner: Option<Profile>) -> Self {
        Self { partner, ..self }
    }

    /// The profile that describes the client of a pair.
    pub fn partner(&self) -> &Profile {
        self.partner.as_ref().unwrap_or(&self.profile)
    }

    /// How long the first gateway took to get ready, where one was started.
    pub fn first_start(&self) -> Option<Duration> {
        self.first_start.get().copied()
    }

    /// The broker.
    pub fn broker(&self) -> &BrokerChoice {
        &self.broker
    }

    /// What the symbolic times mean.
    pub fn times(&self) -> Times {
        match &self.partner {
            None => times_of(&self.profile),
            // What a pair's steps wait for is the client's affair, and the rarer of two heartbeats.
            Some(partner) => {
                let mut times = times_of(partner);
                let timing = &self.profile.timing;
                times.timing.ping_interval = times.timing.ping_interval.max(timing.ping_interval);
                times.timing.pong_timeout = times.timing.pong_timeout.max(timing.pong_timeout);
                times
            }
        }
    }

    /// Whether a case may run beside others: not where it would be noticed on a gateway or in a queue that they share, and not
    /// where it starts a fleet of clients that the profile calls heavy by asking for fewer.
    pub fn is_parallel(&self, scenario: &Scenario) -> bool {
        match (&scenario.script, &self.profile.gateway) {
            (Script::Client(script), _) => !script.client.fleet || self.times().fleet >= Times::FLEET,
            (Script::Gateway(script), Some(gateway)) => match &gateway.access {
                GatewayAccess::Attach { .. } => !script.is_noticed(),
                GatewayAccess::Spawn { .. } | GatewayAccess::InProcess { .. } => {
                    let own_queue = self.broker == BrokerChoice::Embedded || self.gives_names(gateway);
                    own_queue || !script.is_noticed()
                }
            },
            (Script::Gateway(_), None) => true,
            (Script::Pair(_), gateway) => {
                let is_attached = gateway.as_ref().is_some_and(GatewayProfile::is_attached);
                let own_queue = gateway.as_ref().is_some_and(|gateway| self.gives_names(gateway));
                !is_attached && (self.broker == BrokerChoice::Embedded || own_queue)
            }
        }
    }

    /// Whether a case may be played on a gateway that an earlier one has left.
    pub fn shares(&self, scenario: &Scenario) -> bool {
        let shared = self.profile.gateway.as_ref().is_some_and(GatewayProfile::is_shared);
        let Script::Gateway(script) = &scenario.script else { return false };
        shared && script.settings == Settings::default() && !script.needs_own_gateway()
    }

    /// Keeps a gateway on which a case has passed for the next.
    pub fn give_back(&self, rig: Rig) {
        self.pool.put(rig);
    }

    /// Takes down what is kept for a next case that does not come.
    pub async fn finish(&self) {
        self.pool.empty().await;
    }

    /// Why a scenario cannot be played on the subject that the profile describes, where that is known beforehand.
    pub(crate) fn left_out(&self, scenario: &Scenario) -> Option<NotPlayed> {
        let profile = self.profile.gateway.as_ref()?;
        let bindings = self.bindings();
        let limited = match scenario.within(&profile.limits) {
            Ok(limited) => limited,
            Err(why) => return Some(NotPlayed::by_design(why)),
        };
        let bound = limited.bind(&bindings);
        let Script::Gateway(script) = &bound.script else { return None };
        let cannot = || gateway::cannot_be_judged(profile, script, &self.profile.token.issuer(""));
        self.lacks(scenario, &bindings).or_else(cannot)
    }

    /// Plays a scenario.
    ///
    /// # Errors
    /// When the case could not begin.
    pub async fn execute(
        &self,
        scenario: &Scenario,
        isolation: Isolation,
    ) -> Result<Execution, ExecutionError> {
        HostLimit::check_fewest_descriptors("cannot judge anything")?;
        let unbound = scenario;
        let bindings = self.bindings();
        let limits = self.profile.gateway.as_ref().map(|gateway| gateway.limits).unwrap_or_default();
        let (scenario, beyond) = match unbound.within(&limits) {
            Ok(limited) => (limited.bind(&bindings), None),
            Err(why) => (unbound.bind(&bindings), Some(why)),
        };
        match scenario.script.clone() {
            Script::Gateway(script) => {
                let gateway = self.profile.gateway.as_ref();
                let gateway = gateway.ok_or(ExecutionError::NoSubject(SubjectKind::Gateway))?;
                let lacks = beyond.map(NotPlayed::by_design).or_else(|| self.lacks(unbound, &bindings));
                gateway::execute(self, gateway, (scenario, script), bindings, isolation, lacks).await
            }
            Script::Client(script) => {
                let client = self.profile.client.as_ref();
                let client = client.ok_or(ExecutionError::NoSubject(SubjectKind::Client))?;
                client::execute(self, client, (scenario, script), bindings).await
            }
            Script::Pair(_) => {
                let gateway = self.profile.gateway.as_ref();
                let gateway = gateway.ok_or(ExecutionError::NoSubject(SubjectKind::Gateway))?;
                let client = self.partner().client.as_ref();
                let client = client.ok_or(ExecutionError::NoSubject(SubjectKind::Client))?;
                pair::execute(self, (gateway, client), unbound, bindings).await
            }
        }
    }

    /// What a scenario's words mean to this subject, in a case of its own.
    fn bindings(&self) -> Bindings {
        self.profile.bindings(format!("c{}-{}", self.number(), self.run))
    }

    /// What the profile has no events, no roles, or no rooms, for.
    fn lacks(&self, scenario: &Scenario, bindings: &Bindings) -> Option<NotPlayed> {
        let Script::Gateway(script) = &scenario.script else { return None };
        let roles = self.profile.token.lacks(scenario).map(NotPlayed::by_design);
        let events = || scenario.addressed(&bindings.audiences).err();
        let rooms = || {
            let absent = scenario.private_rooms().into_iter().find(|kind| !bindings.has_rooms(*kind))?;
            let why = format!("the profile says that there are no such rooms (`{}`)", absent.key());
            Some(NotPlayed::by_design(why))
        };
        let free = || scenario.lacks_rooms(bindings);
        let pages = || scenario.lacks_pages(bindings).map(NotPlayed::by_design);
        roles
            .or_else(rooms)
            .or_else(free)
            .or_else(pages)
            .or_else(events)
            .or_else(|| self.profile.events.lacks(script))
    }

    /// Lets a case take as long as its steps may, and a little more. What it waits for before it begins, such as its turn to start a
    /// gateway, has limits of its own. Where the host refuses the harness what the case needs, the case ends.
    async fn in_time(
        &self,
        scenario: &Scenario,
        refusals: &Refusals,
        playing: impl Future<Output = Play>,
    ) -> Result<Play, ExecutionError> {
        let deadline = scenario.deadline(&self.times()) + BEYOND;
        let late = |_| ExecutionError::Harness(format!("the case did not end within {deadline:?}"));
        let play = tokio::select! {
            biased;
            limit = refusals.first() => return Err(limit.into()),
            play = tokio::time::timeout(deadline, playing) => play,
        };
        // The play may have ended by the refusal, before anything else could.
        match refusals.noticed() {
            Some(limit) => Err(limit.into()),
            None => play.map_err(late),
        }
    }

    /// A number that no other case of this run has.
    fn number(&self) -> u32 {
        self.cases.fetch_add(1, Ordering::Relaxed)
    }

    fn setting(&self, bindings: Bindings, issuer: Issuer, path: String) -> Setting {
        Setting {
            bindings,
            times: self.times(),
            dialect: self.profile.dialect.clone(),
            issuer,
            path,
            unix_ms: Arc::new(unix_ms),
            seed: self.seed,
            keeps_handshakes: true,
        }
    }

    /// Passes the token keys to a command. The public key is passed only when the token algorithm needs it.
    fn set_keys(
        &self,
        values: &mut Values,
        issuer: &Issuer,
        settings: &Settings,
    ) -> Result<(), ExecutionError> {
        values.set("jwt_secret", issuer.current.as_str());
        values.set("jwt_secret_previous", issuer.previous.as_str());
        let public = issuer.pair.public.as_deref();
        let public = public.filter(|_| settings.public_key || self.profile.token.is_public());
        values.set("jwt_public_key", public.unwrap_or_default());
        let file = public.map(|pem| self.public_key.holding(pem)).transpose();
        let file = file.map_err(|error| {
            ExecutionError::Harness(HostLimit::explain("cannot write a public key", &error))
        })?;
        values.set("jwt_public_key_file", file.unwrap_or_default());
        Ok(())
    }

    fn values(&self) -> Values {
        let mut values = Values::of_timing(&self.profile.timing);
        values.set("gatecheck", self.program.display().to_string());
        let dialect = serde_json::to_string(&self.profile.dialect).expect("a dialect has string keys");
        values.set("dialect", dialect);
        values
    }
}

impl From<SpawnError> for ExecutionError {
    fn from(error: SpawnError) -> Self {
        match error.limit() {
            Some(limit) => limit.into(),
            None => Self::Subject { reason: error.to_string(), output: Vec::new() },
        }
    }
}

impl From<HostLimit> for ExecutionError {
    fn from(limit: HostLimit) -> Self {
        Self::Harness(limit.to_string())
    }
}

/// What the symbolic times mean for a subject on a host like this.
pub fn times_of(profile: &Profile) -> Times {
    let client = profile.client.as_ref();
    Times {
        timing: profile.timing.clone(),
        patience: PATIENCE,
        slack: SLACK,
        fleet: client.map_or(Times::FLEET, |client| client.fleet),
        slow_reader: profile.gateway.as_ref().map(|gateway| gateway.limits.slow_reader).unwrap_or_default(),
        design: client.map(|client| client.design.clone()).unwrap_or_default(),
    }
}

#[expect(clippy::disallowed_methods, reason = "this executor plays in real time")]
fn now() -> Instant {
    Instant::now()
}

fn clock(start: Instant) -> Clock {
    Arc::new(move || start.elapsed())
}

#[expect(clippy::disallowed_methods, reason = "this executor plays in real time")]
fn unix_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::Library;
    use std::path::Path;

    /// A fleet runs alone where the profile asks for a smaller one, and beside other cases where it does not.
    #[test]
    fn a_heavy_fleet_runs_alone() {
        let library = Library::builtin().unwrap();
        let alone = |fleet: &str| -> Vec<&str> {
            let text = format!("[client]\ncommand = [\"adapter\"]\n{fleet}");
            let profile = Profile::parse("gatecheck.toml", &text, Path::new(".")).unwrap();
            let executor = Executor::new(profile, BrokerChoice::Embedded, PathBuf::new(), 1);
            let cases = library.select(&[]).unwrap().into_iter();
            cases.filter(|case| !executor.is_parallel(case)).map(|case| case.id.0.as_str()).collect()
        };
        assert_eq!(alone(""), [""; 0]);
        assert_eq!(alone("fleet = 20"), ["client/backoff/fleet-spreads"]);
    }
}
