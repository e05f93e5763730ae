//! How a fleet returns (BACKOFF-5).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Finding, Margin};
use crate::design::Law;
use crate::times::{Expr, Times};
use crate::trace::{Event, Trace};

/// How seldom a fleet whose jitter is uniform may look too narrow by chance, by either range.
const FALSE_ALARM: f64 = 1e-6;
/// One in so many pauses is left out at either end of the inner range.
const TRIMMED: usize = 10;
/// Halvings of the interval in which the narrowest range is sought: finer than any clock.
const HALVINGS: u32 = 50;

/// `spread`: after its connection has ended, each client of a fleet, identified by its token, dials exactly once,
/// and the pauses before that cover the jitter window that the client declares.
///
/// Two ranges of the pauses must be wide enough: that of all of them, and that of what is left without the shortest and the
/// longest tenth. A few clients that a busy host holds up widen the first and not the second; where a fleet is small, chance
/// lets the second be narrow, and the first is the better measure.
///
/// The range between the r-th and the s-th of n numbers drawn uniformly from a window of width w is that part of w which
/// follows the Beta distribution with s − r and n − s + r + 1 (David and Nagaraja, Order Statistics, section 2.3). Narrower
/// than is to be expected once in a million fleets, less the executor's slack, is a finding: for 100 clients that is 0.84 and
/// 0.55 of the window, for 20 it is 0.41 and 0.22.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Spread {
    /// The delay that the jitter is about.
    delay: Expr,
    /// The jitter: each pause lies within this part of the delay, above or below.
    jitter: f64,
}

/// What one client did.
#[derive(Default)]
struct Returns {
    /// Where its connection ended.
    ended: Option<usize>,
    /// Where it dialled after that.
    dials: Vec<usize>,
}

impl Spread {
    /// Answers by how much the returns are spread wider than they must be.
    pub(super) fn check(&self, trace: &Trace, times: &Times) -> Result<Margin, Finding> {
        let clients = returns(trace);
        let expected = format!("each of {} clients returns once", times.fleet);
        if clients.len() != times.fleet as usize {
            return Err(Finding::owed(expected, format!("{} clients", clients.len()), []));
        }
        let mut pauses = Vec::new();
        let mut cut = usize::MAX;
        for (token, client) in &clients {
            let Returns { ended: Some(ended), dials } = client else {
                return Err(Finding::owed(expected, format!("{token} was not cut off"), []));
            };
            let [dial] = dials[..] else {
                let seen = format!("{token} dials {} times", dials.len());
                let at = dials.iter().copied().chain([*ended]);
                return Err(match dials.len() {
                    0 => Finding::owed(expected, seen, at),
                    _ => Finding::forbidden(expected, seen, at),
                });
            };
            let pause = trace.observations[dial].at().saturating_sub(trace.observations[*ended].at());
            pauses.push((pause, dial));
            cut = cut.min(*ended);
        }
        if pauses.is_empty() {
            return Ok(Margin { expected, beyond_us: 0, at: Vec::new() });
        }
        pauses.sort_unstable();
        let window = self.window(times);
        let ranges = [0, pauses.len() / TRIMMED].map(|trimmed| Range::of(&pauses, trimmed, window, times));
        // What noise would have to explain is the range that is narrower by more.
        match ranges.iter().max_by_key(|range| range.missing()) {
            Some(range) if !range.missing().is_zero() => {
                let (missing, at) = (range.missing(), [cut, range.first.1, range.last.1]);
                Err(Finding::forbidden(range.expected(window), range.seen(), at).missed_by(missing))
            }
            // Noise must have produced both ranges to have produced the pass.
            _ => {
                let widest = ranges.iter().max_by_key(|range| range.beyond());
                let beyond = widest.map(Range::beyond).unwrap_or_default();
                let expected = widest.map_or(expected, |range| range.expected(window));
                let at = pauses.iter().map(|(_, dial)| *dial).chain([cut]).collect();
                Ok(Margin { expected, beyond_us: u64::try_from(beyond.as_micros()).unwrap_or(u64::MAX), at })
            }
        }
    }

