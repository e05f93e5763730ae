//! Runs a workload: a gateway is started or attached, its clients come, events are published, and what came is summed up.
//!
//! ```text
//!  stand ──► dial ──► probe ──► begin ──► (publish, count) ──► finish ──► close ──► Run
//!           all are   an event            until the plan's      what is owed
//!           in        reaches each        end, or a bound       has come, or nothing
//!                     client              of a ramp breaks      comes any more
//! ```

mod course;
mod scene;
mod summary;

use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::Duration;

use conformance::executor::{BrokerChoice, ExecutionError, Executor};
use conformance::limits::HostLimit;
use conformance::profile::{GatewayProfile, Profile};
use scenarios::RoleNames;

use crate::run::{Ending, Run, Shard};
use crate::workload::{Audience, Workload};
use course::Course;
use scene::Scene;

/// The reference gateway.
const REFERENCE: &str = include_str!("reference.toml");
/// Descriptors of a client, and some for what else there is.
const DESCRIPTORS: u64 = 64;

/// What is run.
#[derive(Debug, Clone)]
pub struct BenchConfig {
    /// The workload.
    pub workload: Workload,
    /// The gateway, and how it speaks.
    pub profile: Profile,
    /// What it is called in the result, where that is not its command or address.
    pub subject: Option<String>,
    /// What feeds it.
    pub broker: BrokerChoice,
    /// This program, which a profile may start as `{gatecheck}`.
    pub program: PathBuf,
    /// Which event is for whom.
    pub seed: u64,
    /// Which part of the load this process is.
    pub shard: Option<Shard>,
    /// When the measured time begins, in milliseconds since 1970: the same for every part.
    pub start_at_ms: Option<i64>,
    /// Threads of the load generator; one for each core but one where nothing is said.
    pub threads: Option<usize>,
    /// The process of a gateway that was started elsewhere on this host.
    pub process: Option<u32>,
}

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Progress {
    /// What is done.
    pub phase: Phase,
    /// Since the begin of the measured time.
    pub elapsed: Duration,
    /// How long that takes, where it is known.
    pub length: Option<Duration>,
    /// Clients that are connected.
    pub clients: usize,
    /// How many there are to be.
    pub wanted: usize,
    /// Deliveries in the last second.
    pub delivered: u64,
    /// Median latency of that second, in milliseconds.
    pub p50: Option<f64>,
    /// The latency that 99 % of it did not exceed.
    pub p99: Option<f64>,
    /// Events that have not come though a later one has, and those that are awaited at the end.
    pub missing: u64,
    /// What the gateway printed last, where it has ended.
    pub output: Vec<String>,
}

/// What is done.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Phase {
    /// The gateway starts.
    #[default]
    Starting,
    /// Clients connect.
    Connecting,
    /// It is found out whether events reach them.
    Probing,
    /// The time has not come at which all parts begin.
    Waiting,
    /// The measured time.
    Running,
    /// What is owed is awaited.
    Finishing,
    /// The gateway has ended before the run did.
    Died,
}

/// Nothing could be measured.
#[derive(Debug, miette::Diagnostic, thiserror::Error)]
pub enum BenchError {
    /// The workload cannot be run on such a gateway.
    #[error("{message}")]
    Usage {
        /// Why.
        message: String,
        /// What to do.
        #[help]
        help: String,
    },
    /// The gateway does not start, does not let clients in, or gets no events.
    #[error("{reason}")]
    Subject {
        /// Why.
        reason: String,
        /// What it printed last.
        output: Vec<String>,
    },
    /// The harness failed, or this host has no more to give.
    #[error("{0}")]
    Harness(String),
    /// It was interrupted before anything was measured.
    #[error("interrupted before anything was measured")]
    Interrupted,
}

/// The reference gateway's profile, as it is loaded.
///
/// # Panics
/// When the built-in profile is broken, which a test rules out.
pub fn reference() -> Profile {
    Profile::parse("the built-in profile", REFERENCE, Path::new(".")).expect("the built-in profile is sound")
}

/// Runs a workload to its end, or until `stop`.
///
/// # Errors
/// When nothing could be measured.
pub async fn run(
    config: BenchConfig,
    stop: impl Future<Output = ()>,
    mut on_progress: impl FnMut(&Progress),
) -> Result<Run, BenchError> {
    let mut stop = pin!(stop);
    check(&config)?;
    let profile = config.profile.clone();
    // Parts that do not publish have nothing to do with the broker.
    let broker = if config.publishes() { config.broker.clone() } else { BrokerChoice::None };
    let executor = Executor::new(profile, broker, config.program.clone(), config.seed);
    let clients = u32::try_from(config.workload.clients).unwrap_or(u32::MAX);
    on_progress(&Progress::default());
    let gateway = tokio::select! {
        biased;
        () = &mut stop => return Err(BenchError::Interrupted),
        gateway = executor.start_gateway(clients) => gateway?,
    };
    let subject = config.subject.clone().unwrap_or_else(|| executor.subject());
    let scene = Scene { config: &config, gateway: &gateway, subject };
    let outcome = Course::run(&scene, stop, &mut on_progress).await;
    let outcome = match outcome {
        Err(BenchError::Subject { reason, output }) if output.is_empty() => {
            let reason = gateway.ended().map_or(reason, |status| format!("the gateway ended: {status}"));
            Err(BenchError::Subject { reason, output: gateway.output().await })
        }
        Ok(run) if run.ending == Ending::Died => {
            let output = gateway.output().await;
            on_progress(&Progress { phase: Phase::Died, output, ..Progress::default() });
            Ok(run)
        }
        outcome => outcome,
    };
    gateway.take_down().await;
    outcome
}

