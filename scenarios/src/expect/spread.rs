//! How a fleet returns (BACKOFF-5).

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::times::{Expr, Times};
use crate::trace::{Event, Trace};

/// How seldom a fleet whose jitter is uniform may look too narrow by chance.
const FALSE_ALARM: f64 = 1e-6;
/// Halvings of the interval in which the narrowest range is sought: finer than any clock.
const HALVINGS: u32 = 50;

/// `spread`: after its connection has ended, each client of a fleet, told from the others by its token, dials exactly once,
/// and the pauses before that cover the jitter window.
///
/// The range of n pauses drawn uniformly from a window of width w is narrower than r·w with probability
/// n·rⁿ⁻¹ − (n − 1)·rⁿ. Narrower than the r for which that is one in a million, less the executor's slack, is a finding:
/// for 100 clients r is 0.85, for 20 it is 0.42.
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
    pub(super) fn check(&self, trace: &Trace, times: &Times) -> Result<Duration, Finding> {
        let clients = returns(trace);
        let expected = format!("each of {} clients returns once", times.fleet);
        if clients.len() != times.fleet as usize {
            return Err(Finding::owed(expected, format!("{} clients", clients.len()), []));
        }
        let mut pauses = Vec::new();
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
        }
        let (Some(first), Some(last)) = (pauses.iter().min(), pauses.iter().max()) else {
            return Ok(Duration::ZERO);
        };
        let range = last.0 - first.0;
        let window = self.delay.duration(times).mul_f64(2.0 * self.jitter);
        let narrowest = window.mul_f64(narrowest_range(pauses.len())).saturating_sub(times.slack);
        if range >= narrowest {
            return Ok(range - narrowest);
        }
        let expected =
            format!("returns spread over {} at least, of a window of {}", ms(narrowest), ms(window));
        let seen = format!("all between {} and {} after the cut", ms(first.0), ms(last.0));
        Err(Finding::forbidden(expected, seen, [first.1, last.1]).missed_by(narrowest - range))
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

/// The part of a window that the range of so many uniform draws covers, but for one time in a million.
fn narrowest_range(draws: usize) -> f64 {
    let n = draws as f64;
    let chance = |r: f64| n * r.powf(n - 1.0) - (n - 1.0) * r.powf(n);
    let (mut low, mut high) = (0.0, 1.0);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        if chance(middle) < FALSE_ALARM {
            low = middle;
        } else {
            high = middle;
        }
    }
    low
}

fn ms(duration: Duration) -> String {
    format!("{} ms", duration.as_millis())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The threshold is what the documentation says, and what a million fleets bear out to the digits that they can.
    #[test]
    fn the_narrowest_range_is_known() {
        assert!((narrowest_range(100) - 0.85).abs() < 0.005, "{}", narrowest_range(100));
        assert!((narrowest_range(20) - 0.42).abs() < 0.01, "{}", narrowest_range(20));
        let mut draws = fastrand::Rng::with_seed(5);
        for _ in 0..10_000 {
            let fleet: Vec<f64> = (0..100).map(|_| draws.f64()).collect();
            let range = fleet.iter().copied().fold(0.0, f64::max) - fleet.iter().copied().fold(1.0, f64::min);
            assert!(range > narrowest_range(100));
        }
    }
}
