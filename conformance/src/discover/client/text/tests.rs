use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use super::*;
use crate::discover::client::{Attempts, Chance, Delays, Jitter, compared};
use crate::profile::{CommandProfile, Profile};

/// A client whose delays grow by a half, which drops the oldest, and for which 4001 is final.
pub(in crate::discover::client) fn other_design() -> ObservedClient {
    let ms = [65, 93, 136, 202, 305, 457, 685, 1027, 1538].map(Duration::from_millis);
    ObservedClient {
        command: CommandProfile {
            words: vec!["node".to_owned(), "adapter.mjs".to_owned()],
            env: BTreeMap::new(),
        },
        delays: Some(Delays::of(&ms)),
        firsts: Vec::new(),
        chance: Chance::Nothing,
        attempts: Attempts::Unlimited,
        jitter: Some(Jitter::None),
        jittered: [241, 242, 244, 243].map(Duration::from_millis).to_vec(),
        resets_on_opening: Some(true),
        codes: BTreeMap::from([(1000, false), (1001, true), (1008, false), (4001, false)]),
        statuses: BTreeMap::from([(401, false), (403, false), (503, true)]),
        speaks: None,
        queue: Queue::Seen(ObservedQueue {
            taken: vec![true; 5],
            arrived: vec![2, 3, 4],
            subscription_first: Some(true),
        }),
        before_first: Some(false),
        starts: Duration::from_millis(80),
        fatal_listeners: Some(true),
        words: BTreeSet::from(["connected", "connecting", "disconnected"].map(str::to_owned)),
        took: Duration::from_secs(30),
    }
}

