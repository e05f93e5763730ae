use std::path::Path;

use serde_json::json;

use super::*;
use crate::discover::events::DeclaredEvent;
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
        seen_as: Some("order:created".to_owned()),
        frame: Some(json!({ "action": "order:created", "body": data }).to_string()),
        data: json!({ "id": "gcm-7-x", "userId": 710_041 }),
    }];
    let text = text::gateway(&seen, None);
    let read = |text: &str| Profile::parse("gatecheck.toml", text, Path::new(".")).unwrap();
    assert_eq!(gateway(&read(&text), &seen), []);
    let changed =
        text.replace(r#""body":"{payload}""#, r#""data":"{payload}""#).replace("\"joined\"", "\"ok\"");
    let found = gateway(&read(&changed), &seen);
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
        gateway(&profile, &seen).iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(found(&text), ["timing.ping_interval: the profile says 400ms, observed no ping in 12s"]);
    assert!(found(&format!("{text}\n[claims.no_place]\nHB-1 = \"clients do\"\n")).is_empty());
}
