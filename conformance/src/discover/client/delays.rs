//! The law of the delays between redials. Pure.

use std::time::Duration;

/// How far a measured delay may lie from another that is meant, as a share: a host is late.
const NEAR: f64 = 0.18;
/// What a host adds to a delay.
const LATE: Duration = Duration::from_millis(25);

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
    /// The kind that these delays show, each with what it would be without chance.
    pub(super) fn of(delays: &[(Duration, Duration)]) -> Option<Self> {
        if delays.len() < 4 {
            return None;
        }
        let count = |is: &dyn Fn(f64, f64) -> bool| {
            delays.iter().filter(|(delay, nominal)| is(delay.as_secs_f64(), nominal.as_secs_f64())).count()
        };
        let short = count(&|delay, nominal| delay < nominal * 0.93 - (LATE / 5).as_secs_f64());
        // A host is late now and then, and never early.
        let long = count(&|delay, nominal| delay > nominal * 1.08 + LATE.as_secs_f64());
        let tiny = count(&|delay, nominal| delay < nominal * 0.45);
        Some(match (short > 0, long > 1 && long * 5 >= delays.len()) {
            (false, false) => Self::None,
            (true, true) => Self::PlusMinus,
            (false, true) => Self::Added,
            (true, false) if tiny > 0 => Self::Full,
            (true, false) => Self::Equal,
        })
    }
}

/// The shortest and the longest of these, where chance must have made them.
pub(super) fn spread(delays: &[Duration]) -> Option<(Duration, Duration)> {
    const FEWEST: usize = 3;
    let (shortest, longest) = (delays.iter().min()?, delays.iter().max()?);
    // A host is late by a little.
    let is_chance =
        longest.saturating_sub(*shortest) > LATE * 2 && longest.as_secs_f64() > shortest.as_secs_f64() * 1.4;
    (delays.len() >= FEWEST && is_chance).then_some((*shortest, *longest))
}

/// Whether two delays are meant to be equal.
pub(super) fn near(one: f64, other: f64) -> bool {
    (one - other).abs() <= NEAR * one.max(other) || (one - other).abs() < LATE.as_secs_f64() / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

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

    /// Chance is told from lateness.
    #[test]
    fn chance_is_found() {
        assert_eq!(spread(&ms(&[62, 64, 91])), None);
        assert_eq!(spread(&ms(&[62, 264])), None);
        assert_eq!(spread(&ms(&[207, 81, 264])), Some((ms(&[81])[0], ms(&[264])[0])));
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
}
