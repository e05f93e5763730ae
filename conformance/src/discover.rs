//! Finds out how a subject is designed, by watching it: what `gatecheck init gateway` writes into a profile, and what
//! `gatecheck gateway --check` holds against one.
//!
//! ```text
//!  command ──► subject ──► sign_in ──► talk ──► events ──► heartbeat
//!  (process, broker)          │          │         │           │
//!                             └──────────┴────┬────┴───────────┘
//!                                   ObservedGateway ──► spelling ──► text (a profile)
//!                                             └───────────────────► compare (differences from one)
//! ```
//!
//! What is tried stands in `candidates` and `claims`, as tables; `hints` is what is known beforehand. What is observed is data; text and differences are made of it without I/O.

mod candidates;
mod claims;
pub mod client;
mod compare;
mod comparison;
mod events;
mod flood_meter;
mod form;
mod graphql;
mod heartbeat;
mod hints;
mod limits;
mod observed;
mod protocols;
pub(crate) mod rooms;
mod sign_in;
mod socket;
mod sources;
mod spelling;
mod subject;
mod talk;
mod text;
mod topology;
mod unfinished;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use protocol::{Dialect, Timing};
use tokio::time::Instant;

pub use compare::gateway as compared;
pub use comparison::{Comparison, Difference, Unobserved};
pub use hints::{Given, Hints};
pub use observed::{ObservedGateway, Reach};
pub use subject::Start;
pub use text::{gateway as profile_of, obstacle};

use crate::process::SpawnError;
use crate::profile::{GatewayAccess, GatewayProfile, Profile, Ready};
use flood_meter::FloodMeter;
use heartbeat::Watch;
use protocols::Opening;
use sign_in::Dialer;
use subject::Gateway;
use talk::Talk;
use topology::Topology;

/// The longest that observing a gateway may take.
pub const GATEWAY_WITHIN: Duration = Duration::from_secs(120);

/// Says what is being tried.
pub type Progress<'a> = dyn Fn(&str) + Sync + 'a;

/// The gateway that is to be observed.
#[derive(Debug, Clone)]
pub enum GatewaySubject {
    /// It is started, with a broker of its own.
    Started(Start),
    /// It runs already: host and port, and the secret that it verifies tokens with.
    Attached {
        /// Host and port.
        authority: String,
        /// The secret.
        jwt_secret: String,
    },
}

/// Why a subject cannot be observed.
#[derive(Debug, miette::Diagnostic, thiserror::Error)]
pub enum DiscoverError {
    /// It cannot be started.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Spawn(#[from] SpawnError),
    /// It did not come up.
    #[error("the subject cannot be observed: {reason}")]
    #[diagnostic(help(
        "PORT, JWT_SECRET, AMQP_URL and RABBITMQ_URL are in its environment; `{{port}}`, `{{jwt_secret}}` and `{{amqp_url}}` may stand in its \
         command{}",
        last_words(output)
    ))]
    Subject {
        /// Why.
        reason: String,
        /// What it printed last.
        output: Vec<String>,
    },
    /// This host, or the harness itself, failed.
    #[error("{0}")]
    Host(String),
    /// It says far more than there is to say.
    #[error("the subject floods: it said more than {} MiB while it was watched", flood_meter::MOST_BYTES >> 20)]
    #[diagnostic(help(
        "who has just signed in is sent little, and an adapter prints answers and reports only"
    ))]
    Floods,
    /// It took too long.
    #[error("observing did not end within {0:?}")]
    #[diagnostic(help("does the subject answer slowly? `--path` spares a search"))]
    Late(Duration),
    /// The profile describes no subject that can be observed.
    #[error("the profile has no such subject that can be started or reached")]
    None,
}

/// The times that a subject is configured with where it can be: short ones.
pub fn short_timing() -> Timing {
    Timing {
        ping_interval: Duration::from_millis(400),
        pong_timeout: Duration::from_millis(200),
        connect_timeout: Duration::from_secs(1),
        reconnect_delay: Duration::from_millis(20),
        max_reconnect_delay: Duration::from_millis(300),
        stable_after: Duration::from_millis(100),
        ..Timing::default()
    }
}

impl Start {
    /// How a profile's gateway is started.
    ///
    /// # Errors
    /// When it has none that is started.
    pub fn of(profile: &Profile, program: PathBuf) -> Result<Self, DiscoverError> {
        let gateway = profile.gateway.as_ref().ok_or(DiscoverError::None)?;
        let GatewayAccess::Spawn { command, ready, .. } = &gateway.access else {
            return Err(DiscoverError::None);
        };
        Ok(Self {
            command: command.clone(),
            folder: profile.folder.clone(),
            program,
            timing: profile.timing.clone(),
            dialect: profile.dialect.clone(),
            exchange: gateway.exchange.clone(),
            queue: gateway.queues.named().first().cloned().unwrap_or_default(),
            path: gateway.path.clone(),
            public_key: profile.token.is_public().then(|| profile.token.issuer("").pair.public).flatten(),
            ready_within: ready.timeout,
        })
    }