/// The text is a profile that says what was seen, and from which nothing differs that was seen.
#[test]
fn the_text_is_a_profile() {
    let text = client(&other_design(), None);
    for line in [
        "final_codes = [1000, 4001]",
        "final_statuses = [403]",
        "queue = \"drop-oldest\"",
        "on_opening = \"subscriptions-first\"",
        "before_first_connection = false",
        "listeners = \"fatal\"",
        "fleet = 20",
        "statuses = { error = false, reconnecting = false }",
        "factor = 1.5",
        "cap = false",
        "jitter = \"none\"",
        "attempts = \"unlimited\"",
        "reset = \"open\"",
    ] {
        assert!(text.lines().any(|written| written == line), "{line}: {text}");
    }
    let read = |text: &str| Profile::parse("gatecheck.toml", text, Path::new("."));
    let profile = read(&text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(compared(&profile, &other_design()).differences, []);
    let changed = read(&text.replace("1.5", "2").replace("drop-oldest", "none")).unwrap();
    let found = compared(&changed, &other_design()).differences;
    let keys: Vec<&str> = found.iter().map(|difference| difference.key.as_str()).collect();
    assert_eq!(keys, ["client.design.queue", "client.design.backoff.factor"]);
}

/// What was not seen is to be filled in, and differs from nothing.
#[test]
fn what_was_not_seen_is_to_be_filled_in() {
    let seen = ObservedClient {
        delays: None,
        attempts: Attempts::Unknown,
        jitter: None,
        queue: Queue::Unseen,
        before_first: None,
        codes: BTreeMap::new(),
        statuses: BTreeMap::new(),
        ..other_design()
    };
    let text = client(&seen, None);
    assert!(text.contains("# queue = ") && text.contains("# factor = "), "{text}");
    let profile = Profile::parse("gatecheck.toml", &text, Path::new("."));
    let found = compared(&profile.unwrap_or_else(|error| panic!("{error}\n{text}")), &seen);
    assert_eq!(found.differences, []);
}

/// Delays that no factor leads to, whatever the client was told, are a list.
#[test]
fn delays_of_its_own_are_listed() {
    let ms = [13, 52, 104, 151, 201, 254, 505, 1006, 2003, 5002].map(Duration::from_millis);
    let seen = ObservedClient { delays: Some(Delays::of(&ms)), ..other_design() };
    let text = client(&seen, None);
    let line = "delays = [\"10ms\", \"50ms\", \"100ms\", \"150ms\", \"200ms\", \"250ms\", \"500ms\", \"1s\", \"2s\", \"5s\"]";
    assert!(text.contains(line) && !text.contains("initial"), "{text}");
    Profile::parse("gatecheck.toml", &text, Path::new(".")).unwrap_or_else(|error| panic!("{error}\n{text}"));
}

/// Where chance makes the first delay, many samples are near to its bounds, and few are not.
#[test]
fn more_samples_of_chance_are_nearer_to_its_bounds() {
    let firsts =
        |count: u64| (0..count).map(|number| Duration::from_millis(79 + number * 200 / count)).collect();
    let written = |count: u64| {
        client(&ObservedClient { firsts: firsts(count), chance: Chance::First, ..other_design() }, None)
    };
    assert!(written(5).contains("[0.0, 4.0]"), "{}", written(5));
    assert!(written(20).contains("[1.0, 5.0]"), "{}", written(20));
}

/// A first delay of twice what was told is known by several; one that a host made late is not.
#[test]
fn a_late_delay_is_no_longer_law() {
    let initial = |firsts: &[u64]| {
        let firsts = firsts.iter().copied().map(Duration::from_millis).collect();
        let seen =
            ObservedClient { firsts, chance: Chance::Each, jitter: Some(Jitter::Full), ..other_design() };
        let text = client(&seen, None);
        text.lines().find(|line| line.starts_with("initial = ")).map(str::to_owned)
    };
    assert_eq!(initial(&[3, 28, 41, 9, 57, 131, 22, 60, 48]), None);
    // A host that was busy for long.
    let busy =
        [22, 43, 43, 21, 15, 91, 85, 11, 27, 66, 41, 20, 171, 57, 55, 56, 18, 28, 27, 95, 67, 20, 7, 50, 24];
    assert_eq!(initial(&busy), None);
    let twice = initial(&[3, 88, 41, 9, 57, 101, 22, 118, 48]);
    assert_eq!(twice.as_deref(), Some("initial = 2.0"));
}

/// What is active in a half-filled profile stays, beside what was found out.
#[test]
fn what_is_given_stays() {
    let given = r#"
        dialect = "first-message"
        client = { command = ["node", "other.mjs"], fleet = 50, design = { sign_of_life = "any-frame", queue = "refuse" } }
        timing = { reconnect_delay = "70ms" }
        claims = { without = ["CONN-9"] }
        [[event]]
        for = "owner"
        type = "account:changed"
    "#;
    let profile = Profile::parse("gatecheck.toml", given, Path::new(".")).unwrap();
    let given = Given { profile, table: given.parse().unwrap() };
    let text = client(&other_design(), Some(&given));
    let written = Profile::parse("gatecheck.toml", &text, Path::new("."))
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(written.dialect, given.profile.dialect, "{text}");
    assert_eq!(written.timing.reconnect_delay, Duration::from_millis(70), "{text}");
    assert_eq!(written.without.len(), 1, "{text}");
    for line in [
        "command = [\"node\", \"other.mjs\"]",
        "fleet = 50",
        "sign_of_life = \"any-frame\"",
        "# given; observed was \"drop-oldest\"",
        "factor = 1.5",
        "type = \"account:changed\"",
    ] {
        assert!(text.lines().any(|written| written == line), "{line}: {text}");
    }
}

/// Tables of which nothing was observed stand once: with two of them the first one's keys stood twice, and no one could read the file.
#[test]
fn what_is_given_stands_once() {
    let given = r#"
        client = { command = ["node", "adapter.mjs"] }
        [dialect]
        acks = false
        [dialect.frames]
        message = '{"action":"{type}","body":"{payload}"}'
        [claims]
        without = ["CONN-9"]
    "#;
    let profile = Profile::parse("gatecheck.toml", given, Path::new(".")).unwrap();
    let given = Given { profile, table: given.parse().unwrap() };
    let text = client(&other_design(), Some(&given));
    let written = Profile::parse("gatecheck.toml", &text, Path::new("."));
    let written = written.unwrap_or_else(|error| panic!("{error}\n{text}"));
    assert_eq!(written.dialect, given.profile.dialect, "{text}");
}
