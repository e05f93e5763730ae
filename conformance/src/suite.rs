//! A suite: which subject is judged, by which cases, and how. The one way from a profile to a report; the binary takes it
//! too.
//!
//! ```text
//!  Suite ──prepare──► Run ──look──► preflight, broker
//!    │                 └───play──► each CaseReport as it ends ──► RunReport
//!    └─────run────────────────────────────────────────────────────────┘
//! ```

mod error;
mod known;
mod run;
mod scale;
mod shard;
#[cfg(test)]
mod tests;
mod understanding;

use std::iter;
use std::path::{Path, PathBuf};
use std::time::Duration;

use scenarios::{Level, Library, Scenario, SubjectKind};

pub use error::SuiteError;
pub use known::KnownFailures;
pub use run::Run;
pub use scale::{FactorError, ScaleError, TimeScale};
pub use shard::{Shard, ShardError};

use crate::executor::{BrokerChoice, times_of};
use crate::in_process::{Adapter, ClientStarter, GatewayStart, GatewayStarter, Reports, SubjectError};
use crate::interruption::Interruption;
use crate::process::groups;
use crate::profile::{ClientAccess, ClientProfile, GatewayAccess, GatewayProfile, Profile, Ready};
use crate::result::RunReport;
use crate::runner::Plan;

/// What a profile starts as `{gatecheck}` unless [`Suite::program`] says otherwise: it is looked for on the PATH.
const PROGRAM: &str = "gatecheck";
/// Longest wait at the end for every process to exit.
const FAREWELL: Duration = Duration::from_secs(5);

/// What is judged, by what, and how.
#[derive(Debug, Clone)]
pub struct Suite {
    profile: Profile,
    /// The client's profile, where a pair is judged by two.
    partner: Option<Profile>,
    subjects: Vec<SubjectKind>,
    library: Library,
    filters: Vec<String>,
    /// Whether the scenarios are other than the built-in ones.
    has_own_scenarios: bool,
    level: Level,
    jobs: Option<usize>,
    repeat: u16,
    shard: Option<Shard>,
    time_scale: Option<TimeScale>,
    seed: u64,
    broker: BrokerChoice,
    preflight: bool,
    known: KnownFailures,
    allows_undecided: bool,
    ends_at_failure: bool,
    keeps_traces: bool,
    program: PathBuf,
}

impl Suite {
    /// Judges what a profile file describes: its gateway, its client, or both.
    ///
    /// # Errors
    /// When the file cannot be read or used.
    pub fn from_profile(path: impl AsRef<Path>) -> Result<Self, SuiteError> {
        Ok(Self::new(Profile::read(path.as_ref())?))
    }

    /// Judges what a profile describes, by all that the hardened level asks for. What is known to fail stands in
    /// `known-failing.toml` in the profile's folder, where there is one.
    ///
    /// # Panics
    /// When the built-in scenarios are broken, which a test rules out.
    pub fn new(profile: Profile) -> Self {
        let library = Library::builtin().expect("the built-in scenarios are sound");
        let has = [
            (SubjectKind::Gateway, profile.gateway.is_some()),
            (SubjectKind::Client, profile.client.is_some()),
        ];
        Self {
            subjects: has.into_iter().filter(|(_, is_there)| *is_there).map(|(subject, _)| subject).collect(),
            known: KnownFailures::Beside(profile.folder.clone()),
            profile,
            partner: None,
            library,
            filters: Vec::new(),
            has_own_scenarios: false,
            level: Level::Hardened,
            jobs: None,
            repeat: 1,
            shard: None,
            time_scale: None,
            seed: 1,
            broker: BrokerChoice::Embedded,
            preflight: true,
            allows_undecided: false,
            ends_at_failure: false,
            keeps_traces: false,
            program: PROGRAM.into(),
        }
    }

