//! The law of the delays between redials. Pure.

use std::time::Duration;

use super::{DELAY, JITTERED};

/// How far a measured delay may lie from another that is meant, as a share: a host is late.
pub(super) const NEAR: f64 = 0.18;
/// What a host adds to a delay.
pub(super) const LATE: Duration = Duration::from_millis(25);

/// What the delays of one client without jitter show.
#[derive(Debug, Clone, PartialEq)]
pub struct Delays {
    /// One by one.
    pub measured: Vec<Duration>,
    /// The factor from one to the next, where it is one.
    pub factor: Option<f64>,
    /// The longest, where several are equal to it.
    pub cap: Option<Duration>,
}

/// How chance changes them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Jitter {
    /// It does not, or so little that it cannot be seen.
    None,
    /// Shorter and longer.
    PlusMinus,
    /// From nothing to the delay.
    Full,
    /// From half of it to the delay.
    Equal,
    /// Longer only.
    Added,
}

impl Delays {
    /// What these show.
    pub(super) fn of(measured: &[Duration]) -> Self {
        let seconds: Vec<f64> =
            measured.iter().map(|delay| delay.saturating_sub(LATE / 5).as_secs_f64()).collect();
        let longest = seconds.iter().copied().fold(0.0, f64::max);
        let at_most = seconds.iter().filter(|delay| near(**delay, longest)).count();
        let is_constant = at_most == seconds.len();
        let cap = (at_most >= 2 && !is_constant).then(|| Duration::from_secs_f64(longest));
        // Growth shows below the cap only.
        let growing: Vec<f64> =
            seconds.iter().copied().take_while(|delay| cap.is_none() || !near(*delay, longest)).collect();
        let ratios: Vec<f64> =
            growing.windows(2).filter(|pair| pair[0] > 0.01).map(|pair| pair[1] / pair[0]).collect();
        let mean = ratios.iter().sum::<f64>() / ratios.len().max(1) as f64;
        let factor = match (is_constant, ratios.is_empty()) {
            (true, _) => Some(1.0),
            (false, true) => None,
            (false, false) => {
                ratios.iter().all(|ratio| near(*ratio, mean)).then(|| (mean * 10.0).round() / 10.0)
            }
        };
        Self { measured: measured.to_vec(), factor: factor.filter(|factor| *factor >= 1.0), cap }
    }
}

impl Jitter {
    /// The word of a profile.
    pub(super) fn word(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::PlusMinus => "plus_minus",
            Self::Full => "full",
            Self::Equal => "equal",
            Self::Added => "added",
        }
    }

    /// The kind that these delays show, each with what it would be without chance.
    pub(super) fn of(delays: &[(Duration, Duration)]) -> Option<Self> {
        if delays.len() < 4 {
            return None;
        }
        let share = |count: usize, of: usize| count * of >= delays.len();
        let count = |is: &dyn Fn(f64, f64) -> bool| {
            delays.iter().filter(|(delay, nominal)| is(delay.as_secs_f64(), nominal.as_secs_f64())).count()
        };
        let short = count(&|delay, nominal| delay < nominal * 0.93 - (LATE / 5).as_secs_f64());
        // A host is late now and then, and never early.
        let long = count(&|delay, nominal| delay > nominal * 1.08 + LATE.as_secs_f64());
        let tiny = count(&|delay, nominal| delay < nominal * 0.45);
        // Of what chance makes shorter, a few show that it makes longer, too; by itself, what is longer may be late.
        let is_long = long > 1 && (share(long, 5) || share(short, 5) && share(long, 10));
        Some(match (short > 0, is_long) {
            (false, false) => Self::None,
            (true, true) => Self::PlusMinus,
            (false, true) => Self::Added,
            (true, false) if tiny > 0 => Self::Full,
            (true, false) => Self::Equal,
        })
    }

    /// The kind of chance that is in each delay, whatever a client was told: of the delays of clients that were told none, each from its first
    /// on, and of those of clients that were told [`JITTERED`] as shortest and longest. None where other kinds could look like it.
    pub(super) fn in_each(clients: &[Vec<Duration>], jittered: &[Vec<Duration>]) -> Option<Self> {
        let firsts: Vec<Duration> = clients.iter().filter_map(|delays| delays.first().copied()).collect();
        let told: Vec<Duration> = jittered.iter().flatten().copied().collect();
        let is_bounded = !told.is_empty() && are_within(&told, JITTERED) && are_within(&firsts, DELAY);
        let kind = Self::of(&told.iter().map(|delay| (*delay, JITTERED)).collect::<Vec<_>>());
        match kind {
            Some(Self::Full | Self::Equal) if is_bounded => kind,
            _ => (Self::begins_at_nothing(clients, DELAY) && Self::begins_at_nothing(jittered, JITTERED))
                .then_some(Self::Full),
        }
    }

    /// Whether delays of the same number lie anywhere between about nothing and the longest of them.
    fn begins_at_nothing(clients: &[Vec<Duration>], told: Duration) -> bool {
        let most = clients.iter().map(Vec::len).max().unwrap_or_default();
        let mut near_nothing = 0;
        for number in 0..most {
            let delays = clients.iter().filter_map(|delays| delays.get(number));
            let longest = delays.clone().max().copied().unwrap_or_default();
            // What is added to a delay leaves that.
            near_nothing +=
                delays.filter(|delay| **delay < longest.mul_f64(0.2) && **delay < told.mul_f64(0.8)).count();
        }
        near_nothing > 1
    }
}

