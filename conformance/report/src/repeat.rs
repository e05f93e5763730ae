//! The one command that repeats a case.

use scenarios::{Foreign, ScenarioId};

use conformance::amqp;
use conformance::secrets::redacted;

/// The option of `gatecheck` that selects a case.
const FILTER: &str = "--filter";
/// Options that select cases or say where the report goes, which a case that is repeated does without. Each has a value.
const DROPPED: [&str; 7] =
    [FILTER, "--output", "--format", "--shard", "--summary", "--repeat", "--known-failing"];
/// Their short forms.
const DROPPED_SHORT: [&str; 2] = ["-f", "-o"];
/// Options without a value that are dropped.
const DROPPED_FLAGS: [&str; 2] = ["--update-baseline", "--allow-undecided"];
/// The option whose value is a secret; reports are shown around.
const SECRET: &str = "--jwt-secret";
/// What stands for the secret: the shell puts it in.
const SECRET_VALUE: &str = "\"$GATECHECK_JWT_SECRET\"";
/// The option whose value may hold a password.
const BROKER: &str = "--broker";

/// The command line of this run, without what selected its cases, and without secrets. Its words are quoted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeat {
    head: Vec<String>,
    /// The option that selects a case.
    selects: &'static str,
    /// What stands behind `--`, with it.
    tail: Vec<String>,
}

impl Repeat {
    /// The command line `gatecheck ARGS`.
    pub fn of(args: impl IntoIterator<Item = String>) -> Self {
        let mut head = vec!["gatecheck".to_owned()];
        let mut args = args.into_iter();
        while let Some(arg) = args.next() {
            let (name, value) = match arg.split_once('=') {
                Some((name, value)) if name.starts_with("--") => (name, Some(value.to_owned())),
                _ => (arg.as_str(), None),
            };
            if name == "--" {
                let tail = std::iter::once(arg).chain(args).map(|word| quoted(&word));
                return Self { head, selects: FILTER, tail: tail.collect() };
            } else if DROPPED.contains(&name) || DROPPED_SHORT.contains(&name) {
                if value.is_none() {
                    args.next();
                }
            } else if DROPPED_FLAGS.contains(&name)
                || (!name.starts_with("--") && DROPPED_SHORT.iter().any(|short| name.starts_with(short)))
            {
            } else if name == SECRET {
                if value.is_none() {
                    args.next();
                }
                head.extend([SECRET.to_owned(), SECRET_VALUE.to_owned()]);
            } else if name == BROKER {
                let url = value.or_else(|| args.next()).unwrap_or_default();
                head.extend([BROKER.to_owned(), quoted(&amqp::redacted(&url))]);
            } else {
                head.push(quoted(&arg));
            }
        }
        Self { head, selects: FILTER, tail: Vec::new() }
    }

    /// The command line `cargo test --test NAME`.
    pub fn of_test(name: &str) -> Self {
        let head = ["cargo", "test", "--test", name, "--"].map(quoted).to_vec();
        Self { head, selects: "--exact", tail: Vec::new() }
    }

    /// The command that runs this case alone.
    pub fn command(&self, case: &ScenarioId) -> Foreign {
        let case = [self.selects.to_owned(), quoted(&case.0)];
        let tail: Vec<_> = self.tail.iter().map(|word| redacted(word).into_owned()).collect();
        let words = self.head.iter().chain(&case).chain(&tail);
        words.map(String::as_str).collect::<Vec<_>>().join(" ").into()
    }
}

/// The word as a shell takes it.
fn quoted(word: &str) -> String {
    // No argument of a process has the one character that cannot be quoted, a NUL.
    shlex::try_quote(word).map_or_else(|_| String::new(), Into::into)
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
            command.raw(),
            "gatecheck gateway --level core --filter gateway/auth/good-token -- node 'my gateway.js'"
        );
    }

    /// A report is shown around: the secret and the broker's password are not in it.
    #[test]
    fn secrets_are_not_repeated() {
        let args =
            ["gateway", "--attach", "ws://h:1/ws", "--jwt-secret", "s3cret", "--broker=amqp://u:pass@h/x"];
        let command = Repeat::of(args.map(str::to_owned)).command(&ScenarioId("gateway/a".to_owned()));
        assert_eq!(
            command.raw(),
            "gatecheck gateway --attach ws://h:1/ws --jwt-secret \"$GATECHECK_JWT_SECRET\" \
             --broker 'amqp://u:***@h/x' --filter gateway/a"
        );
        let given = Repeat::of(["gateway", "--jwt-secret=s3cret"].map(str::to_owned));
        assert!(!given.command(&ScenarioId("gateway/a".to_owned())).raw().contains("s3cret"));
    }
}
