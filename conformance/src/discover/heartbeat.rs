//! How often a gateway pings, by what, and when it gives up a client that does not answer.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::candidates::{INTERVALS, Person, TIMEOUTS};
use super::form;
use super::sign_in::{Dialer, Entry};
use super::socket::{Pings, Seen, Socket};
use super::subject::{Gateway, Start};
use super::{DiscoverError, Progress, now, sources};

/// How long pings are waited for where nothing is known of their period.
const WATCHES_FOR: Duration = Duration::from_secs(12);
/// How long they are waited for where a gateway was told to ping often.
const TRIES_FOR: Duration = Duration::from_secs(8);
/// Pings after which the period is known.
const ENOUGH: usize = 5;
/// The first period that is tried.
const FIRST_MS: f64 = 300.0;
/// Each further one is longer by this factor where there are few, which a busy host cannot confuse; or else by the other.
const STEPS: [f64; 2] = [1.6, 1.25];
/// Fewest that are many.
const MANY: usize = 6;
/// Most variables of a kind that are tried: the periods grow with each.
const MAX_VARIABLES: usize = 12;

/// What was seen of a heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// The kind of its pings, and how far they are apart; none where none came.
    pub pings: Option<(PingKind, Duration)>,
    /// How long none came, where none did.
    pub watched_for: Duration,
    /// The environment variable that sets the period, where that was found out.
    pub interval_variable: Option<String>,
    /// The one that sets the timeout.
    pub timeout_variable: Option<String>,
    /// The variables that were tried.
    pub tried: Vec<String>,
    /// How long after the last ping a client that does not answer is given up.
    pub gives_up_after: Option<Duration>,
}

/// By what a gateway pings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PingKind {
    /// Control frames.
    Control,
    /// This text.
    Message(String),
}

/// Watches a connection in the background.
pub(super) struct Watch(JoinHandle<Heartbeat>);

impl Watch {
    /// Begins.
    pub(super) async fn begin(dialer: &Dialer, entry: &Entry) -> Option<Self> {
        let socket = dialer.open(entry, Person::Other).await.ok()?.socket;
        Some(Self(tokio::spawn(watch(socket, dialer.pings.clone(), WATCHES_FOR))))
    }

    /// What it has seen once it has seen enough.
    pub(super) async fn end(self) -> Heartbeat {
        self.0.await.unwrap_or_default()
    }
}

/// Watches pings, and answers them, until their period is known.
async fn watch(mut socket: Socket, pings: Pings, most: Duration) -> Heartbeat {
    let end = now() + most;
    let mut controls: Vec<Instant> = Vec::new();
    let mut messages: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
    while let Some(seen) = socket.next(end).await {
        match seen {
            Seen::Ping => controls.push(now()),
            Seen::Text(text) if pings.know(&text) => {
                let kind = form::kind(&text).unwrap_or_else(|| text.trim().to_owned());
                // The first text is kept: the later ones have other times.
                let known = messages.keys().find(|known| form::kind(known).as_ref() == Some(&kind)).cloned();
                messages.entry(known.unwrap_or(text)).or_default().push(now());
            }
            Seen::Close(_) | Seen::End => break,
            Seen::Text(_) | Seen::Binary | Seen::Pong | Seen::Muted => {}
        }
        if controls.len() >= ENOUGH || messages.values().any(|times| times.len() >= ENOUGH) {
            break;
        }
    }
    let by_message = messages.into_iter().max_by_key(|(_, times)| times.len());
    let by_message = by_message.and_then(|(text, times)| Some((PingKind::Message(text), period(&times)?)));
    let pings = by_message.or_else(|| Some((PingKind::Control, period(&controls)?)));
    Heartbeat { pings, watched_for: most, ..Heartbeat::default() }
}

/// The mean distance, where there are two at least.
fn period(times: &[Instant]) -> Option<Duration> {
    let (first, last) = (times.first()?, times.last()?);
    let count = u32::try_from(times.len() - 1).ok().filter(|count| *count > 0)?;
    Some(last.duration_since(*first) / count)
}

/// What became of the search for a variable.
pub(super) enum Found {
    /// One sets the period.
    Variable(Heartbeat),
    /// None of those does.
    Nothing { tried: Vec<String> },
}

/// The variables that are tried: those that the gateway's files name, or else the usual ones.
fn named(start: &Start) -> (Vec<String>, Vec<String>) {
    let owned = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
    let found = sources::of(&start.command.words, &start.folder);
    let (mut intervals, mut timeouts) = (found.intervals, found.timeouts);
    if intervals.is_empty() {
        (intervals, timeouts) = (owned(&INTERVALS), owned(&TIMEOUTS));
    }
    intervals.truncate(MAX_VARIABLES);
    timeouts.truncate(MAX_VARIABLES / 2);
    (intervals, timeouts)
}

/// Whether a variable of this name has a time in seconds.
pub(super) fn is_in_seconds(name: &str) -> bool {
    ["_S", "_SEC", "_SECS", "_SECONDS"].iter().any(|end| name.ends_with(end))
}

/// A time as a variable of this name has it: in seconds where the name says so.
fn value(name: &str, time: Duration) -> String {
    if is_in_seconds(name) { time.as_secs_f64().to_string() } else { time.as_millis().to_string() }
}

