//! Cases that show the count of redials by giving up (BACKOFF-3, BACKOFF-6), for a client with a number of attempts of its own.

use std::fmt::Write as _;

use super::{BackoffDesign, Reset};

/// The case of BACKOFF-3.
const BEGIN_ANEW: &str = "client/backoff/attempts-begin-anew";
/// The case of BACKOFF-6.
const USED_UP: &str = "client/backoff/short-lives-use-up-attempts";

/// The case of this name for a client that has its attempts whatever is configured.
///
/// # Errors
/// Why the count does not show by giving up.
pub(super) fn case(id: &str, design: &BackoffDesign) -> Result<Option<String>, String> {
    let write = match id {
        BEGIN_ANEW => begin_anew,
        USED_UP if design.reset == Reset::Open => {
            return Err("the count of redials begins again as a connection opens, as declared".to_owned());
        }
        USED_UP => used_up,
        _ => return Ok(None),
    };
    if design.is_unlimited() {
        return Err("is about giving up; the declared attempts are unlimited".to_owned());
    }
    Ok(design.own_attempts().map(write))
}

/// More than half of the attempts are used up before a connection that lives, and as many after it.
fn begin_anew(attempts: u32) -> String {
    let half = attempts / 2 + 1;
    let redials = "\"refuse\", ".repeat(attempts as usize / 2);
    format!(
        r#"version = 2
title = "A connection that lived gives back every attempt"
about = "{half} attempts are used up before it and {half} after it, of {attempts}: a client that goes on counting gives up."
subject = "client"

[gateway]
on_dial = ["accept", {redials}"accept", {redials}"accept"]

[[step]]
do = "connect"

[[step]]
wait = {{ status = "connected" }}
requires = "STATE-1"

[[step]]
gateway = {{ drop = true }}

[[step]]
wait = {{ status = "connected" }}
times = 2
within = "{} * max_reconnect_delay + patience"
requires = "STATE-3"

[[step]]
quiet = "2 * stable_after"

[[step]]
gateway = {{ drop = true }}

[[step]]
wait = {{ opens = true }}
times = 3
within = "{} * max_reconnect_delay + patience"
shows = "BACKOFF-3"
"#,
        2 * half,
        2 * half
    )
}

/// There is one connection more than attempts, each of which ends at once.
fn used_up(attempts: u32) -> String {
    let mut text = format!(
        r#"version = 2
title = "Connections that live shortly give back no attempt"
about = "Each of the connections ends before `stable_after`; the client has {attempts} attempts."
subject = "client"

[[step]]
do = "connect"
"#
    );
    for connection in 1..=attempts + 1 {
        let (times, requires) = match connection {
            1 => (String::new(), "STATE-1"),
            _ => (
                format!("times = {connection}\nwithin = \"2 * max_reconnect_delay + patience\"\n"),
                "STATE-3",
            ),
        };
        let _ = write!(
            text,
            r#"
[[step]]
wait = {{ status = "connected" }}
{times}requires = "{requires}"

[[step]]
gateway = {{ drop = true }}
"#
        );
    }
    let _ = write!(
        text,
        r#"
[[step]]
quiet = "3 * max_reconnect_delay"

[[expect]]
requirement = "BACKOFF-6"
count = {{ dials = true }}
times = {}
"#,
        attempts + 1
    );
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Library;
    use crate::scenario::{Scenario, Script};

    /// What is written for three attempts does what the case does that configures three.
    #[test]
    fn a_number_of_its_own_changes_the_number_alone() {
        let library = Library::builtin().unwrap();
        let design: BackoffDesign = toml::from_str("attempts = 3").unwrap();
        for id in [BEGIN_ANEW, USED_UP] {
            let usual = library.iter().find(|case| case.id.0 == id).unwrap();
            let written = Scenario::parse(usual.id.clone(), &case(id, &design).unwrap().unwrap()).unwrap();
            assert_eq!(written.actions(), usual.actions());
            assert_eq!(written.expectations, usual.expectations);
            let (Script::Client(written), Script::Client(usual)) = (&written.script, &usual.script) else {
                unreachable!("they are about clients");
            };
            assert_eq!(written.gateway, usual.gateway);
        }
    }

    #[test]
    fn more_attempts_are_used_up() {
        let design: BackoffDesign = toml::from_str("attempts = 6").unwrap();
        let text = case(BEGIN_ANEW, &design).unwrap().unwrap();
        assert!(text.contains(r#"["accept", "refuse", "refuse", "refuse", "accept", "refuse""#), "{text}");
        let text = case(USED_UP, &design).unwrap().unwrap();
        assert_eq!(text.matches("drop = true").count(), 7);
        let unlimited: BackoffDesign = toml::from_str("attempts = \"unlimited\"").unwrap();
        assert!(case(BEGIN_ANEW, &unlimited).is_err() && case(USED_UP, &unlimited).is_err());
        let at_once: BackoffDesign = toml::from_str("reset = \"open\"").unwrap();
        assert!(case(BEGIN_ANEW, &at_once).unwrap().is_none() && case(USED_UP, &at_once).is_err());
    }
}
