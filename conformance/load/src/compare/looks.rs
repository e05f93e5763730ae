//! When the observations are looked at, and how much error each look may spend.

/// The chance that equal builds are called slower in a whole comparison is at most this; as much again for faster.
pub const ERROR_RATE: f64 = 0.01;

/// A comparison has at most so many observations, each of four blocks.
pub const MAX_QUADS: usize = 128;

/// The looks that may end a comparison early. Nine observations are the fewest whose signs alone can say it at the
/// first look's level: 2⁻⁹ is 0.2 %.
const AT: [usize; 8] = [9, 12, 16, 24, 32, 48, 64, 96];

/// What the early looks may spend together; the rest is kept for the last, which comes when the time is over.
const EARLY_SHARE: f64 = 0.5;

/// A fixed schedule of looks, and the level of each.
#[derive(Debug, Clone, Copy)]
pub struct Looks {
    /// What the measures share.
    rate: f64,
}

impl Looks {
    /// The schedule of a comparison of so many measures.
    pub fn new(measures: usize) -> Self {
        Self { rate: ERROR_RATE / measures.max(1) as f64 }
    }

    /// The level of the look after so many observations, where there is one. The k-th spends 1/(k(k+1)) of what the early
    /// looks have, which comes to all of it in the end.
    pub fn at(&self, observations: usize) -> Option<f64> {
        let look = AT.iter().position(|&at| at == observations)? as f64 + 1.0;
        Some(self.rate * EARLY_SHARE / (look * (look + 1.0)))
    }

    /// The level of the last look. When it comes is a matter of time, not of what was observed.
    pub fn last(&self) -> f64 {
        self.rate * (1.0 - EARLY_SHARE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All looks together spend no more than what is promised, however many measures there are.
    #[test]
    fn looks_spend_what_is_promised() {
        for measures in [1, 2, 5] {
            let looks = Looks::new(measures);
            let early: f64 = (1..=MAX_QUADS).filter_map(|quads| looks.at(quads)).sum();
            let spent = (early + looks.last()) * measures as f64;
            assert!(spent <= ERROR_RATE && spent > 0.9 * ERROR_RATE, "{spent}");
        }
    }

    /// The first look of a comparison of one measure can decide: its level is above the chance that all signs agree.
    #[test]
    fn the_first_look_can_decide() {
        assert!(Looks::new(1).at(AT[0]).unwrap() > 0.5_f64.powi(9));
    }
}