/// Whether delays are at most this long, but for those that a host made late: one, fewer than one of ten, or fewer than one of five whose
/// median is as low as such a law makes it.
pub(super) fn are_within(delays: &[Duration], told: Duration) -> bool {
    let longer = delays.iter().filter(|delay| **delay > told.mul_f64(1.08) + LATE).count();
    let mut sorted = delays.to_vec();
    sorted.sort_unstable();
    let is_low = sorted.get(sorted.len() / 2).is_some_and(|median| *median < told.mul_f64(0.75));
    longer < 2 || longer * 10 < delays.len() || is_low && longer * 5 < delays.len()
}

/// Whether two delays are meant to be equal.
pub(super) fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= NEAR * one.max(other) || (one - other).abs() < LATE.as_secs_f64() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::discover::client::{AT_ONCE, LONGEST, SAMPLED};
    use std::collections::BTreeMap;

    fn ms(delays: &[u64]) -> Vec<Duration> {
        delays.iter().map(|ms| Duration::from_millis(*ms)).collect()
    }

    /// Delays as a host measures them show their law.
    #[test]
    fn laws_are_found() {
        for (measured, factor, capped) in [
            (&[62, 124, 243, 486, 504, 503][..], Some(2.0), true),
            (&[103, 104, 101, 103], Some(1.0), false),
            (&[102, 132, 171, 222, 288, 374, 488], Some(1.3), false),
            (&[5, 501, 502, 503], None, true),
        ] {
            let found = Delays::of(&ms(measured));
            assert_eq!((found.factor, found.cap.is_some()), (factor, capped), "{measured:?}");
        }
    }

    /// Each kind of chance is told from the others.
    #[test]
    fn jitter_is_found() {
        let of = |measured: &[u64]| {
            Jitter::of(&ms(measured).into_iter().map(|delay| (delay, ms(&[400])[0])).collect::<Vec<_>>())
        };
        assert_eq!(of(&[401, 404, 403, 402]), Some(Jitter::None));
        assert_eq!(of(&[301, 504, 403, 352, 580]), Some(Jitter::PlusMinus));
        assert_eq!(of(&[401, 504, 403, 402]), Some(Jitter::None), "late once");
        assert_eq!(of(&[401, 504, 473, 552]), Some(Jitter::Added));
        assert_eq!(of(&[31, 304, 203, 392]), Some(Jitter::Full));
        assert_eq!(of(&[231, 304, 263, 392]), Some(Jitter::Equal));
        assert_eq!(of(&[231]), None);
    }

    /// Chance that is in each delay, whatever a client is told, is full jitter, or equal, or cannot be told; never another kind.
    #[test]
    fn chance_in_each_delay_is_named_or_not() {
        let mut random = fastrand::Rng::with_seed(7);
        let mut outcomes = |law: &dyn Fn(f64, f64) -> f64| -> BTreeMap<Option<&str>, usize> {
            let mut run = |count: u8, first: Duration, longest: Duration| -> Vec<Duration> {
                let delays = (0..count).map(|number| {
                    let nominal = first.mul_f64(2_f64.powi(number.into())).min(longest).as_secs_f64();
                    Duration::from_secs_f64(law(nominal, random.f64()) + 0.002)
                });
                delays.collect()
            };
            let mut found = BTreeMap::new();
            for _ in 0..500 {
                let clients: Vec<_> = (0..=SAMPLED).map(|_| run(5, DELAY, LONGEST)).collect();
                let jittered: Vec<_> = (0..AT_ONCE).map(|_| run(8, JITTERED, JITTERED)).collect();
                *found.entry(Jitter::in_each(&clients, &jittered).map(Jitter::word)).or_default() += 1;
            }
            found
        };
        let (full, equal, unknown) = (Some("full"), Some("equal"), None);
        assert_eq!(outcomes(&|nominal, chance| nominal * chance), BTreeMap::from([(full, 500)]));
        let host = std::cell::RefCell::new(fastrand::Rng::with_seed(8));
        let on_a_busy_host = outcomes(&|nominal, chance| {
            let mut host = host.borrow_mut();
            nominal * chance + if host.u8(..25) == 0 { host.f64() * 0.12 } else { 0.0 }
        });
        assert!(on_a_busy_host.get(&full) > Some(&490), "{on_a_busy_host:?}");
        let of_more = outcomes(&|nominal, chance| 3.0 * nominal * chance);
        assert!(
            of_more[&full] > 400 && of_more.keys().all(|kind| [full, unknown].contains(kind)),
            "{of_more:?}"
        );
        assert_eq!(
            outcomes(&|nominal, chance| nominal * (0.5 + 0.5 * chance)),
            BTreeMap::from([(equal, 500)])
        );
        let around = outcomes(&|nominal, chance| nominal * (0.5 + chance));
        assert!(around[&unknown] > 490 && !around.contains_key(&full), "{around:?}");
        assert_eq!(outcomes(&|nominal, chance| nominal + chance), BTreeMap::from([(unknown, 500)]));
    }
}
