//! What is left out of a diagram, so that it can be read.

use scenarios::Foreign;

use super::{Mark, Row, Tone};

/// Longest pattern whose repetition is seen, in rows.
const MAX_PERIOD: usize = 4;
/// Fewest rows that are worth folding.
const MIN_FOLDED: usize = 4;

/// Folds what repeats: a ping and its pong, forty times, are shown once at the beginning and once at the end.
pub(super) fn runs(rows: &[Row]) -> Vec<Row> {
    let mut kept = Vec::new();
    let mut at = 0;
    while at < rows.len() {
        let best = (1..=MAX_PERIOD)
            .map(|period| (repetitions(&rows[at..], period) * period, period))
            .max_by_key(|(length, period)| (*length, std::cmp::Reverse(*period)));
        match best {
            Some((length, period)) if length >= 2 * period + MIN_FOLDED => {
                let folded = length - 2 * period;
                kept.extend_from_slice(&rows[at..at + period]);
                kept.push(fold(&rows[at + period..at + period + folded]));
                kept.extend_from_slice(&rows[at + length - period..at + length]);
                at += length;
            }
            _ => {
                kept.push(rows[at].clone());
                at += 1;
            }
        }
    }
    kept
}

/// Leaves so many rows: those nearest to the beginning, the end and the first hit.
pub(super) fn to_fit(rows: Vec<Row>, max: usize) -> Vec<Row> {
    if rows.len() <= max {
        return rows;
    }
    // Each of the two gaps takes a row.
    let part = (max.saturating_sub(2) / 3).max(1);
    let last = rows.len() - part;
    let middle = rows.iter().position(|row| row.is_hit).unwrap_or(0);
    let begin = middle.saturating_sub(part / 2).clamp(part, last.saturating_sub(part).max(part));
    let end = (begin + part).min(last);
    let mut kept = rows[..part].to_vec();
    kept.extend(gap(&rows[part..begin]));
    kept.extend_from_slice(&rows[begin..end]);
    kept.extend(gap(&rows[end..last]));
    kept.extend_from_slice(&rows[last..]);
    kept
}

/// How often the first `period` rows follow one another, themselves included; 0 where a hit is among them.
fn repetitions(rows: &[Row], period: usize) -> usize {
    let Some(pattern) = rows.get(..period) else { return 0 };
    let alike =
        |block: &&[Row]| block.len() == period && block.iter().zip(pattern).all(|(a, b)| is_alike(a, b));
    rows.chunks(period).take_while(alike).count()
}

/// Whether two rows say the same but for when, and with what payload.
fn is_alike(a: &Row, b: &Row) -> bool {
    !a.is_hit && !b.is_hit && a.mark == b.mark && a.name == b.name && a.tone == b.tone && a.tone != Tone::Step
}

fn gap(rows: &[Row]) -> Option<Row> {
    (!rows.is_empty()).then(|| fold(rows))
}

/// One row in the place of these; what was folded before counts in full.
fn fold(rows: &[Row]) -> Row {
    let count = |row: &Row| match row.mark {
        Mark::Fold { rows } => rows,
        Mark::Arrow { .. } | Mark::Note { .. } | Mark::Band => 1,
    };
    Row {
        at_us: rows.first().map_or(0, |row| row.at_us),
        mark: Mark::Fold { rows: rows.iter().map(count).sum() },
        tone: Tone::Note,
        name: Foreign::default(),
        detail: Foreign::default(),
        is_hit: false,
    }
}
