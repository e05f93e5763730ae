//! How a client behaves behind its adapter: delays, attempts, ends that are final, its queue, its statuses.

mod adapter;
mod backoff;
mod chance;
mod compare;
mod delays;
mod gateway;
mod graphql;
mod text;
mod trial;

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::join_all;
use protocol::adapter::Options;
use protocol::{CloseCode, Dialect, Timing, Welcome};
use scenarios::design::Codes;

use super::flood_meter::FloodMeter;
use super::protocols::Protocol;
use super::{DiscoverError, Progress};
use crate::profile::{ClientAccess, CommandProfile, Profile};
pub use chance::Chance;
pub use compare::client as compared;
pub use delays::{Delays, Jitter};
use gateway::{Dials, Step};
pub use text::client as profile_of;
use trial::Trial;

/// The longest that observing a client may take.
pub const CLIENT_WITHIN: Duration = Duration::from_secs(120);
/// What a client is told of its delays.
const DELAY: Duration = Duration::from_millis(60);
const LONGEST: Duration = Duration::from_millis(500);
const ATTEMPTS: u32 = 8;
/// The delay where chance is watched, and how much of it.
const JITTERED: Duration = Duration::from_millis(240);
const JITTER: f64 = 0.5;
/// How many messages may wait, and how many are sent.
const CAPACITY: usize = 3;
const SENT: usize = 5;
/// Redials after which a client counts as one that does not give up.
const MANY: usize = 20;
/// How long no dial must come for a client to have given up, where its delays are short.
const GIVES_UP: Duration = Duration::from_millis(2500);
/// How long redials are watched.
const RUNS_FOR: Duration = Duration::from_secs(15);
/// How long a client may take for its first dial.
const DIALS_WITHIN: Duration = Duration::from_secs(5);
/// Clients at once: each is a process.
const AT_ONCE: usize = 4;
/// Clients whose first delays are compared with those of the first: enough for chance to show.
const SAMPLED: usize = 2 * AT_ONCE;
/// Close codes that are tried; those that refuse a token are for STATE-8, whether or not they are final.
const CODES: [u16; 11] = [1000, 1001, 1008, 1011, 1012, 1013, 3000, 4000, 4001, 4401, 4999];
/// Most ends of either kind that a profile has tried beside these.
const MAX_OWN_ENDS: usize = 8;
/// HTTP statuses that are tried.
const STATUSES: [u16; 5] = [401, 403, 404, 429, 503];
/// The room that is subscribed to.
const ROOM: &str = "catalog:changed";

/// How a client's adapter is started.
#[derive(Debug, Clone)]
pub struct ClientStart {
    /// Its command.
    pub command: CommandProfile,
    /// Where it is started.
    pub folder: PathBuf,
    /// This program, for `{gatecheck}`.
    pub program: PathBuf,
    /// The times that it is told otherwise.
    pub timing: Timing,
    /// The dialect that it is told.
    pub dialect: Dialect,
    /// Close codes that are tried beside the usual ones.
    pub codes: Vec<u16>,
    /// HTTP statuses that are tried beside the usual ones.
    pub statuses: Vec<u16>,
}

impl ClientStart {
    /// How a profile's client is started, and what it is told.
    ///
    /// # Errors
    /// When it has none that is started.
    pub fn of(profile: &Profile, program: PathBuf) -> Result<Self, DiscoverError> {
        let client = profile.client.as_ref().ok_or(DiscoverError::None)?;
        let ClientAccess::Spawn(command) = &client.access else { return Err(DiscoverError::None) };
        let design = &client.design;
        let is_tried = |codes: &&Codes| CODES.iter().any(|code| codes.contains(CloseCode(*code)));
        let codes = design.final_codes.iter().filter(|codes| !is_tried(codes)).map(|codes| codes.first().0);
        let statuses = design.final_statuses.iter().copied().filter(|status| !STATUSES.contains(status));
        Ok(Self {
            command: command.clone(),
            folder: profile.folder.clone(),
            program,
            timing: profile.timing.clone(),
            dialect: profile.dialect.clone(),
            codes: codes.filter(|code| is_sent(*code)).take(MAX_OWN_ENDS).collect(),
            statuses: statuses.filter(|status| *status >= 400).take(MAX_OWN_ENDS).collect(),
        })
    }
}