    /// Why no fleet with the declared jitter shows it, where none does: chance may make its returns as close as noise does.
    pub(super) fn cannot_tell(&self, times: &Times) -> Option<String> {
        let window = self.window(times);
        let narrowest = window.mul_f64(narrowest_range(times.fleet as usize, 0));
        (narrowest <= times.slack).then(|| {
            format!("the declared jitter window of {} is as narrow as this host's noise", ms(window))
        })
    }

    /// Over how long the first redial is spread: the declared window. Where a design spreads nothing, that is what it owes.
    fn window(&self, times: &Times) -> Duration {
        let delay = self.delay.duration(times);
        let law = Law::new(&times.design.backoff, delay, Duration::MAX, self.jitter);
        let (shortest, longest) = law.window(0);
        match longest - shortest {
            Duration::ZERO => delay.mul_f64(2.0 * self.jitter),
            declared => declared,
        }
    }
}

/// The pauses of a fleet but for some at either end.
struct Range {
    /// The shortest and the longest pause that count, each with the dial that ended it.
    first: (Duration, usize),
    last: (Duration, usize),
    /// How many count.
    counted: usize,
    /// Of how many.
    of: usize,
    /// How far apart the two must be.
    narrowest: Duration,
}

impl Range {
    /// The range of sorted pauses without so many at either end.
    fn of(pauses: &[(Duration, usize)], trimmed: usize, window: Duration, times: &Times) -> Self {
        let of = pauses.len();
        let narrowest = window.mul_f64(narrowest_range(of, trimmed)).saturating_sub(times.slack);
        Self {
            first: pauses[trimmed],
            last: pauses[of - 1 - trimmed],
            counted: of - 2 * trimmed,
            of,
            narrowest,
        }
    }

    fn width(&self) -> Duration {
        self.last.0 - self.first.0
    }

    /// By how much it is too narrow.
    fn missing(&self) -> Duration {
        self.narrowest.saturating_sub(self.width())
    }

    /// By how much it is wider than it must be.
    fn beyond(&self) -> Duration {
        self.width().saturating_sub(self.narrowest)
    }

    fn expected(&self, window: Duration) -> String {
        let which = match self.of - self.counted {
            0 => "returns".to_owned(),
            _ => format!("the middle {} of {} returns", self.counted, self.of),
        };
        format!("{which} spread over {} at least, of a window of {}", ms(self.narrowest), ms(window))
    }

    fn seen(&self) -> String {
        format!("all between {} and {} after the cut", ms(self.first.0), ms(self.last.0))
    }
}

/// What each client did, by its token.
fn returns(trace: &Trace) -> BTreeMap<&str, Returns> {
    let mut tokens = BTreeMap::new();
    let mut clients: BTreeMap<&str, Returns> = BTreeMap::new();
    for (index, observation) in trace.iter() {
        match &observation.event {
            Event::Dialled { query, .. } => {
                let Some((_, token)) = query.iter().find(|(name, _)| name == "token") else { continue };
                tokens.insert(observation.connection, token.as_str());
                let client = clients.entry(token).or_default();
                if client.ended.is_some() {
                    client.dials.push(index);
                }
            }
            Event::Closed { .. } => {
                if let Some(client) =
                    tokens.get(&observation.connection).and_then(|token| clients.get_mut(token))
                {
                    client.ended.get_or_insert(index);
                }
            }
            _ => {}
        }
    }
    clients
}

