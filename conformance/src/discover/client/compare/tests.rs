use std::collections::BTreeMap;
use std::path::Path;

use super::*;
use crate::discover::client::Delays;
use crate::discover::client::text;
use crate::discover::client::text::tests::other_design;

fn profile(text: &str) -> Profile {
    Profile::parse("gatecheck.toml", text, Path::new(".")).unwrap_or_else(|error| panic!("{error}\n{text}"))
}

/// What differs, and what was not observed, a line each.
fn lines(text: &str, seen: &ObservedClient) -> (Vec<String>, Vec<String>) {
    let Comparison { differences, unobserved } = client(&profile(text), seen);
    (
        differences.iter().map(ToString::to_string).collect(),
        unobserved.iter().map(ToString::to_string).collect(),
    )
}

/// The keys of what was not observed.
fn keys(lines: &[String]) -> Vec<&str> {
    lines.iter().map(|line| line.split(": ").nth(1).unwrap()).collect()
}

/// Of what is written of a client nothing differs, and what cannot be seen of any client is named.
#[test]
fn what_is_never_observed_is_named() {
    let seen = other_design();
    let (differences, unobserved) = lines(&text::client(&seen, None), &seen);
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(
        unobserved,
        [
            "not observed: client.design.sign_of_life: how long it stays with a gateway that sends no pong is not watched"
        ]
    );
    let declared = "dialect = \"enveloped\"\n[client]\ncommand = [\"a\"]\n[client.design]\nfinal_codes = [1000, 4001, \"4100-4109\"]\n\
                    [client.design.backoff]\njitter = \"added\"\njitter_size = \"1s\"\nreset = \"open\"\nfloor = \"10ms\"\nfactor = 1.5\ncap = false";
    let (_, unobserved) = lines(declared, &seen);
    let named = keys(&unobserved);
    for key in [
        "client.design.final_codes, 4100-4109",
        "client.design.sign_of_life",
        "client.design.statuses.reconnecting",
        "client.design.statuses.error",
        "client.design.backoff.jitter_size",
        "client.design.backoff.floor",
        "dialect",
    ] {
        assert!(named.contains(&key), "{key}: {unobserved:#?}");
    }
}

/// What this client did not show is named, each key with the reason; nothing of it is a difference.
#[test]
fn what_was_not_observed_is_named() {
    let seen = ObservedClient {
        chance: Chance::Each,
        delays: other_design().delays.map(|delays| Delays { factor: None, cap: None, ..delays }),
        attempts: Attempts::Unknown,
        jitter: None,
        resets_on_opening: None,
        queue: Queue::Unconnected,
        before_first: None,
        fatal_listeners: None,
        ..other_design()
    };
    let text = text::client(&seen, None).replace("# factor = 2", "factor = 1.5");
    let (differences, unobserved) = lines(&text, &seen);
    assert!(differences.is_empty(), "{differences:#?}");
    assert_eq!(
        keys(&unobserved),
        [
            "client.design.queue",
            "client.design.before_first_connection",
            "client.design.on_opening",
            "client.design.listeners",
            "client.design.sign_of_life",
            "client.design.backoff.factor",
            "client.design.backoff.jitter",
            "client.design.backoff.attempts",
            "client.design.backoff.reset",
        ]
    );
    let gone = ObservedClient { delays: None, ..seen };
    let (differences, unobserved) = lines("[client]\ncommand = [\"a\"]", &gone);
    assert!(differences.is_empty(), "{differences:#?}");
    for key in ["client.design.final_codes", "client.design.final_statuses", "client.design.backoff"] {
        assert!(keys(&unobserved).contains(&key), "{key}: {unobserved:#?}");
    }
}

/// What was observed is compared: what goes out first, statuses, ends that are final only on paper, when the count begins again, and each
/// delay.
#[test]
fn what_is_observed_is_compared() {
    let seen = other_design();
    let text = text::client(&seen, None);
    let changed = text
        .replace("on_opening = \"subscriptions-first\"\n", "")
        .replace("error = false, reconnecting", "error = false, connected = false, reconnecting")
        .replace("final_statuses = [403]", "final_statuses = [403, 503]")
        .replace("reset = \"open\"\n", "")
        .replace("factor = 1.5", "factor = 1.5\ninitial = 5");
    let (differences, _) = lines(&changed, &seen);
    assert_eq!(
        differences,
        [
            "client.design.final_statuses, 503: the profile says that it is final, observed that it is redialled",
            "client.design.on_opening: the profile says queue-first, observed subscriptions-first",
            "client.design.statuses.connected: the profile says that there is none, observed `connected`",
            "client.design.backoff: the profile says 300 ms, observed 65 ms before redial 1",
            "client.design.backoff.reset: the profile says stable, observed open",
        ]
    );
    let other_words = ObservedClient { words: ["dialling".to_owned()].into(), ..seen.clone() };
    let (differences, _) = lines(&text, &other_words);
    assert_eq!(
        differences,
        ["client.design.statuses: the profile says nothing of `dialling`, observed that it is reported"]
    );
    let back = ObservedClient { codes: BTreeMap::from([(4001, true)]), ..seen };
    let (differences, unobserved) = lines(&text, &back);
    assert_eq!(
        differences,
        ["client.design.final_codes, 4001: the profile says that it is final, observed that it is redialled"]
    );
    assert!(keys(&unobserved).contains(&"client.design.final_codes, 1000"), "{unobserved:#?}");
}

/// A host that is late once makes no difference, and neither do times of the profile's own; an early redial does.
#[test]
fn delays_are_held_against_the_declared_law() {
    let usual =
        "[client]\ncommand = [\"a\"]\n[client.design.backoff]\njitter = \"none\"\nattempts = \"unlimited\"\n";
    let seen = |ms: &[u64]| {
        let measured: Vec<_> = ms.iter().map(|ms| Duration::from_millis(*ms)).collect();
        ObservedClient { delays: Some(Delays::of(&measured)), ..other_design() }
    };
    let differs = |text: &str, ms: &[u64]| {
        let found = client(&profile(text), &seen(ms)).differences;
        found.iter().any(|difference| difference.key == "client.design.backoff")
    };
    assert!(!differs(usual, &[61, 121, 242, 482, 501, 501]));
    assert!(!differs(usual, &[61, 199, 242, 482, 501, 501]), "late once");
    assert!(differs(usual, &[61, 199, 242, 720, 501, 501]), "late twice");
    assert!(differs(usual, &[61, 121, 142, 482, 501, 501]), "early");
    assert!(
        !differs(&format!("{usual}[timing]\nreconnect_delay = \"1s\""), &[1004, 2003, 4004, 8002]),
        "its own"
    );
}
