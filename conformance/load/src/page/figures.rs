//! Numbers for people, on axes and in tables of any unit.

use crate::show::grouped;

/// Three significant digits or all before the point, thousands apart: `0.0123`, `4.56`, `1,234,567`.
pub(super) fn figure(value: f64) -> String {
    if value == 0.0 {
        return "0".to_owned();
    }
    let digits = value.abs().log10().floor() as i32;
    let places = usize::try_from(2 - digits).unwrap_or(0).min(6);
    let text = format!("{value:.places$}");
    let (whole, fraction) = text.split_once('.').unwrap_or((&text, ""));
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let (sign, digits) = whole.strip_prefix('-').map_or(("", whole), |digits| ("-", digits));
    [sign, &grouped(digits), point, fraction].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Large numbers keep every digit, small ones three.
    #[test]
    fn numbers_are_short() {
        let cases = [(0.0, "0"), (0.012_345, "0.0123"), (4.5, "4.5"), (99.999, "100"), (12.34, "12.3")];
        for (value, text) in cases {
            assert_eq!(figure(value), text);
        }
        assert_eq!(figure(1_234_567.8), "1,234,568");
        assert_eq!(figure(-1234.0), "-1,234");
    }
}
