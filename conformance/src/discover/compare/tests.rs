use std::path::Path;

use serde_json::json;

use super::*;
use crate::discover::events::DeclaredEvent;
use crate::discover::limits::ObservedLimits;
use crate::discover::talk::Exchange;
use crate::discover::text;
use crate::profile::Audience;

/// What was observed does not differ from the profile that it makes; what is changed in that is told, as JSON and not as this program's own
/// types.
#[test]
fn differences_are_told_as_json() {
    let mut seen = text::other_design();
    let data = json!({ "id": "gcm-7-x", "owner_id": 710_041 });
    seen.events.declared = vec![DeclaredEvent {
        name: "order:created".to_owned(),
        audience: Some(Audience::Owner),
        observed: Some(Audience::Owner),
        frame: Some(json!({ "action": "order:created", "body": data }).to_string()),
        data: json!({ "id": "gcm-7-x", "userId": 710_041 }),
    }];
    let text = text::gateway(&seen, None);
    let read = |text: &str| Profile::parse("gatecheck.toml", text, Path::new(".")).unwrap();
    assert_eq!(gateway(&read(&text), &seen).differences, []);
    let changed =
        text.replace(r#""body":"{payload}""#, r#""data":"{payload}""#).replace("\"joined\"", "\"ok\"");
    let found = gateway(&read(&changed), &seen).differences;
    let lines: Vec<String> = found.iter().map(ToString::to_string).collect();
    for part in [
        "dialect, of the answer to {\"action\":\"subscribe\"",
        "an event, {\"payload\":",
        "the event `order:created`",
    ] {
        assert!(lines.iter().any(|line| line.contains(part)), "{part}: {lines:#?}");
    }
    assert!(!lines.iter().any(|line| line.contains("Object {") || line.contains("Number(")), "{lines:#?}");
}

/// A wrong word for an error, rooms of other names and a timeout that is not kept are differences; what the profile says right is none.
#[test]
fn words_rooms_and_timeouts_are_compared() {
    let mut seen = text::other_design();
    let id = seen.sign_in.entry.as_ref().unwrap().id_text(Person::Owner);
    let answer =
        |code: &str| json!({ "action": "error", "body": { "code": code, "message": "no" } }).to_string();
    let exchange = |code: &str| Exchange { sent: String::new(), answer: Some(answer(code)), closed: None };
    seen.talk.first = vec![
        json!({ "action": "hello", "body": { "user": id, "rooms": [format!("user/{id}"), "team/customer"] } }).to_string(),
    ];
    seen.talk.private = Some(("user/710042".to_owned(), exchange("not_yours")));
    seen.talk.nameless = Some(exchange("bad_room"));
    seen.talk.limits =
        ObservedLimits { message_bytes: Some(32768), rooms: Some((18, exchange("too_many_channels"))) };
    seen.heartbeat.gives_up_after = Some(std::time::Duration::from_millis(302));
    seen.unfinished.expired = Some(1008);
    let text = text::gateway(&seen, None);
    for line in [
        r#"rooms = { role = "team/{role}", user = "user/{user}" }"#,
        r#"errors = { forbidden = "not_yours", too_many_rooms = "too_many_channels" }"#,
        "limits = { message_bytes = 32768, rooms = 20 }",
        "closes = { expired = 1008 }",
        "what it calls `rate_limited` was not seen",
    ] {
        assert!(text.replace("\n# ", " ").contains(line), "{line}: {text}");
    }
    let found = |text: &str| {
        let profile = Profile::parse("gatecheck.toml", text, Path::new(".")).unwrap();
        gateway(&profile, &seen).differences.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(found(&text).is_empty(), "{:#?}", found(&text));
    let wrong = text
        .replace("not_yours\"", "not_allowed\"")
        .replace("user/{user}", "users/{user}")
        .replace("expired = 1008", "expired = 4401")
        .replace("pong_timeout = \"400ms\"", "pong_timeout = \"10s\"");
    assert_eq!(
        found(&wrong),
        [
            "gateway.rooms.user: the profile says `users/710041`, observed `user/{user}` in its first message",
            "dialect.errors.forbidden: the profile says `not_allowed`, observed `not_yours`",
            "dialect.closes.expired: the profile says 4401, observed 1008",
            "timing.pong_timeout: the profile says 10s, observed that a client without pongs is given up 302.0ms after a ping",
        ]
    );
}

/// Pings that do not come are a difference, unless the profile says that there are none.
#[test]
fn pings_that_the_profile_disclaims_are_not_missed() {
    let mut seen = text::other_design();
    let text = text::gateway(&seen, None);
    seen.heartbeat = crate::discover::heartbeat::Heartbeat {
        watched_for: std::time::Duration::from_secs(12),
        ..Default::default()
    };
    let found = |text: &str| {
        let profile = Profile::parse("gatecheck.toml", text, Path::new(".")).unwrap();
        gateway(&profile, &seen).differences.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(found(&text), ["timing.ping_interval: the profile says 400ms, observed no ping in 12s"]);
    assert!(found(&format!("{text}\n[claims.no_place]\nHB-1 = \"clients do\"\n")).is_empty());
}

/// An event's type is what stands in its own template, whatever other messages have under that key; one of another type is a difference, once.
#[test]
fn an_event_is_read_by_its_own_template() {
    let mut seen = text::other_design();
    let text = text::gateway(&seen, None);
    let message = text.lines().find(|line| line.starts_with("message = ")).unwrap();
    let own = r#"event = '{"action":"bus","event":"{type}","body":"{payload}"}'"#;
    let text = text.replace(message, &format!("{message}\n{own}"));
    let profile = Profile::parse("gatecheck.toml", &text, Path::new("."))
        .unwrap_or_else(|error| panic!("{error}\n{text}"));
    let data = json!({ "id": "gcm-7-x" });
    let mut event = |name: &str| {
        let frame = json!({ "action": "bus", "event": name, "body": data }).to_string();
        seen.events.declared = vec![DeclaredEvent {
            name: "order:created".to_owned(),
            audience: Some(Audience::Owner),
            observed: Some(Audience::Owner),
            frame: Some(frame),
            data: data.clone(),
        }];
        gateway(&profile, &seen).differences.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert!(event("order:created").is_empty(), "{:#?}", event("order:created"));
    assert_eq!(
        event("OrderCreated"),
        ["the event `order:created`: the profile says that clients see it so, observed `OrderCreated`"]
    );
}

/// What a gateway did not show is named with the reason: a period and a timeout that are longer than it was watched, and refusals that were not
/// provoked, or are no errors.
#[test]
fn what_was_not_observed_is_named() {
    let mut seen = text::other_design();
    let written = text::gateway(&seen, None);
    let unobserved = |text: &str, seen: &ObservedGateway| {
        let profile = Profile::parse("gatecheck.toml", text, Path::new("."))
            .unwrap_or_else(|error| panic!("{error}\n{text}"));
        let Comparison { differences, unobserved } = gateway(&profile, seen);
        let keys: Vec<String> = unobserved.iter().map(|unobserved| unobserved.key.clone()).collect();
        (differences, keys, unobserved)
    };
    let long = written
        .lines()
        .map(|line| if line.starts_with("ping_interval") { "ping_interval = \"30s\"" } else { line })
        .collect::<Vec<_>>()
        .join("\n");
    seen.heartbeat = crate::discover::heartbeat::Heartbeat {
        watched_for: std::time::Duration::from_secs(12),
        ..Default::default()
    };
    seen.talk.private = None;
    let granted = json!({ "action": "joined", "channel": "user:2" }).to_string();
    seen.talk.nameless = Some(Exchange { sent: String::new(), answer: Some(granted), closed: None });
    let (differences, keys, all) = unobserved(&long, &seen);
    assert_eq!(differences, []);
    for key in
        ["timing.ping_interval", "timing.pong_timeout", "dialect.errors.forbidden", "dialect.errors.bad_room"]
    {
        assert!(keys.iter().any(|known| known == key), "{key}: {all:#?}");
    }
    let lines: Vec<String> = all.iter().map(ToString::to_string).collect();
    let forbidden = "not observed: dialect.errors.forbidden: a request for another user's room was not made";
    assert!(lines.iter().any(|line| line == forbidden), "{lines:#?}");
    let disclaimed = format!("{long}\n[claims.no_place]\nHB-1 = \"clients do\"\n");
    let (_, keys, all) = unobserved(&disclaimed, &seen);
    assert!(!keys.iter().any(|key| key.starts_with("timing.")), "{all:#?}");
}

/// A room that is none by the gateway's grammar is refused, which says nothing against the form of the request.
#[test]
fn a_request_that_is_refused_for_its_room_is_understood() {
    let mut seen = text::other_design();
    let profile = Profile::parse("gatecheck.toml", &text::gateway(&seen, None), Path::new(".")).unwrap();
    let error =
        |code: &str| json!({ "action": "error", "body": { "code": code, "message": "no" } }).to_string();
    let mut found = |code: &str| {
        for request in &mut seen.talk.requests {
            request.answer = RequestAnswer::Refused(error(code));
        }
        gateway(&profile, &seen)
    };
    let refused = found("bad_room");
    assert!(!refused.differs("dialect.subscribe"), "{:?}", refused.differences);
    assert!(refused.unobserved.iter().any(|one| one.key == "dialect.subscribe"), "{:?}", refused.unobserved);
    assert!(found("unknown_type").differs("dialect.subscribe"));
}
