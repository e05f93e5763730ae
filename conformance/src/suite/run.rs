//! A run of a suite: the preflight, the cases, and what they come to.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use jiff::{Timestamp, civil::Date, tz::TimeZone};
use scenarios::{Foreign, Level, Library, RequirementId, ScenarioId, SubjectKind};

use super::known::{KnownFailures, rewrite};
use super::understanding;
use super::{Suite, SuiteError};
use crate::amqp::{self, Identity};
use crate::conclusion::{Conclusion, Findings};
use crate::executor::{BrokerChoice, Executor};
use crate::interruption::Interruption;
use crate::known_failing::KnownFailing;
use crate::preflight;
use crate::profile::GatewayProfile;
use crate::result::{CaseReport, RunReport, Scope};
use crate::runner::{self, Options, Plan};

/// Cases at once for each core: cases wait much more than they work.
const JOBS_PER_CORE: usize = 4;
/// Cases at once for each core where pings are far apart: those cases do little else than wait.
const LONG_JOBS_PER_CORE: usize = 16;
/// Far apart.
const LONG: Duration = Duration::from_secs(5);

/// A run of which everything has been checked that can be checked without starting anything.
pub struct Run {
    subjects: Vec<SubjectKind>,
    level: Level,
    library: Library,
    plan: Plan,
    /// The requirements of the plan, where it is a selection.
    selected: Option<BTreeSet<RequirementId>>,
    executor: Arc<Executor>,
    options: Options,
    preflight: bool,
    known: KnownFailing,
    rewritten: Option<PathBuf>,
    allows_undecided: bool,
    ends_at_failure: bool,
    began: Timestamp,
}

impl Run {
    pub(super) fn new(suite: Suite) -> Result<Self, SuiteError> {
        let profile = match suite.time_scale {
            Some(scale) => scale.apply(suite.profile.clone(), &suite.subjects)?,
            None => suite.profile.clone(),
        };
        let partner = match (suite.time_scale, suite.partner.clone()) {
            (Some(scale), Some(partner)) => Some(scale.apply(partner, &suite.subjects)?),
            (_, partner) => partner,
        };
        let mut plan = suite.plan(&profile)?;
        let known = suite.known.read(&suite.library)?;
        let is_attached = profile.gateway.as_ref().is_some_and(GatewayProfile::is_attached);
        if is_attached
            && suite.subjects.iter().any(|subject| *subject != SubjectKind::Client)
            && suite.broker == BrokerChoice::Embedded
        {
            return Err(SuiteError::WhichBroker);
        }
        let rewritten = match &suite.known {
            KnownFailures::Rewritten(path) => Some(path.clone()),
            KnownFailures::None | KnownFailures::Beside(_) | KnownFailures::Listed(_) => None,
        };
        let selected = suite.is_selection().then(|| plan.requirements());
        let executor = Executor::new(profile, suite.broker, suite.program, suite.seed);
        let executor = Arc::new(executor.with_partner(partner));
        let jobs = suite.jobs.unwrap_or_else(|| usual_jobs(&executor));
        plan.leave_out(|scenario| executor.left_out(scenario));
        Ok(Self {
            subjects: suite.subjects,
            level: suite.level,
            library: suite.library,
            plan,
            selected,
            executor,
            options: Options {
                jobs,
                keep_traces: suite.keeps_traces,
                // What is written down as known to fail is every case that does, and who repeats cases asks for each outcome.
                samples: rewritten.is_none() && suite.repeat == 1,
            },
            preflight: suite.preflight,
            known,
            rewritten,
            allows_undecided: suite.allows_undecided,
            ends_at_failure: suite.ends_at_failure,
            began: now(),
        })
    }

    /// What is played, and what is left out with the reason why.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Keeps these cases only. What the report says of requirements is then about them alone, and nothing is said of conformance.
    pub fn retain(&mut self, mut keeps: impl FnMut(&ScenarioId) -> bool) {
        let before = self.plan.len();
        self.plan.cases.retain(|case| keeps(&case.scenario.id));
        self.plan.unplayed.retain(|case| keeps(&case.id));
        if self.plan.len() < before {
            self.selected = Some(self.plan.requirements());
        }
    }

    /// The cases that are known to fail: whether one passes unexpectedly is known only once all have ended.
    pub fn listed(&self) -> BTreeSet<ScenarioId> {
        let scenarios = self.plan.cases.iter().map(|case| &case.scenario);
        scenarios.filter(|scenario| self.known.lists(scenario)).map(|scenario| scenario.id.clone()).collect()
    }

