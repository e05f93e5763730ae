//! Numbers for people.

/// Three significant digits or all before the point, thousands apart: `0.0123`, `4.56`, `1 234 567`.
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
    [&apart(whole), point, fraction].concat()
}

/// Groups of three, from the right, with a space that does not break.
fn apart(whole: &str) -> String {
    let count = whole.len();
    let mut out = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (count - index).is_multiple_of(3) && digit.is_ascii_digit() && out != "-" {
            out.push('\u{202f}');
        }
        out.push(digit);
    }
    out
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
        assert_eq!(figure(1_234_567.8).replace('\u{202f}', " "), "1 234 568");
        assert_eq!(figure(-1234.0).replace('\u{202f}', " "), "-1 234");
    }
}