    /// How a command is started of which nothing is known.
    pub fn bare(command: crate::profile::CommandProfile, program: PathBuf) -> Self {
        let usual = GatewayProfile::bare();
        Self {
            command,
            folder: PathBuf::from("."),
            program,
            timing: short_timing(),
            dialect: Dialect::default(),
            queue: usual.queues.named().first().cloned().unwrap_or_default(),
            exchange: usual.exchange,
            path: usual.path,
            public_key: None,
            ready_within: Ready::usual().timeout,
        }
    }
}

/// Observes a gateway. It is ended afterwards, however that goes.
///
/// # Errors
/// When it does not come up, or observing takes longer than [`GATEWAY_WITHIN`].
pub async fn gateway(
    subject: &GatewaySubject,
    hints: &Hints,
    progress: &Progress<'_>,
) -> Result<ObservedGateway, DiscoverError> {
    let meter = FloodMeter::default();
    let observing = async {
        match subject {
            GatewaySubject::Started(start) => started(start, hints, &meter, progress).await,
            GatewaySubject::Attached { authority, jwt_secret } => {
                let issuer = hints.issuer(jwt_secret.clone());
                let dialer = Dialer {
                    authority: authority.clone(),
                    issuer,
                    meter: meter.clone(),
                    pings: hints.heartbeat(),
                };
                Ok(attached(&dialer, hints, progress).await)
            }
        }
    };
    let late = |_| DiscoverError::Late(GATEWAY_WITHIN);
    tokio::time::timeout(GATEWAY_WITHIN, meter.unless_flooded(observing)).await.map_err(late)?
}

async fn started(
    start: &Start,
    hints: &Hints,
    meter: &FloodMeter,
    progress: &Progress<'_>,
) -> Result<ObservedGateway, DiscoverError> {
    let begun = now();
    progress("starting the gateway, with a broker of its own");
    let mut gateway = Gateway::start(start).await?;
    let issuer = hints.issuer(subject::secret());
    let dialer = Dialer {
        authority: gateway.authority.clone(),
        issuer,
        meter: meter.clone(),
        pings: hints.heartbeat(),
    };
    let ready_path = subject::ready_path(&dialer.authority).await;
    let pages = subject::pages(&dialer.authority).await;
    let before = Topology::of(&gateway.snapshot().await);
    let mut seen = ObservedGateway {
        reach: Reach::Started {
            command: start.command.clone(),
            folder: start.folder.clone(),
            took: gateway.took,
            ignored_port: gateway.ignored_port,
        },
        ready_path,
        pages,
        ..say(
            &dialer,
            hints,
            Some(&before),
            &sources::of(&start.command.words, &start.folder).paths,
            progress,
        )
        .await
    };
    let Some(entry) = seen.sign_in.entry.clone() else {
        seen.topology = Some(Topology::of(&gateway.snapshot().await));
        gateway.stop().await;
        seen.took = begun.elapsed();
        return Ok(seen);
    };
    let mut dialer = dialer;
    let is_dead = gateway.ended().is_some();
    if is_dead || seen.talk.junk.iter().any(|exchange| exchange.closed.is_some()) {
        // What ended over junk may still be in its rooms, and keep events from others.
        let why = if is_dead { "it has died" } else { "junk ended connections" };
        progress(&format!("starting the gateway again, since {why}"));
        let again = Gateway::start(start).await?;
        std::mem::replace(&mut gateway, again).stop().await;
        dialer.authority.clone_from(&gateway.authority);
    }
    // A gateway may have a queue for each connection.
    let watch = Watch::begin(&dialer, &entry).await;
    let patience = hints.gives_up_within().unwrap_or(unfinished::WATCHES_FOR);
    let unfinished = unfinished::Watch::begin(&dialer, &entry, patience);
    let topology = Topology::of(&gateway.snapshot().await);
    let subject = events::Subject { gateway: &mut gateway, start, watch };
    let (events, dialer, heartbeat) =
        events::observe(subject, dialer, &entry, &topology, &seen, hints, progress).await?;
    if let (Some(roles), Some(entry)) = (&events.roles, &mut seen.sign_in.entry) {
        entry.claims.clone_from(roles);
    }
    if let Some(entry) = &mut seen.sign_in.entry {
        entry.keep_openings(&events.events);
    }
    seen.events = events;
    seen.topology = Some(topology);
    seen.heartbeat = heartbeat.unwrap_or_default();
    let unfinished = unfinished.end().await;
    // What ends with the gateway itself says nothing of its patience.
    if seen.events.restarted.is_none() && gateway.ended().is_none() {
        seen.unfinished = unfinished;
        seen.heartbeat.gives_up_after = seen.unfinished.pong;
    }
    seen.left = left(&dialer, &seen, hints).await;
    let is_told = text_is_told(&seen, start);
    if is_told {
        let patience = start.timing.ping_interval * 4 + start.timing.pong_timeout * 4;
        seen.heartbeat.gives_up_after = heartbeat::gives_up(&dialer, &entry, patience).await;
    }
    let ended = gateway.ended();
    let output = gateway.output().await;
    gateway.stop().await;
    if let Some(status) = ended.filter(|_| seen.events.ended.is_none()) {
        return Err(DiscoverError::Subject {
            reason: format!("it died while it was watched: {status}"),
            output,
        });
    }
    if !is_told && !hints.checks() {
        match heartbeat::variables(start, &entry, &dialer, progress).await? {
            heartbeat::Found::Variable(heartbeat) => seen.heartbeat = heartbeat,
            heartbeat::Found::Nothing { tried } => seen.heartbeat.tried = tried,
        }
    }
    seen.took = begun.elapsed();
    Ok(seen)
}

