//! A profile in which every key stands in a comment, with a value that may stand there: what can be said at all.

/// The text.
pub const TEMPLATE: &str = include_str!("template.toml");

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::profile::Profile;

    /// Keys that need another key, or a file.
    const NOT_ALONE: [&str; 2] = ["private_key_file", "public_key_file"];

    /// The table and the keys in comments of each part.
    fn parts() -> Vec<(&'static str, Vec<&'static str>)> {
        let mut parts: Vec<(&str, Vec<&str>)> = Vec::new();
        for line in TEMPLATE.lines() {
            if line.starts_with('[') {
                let end = line.find(" #").unwrap_or(line.len());
                parts.push((line[..end].trim_end(), Vec::new()));
            } else if let (Some(line), Some((_, lines))) = (line.strip_prefix("# "), parts.last_mut()) {
                lines.push(line);
            }
        }
        parts
    }

    fn key(line: &str) -> &str {
        line.split(" = ").next().unwrap_or(line)
    }

    /// A part with what its table cannot be without, and one line of its own.
    fn with(table: &str, line: &str) -> String {
        let needed: &[&str] = match table {
            "[gateway]" if key(line) == "attach" => &["jwt_secret = \"s\""],
            "[gateway]" | "[client]" => &["command = [\"a\"]"],
            "[client.design]" | "[client.design.backoff]" => &["[client]", "command = [\"a\"]"],
            "[[event]]" if key(line) == "room" => &["for = \"subscribers\"", "type = \"a\""],
            "[[event]]" => &["for = \"owner\"", "type = \"a\""],
            "[dialect]" if key(line) == "token" => &[],
            "[dialect]" if key(line) == "sign_in" => &["token = \"message\"", "refusal = \"close-4401\""],
            _ => &[],
        };
        let needed: Vec<&str> = needed.iter().copied().filter(|other| key(other) != key(line)).collect();
        let line = match key(line) {
            "floor" => format!("{line}\nreset = \"open\""),
            _ => line.to_owned(),
        };
        match table.starts_with("[client.") {
            true => format!("{}\n{table}\n{line}", needed.join("\n")),
            false => format!("{table}\n{}\n{line}", needed.join("\n")),
        }
    }

    /// Each line is sound once its `#` is gone.
    #[test]
    fn each_line_can_be_taken() {
        for (table, lines) in parts() {
            for line in lines.iter().filter(|line| !NOT_ALONE.contains(&key(line))) {
                let text = with(table, line);
                if let Err(error) = Profile::parse("template", &text, Path::new(".")) {
                    panic!("{text}\n{error:?}");
                }
            }
        }
    }

    /// No key is left out: a table says which keys it has where one is not among them.
    #[test]
    fn every_key_is_named() {
        for (table, lines) in parts() {
            let text = with(table, "gatecheck_nonsense = 1");
            let error = Profile::parse("template", &text, Path::new(".")).unwrap_err().to_string();
            let expected = error.split("expected").nth(1).unwrap_or_else(|| panic!("{table}: {error}"));
            let keys: Vec<&str> = expected.split('`').skip(1).step_by(2).collect();
            assert!(!keys.is_empty(), "{error}");
            for known in keys {
                let named = lines.iter().any(|line| key(line) == known)
                    || parts()
                        .iter()
                        .any(|(other, _)| other.trim_matches(['[', ']']).ends_with(&format!(".{known}")));
                assert!(named, "{table} lacks `{known}`");
            }
        }
    }
}
