//! The interval of Wilcoxon's signed-rank test.

/// Where a quantity lies: the pseudomedian of its observations, and bounds that each fail at the level asked for.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Interval {
    /// It is not less, but for the level's chance.
    pub low: f64,
    /// The best guess: the median of all averages of two (Hodges and Lehmann).
    pub middle: f64,
    /// It is not more, but for the level's chance.
    pub high: f64,
}

/// The interval of these observations; each bound fails with a chance of at most `level` where they are symmetric about
/// what is sought. None where there are too few for this level.
pub fn interval(observations: &[f64], level: f64) -> Option<Interval> {
    let outside = most_outside(observations.len(), level)?;
    let mut averages = walsh_averages(observations);
    let count = averages.len();
    let mut nth = |index: usize| *averages.select_nth_unstable_by(index, f64::total_cmp).1;
    let (low, high) = (nth(outside), nth(count - 1 - outside));
    let middle = f64::midpoint(nth((count - 1) / 2), nth(count / 2));
    Some(Interval { low, middle, high })
}

/// The averages of all pairs, each observation paired with itself as well.
fn walsh_averages(observations: &[f64]) -> Vec<f64> {
    let pairs = observations
        .iter()
        .enumerate()
        .flat_map(|(at, &one)| observations[at..].iter().map(move |&other| f64::midpoint(one, other)));
    pairs.collect()
}

/// The largest signed-rank sum that so many observations fall to or below with a chance of at most `level`; none where
/// even 0 is likelier. The distribution is exact: each rank counts or does not, with equal chances.
fn most_outside(observations: usize, level: f64) -> Option<usize> {
    // No tail of at most one half goes beyond the middle.
    let mut chance = vec![0.0; observations * (observations + 1) / 4 + 1];
    chance[0] = 1.0;
    for rank in 1..=observations {
        for sum in (0..chance.len()).rev() {
            let with = if sum >= rank { chance[sum - rank] } else { 0.0 };
            chance[sum] = f64::midpoint(chance[sum], with);
        }
    }
    let mut total = 0.0;
    let within = chance.iter().take_while(|chance| {
        total += **chance;
        total <= level
    });
    within.count().checked_sub(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The critical values of the published tables (one-sided; for example Wilcoxon and Wilcox 1964).
    #[test]
    fn critical_values_are_those_of_the_tables() {
        assert_eq!(most_outside(10, 0.005), Some(3));
        assert_eq!(most_outside(20, 0.025), Some(52));
        assert_eq!(most_outside(25, 0.01), Some(76));
        assert_eq!(most_outside(6, 0.01), None, "2⁻⁶ is more");
        assert_eq!(most_outside(0, 0.01), None);
    }

    /// At the first level that all signs can reach, the bounds are the extremes.
    #[test]
    fn few_observations_give_their_extremes() {
        let found = interval(&[3.0, 1.0, 2.0, 5.0, 4.0, 6.0, 9.0, 8.0, 7.0], 0.002).unwrap();
        assert_eq!(found, Interval { low: 1.0, middle: 5.0, high: 9.0 });
    }

    /// One wild observation among many moves the middle little: a mean would be at 50.
    #[test]
    fn an_outlier_does_not_move_the_middle() {
        let mut observations = vec![0.0; 19];
        observations.push(1000.0);
        assert!(interval(&observations, 0.01).unwrap().middle.abs() < f64::EPSILON);
    }
}
