//! What a name that is not known was probably meant to be.

/// The candidate that `text` is most likely a slip of, if any is near enough.
pub(crate) fn nearest(text: &str, candidates: impl IntoIterator<Item = String>) -> Option<String> {
    /// Names less alike than this are no slip of the hand.
    const ALIKE: f64 = 0.75;
    let scored = candidates.into_iter().map(|candidate| (strsim::jaro_winkler(text, &candidate), candidate));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 >= ALIKE).then_some(best.1)
}