/// Whether a close frame may have this code (RFC 6455 section 7.4).
fn is_sent(code: u16) -> bool {
    (1000..5000).contains(&code) && ![1004, 1005, 1006, 1015].contains(&code)
}

/// What was observed of a client.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedClient {
    /// Its command.
    pub command: CommandProfile,
    /// The delays between redials, without jitter; none where it did not come back.
    pub delays: Option<Delays>,
    /// The first delays of clients that know nothing of each other.
    pub firsts: Vec<Duration>,
    /// What chance decides of the delays of clients that are told no jitter.
    pub chance: Chance,
    /// How many redials there were until it gave up.
    pub attempts: Attempts,
    /// How chance changes its delays.
    pub jitter: Option<Jitter>,
    /// The delays of clients that were told jitter.
    pub jittered: Vec<Duration>,
    /// Whether the count of redials begins again as a connection opens.
    pub resets_on_opening: Option<bool>,
    /// Whether it dialled again after each close code.
    pub codes: BTreeMap<u16, bool>,
    /// Whether it dialled again after each HTTP status.
    pub statuses: BTreeMap<u16, bool>,
    /// The protocol that it speaks, where its request says that it is one that is known, and the dialect which that is.
    pub speaks: Option<(Protocol, Dialect)>,
    /// What became of messages that were sent while there was no connection.
    pub queue: Queue,
    /// Whether a message is kept that is sent before the first connection.
    pub before_first: Option<bool>,
    /// How long its process takes to start.
    pub starts: Duration,
    /// Whether a listener's exception ends its process.
    pub fatal_listeners: Option<bool>,
    /// The words of its statuses.
    pub words: BTreeSet<String>,
    /// How long the observation took.
    pub took: Duration,
}

/// How many redials there were.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Attempts {
    /// So many, and then none.
    GaveUp(u32),
    /// More than it was told, and no end.
    Unlimited,
    /// Fewer than it was told, and no end yet.
    #[default]
    Unknown,
}

/// What was seen of messages without a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Queue {
    /// This.
    Seen(ObservedQueue),
    /// The client has nothing to send them by.
    Unsupported,
    /// Nothing: it did not answer.
    #[default]
    Unseen,
    /// Nothing: not even what was sent over an open connection arrived.
    Unconnected,
}

/// What became of messages that were sent while there was no connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ObservedQueue {
    /// Whether each was taken.
    pub taken: Vec<bool>,
    /// Those that arrived, counted from 0, in their order.
    pub arrived: Vec<usize>,
    /// Whether the subscription came before them.
    pub subscription_first: Option<bool>,
}

/// Observes a client.
///
/// # Errors
/// When its adapter cannot be started or configured, or observing takes longer than [`CLIENT_WITHIN`].
pub async fn observe(start: &ClientStart, progress: &Progress<'_>) -> Result<ObservedClient, DiscoverError> {
    let late = |_| DiscoverError::Late(CLIENT_WITHIN);
    let meter = FloodMeter::default();
    let observing = meter.unless_flooded(all(start, &meter, progress));
    tokio::time::timeout(CLIENT_WITHIN, observing).await.map_err(late)?
}