    /// Judges a gateway that runs in this process: each call of `gateway` starts one, for one case, which serves until its future is
    /// dropped. It is judged in the default dialect, and at about a hundredth of the default times, so that a run takes seconds:
    /// [`GatewayStart::timing`] tells it. [`Suite::with_gateway`] takes both from a profile. A gateway in this process cannot be killed, has no log of its own, and is one of a
    /// kind: cases about that are not run.
    pub fn gateway<G, F>(gateway: G) -> Self
    where
        G: Fn(GatewayStart) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), SubjectError>>,
    {
        Self::new(quick()).with_gateway(gateway)
    }

    /// As [`Suite::gateway`], by what the suite's profile says of the gateway beside its command: its path, its timing, its
    /// dialect, what it does not claim.
    #[must_use]
    pub fn with_gateway<G, F>(mut self, gateway: G) -> Self
    where
        G: Fn(GatewayStart) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), SubjectError>>,
    {
        let described = self.profile.gateway.unwrap_or_else(GatewayProfile::bare);
        let ready = match described.access {
            GatewayAccess::Spawn { ready, .. } | GatewayAccess::InProcess { ready, .. } => ready,
            GatewayAccess::Attach { .. } => Ready::usual(),
        };
        let access = GatewayAccess::InProcess { starter: GatewayStarter::new(gateway), ready };
        self.profile.gateway = Some(GatewayProfile { access, ..described });
        Self { subjects: vec![SubjectKind::Gateway], ..self }
    }

    /// Judges a client that runs in this process: each call of `adapter` makes one. It is judged in the default dialect, and at about a
    /// hundredth of the default times, which `configure` tells it; [`Suite::with_client`] takes both from a profile. A client
    /// in this process has no environment and no log of its own: cases about those are not run.
    pub fn client<A: Adapter>(adapter: impl Fn(Reports) -> A + Send + Sync + 'static) -> Self {
        Self::new(quick()).with_client(adapter)
    }

    /// As [`Suite::client`], by what the suite's profile says beside the client's command.
    #[must_use]
    pub fn with_client<A: Adapter>(mut self, adapter: impl Fn(Reports) -> A + Send + Sync + 'static) -> Self {
        let access = ClientAccess::InProcess(ClientStarter::new(adapter));
        self.profile.client = Some(ClientProfile::reached_by(access, self.profile.client.take()));
        Self { subjects: vec![SubjectKind::Client], ..self }
    }

    /// Judges these of the profile's subjects only [default: all that it has].
    #[must_use]
    pub fn subjects(self, subjects: &[SubjectKind]) -> Self {
        Self { subjects: subjects.to_vec(), ..self }
    }

    /// Judges a client and its gateway against each other, by the scenarios about pairs. The gateway is the profile's; the client is
    /// that of `client`, where it has a profile of its own, and the same profile's otherwise.
    #[must_use]
    pub fn pair(self, client: Option<Profile>) -> Self {
        Self { partner: client, subjects: vec![SubjectKind::Pair], ..self }
    }

    /// Runs the cases that a pattern such as `client/backoff/**`, or a requirement such as `AUTH-2`, selects; with several, those
    /// that any of them selects.
    ///
    /// # Errors
    /// When it is no pattern, or matches nothing.
    pub fn filter(mut self, pattern: impl Into<String>) -> Result<Self, SuiteError> {
        let pattern = [pattern.into()];
        self.library.select(&pattern)?;
        self.filters.extend(pattern);
        Ok(self)
    }

    /// Takes the scenarios in a folder instead of the built-in ones. Call it before [`Suite::filter`].
    ///
    /// # Errors
    /// When they cannot be read.
    pub fn scenarios(self, folder: &Path) -> Result<Self, SuiteError> {
        Ok(Self { library: Library::folder(folder)?, has_own_scenarios: true, ..self })
    }

    /// How much is judged [default: hardened].
    #[must_use]
    pub fn level(self, level: Level) -> Self {
        Self { level, ..self }
    }

    /// Cases at once, at least one [default: four for each core, sixteen where times are long].
    #[must_use]
    pub fn jobs(self, jobs: usize) -> Self {
        Self { jobs: Some(jobs.max(1)), ..self }
    }

    /// Runs each case so often, at least once; the gravest verdict counts [default: 1].
    #[must_use]
    pub fn repeat(self, times: u16) -> Self {
        Self { repeat: times, ..self }
    }

    /// Runs one part of the selected cases; the others run elsewhere.
    #[must_use]
    pub fn shard(self, shard: Shard) -> Self {
        Self { shard: Some(shard), ..self }
    }

    /// Multiplies the times that the subject is given, all of the profile's `[timing]`.
    #[must_use]
    pub fn time_scale(self, scale: TimeScale) -> Self {
        Self { time_scale: Some(scale), ..self }
    }

    /// Where randomness begins [default: 1].
    #[must_use]
    pub fn seed(self, seed: u64) -> Self {
        Self { seed, ..self }
    }

    /// The broker that feeds the gateway: `embedded`, the URL of one that runs (`amqp://…`), or `none`: what needs events is not
    /// run [default: embedded].
    #[must_use]
    pub fn broker(self, broker: impl Into<BrokerChoice>) -> Self {
        Self { broker: broker.into(), ..self }
    }

    /// Whether the set-up is looked at before anything is judged [default: true].
    #[must_use]
    pub fn preflight(self, preflight: bool) -> Self {
        Self { preflight, ..self }
    }

    /// Where the list of what is known to fail stands [default: beside the profile].
    #[must_use]
    pub fn known_failures(self, known: KnownFailures) -> Self {
        Self { known, ..self }
    }

    /// Lets requirements stay undecided: a report on which nothing failed is then conformant.
    #[must_use]
    pub fn allow_undecided(self, allow: bool) -> Self {
        Self { allows_undecided: allow, ..self }
    }

    /// Ends the run at the first case that keeps it from being conformant: no further case begins, and those that run are cut off.
    #[must_use]
    pub fn fail_fast(self, ends: bool) -> Self {
        Self { ends_at_failure: ends, ..self }
    }

    /// Keeps the traces of cases that passed, too.
    #[must_use]
    pub fn keep_traces(self, keep: bool) -> Self {
        Self { keeps_traces: keep, ..self }
    }

    /// What the profile starts as `{gatecheck}` [default: the one on the PATH].
    #[must_use]
    pub fn program(self, program: impl Into<PathBuf>) -> Self {
        Self { program: program.into(), ..self }
    }

    /// Checks everything that can be checked without starting anything: what is played, the list of what is known to fail.
    ///
    /// # Errors
    /// When something does not fit, or no case is selected.
    pub fn prepare(self) -> Result<Run, SuiteError> {
        Run::new(self)
    }

    /// Judges: the preflight, every selected case, and what they come to. Every process that was started has ended then.
    ///
    /// Signals are the program's own affair. One that ends it in the meantime leaves processes behind that a profile started:
    /// [`Suite::run_until`] ends them, and a [`guard`](crate::process::guard::guard) where the program is killed.
    ///
    /// # Errors
    /// When nothing could be judged. A subject that is not conformant is no such error: see [`RunReport::exit`].
    pub async fn run(self) -> Result<RunReport, SuiteError> {
        self.run_until(&Interruption::never()).await
    }

    /// As [`Suite::run`], until a signal comes; the report then says so, and which cases had not ended.
    ///
    /// # Errors
    /// As [`Suite::run`].
    pub async fn run_until(self, interruption: &Interruption) -> Result<RunReport, SuiteError> {
        let run = self.prepare()?;
        run.look(interruption).await?;
        let report = run.play(interruption, |_| {}).await;
        Run::farewell().await;
        report
    }

    /// Whether a profile has a command: what is started by it can outlive a program that is killed, unless that has a
    /// [`guard`](crate::process::guard::guard).
    pub fn starts_processes(&self) -> bool {
        let mut profiles = iter::once(&self.profile).chain(&self.partner);
        profiles.any(|Profile { gateway, client, .. }| {
            let gateway = gateway.as_ref().map(|gateway| &gateway.access);
            let client = client.as_ref().map(|client| &client.access);
            matches!(gateway, Some(GatewayAccess::Spawn { .. }))
                || matches!(client, Some(ClientAccess::Spawn(_)))
        })
    }

    /// Whether not everything is run.
    fn is_selection(&self) -> bool {
        !self.filters.is_empty()
            || self.has_own_scenarios
            || self.shard.is_some()
            || self.broker == BrokerChoice::None
    }

    /// The cases that are selected, of this shard, as often as asked for.
    fn plan(&self, profile: &Profile) -> Result<Plan, SuiteError> {
        if self.subjects.is_empty() {
            return Err(SuiteError::NothingDescribed);
        }
        let partner = self.partner.as_ref().unwrap_or(profile);
        let lacks = |subject: &SubjectKind| match subject {
            SubjectKind::Gateway => profile.gateway.is_none().then_some(SubjectKind::Gateway),
            SubjectKind::Client => profile.client.is_none().then_some(SubjectKind::Client),
            SubjectKind::Pair if profile.gateway.is_none() => Some(SubjectKind::Gateway),
            SubjectKind::Pair => partner.client.is_none().then_some(SubjectKind::Client),
        };
        if let Some(lacking) = self.subjects.iter().find_map(lacks) {
            return Err(SuiteError::NoSubject(lacking));
        }
        let chosen = self.library.select(&self.filters)?;
        let chosen: Vec<&Scenario> =
            chosen.into_iter().filter(|scenario| self.subjects.contains(&scenario.subject())).collect();
        let without = profile.without.union(&partner.without).cloned().collect();
        let places = profile.no_place.iter().chain(&partner.no_place);
        let no_place = places.map(|(id, why)| (id.clone(), why.clone())).collect();
        let times = times_of(partner);
        let mut plan = Plan::new(chosen, self.level, &without, &no_place, &profile.dialect, &times);
        if plan.is_empty() {
            return Err(SuiteError::NothingSelected);
        }
        if let Some(shard) = self.shard {
            let mut places = 0..;
            let mut takes = || places.next().is_some_and(|place| shard.takes(place));
            plan.cases.retain(|_| takes());
            plan.unplayed.retain(|_| takes());
            if plan.is_empty() {
                return Err(SuiteError::NothingInShard);
            }
        }
        let once = plan.cases.clone();
        for _ in 1..self.repeat {
            plan.cases.extend(once.iter().cloned());
        }
        Ok(plan)
    }
}

/// Nothing, at the times of the reference pair: a run of everything takes seconds.
fn quick() -> Profile {
    Profile { timing: Profile::reference().timing, ..Profile::bare() }
}

impl Run {
    /// Waits until every process that this program started has ended, within a limit.
    pub async fn farewell() {
        groups::all_gone(FAREWELL).await;
    }
}
