//! One simulated run: a world of hosts, stepped until the player is done.

use std::collections::BTreeMap;
use std::sync::{Arc, mpsc};
use std::time::{Duration, SystemTime};

use player::{Play, Setting};
use protocol::{Dialect, Timing};
use scenarios::scenario::{Bindings, Script};
use scenarios::token::Issuer;
use scenarios::{ClientDesign, Scenario, Times};
use turmoil::Sim;

use crate::boundary::Boundary;
use crate::context::{Context, EPOCH_MS, Fault, PATIENCE, unix_ms};
use crate::log::Log;
use crate::{client, gateway};

/// The secret that a simulated gateway verifies tokens with.
pub const SECRET: &str = "the secret of a simulated gateway";
/// How finely time advances.
const TICK: Duration = Duration::from_millis(1);
/// Longest time that a segment is under way.
const MAX_LATENCY: Duration = Duration::from_millis(3);
/// Connections that may wait to be accepted; turmoil panics beyond it.
const TCP_CAPACITY: usize = 1024;
/// A few ticks and latencies; nothing else is late here.
const SLACK: Duration = Duration::from_millis(20);

/// How a scenario is simulated.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// Decides latencies, jitter and masks.
    pub seed: u64,
    /// What the reference pair is configured with; virtual time makes the true defaults cheap.
    pub timing: Timing,
    /// How it spells the wire. A case about what it does not have is played in a dialect of its own.
    pub dialect: Dialect,
}

/// What came of a simulation.
#[derive(Debug, Clone, PartialEq)]
pub struct Played {
    /// The scenario, its names bound to this run's.
    pub scenario: Scenario,
    /// The trace, and whether it is whole.
    pub play: Play,
    /// What the symbolic times meant.
    pub times: Times,
}

/// Why a simulation has no result.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SimError {
    /// The scenario says that it makes no sense here.
    #[error("{0} is not for simulation")]
    NotSimulated(String),
    /// A host failed, or virtual time ran out.
    #[error("the simulation failed: {0}")]
    Failed(String),
}

/// Plays a scenario against the reference gateway or client.
///
/// # Errors
/// When the scenario is not for simulation, or a host fails.
pub fn play(scenario: &Scenario, options: &Options) -> Result<Played, SimError> {
    play_through(scenario, options, Boundary::default())
}

/// As [`play`], with an interceptor at the boundary of the reference gateway or client.
///
/// # Errors
/// As [`play`].
pub fn play_through(scenario: &Scenario, options: &Options, boundary: Boundary) -> Result<Played, SimError> {
    if !scenario.simulated {
        return Err(SimError::NotSimulated(scenario.id.to_string()));
    }
    let mut dialect = options.dialect.clone();
    if let Some(own) = scenario.own_dialect()
        && scenario.lacks(&dialect).is_some()
    {
        dialect = own;
    }
    let bindings = Bindings {
        case: format!("s{}", options.seed),
        dialect: dialect.clone(),
        users: Default::default(),
        roles: Default::default(),
        event_names: BTreeMap::new(),
        rooms: Default::default(),
        seed_rooms: true,
        pages: scenarios::pages::PagePaths::default(),
        stats: scenarios::stats::StatsPlaces::default(),
        audiences: Default::default(),
        owner_keys: BTreeMap::new(),
    };
    let scenario = scenario.bind(&bindings);
    let times = Times {
        timing: options.timing.clone(),
        patience: PATIENCE,
        slack: SLACK,
        fleet: Times::FLEET,
        slow_reader: Duration::ZERO,
        design: ClientDesign::default(),
    };
    let setting = Setting {
        bindings,
        times: times.clone(),
        dialect,
        issuer: Issuer::with_secret(SECRET),
        path: "/ws".to_owned(),
        unix_ms: Arc::new(unix_ms),
        seed: options.seed,
        keeps_handshakes: false,
    };
    let mut sim = turmoil::Builder::new()
        .rng_seed(options.seed)
        .epoch(SystemTime::UNIX_EPOCH + Duration::from_millis(EPOCH_MS.unsigned_abs()))
        .tick_duration(TICK)
        .min_message_latency(Duration::ZERO)
        .max_message_latency(MAX_LATENCY)
        .tcp_capacity(TCP_CAPACITY)
        .simulation_duration(2 * scenario.deadline(&times))
        .build();
    let (faults, asked) = mpsc::channel();
    let (played, result) = mpsc::channel();
    let log = Log::default();
    let _kept = scenario.reads_log().then(|| log.keep());
    let context = Context { scenario: scenario.clone(), setting, faults, played, log, boundary };
    match scenario.script.clone() {
        Script::Gateway(script) => gateway::populate(&mut sim, script, context),
        Script::Client(script) => client::populate(&mut sim, script, context),
        Script::Pair(_) => {
            return Err(SimError::Failed("a pair is judged over real sockets alone".to_owned()));
        }
    }
    step_to_the_end(&mut sim, &asked)?;
    let play = result.try_recv().map_err(|_| SimError::Failed("the player did not end".to_owned()))?;
    Ok(Played { scenario, play, times })
}

fn step_to_the_end(sim: &mut Sim<'_>, asked: &mpsc::Receiver<Fault>) -> Result<(), SimError> {
    while !sim.step().map_err(|error| SimError::Failed(error.to_string()))? {
        while let Ok(Fault::Crash(host, done)) = asked.try_recv() {
            sim.crash(host);
            // A player that is done does not wait for it.
            let _ = done.send(());
        }
    }
    Ok(())
}

impl Default for Options {
    fn default() -> Self {
        Self { seed: 1, timing: Timing::default(), dialect: Dialect::default() }
    }
}
