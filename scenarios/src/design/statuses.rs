//! What a client calls its statuses, and which of them it does not have.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

/// The statuses of the requirements (STATE-1).
const NAMES: [&str; 5] = ["disconnected", "connecting", "connected", "reconnecting", "error"];

/// `[client.design] statuses`; by default each is called what the requirements call it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "RawStatuses")]
#[schemars(with = "RawStatuses")]
pub struct Statuses {
    /// Theirs, and ours.
    names: BTreeMap<String, &'static str>,
    lacking: BTreeSet<&'static str>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`statuses` is a table such as { connecting = \"CONNECTING\", error = false }, or false where the client has none"
)]
enum RawStatuses {
    All(bool),
    Each(BTreeMap<String, RawName>),
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged)]
enum RawName {
    Is(bool),
    Called(String),
}

impl Statuses {
    /// What the requirements call a status that the client reports.
    pub fn ours<'a>(&self, reported: &'a str) -> &'a str {
        self.names.get(reported).copied().unwrap_or(reported)
    }

    /// Whether the client does not have a status.
    pub fn lacks(&self, status: &str) -> bool {
        self.lacking.contains(status)
    }

    /// Those that it does not have.
    pub(crate) fn lacking(&self) -> impl Iterator<Item = &'static str> {
        self.lacking.iter().copied()
    }

    /// What is declared, in words.
    pub(super) fn line(&self) -> String {
        let called = self.names.iter().map(|(theirs, ours)| format!("{ours} is called {theirs}"));
        let lacking = self.lacking.iter().map(|status| format!("no {status}"));
        let parts: Vec<_> = called.chain(lacking).collect();
        format!("statuses: {}", parts.join(", "))
    }
}

impl TryFrom<RawStatuses> for Statuses {
    type Error = String;

    fn try_from(raw: RawStatuses) -> Result<Self, String> {
        let each = match raw {
            RawStatuses::All(true) => return Ok(Self::default()),
            RawStatuses::All(false) => return Ok(Self { lacking: NAMES.into(), ..Self::default() }),
            RawStatuses::Each(each) => each,
        };
        let mut statuses = Self::default();
        for (name, spelling) in each {
            let ours = NAMES.into_iter().find(|known| *known == name);
            let ours =
                ours.ok_or_else(|| format!("there is no status `{name}`: they are {}", NAMES.join(", ")))?;
            match spelling {
                RawName::Is(true) => {}
                RawName::Is(false) => drop(statuses.lacking.insert(ours)),
                RawName::Called(theirs) => {
                    if statuses.names.insert(theirs.clone(), ours).is_some() {
                        return Err(format!("two statuses are called `{theirs}`"));
                    }
                }
            }
        }
        Ok(statuses)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, Deserialize)]
    struct Holder {
        statuses: Statuses,
    }

    fn read(text: &str) -> Result<Statuses, String> {
        let holder = toml::from_str::<Holder>(&format!("statuses = {text}"));
        holder.map(|holder| holder.statuses).map_err(|error| error.to_string())
    }

    /// Other names are read back as ours; what the client lacks is known.
    #[test]
    fn statuses_have_names_or_are_missing() {
        let statuses = read("{ connecting = \"CONNECTING\", connected = \"OPEN\", error = false }").unwrap();
        assert_eq!([statuses.ours("OPEN"), statuses.ours("reconnecting")], ["connected", "reconnecting"]);
        assert!(statuses.lacks("error") && !statuses.lacks("connected"));
        assert_eq!(
            statuses.line(),
            "statuses: connecting is called CONNECTING, connected is called OPEN, no error"
        );
        assert_eq!(read("false").unwrap().lacking().count(), NAMES.len());
        assert_eq!(read("true").unwrap(), Statuses::default());
    }

    /// What makes no sense is an error that says what to write.
    #[test]
    fn mistakes_are_named() {
        for (text, says) in [
            ("{ open = \"OPEN\" }", "there is no status `open`: they are disconnected, connecting"),
            ("{ connecting = \"A\", connected = \"A\" }", "two statuses are called `A`"),
            ("3", "a table such as"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