/// Looks for environment variables by which a gateway pings as often as it is told, where it does not do so yet.
pub(super) async fn variables(
    start: &Start,
    entry: &Entry,
    dialer: &Dialer,
    progress: &Progress<'_>,
) -> Result<Found, DiscoverError> {
    progress("heartbeat: environment variables that set its period (a second start)");
    let (intervals, timeouts) = named(start);
    let step = step(intervals.len() + timeouts.len());
    let told: Vec<(String, Duration)> = intervals.into_iter().zip(periods(step)).collect();
    let timeouts: Vec<(String, Duration)> =
        timeouts.into_iter().zip(periods(step).skip(told.len())).collect();
    let mut trial = start.clone();
    for (name, time) in told.iter().chain(&timeouts) {
        let given = trial.command.env.get(name);
        // What a profile hands over already may be another time; what it sets for good is its own.
        if given
            .is_none_or(|given| ["{ping_interval", "{pong_timeout"].iter().any(|time| given.contains(time)))
        {
            trial.command.env.insert(name.clone(), value(name, *time));
        }
    }
    let gateway = match Gateway::start(&trial).await {
        Ok(gateway) => gateway,
        // It may read one of them otherwise.
        Err(DiscoverError::Subject { .. }) => {
            return Ok(Found::Nothing { tried: told.into_iter().map(|(name, _)| name).collect() });
        }
        Err(error) => return Err(error),
    };
    let dialer = Dialer { authority: gateway.authority.clone(), ..dialer.clone() };
    let found = match dialer.open(entry, Person::Other).await {
        Ok(opened) => Some(watch(opened.socket, dialer.pings.clone(), TRIES_FOR).await),
        Err(_) => None,
    };
    let nearest = |period: Duration, told: &[(String, Duration)]| {
        let off = |time: Duration| (period.as_secs_f64() / time.as_secs_f64() - 1.0).abs();
        let near = told.iter().filter(|(_, time)| off(*time) < tolerance(step));
        let nearest = near.min_by(|(_, one), (_, other)| off(*one).total_cmp(&off(*other)));
        nearest.map(|(name, _)| name.clone())
    };
    let tried: Vec<String> = told.iter().map(|(name, _)| name.clone()).collect();
    let interval = found.as_ref().and_then(|heartbeat| nearest(heartbeat.pings.as_ref()?.1, &told));
    let found = match (found, interval) {
        (Some(mut heartbeat), Some(variable)) => {
            heartbeat.interval_variable = Some(variable);
            heartbeat.gives_up_after = gives_up(&dialer, entry, TRIES_FOR).await;
            heartbeat.timeout_variable = heartbeat.gives_up_after.and_then(|after| nearest(after, &timeouts));
            Found::Variable(heartbeat)
        }
        _ => Found::Nothing { tried },
    };
    gateway.stop().await;
    Ok(found)
}

/// How long after its last ping a gateway ends the connection of a client that answers none.
pub(super) async fn gives_up(dialer: &Dialer, entry: &Entry, most: Duration) -> Option<Duration> {
    let mut socket = dialer.open(entry, Person::Other).await.ok()?.socket;
    socket.mute().await;
    let end = now() + most;
    let mut first_ping = None;
    loop {
        match socket.next(end).await? {
            Seen::Ping => {
                first_ping.get_or_insert_with(now);
            }
            Seen::Text(text) if dialer.pings.know(&text) => {
                first_ping.get_or_insert_with(now);
            }
            Seen::Close(_) | Seen::End => return Some(first_ping?.elapsed()),
            Seen::Text(_) | Seen::Binary | Seen::Pong | Seen::Muted => {}
        }
    }
}

/// The factor from one period to the next.
fn step(count: usize) -> f64 {
    STEPS[usize::from(count >= MANY)]
}

/// How far a period may lie from what a gateway was told, as a share: less than half the way to the next.
fn tolerance(step: f64) -> f64 {
    (step - 1.0) / (step + 1.0) * 0.85
}

/// Periods that are told apart.
fn periods(step: f64) -> impl Iterator<Item = Duration> {
    let factors = std::iter::successors(Some(FIRST_MS), move |ms| Some(ms * step));
    factors.map(|ms| Duration::from_millis(ms.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No two periods are so near to each other that one could be taken for the other.
    #[test]
    fn periods_are_told_apart() {
        for count in [2, MANY, MAX_VARIABLES + MAX_VARIABLES / 2] {
            let step = step(count);
            let all: Vec<f64> = periods(step).take(count).map(|time| time.as_secs_f64()).collect();
            let apart = |pair: &[f64]| pair[0] * (1.0 + tolerance(step)) < pair[1] * (1.0 - tolerance(step));
            assert!(all.windows(2).all(apart), "{all:?}");
        }
    }

    /// Pings are known and answered as a dialect has them, where there is one, and else by their names.
    #[test]
    fn pings_are_answered_as_declared() {
        let dialect: protocol::Dialect = r#"{"heartbeat":{"ping":"tick","pong":"tock"}}"#.parse().unwrap();
        let declared = Pings::of(Some(&dialect));
        let tick = r#"{"type":"tick"}"#;
        assert!(declared.know(tick) && !Pings::default().know(tick));
        assert!(declared.answer(tick).contains("tock"), "{}", declared.answer(tick));
        assert_eq!(Pings::default().answer(r#"{"type":"ping"}"#), r#"{"type":"pong"}"#);
        let by_frames = Pings::of(Some(&protocol::Dialect::default()));
        assert!(!by_frames.know(tick), "the heartbeat is no message");
    }

    /// Pings are told from pongs and from events.
    #[test]
    fn pings_are_known() {
        for (text, is) in [
            (r#"{"type":"ping","timestamp":"x"}"#, true),
            (r#"{"event":"heartbeat"}"#, true),
            ("ping", true),
            (r#"{"type":"pong"}"#, false),
            (r#"{"type":"payment:created","payload":"ping"}"#, false),
        ] {
            assert_eq!(Pings::default().know(text), is, "{text}");
        }
    }
}