    /// What plays the cases.
    pub fn executor(&self) -> &Executor {
        &self.executor
    }

    /// When it began: as the suite was prepared.
    pub fn began(&self) -> Timestamp {
        self.began
    }

    /// Looks at the broker, which it names where there is one, and at each subject, before anything is judged. A run that is
    /// interrupted meanwhile names none; its cases are reported all the same.
    ///
    /// # Errors
    /// When the broker cannot be used, or the set-up is wrong.
    pub async fn look(&self, interruption: &Interruption) -> Result<Option<Identity>, SuiteError> {
        tokio::select! {
            biased;
            looked = self.look_at_all() => looked,
            () = interruption.begun() => Ok(None),
        }
    }

    async fn look_at_all(&self) -> Result<Option<Identity>, SuiteError> {
        let identity = match self.executor.broker() {
            BrokerChoice::Embedded => Some(Identity::embedded()),
            BrokerChoice::None => None,
            BrokerChoice::Url(url) => Some(amqp::identify(url).await?),
        };
        let cases = &self.plan.cases;
        let has_cases = |subject: &SubjectKind| cases.iter().any(|case| case.scenario.subject() == *subject);
        for subject in self.subjects.iter().filter(|subject| self.preflight && has_cases(subject)) {
            preflight::check(&self.executor, *subject).await?;
        }
        Ok(identity)
    }

    /// Plays the cases and reports each as it ends, what is known to fail marked as such.
    ///
    /// # Errors
    /// When the list of known failures was to be rewritten, and cannot be.
    #[expect(clippy::disallowed_methods, reason = "the duration of a run is real time")]
    pub async fn play(
        self,
        interruption: &Interruption,
        mut on_case: impl FnMut(&CaseReport),
    ) -> Result<RunReport, SuiteError> {
        let today = self.today();
        let begun = Instant::now();
        let excuses = self.rewritten.is_none() && !self.known.is_empty();
        let mut on_case = |case: &CaseReport| {
            let mut case = Cow::Borrowed(case);
            if excuses {
                self.known.excuse(case.to_mut(), today);
            }
            on_case(&case);
            if self.ends_at_failure && case.verdict.is_trouble() {
                interruption.begin_by_failure();
            }
        };
        let (first, rest) = understanding::split(self.plan);
        let play = |plan| (plan, Arc::clone(&self.executor), self.options);
        let mut cases = Vec::new();
        if !first.is_empty() {
            let (plan, executor, options) = play(first);
            cases = runner::run(plan, executor, options, interruption, &mut on_case).await;
        }
        let (plan, executor, options) = play(understanding::unless_lacking(&cases, rest));
        cases.extend(runner::run(plan, executor, options, interruption, &mut on_case).await);
        let took = begun.elapsed();
        let scope = Scope {
            subjects: &self.subjects,
            level: self.level,
            without: &self.executor.profile().without,
            selected: self.selected.as_ref(),
        };
        let found = Findings::of(cases, &scope);
        let interrupted = interruption.signal();
        let known = match &self.rewritten {
            // What an interrupted run has not seen may fail as well.
            Some(path) if interrupted.is_none() => rewrite(path, &self.known, &found, &self.library, today)?,
            Some(_) | None => self.known,
        };
        let design = match self.subjects.contains(&SubjectKind::Client) {
            true => self.executor.times().design.lines(),
            false => Vec::new(),
        };
        let report = found.conclude(&Conclusion {
            scope,
            known: &known,
            library: &self.library,
            today,
            allows_undecided: self.allows_undecided,
            interrupted,
            took,
        });
        let design = design.into_iter().map(Foreign::from).collect();
        Ok(RunReport { design, ..report })
    }

    fn today(&self) -> Date {
        self.began.to_zoned(TimeZone::UTC).date()
    }
}

fn usual_jobs(executor: &Executor) -> usize {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let is_long = executor.times().timing.ping_interval >= LONG;
    cores * if is_long { LONG_JOBS_PER_CORE } else { JOBS_PER_CORE }
}

/// Now, to the second.
#[expect(clippy::disallowed_methods, reason = "a report says when its run began")]
fn now() -> Timestamp {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    Timestamp::from_second(i64::try_from(since.as_secs()).unwrap_or(i64::MAX))
        .unwrap_or(Timestamp::UNIX_EPOCH)
}