async fn attached(dialer: &Dialer, hints: &Hints, progress: &Progress<'_>) -> ObservedGateway {
    let begun = now();
    let mut seen = say(dialer, hints, None, &[], progress).await;
    if let Some(entry) = seen.sign_in.entry.clone() {
        let watch = Watch::begin(dialer, &entry).await;
        seen.left = left(dialer, &seen, hints).await;
        progress("heartbeat: its kind and its period");
        if let Some(watch) = watch {
            seen.heartbeat = watch.end().await;
        }
    }
    seen.took = begun.elapsed();
    seen
}

/// Signs in, and has it speak.
async fn say(
    dialer: &Dialer,
    hints: &Hints,
    topology: Option<&Topology>,
    paths: &[String],
    progress: &Progress<'_>,
) -> ObservedGateway {
    let mut sign_in = sign_in::observe(dialer, hints, paths, progress).await;
    let likely = || topology.map_or_else(|| events::LIKELY_ROOM.to_owned(), events::likely_room);
    let room = hints.free_room().unwrap_or_else(likely);
    let talk = match &sign_in.entry {
        Some(entry) => talk::observe(dialer, entry, &room, hints, progress).await,
        None => Talk::default(),
    };
    // Where a protocol brings nothing that was not asked for, each client asks for what may be its own.
    let shape = talk.requests.iter().find(|request| talk.protocol.is_some() && request.may_be_understood());
    if let (Some(entry), Some(request)) = (&mut sign_in.entry, shape) {
        entry.opening = Opening::of(&request.shape, &candidates::OPENINGS);
    }
    ObservedGateway {
        reach: Reach::Attached(dialer.authority.clone()),
        ready_path: None,
        pages: BTreeMap::new(),
        topology: None,
        sign_in,
        room,
        talk,
        left: None,
        unfinished: unfinished::Unfinished::default(),
        events: events::Events::default(),
        heartbeat: heartbeat::Heartbeat::default(),
        took: Duration::ZERO,
    }
}

/// The answer to an unsubscription in the shape that is understood.
async fn left(dialer: &Dialer, seen: &ObservedGateway, hints: &Hints) -> Option<String> {
    let entry = seen.sign_in.entry.as_ref()?;
    if seen.talk.protocol.is_some() {
        // How to leave is fixed by it.
        return None;
    }
    let acknowledged = seen.talk.acknowledged().map(|(shape, _)| shape);
    let understood = seen.events.understood.first().map(String::as_str);
    let shape = understood.or_else(|| acknowledged.into_iter().next())?;
    talk::leave(dialer, entry, shape, &seen.room, hints).await
}

/// Whether it pings as often as it was told.
fn text_is_told(seen: &ObservedGateway, start: &Start) -> bool {
    let period = seen.heartbeat.pings.as_ref().map(|(_, period)| *period);
    text::is_near(period, start.timing.ping_interval)
}

/// The end of what a process printed.
fn last_words(output: &[String]) -> String {
    const LINES: usize = 15;
    if output.is_empty() {
        return "\nit printed nothing".to_owned();
    }
    let last = &output[output.len().saturating_sub(LINES)..];
    format!("\nit printed:\n  {}", last.join("\n  "))
}

#[expect(clippy::disallowed_methods, reason = "a subject is watched in real time")]
fn now() -> Instant {
    Instant::now()
}

#[expect(clippy::disallowed_methods, reason = "tokens expire in real time")]
fn unix_s() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_secs()).unwrap_or(i64::MAX)
}