impl BenchConfig {
    /// The whole load, from this process alone and at once, on a gateway that the embedded broker feeds.
    pub fn new(workload: Workload, profile: Profile) -> Self {
        Self {
            workload,
            profile,
            subject: None,
            broker: BrokerChoice::Embedded,
            program: PathBuf::new(),
            seed: 1,
            shard: None,
            start_at_ms: None,
            threads: None,
            process: None,
        }
    }

    /// Whether this process publishes.
    fn publishes(&self) -> bool {
        self.shard.is_none_or(|Shard { index, .. }| index == 1)
    }
}

/// Whether the workload means anything to such a gateway.
fn check(config: &BenchConfig) -> Result<(), BenchError> {
    let BenchConfig { workload, profile, broker, shard, .. } = config;
    let usage = |message: String, help: &str| Err(BenchError::Usage { message, help: help.to_owned() });
    for share in &workload.audiences {
        if !profile.events.declares(share.to.event_type()) {
            return usage(
                format!(
                    "the workload `{}` has events for `{}`, and the profile declares none",
                    workload.name, share.to
                ),
                &format!(
                    "declare one (`[[event]]` with `for = \"{0}\"`), or copy the workload (`gatecheck bench --print`) and \
                     take `to = \"{0}\"` out of it",
                    share.to
                ),
            );
        }
        if share.to == Audience::Role && profile.token.style.roles == RoleNames::Absent {
            return usage(
                format!(
                    "the workload `{}` has events for a role, and the profile's tokens have none",
                    workload.name
                ),
                "take `to = \"role\"` out of a copy of the workload",
            );
        }
    }
    if !workload.audiences.is_empty() && *broker == BrokerChoice::None {
        return usage(
            "without a broker no events reach the gateway".to_owned(),
            "the workloads `idle` and `connect` have none",
        );
    }
    let is_attached = profile.gateway.as_ref().is_some_and(GatewayProfile::is_attached);
    if is_attached
        && !workload.audiences.is_empty()
        && *broker == BrokerChoice::Embedded
        && config.publishes()
    {
        return usage(
            "a gateway that runs already does not get events from a broker in this process".to_owned(),
            "name its own: `--broker amqp://USER:PASSWORD@HOST:5672/%2f`",
        );
    }
    if shard.is_some() && !is_attached {
        return usage(
            "each part of a divided load would start a gateway of its own".to_owned(),
            "start one, and attach all parts to it: `--attach ws://HOST:PORT/PATH`",
        );
    }
    if shard.is_some() && matches!(workload.load, crate::workload::Load::Ramp(_)) {
        return usage(
            "a ramp cannot be divided: when it ends depends on what all clients see".to_owned(),
            "divide `paced` at a fixed rate (`--rate`)",
        );
    }
    if shard.is_some_and(|shard| shard.part(workload.clients).is_empty()) {
        return usage(
            "this part of the load has no clients".to_owned(),
            "ask for fewer parts, or for more clients (`--clients`)",
        );
    }
    HostLimit::check_descriptors("the clients", workload.clients as u64 + DESCRIPTORS).map_err(|limit| {
        BenchError::Usage { message: limit.to_string(), help: "or fewer clients: `--clients`".to_owned() }
    })
}

impl From<ExecutionError> for BenchError {
    fn from(error: ExecutionError) -> Self {
        match error {
            ExecutionError::Subject { reason, output } | ExecutionError::NotReady { reason, output } => {
                Self::Subject { reason, output }
            }
            ExecutionError::Harness(reason) => Self::Harness(reason),
            ExecutionError::NoSubject(kind) => Self::Usage {
                message: format!("the profile has no [{kind}]"),
                help: "add it, or give the command behind `--`".to_owned(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Overrides;

    /// The reference gateway's profile is sound.
    #[test]
    fn the_reference_profile_is_sound() {
        assert!(reference().gateway.is_some());
    }

    /// What a profile does not declare cannot be published, and the error says what to do.
    #[test]
    fn what_is_not_declared_is_an_error() {
        const EVENT: &str = "[[event]]\nfor = \"everybody\"\ntype = \"a\"";
        let attached = format!("[gateway]\nattach = \"ws://h:1/ws\"\njwt_secret = \"s\"\n{EVENT}");
        let spawned = format!("[gateway]\ncommand = [\"x\"]\n{EVENT}");
        let of = |profile: &str, name: &str, broker| {
            let workload = Workload::find(name, &Overrides::default()).unwrap();
            let profile = Profile::parse("p", profile, Path::new(".")).unwrap();
            BenchConfig { broker, ..BenchConfig::new(workload, profile) }
        };
        let config = |name: &str, broker| of(&spawned, name, broker);
        let part = |config| BenchConfig { shard: Some(Shard { index: 1, count: 2 }), ..config };
        let url = BrokerChoice::Url("amqp://b".to_owned());
        assert!(check(&config("paced", BrokerChoice::Embedded)).is_ok());
        assert!(check(&part(of(&attached, "paced", url.clone()))).is_ok());
        assert!(check(&config("idle", BrokerChoice::None)).is_ok());
        for (config, says) in [
            (config("rooms", BrokerChoice::Embedded), "events for `owner`, and the profile declares none"),
            (config("paced", BrokerChoice::None), "without a broker"),
            (
                of(&attached, "paced", BrokerChoice::Embedded),
                "does not get events from a broker in this process",
            ),
            (part(config("paced", BrokerChoice::Embedded)), "would start a gateway of its own"),
            (part(of(&attached, "ramp", url)), "cannot be divided"),
        ] {
            let error = check(&config).unwrap_err();
            assert!(matches!(&error, BenchError::Usage { message, .. } if message.contains(says)), "{error}");
        }
    }
}
