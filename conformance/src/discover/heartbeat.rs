//! How often a gateway pings, by what, and when it gives up a client that does not answer.

use std::collections::BTreeMap;
use std::time::Duration;

use scenarios::token::Issuer;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::candidates::{INTERVALS, Person, TIMEOUTS};
use super::form;
use super::sign_in::{Door, Entry};
use super::socket::{Seen, Socket, is_ping};
use super::subject::{Gateway, Start};
use super::{DiscoverError, Progress, now};

/// How long pings are waited for where nothing is known of their period.
const WATCHES_FOR: Duration = Duration::from_secs(12);
/// How long they are waited for where a gateway was told to ping often.
const TRIES_FOR: Duration = Duration::from_secs(8);
/// Pings after which the period is known.
const ENOUGH: usize = 5;
/// How far a period may lie from what a gateway was told.
const TOLERANCE: f64 = 0.09;
/// The first period that is tried; each further one is longer by so much.
const FIRST_MS: f64 = 300.0;
const STEP: f64 = 1.25;

/// What was seen of a heartbeat.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Heartbeat {
    /// The kind of its pings, and how far they are apart; none where none came.
    pub pings: Option<(PingKind, Duration)>,
    /// How long none came, where none did.
    pub watched_for: Duration,
    /// The environment variable that sets the period, where that was found out.
    pub interval_variable: Option<&'static str>,
    /// The one that sets the timeout.
    pub timeout_variable: Option<&'static str>,
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
    pub(super) async fn begin(door: &Door, entry: &Entry) -> Option<Self> {
        let socket = door.open(entry, Person::Other).await.ok()?.socket;
        Some(Self(tokio::spawn(watch(socket, WATCHES_FOR))))
    }

    /// What it has seen once it has seen enough.
    pub(super) async fn end(self) -> Heartbeat {
        self.0.await.unwrap_or_default()
    }
}

/// Watches pings, and answers them, until their period is known.
async fn watch(mut socket: Socket, most: Duration) -> Heartbeat {
    let end = now() + most;
    let mut controls: Vec<Instant> = Vec::new();
    let mut messages: BTreeMap<String, Vec<Instant>> = BTreeMap::new();
    while let Some(seen) = socket.next(end).await {
        match seen {
            Seen::Ping => controls.push(now()),
            Seen::Text(text) if is_ping(&text) => {
                let kind = form::kind(&text).unwrap_or_else(|| text.trim().to_owned());
                // The first text is kept: the later ones have other times.
                let known = messages.keys().find(|known| form::kind(known).as_ref() == Some(&kind)).cloned();
                messages.entry(known.unwrap_or(text)).or_default().push(now());
            }
            Seen::Close(_) | Seen::End => break,
            Seen::Text(_) | Seen::Binary | Seen::Pong => {}
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

/// Looks for environment variables by which a gateway pings as often as it is told, where it does not do so yet.
pub(super) async fn variables(
    start: &Start,
    entry: &Entry,
    issuer: &Issuer,
    progress: &Progress<'_>,
) -> Result<Option<Heartbeat>, DiscoverError> {
    progress("heartbeat: environment variables that set its period (a second start)");
    let told: Vec<(&str, Duration)> = INTERVALS.into_iter().zip(periods()).collect();
    let timeouts: Vec<(&str, Duration)> = TIMEOUTS.into_iter().zip(periods().skip(INTERVALS.len())).collect();
    let mut trial = start.clone();
    for (name, time) in told.iter().chain(&timeouts) {
        trial.command.env.entry((*name).to_owned()).or_insert_with(|| time.as_millis().to_string());
    }
    let gateway = match Gateway::start(&trial).await {
        Ok(gateway) => gateway,
        // It may read one of them otherwise.
        Err(DiscoverError::Subject { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let door = Door { authority: gateway.authority.clone(), issuer: issuer.clone() };
    let found = match door.open(entry, Person::Other).await {
        Ok(opened) => Some(watch(opened.socket, TRIES_FOR).await),
        Err(_) => None,
    };
    let nearest = |period: Duration, told: &[(&'static str, Duration)]| {
        let off = |time: Duration| (period.as_secs_f64() / time.as_secs_f64() - 1.0).abs();
        let near = told.iter().filter(|(_, time)| off(*time) < TOLERANCE);
        near.min_by(|(_, one), (_, other)| off(*one).total_cmp(&off(*other))).map(|(name, _)| *name)
    };
    let told: Vec<(&'static str, Duration)> = INTERVALS.into_iter().zip(periods()).collect();
    let found = found.and_then(|heartbeat| {
        let (_, period) = heartbeat.pings.as_ref()?;
        let interval_variable = Some(nearest(*period, &told)?);
        Some(Heartbeat { interval_variable, ..heartbeat })
    });
    let found = match found {
        Some(mut heartbeat) => {
            heartbeat.gives_up_after = gives_up(&door, entry, TRIES_FOR).await;
            let timeouts: Vec<(&'static str, Duration)> =
                TIMEOUTS.into_iter().zip(periods().skip(INTERVALS.len())).collect();
            heartbeat.timeout_variable = heartbeat.gives_up_after.and_then(|after| nearest(after, &timeouts));
            Some(heartbeat)
        }
        None => None,
    };
    gateway.stop().await;
    Ok(found)
}

/// How long after its last ping a gateway ends the connection of a client that answers none.
pub(super) async fn gives_up(door: &Door, entry: &Entry, most: Duration) -> Option<Duration> {
    let mut socket = door.open(entry, Person::Other).await.ok()?.socket;
    socket.mute().await;
    let end = now() + most;
    let mut first_ping = None;
    loop {
        match socket.next(end).await? {
            Seen::Ping => {
                first_ping.get_or_insert_with(now);
            }
            Seen::Text(text) if is_ping(&text) => {
                first_ping.get_or_insert_with(now);
            }
            Seen::Close(_) | Seen::End => return Some(first_ping?.elapsed()),
            Seen::Text(_) | Seen::Binary | Seen::Pong => {}
        }
    }
}

/// Periods that are told apart.
fn periods() -> impl Iterator<Item = Duration> {
    let factors = std::iter::successors(Some(FIRST_MS), |ms| Some(ms * STEP));
    factors.map(|ms| Duration::from_millis(ms.round() as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No two periods are so near to each other that one could be taken for the other.
    #[test]
    fn periods_are_told_apart() {
        let all: Vec<f64> =
            periods().take(INTERVALS.len() + TIMEOUTS.len()).map(|time| time.as_secs_f64()).collect();
        assert!(
            all.windows(2).all(|pair| pair[0] * (1.0 + TOLERANCE) < pair[1] * (1.0 - TOLERANCE)),
            "{all:?}"
        );
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
            assert_eq!(is_ping(text), is, "{text}");
        }
    }
}
