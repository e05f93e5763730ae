//! The one command that repeats a case.

use scenarios::ScenarioId;

/// The command line of this run, without what selected its cases.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    head: Vec<String>,
    /// What stands behind `--`, with it.
    tail: Vec<String>,
}

impl Repeat {
    /// The command line `gatecheck ARGS`.
    pub fn of(args: impl IntoIterator<Item = String>) -> Self {
        let mut head = vec!["gatecheck".to_owned()];
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            match arg.as_str() {
                "--" => return Self { head, tail: std::iter::once(arg).chain(args).collect() },
                "-f" | "--filter" | "-o" | "--output" | "--format" => drop(args.next()),
                other
                    if ["--filter=", "--output=", "--format=", "-f", "-o"]
                        .iter()
                        .any(|flag| other.starts_with(flag)) => {}
                _ => head.push(arg),
            }
        }
        Self { head, tail: Vec::new() }
    }

    /// The command that runs this case alone.
    pub fn command(&self, case: &ScenarioId) -> String {
        let case = ["--filter".to_owned(), case.to_string()];
        let words = self.head.iter().chain(&case).chain(&self.tail).map(|word| quoted(word));
        words.collect::<Vec<_>>().join(" ")
    }
}

/// The word as a shell takes it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@,+%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What selected the cases goes; what says how they run stays, quoted where a shell would stumble.
    #[test]
    fn selection_goes_and_the_rest_stays() {
        let args =
            ["gateway", "-f", "gateway/**", "--level", "core", "--output=x", "--", "node", "my gateway.js"];
        let repeat = Repeat::of(args.map(str::to_owned));
        let command = repeat.command(&ScenarioId("gateway/auth/good-token".to_owned()));
        assert_eq!(
            command,
            "gatecheck gateway --level core --filter gateway/auth/good-token -- node 'my gateway.js'"
        );
    }
}