async fn all(
    start: &ClientStart,
    meter: &FloodMeter,
    progress: &Progress<'_>,
) -> Result<ObservedClient, DiscoverError> {
    let begun = super::now();
    let mut seen = ObservedClient {
        command: start.command.clone(),
        delays: None,
        firsts: Vec::new(),
        chance: Chance::Nothing,
        attempts: Attempts::Unknown,
        jitter: None,
        jittered: Vec::new(),
        resets_on_opening: None,
        codes: BTreeMap::new(),
        statuses: BTreeMap::new(),
        speaks: None,
        queue: Queue::Unseen,
        before_first: None,
        starts: Duration::ZERO,
        fatal_listeners: None,
        words: BTreeSet::new(),
        took: Duration::ZERO,
    };
    let trial = Trial { start, meter, usual: usual() };
    progress("delays: a drop, and refusals until it gives up");
    let (dials, words) = trial.run(&[Step::Drop, Step::Status(503)], trial.usual).await?;
    seen.words.extend(words);
    // A profile that is checked says itself what is spoken.
    if start.dialect == Dialect::default()
        && let Some(protocol) = dials.protocol()
    {
        progress(&format!("frames: those of {}, as its request says", protocol.name()));
        let dialect = match protocol {
            Protocol::GraphQl => {
                let asked = ClientStart { dialect: graphql::any(), ..start.clone() };
                graphql::spoken(&Trial { start: &asked, meter, usual: trial.usual }.says().await?)
            }
            Protocol::Phoenix => Some(Dialect {
                welcome: Welcome::Sent(false),
                frames: Some(Box::new(protocol.frames())),
                ..Dialect::default()
            }),
        };
        if let Some(dialect) = dialect {
            let start = ClientStart { dialect: dialect.clone(), ..start.clone() };
            let seen = Box::pin(all(&start, meter, progress)).await?;
            return Ok(ObservedClient { speaks: Some((protocol, dialect)), took: begun.elapsed(), ..seen });
        }
    }
    backoff::observe(&trial, &dials, &mut seen, progress).await?;
    progress("ends: close codes and statuses after which it stays away");
    let patience = seen.firsts.iter().max().copied().unwrap_or(DELAY) * 4 + Duration::from_millis(700);
    let codes = CODES.iter().chain(&start.codes).map(|code| Step::Close(Some(*code)));
    let ends: Vec<Step> =
        codes.chain(STATUSES.iter().chain(&start.statuses).map(|status| Step::Status(*status))).collect();
    let mut after = Vec::new();
    for steps in ends.chunks(AT_ONCE) {
        let redialled = join_all(steps.iter().map(|step| trial.redials(*step, patience))).await;
        for (step, redialled) in steps.iter().zip(redialled) {
            let delay = redialled?;
            after.extend(delay);
            match step {
                Step::Close(Some(code)) => drop(seen.codes.insert(*code, delay.is_some())),
                Step::Status(status) => drop(seen.statuses.insert(*status, delay.is_some())),
                Step::Open | Step::Drop | Step::Close(None) => {}
            }
        }
    }
    // Where chance makes the first delay, each of those is a sample of it.
    if seen.chance != Chance::Nothing {
        seen.firsts.append(&mut after);
    }
    progress("queue: messages without a connection");
    seen.queue = trial.queue(&mut seen.words).await?;
    seen.before_first = trial.before_first(&mut seen.words).await?;
    progress("listeners: one that throws; and a client that disconnects");
    (seen.fatal_listeners, seen.starts) = trial.fatal_listeners(&mut seen.words).await?;
    seen.took = begun.elapsed();
    Ok(seen)
}

/// What a client is told.
fn usual() -> Options {
    let ms = |time: Duration| Some(u64::try_from(time.as_millis()).unwrap_or_default());
    Options {
        reconnect_delay: ms(DELAY),
        max_reconnect_delay: ms(LONGEST),
        max_reconnect_attempts: Some(ATTEMPTS),
        jitter: Some(0.0),
        ping_interval: Some(5_000),
        pong_timeout: Some(2_000),
        connect_timeout: Some(2_000),
        stable_after: Some(50),
        queue_capacity: Some(CAPACITY),
        ..Options::default()
    }
}

impl Dials {
    /// The protocol of which the first request speaks: by the subprotocol that it offers, or by the version of Phoenix' serializer.
    fn protocol(&self) -> Option<Protocol> {
        if self.offered.as_deref().is_some_and(graphql::is_offered) {
            return Some(Protocol::GraphQl);
        }
        self.query.split('&').any(|pair| pair.starts_with("vsn=2.")).then_some(Protocol::Phoenix)
    }

    /// Whether a text that came has this in it.
    fn has(&self, part: &str) -> bool {
        self.texts.iter().any(|(_, text)| text.contains(part))
    }

    /// Whether no further dial was due any more.
    fn is_quiet(&self, measured: &[Duration]) -> bool {
        let longest = measured.iter().max().copied().unwrap_or_default();
        let last = self.ended.last().map(tokio::time::Instant::elapsed);
        last.is_some_and(|last| last > longest.mul_f64(1.8) && self.began.len() == measured.len() + 1)
    }

    /// The time from the end of each dial to the beginning of the next.
    fn delays(&self) -> Vec<Duration> {
        let pairs = self.ended.iter().zip(self.began.iter().skip(1));
        pairs.map(|(ended, began)| began.saturating_duration_since(*ended)).collect()
    }
}
