//! Where a series changed its level.

/// The fewest values on either side of a change.
pub const MIN_SEGMENT: usize = 4;

/// Random orders that one test draws at the most. The smallest chance that can be told is one in so many.
const MAX_ORDERS: u32 = 20_000;

/// The first places of new levels, ascending: values from there on differ from those before.
///
/// Binary segmentation: the split at which the ranks of both sides differ most (Mann and Whitney) is a change where less than
/// the share `rate` of random orders of the same values has one as large; both sides are then searched in turn. Where
/// nothing changed, every order is equally likely, so the chance of any mark is at most `rate`, however the values are
/// distributed; ranks let a single outlier weigh little. Equal seeds give equal marks.
///
/// A change is seen once [`MIN_SEGMENT`] values, and enough of them to be unlikely, lie behind it.
pub fn change_points(values: &[f64], rate: f64, seed: u64) -> Vec<usize> {
    let mut found = Vec::new();
    let mut rng = fastrand::Rng::with_seed(seed);
    let whole = 0..values.len();
    let mut open = vec![whole];
    while let Some(part) = open.pop() {
        let Some(split) = change_point(&values[part.clone()], rate, &mut rng) else { continue };
        let at = part.start + split;
        found.push(at);
        open.extend([part.start..at, at..part.end]);
    }
    found.sort_unstable();
    found
}

fn change_point(values: &[f64], rate: f64, rng: &mut fastrand::Rng) -> Option<usize> {
    if values.len() < 2 * MIN_SEGMENT {
        return None;
    }
    let mut ranks = ranks(values);
    let (split, size) = largest_split(&ranks);
    // As many as this, the observed order included, may be as large.
    let allowed = (rate * f64::from(MAX_ORDERS)) as u32;
    let mut as_large = 1;
    for _ in 1..MAX_ORDERS {
        if as_large > allowed {
            return None;
        }
        rng.shuffle(&mut ranks);
        // Sums of equal ranks in another order differ by rounding.
        as_large += u32::from(largest_split(&ranks).1 >= size - 1e-9);
    }
    (as_large <= allowed).then_some(split)
}

/// Twice the rank of each value, less what makes their sum 0; equal values share their ranks.
fn ranks(values: &[f64]) -> Vec<f64> {
    let centre = values.len() as f64 - 1.0;
    let rank = |value: &f64| {
        let below = values.iter().filter(|other| *other < value).count();
        let equal = values.iter().filter(|other| *other == value).count();
        (2 * below + equal) as f64 - 1.0 - centre
    };
    values.iter().map(rank).collect()
}

/// Where the ranks of both sides differ most, each split measured by what chance alone would make of it; and by how much.
fn largest_split(ranks: &[f64]) -> (usize, f64) {
    let count = ranks.len();
    let mut before = 0.0;
    let mut largest = (0, -1.0);
    for (index, rank) in ranks.iter().enumerate().take(count - MIN_SEGMENT) {
        before += rank;
        let left = index + 1;
        if left < MIN_SEGMENT {
            continue;
        }
        let size = before.abs() / ((left * (count - left)) as f64).sqrt();
        if size > largest.1 {
            largest = (left, size);
        }
    }
    largest
}

#[cfg(test)]
mod tests {
    use super::*;

    const RATE: f64 = 0.01;

    fn noise(seed: u64, count: usize) -> Vec<f64> {
        let mut rng = fastrand::Rng::with_seed(seed);
        // Heavy to one side, as latencies are.
        (0..count).map(|_| 1.0 - 0.05 * (1.0 - rng.f64()).ln()).collect()
    }

    /// Pure noise is marked no more often than the rate says: 300 series of each length.
    #[test]
    fn noise_is_rarely_marked() {
        for count in [8, 20, 60] {
            let marked = (0..300).filter(|&seed| !change_points(&noise(seed, count), RATE, seed).is_empty());
            let marked = marked.count();
            assert!(marked <= 3 + 4, "{marked} of 300 series of {count}");
        }
    }

    /// A step of twice the noise's width is found, at its place or next to it.
    #[test]
    fn a_step_is_found() {
        let mut found = 0;
        for seed in 0..30 {
            let mut values = noise(seed, 40);
            values[25..].iter_mut().for_each(|value| *value *= 1.1);
            found +=
                u32::from(matches!(change_points(&values, RATE, seed)[..], [at] if at.abs_diff(25) <= 1));
        }
        assert!(found > 25, "{found} of 30");
    }

    /// A change that was taken back is two.
    #[test]
    fn a_step_up_and_down_is_two() {
        let mut values = noise(3, 60);
        values[20..40].iter_mut().for_each(|value| *value *= 1.5);
        assert_eq!(change_points(&values, RATE, 1), [20, 40]);
    }

    /// One outlier is no change, nor is a series without any noise; too few values say nothing.
    #[test]
    fn what_is_no_change_is_not_marked() {
        let mut values = noise(5, 30);
        values[14] = 50.0;
        assert_eq!(change_points(&values, RATE, 1), [0; 0]);
        assert_eq!(change_points(&[2.0; 30], RATE, 1), [0; 0]);
        assert_eq!(change_points(&[1.0, 1.0, 1.0, 9.0, 9.0, 9.0], RATE, 1), [0; 0]);
    }

    /// Equal seeds give equal marks.
    #[test]
    fn equal_seeds_give_equal_marks() {
        let mut values = noise(9, 30);
        values[15..].iter_mut().for_each(|value| *value *= 1.06);
        assert_eq!(change_points(&values, RATE, 4), change_points(&values, RATE, 4));
    }
}