/// The part of a window that so many uniform draws cover, without so many of them at either end, but for one time in a million.
fn narrowest_range(draws: usize, trimmed: usize) -> f64 {
    // The range is narrower than c with the probability of at least so many successes in `draws` trials of chance c: the
    // regularized incomplete beta function, for whole numbers (DLMF 8.17.5).
    let successes = draws - 2 * trimmed - 1;
    let choices = choices(draws);
    let chance = |c: f64| -> f64 {
        let term =
            |hits: usize| choices[hits] + hits as f64 * c.ln() + (draws - hits) as f64 * (1.0 - c).ln();
        (successes..=draws).map(|hits| term(hits).exp()).sum()
    };
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if chance(middle) < FALSE_ALARM / 2.0 {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

/// The logarithms of the numbers of ways to choose 0, 1, 2, … of so many.
fn choices(of: usize) -> Vec<f64> {
    let next = |ways: &mut f64, chosen: usize| {
        let now = *ways;
        *ways += ((of - chosen) as f64 / (chosen + 1) as f64).ln();
        Some(now)
    };
    (0..=of).scan(0.0, next).collect()
}

fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::design::ClientDesign;
    use crate::trace::{Actor, Observation};
    use protocol::Timing;

    /// The thresholds are what the documentation says, and what ten thousand fleets bear out to the digits that they can.
    #[test]
    fn the_narrowest_ranges_are_known() {
        for (draws, trimmed, narrowest) in
            [(100, 0, 0.84), (100, 10, 0.55), (20, 0, 0.41), (20, 2, 0.22), (2, 0, 0.0), (1, 0, 0.0)]
        {
            let found = narrowest_range(draws, trimmed);
            assert!((found - narrowest).abs() < 0.006, "{draws} draws, {trimmed} trimmed: {found}");
        }
        let mut draws = fastrand::Rng::with_seed(5);
        let ranges = [narrowest_range(100, 0), narrowest_range(100, 10)];
        for _ in 0..10_000 {
            let mut fleet: Vec<f64> = (0..100).map(|_| draws.f64()).collect();
            fleet.sort_unstable_by(f64::total_cmp);
            assert!(fleet[99] - fleet[0] > ranges[0] && fleet[89] - fleet[10] > ranges[1]);
        }
    }

    const DELAY_MS: f64 = 2000.0;
    const CUT_US: u64 = 1_000_000;

    fn times(fleet: u32) -> Times {
        let (patience, slack) = (Duration::from_secs(3), Duration::from_millis(60));
        Times {
            timing: Timing::default(),
            patience,
            slack,
            fleet,
            slow_reader: Duration::ZERO,
            design: ClientDesign::default(),
        }
    }

    /// A fleet that is cut off at one instant, whose clients dial again after these pauses, in milliseconds.
    fn returned(pauses: impl IntoIterator<Item = f64>) -> (Result<Margin, Finding>, Trace) {
        let observe = |at_us, connection, event| Observation {
            at_us,
            actor: Actor::client(),
            connection: u32::try_from(connection).ok(),
            event,
        };
        let dial = |at_us, connection, client| {
            let query = vec![("token".to_owned(), format!("t-{client}"))];
            observe(at_us, connection, Event::Dialled { path: "/ws".to_owned(), query, token_in: None })
        };
        let pauses: Vec<f64> = pauses.into_iter().collect();
        let fleet = pauses.len();
        let mut observations: Vec<_> = (0..fleet).map(|client| dial(0, client, client)).collect();
        let closed = || Event::Closed { code: None, by: crate::trace::Side::Gateway };
        observations.extend((0..fleet).map(|client| observe(CUT_US, client, closed())));
        let again = pauses.iter().enumerate();
        observations.extend(
            again.map(|(client, pause)| dial(CUT_US + (pause * 1000.0) as u64, fleet + client, client)),
        );
        let trace = Trace { observations };
        let delay = Expr::parse("2s").unwrap();
        let spread = Spread { delay, jitter: 0.2 };
        (spread.check(&trace, &times(u32::try_from(fleet).unwrap())), trace)
    }

    /// What a busy host adds to a pause, in milliseconds.
    #[derive(Debug, Clone, Copy)]
    enum Host {
        Idle,
        /// Each client waits a little, few of them long: up to 150 ms.
        Exponential,
        /// Clients wait in bursts, of up to 150 ms each.
        Bursts,
        /// Few clients wait for almost the whole window.
        Outliers,
        /// All clients come one after the other, as they do where each needs a processor that others have.
        Queue,
    }

    impl Host {
        const ALL: [Self; 5] = [Self::Idle, Self::Exponential, Self::Bursts, Self::Outliers, Self::Queue];

        fn delay(self, draws: &mut fastrand::Rng, place: f64) -> f64 {
            match self {
                Self::Idle => 0.0,
                Self::Exponential => (-40.0 * (1.0 - draws.f64()).ln()).min(150.0),
                Self::Bursts => f64::from(draws.u8(0..4)) * 50.0,
                Self::Outliers if place < 0.06 => 100.0 + 650.0 * draws.f64(),
                Self::Outliers => 5.0 * draws.f64(),
                Self::Queue => 700.0 * place,
            }
        }

        /// The longest delay that it adds to a client.
        fn longest_us(self) -> u64 {
            match self {
                Self::Idle => 0,
                Self::Exponential | Self::Bursts => 150_000,
                Self::Outliers => 750_000,
                Self::Queue => 700_000,
            }
        }
    }

    /// Of three hundred fleets each: one without jitter never passes, whatever holds its clients up, unless for as long as the
    /// margin says; one whose jitter is uniform never fails, and on a host that is busy no more than usual its margin is wider
    /// than the noise.
    #[test]
    fn noise_does_not_spread_a_lockstep_fleet() {
        for (fleet, host) in [20, 100].into_iter().flat_map(|fleet| Host::ALL.map(|host| (fleet, host))) {
            let mut draws = fastrand::Rng::with_seed(7);
            for _ in 0..300 {
                let mut pauses = |jitter: f64| -> Vec<f64> {
                    let place = |client: u32| f64::from(client) / f64::from(fleet);
                    (0..fleet)
                        .map(|client| {
                            let drawn = DELAY_MS * (1.0 + jitter * (2.0 * draws.f64() - 1.0));
                            drawn + host.delay(&mut draws, place(client))
                        })
                        .collect()
                };
                let (lockstep, uniform) = (returned(pauses(0.0)).0, returned(pauses(0.2)).0);
                match (host, lockstep) {
                    // The trace cannot distinguish it from jitter; the margin marks the pass as worthless.
                    (Host::Queue, Ok(margin)) => {
                        assert!(margin.beyond_us < host.longest_us(), "{fleet}: {margin:?}");
                    }
                    (_, Ok(margin)) => panic!("{fleet} clients in lockstep, {host:?}: {margin:?} beyond"),
                    (_, Err(finding)) => assert!(finding.missed_by_us.is_some(), "{finding:?}"),
                }
                let margin = uniform.unwrap_or_else(|finding| panic!("{fleet}, {host:?}: {finding:?}"));
                if matches!(host, Host::Idle) {
                    assert!(margin.beyond_us > 60_000, "{fleet}: {margin:?}");
                    assert!(margin.at.len() == fleet as usize + 1, "each return, and the cut");
                }
            }
        }
    }

    /// Six outliers make the range of all returns as wide as jitter does; the range of the middle shows the difference.
    #[test]
    fn outliers_do_not_make_a_spread() {
        let pauses = (0..100)
            .map(|client| DELAY_MS + if client < 6 { 120.0 * f64::from(client) + 100.0 } else { 0.0 });
        let (found, trace) = returned(pauses);
        let finding = found.unwrap_err();
        assert!(finding.expected.raw().starts_with("the middle 80 of 100 returns"), "{finding:?}");
        assert!(finding.missed_by_us.is_some_and(|missed| missed > 300_000), "{finding:?}");
        assert_eq!(
            trace.observations[finding.at[0]].at_us, CUT_US,
            "what delays a return may begin at the cut"
        );
    }
}
