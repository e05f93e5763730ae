//! What chance decides of the delays of clients that are told alike, and told no jitter. Pure.

use std::time::Duration;

use super::delays::{Delays, LATE, near};

/// How many delays of each client are compared.
pub(super) const COMPARED: usize = 5;
/// Fewer say nothing of chance.
const FEWEST: usize = 3;

/// What chance decides.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Chance {
    /// Nothing that could be seen.
    #[default]
    Nothing,
    /// The first delay alone: the law begins with the second.
    First,
    /// The first delay, from which the others follow.
    Start,
    /// Each delay.
    Each,
}

impl Chance {
    /// What the delays of several clients show, each from the first on.
    pub(super) fn of(clients: &[Vec<Duration>]) -> Self {
        let column = |number: usize| -> Vec<Duration> {
            clients.iter().filter_map(|delays| delays.get(number).copied()).collect()
        };
        let later: Vec<_> = (1..COMPARED).map(column).filter(|delays| delays.len() >= FEWEST).collect();
        let varying = later.iter().filter(|delays| varies(delays)).count();
        // A host that is late once makes one of them look so.
        let first_varies = if later.is_empty() { spread(&column(0)).is_some() } else { varies(&column(0)) };
        let later_vary = varying > 0 && varying >= later.len().min(2);
        match (first_varies, later_vary) {
            (true, false) if later.is_empty() => Self::Each,
            (true, false) => Self::First,
            (_, true) if follow(clients) => Self::Start,
            (_, true) => Self::Each,
            (false, false) => Self::Nothing,
        }
    }
}

/// The shortest and the longest of these, where chance must have made them.
pub(super) fn spread(delays: &[Duration]) -> Option<(Duration, Duration)> {
    let (shortest, longest) = (*delays.iter().min()?, *delays.iter().max()?);
    (delays.len() >= FEWEST && is_chance(shortest, longest)).then_some((shortest, longest))
}

/// The same, whatever a host did to one of them.
fn varies(delays: &[Duration]) -> bool {
    let mut delays = delays.to_vec();
    delays.sort_unstable();
    delays.pop();
    delays.len() >= FEWEST - 1 && is_chance(delays[0], delays[delays.len() - 1])
}

/// A host is late by a little.
fn is_chance(shortest: Duration, longest: Duration) -> bool {
    longest.saturating_sub(shortest) > LATE * 2 && longest.as_secs_f64() > shortest.as_secs_f64() * 1.4
}

/// Whether one factor leads from each delay to the next with most clients, and the same with all of those.
fn follow(clients: &[Vec<Duration>]) -> bool {
    let long = clients.iter().filter(|delays| delays.len() >= FEWEST);
    let factors: Vec<Option<f64>> =
        long.map(|delays| Delays::of(&delays[..delays.len().min(COMPARED)]).factor).collect();
    let found: Vec<f64> = factors.iter().copied().flatten().collect();
    let equal = |one: &f64| found.iter().filter(|other| near(*one, **other)).count();
    let most = found.iter().map(equal).max().unwrap_or_default();
    most >= FEWEST - 1 && most * 3 >= factors.len() * 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::client::{DELAY, LONGEST, SAMPLED};

    /// The delays of as many clients as are watched, each a multiple of the delay that they are told, and what a host adds.
    fn clients(seed: u64, law: impl Fn(&mut fastrand::Rng, u8, f64) -> f64) -> Vec<Vec<Duration>> {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut client = || {
            let own = random.f64();
            let delays = (0..8).map(|number| {
                let late = Duration::from_micros(random.u64(500..4000));
                DELAY.mul_f64(law(&mut random, number, own)) + late
            });
            delays.collect()
        };
        (0..=SAMPLED).map(|_| client()).collect()
    }

    /// The longest as a multiple of what they are told.
    fn cap() -> f64 {
        LONGEST.as_secs_f64() / DELAY.as_secs_f64()
    }

    /// How many of a thousand come out as each.
    fn outcomes(law: impl Fn(&mut fastrand::Rng, u8, f64) -> f64) -> [usize; 4] {
        let found: Vec<Chance> = (0..1000).map(|seed| Chance::of(&clients(seed, &law))).collect();
        [Chance::Nothing, Chance::First, Chance::Start, Chance::Each]
            .map(|chance| found.iter().filter(|found| **found == chance).count())
    }

    /// Full jitter is never taken for a first delay that is left to chance: later ones are, too; whatever it is a part of.
    #[test]
    fn full_jitter_is_in_each_delay() {
        for times in [1.0, 2.0, 3.0] {
            let nominal = |number: u8| (times * 2_f64.powi(number.into())).min(cap());
            let found = outcomes(|random, number, _| random.f64() * nominal(number));
            assert_eq!(found, [0, 0, 0, 1000], "{times}");
        }
        let once = [20, 180, 70].map(|ms| vec![Duration::from_millis(ms)]);
        assert_eq!(Chance::of(&once), Chance::Each, "later ones were not seen");
    }

    /// A first delay that is left to chance, alone or with all that follow from it, is known by those; what a law alone makes is no chance.
    #[test]
    fn first_delays_are_known_by_later_ones() {
        let found = outcomes(|_, number, own| ((1.0 + own * 4.0) * 1.3_f64.powi(number.into())).min(cap()));
        assert!(found[2] > 990 && found[3] == 0, "{found:?}");
        let doubled = |number: u8| 2_f64.powi(number.into()).min(cap());
        let found = outcomes(|_, number, own| if number == 0 { own * 5.0 } else { doubled(number) });
        assert!(found[1] > 990 && found[2] + found[3] == 0, "{found:?}");
        assert_eq!(outcomes(|_, number, _| doubled(number)), [1000, 0, 0, 0]);
    }

    /// Chance is told from lateness.
    #[test]
    fn chance_is_found() {
        let ms = |delays: &[u64]| delays.iter().map(|ms| Duration::from_millis(*ms)).collect::<Vec<_>>();
        assert_eq!(spread(&ms(&[62, 64, 91])), None);
        assert_eq!(spread(&ms(&[62, 264])), None);
        assert_eq!(spread(&ms(&[207, 81, 264])), Some((ms(&[81])[0], ms(&[264])[0])));
        let one_is_late = [62, 124, 243, 480, 500].map(|delay| vec![delay; 4]);
        let mut clients: Vec<_> =
            (0..4).map(|client| ms(&one_is_late.clone().map(|column| column[client]))).collect();
        clients[2][1] += Duration::from_millis(190);
        assert_eq!(Chance::of(&clients), Chance::Nothing);
    }
}
