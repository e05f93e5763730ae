//! The form of frames: what a gateway's frames have in common, and templates of those that have a form of their own. Pure.

use serde_json::{Map, Value, json};

/// Keys by which gateways of all kinds name a message, its data, and what is wrong.
const TYPES: [&str; 10] = ["type", "event", "action", "op", "kind", "cmd", "method", "name", "t", "channel"];
const PAYLOADS: [&str; 9] =
    ["payload", "data", "body", "content", "params", "args", "message", "d", "result"];
const CODES: [&str; 4] = ["code", "status", "error_code", "errorCode"];
const REASONS: [&str; 5] = ["message", "reason", "detail", "error", "text"];
/// Keys of a code, where what stands there is one word.
const WORDS: [&str; 3] = ["why", "reason", "error"];
/// Keys of the time at which a frame was sent.
const TIMES: [&str; 6] = ["timestamp", "at", "time", "ts", "sent_at", "sentAt"];
/// Types that name no event: the event's name stands elsewhere.
const GENERIC: [&str; 6] = ["event", "message", "notification", "push", "broadcast", "next"];
/// Words in what refuses something.
const REFUSALS: [&str; 11] = [
    "error",
    "exception",
    "fail",
    "problem",
    "reject",
    "denied",
    "invalid",
    "unknown",
    "unauthor",
    "unsupported",
    "forbidden",
];

/// The form of most frames.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EnvelopeForm {
    /// What precedes the JSON.
    pub(super) prefix: String,
    /// The key of the type.
    pub(super) kind: String,
    /// The key of the payload, where one was seen.
    pub(super) payload: Option<String>,
    /// The key of an ISO 8601 time.
    pub(super) timestamp: Option<String>,
}

/// What is known of the parts of a frame.
#[derive(Debug, Clone, Default)]
pub(super) struct Known<'a> {
    /// The room that was asked for.
    pub(super) room: Option<&'a str>,
    /// The user's id.
    pub(super) user: Option<&'a Value>,
    /// The event's name, and its data.
    pub(super) event: Option<(&'a str, &'a Value)>,
    /// The reference of the request that is answered.
    pub(super) reference: Option<&'a str>,
    /// That of the subscription to which an event belongs.
    pub(super) subscription: Option<&'a str>,
}

impl EnvelopeForm {
    /// Whether it is the seed's.
    pub(super) fn is_seed(&self) -> bool {
        self.prefix.is_empty()
            && self.kind == "type"
            && self.payload.as_deref().is_none_or(|key| key == "payload")
            && self.timestamp.as_deref().is_none_or(|key| key == "timestamp")
    }

    /// Its template.
    pub(super) fn template(&self) -> String {
        let mut members = Map::from_iter([(self.kind.clone(), json!("{type}"))]);
        let usual = if self.kind == "event" { "data" } else { "payload" };
        members.insert(self.payload.clone().unwrap_or_else(|| usual.to_owned()), json!("{payload}"));
        if let Some(key) = &self.timestamp {
            members.insert(key.clone(), json!("{timestamp}"));
        }
        format!("{}{}", self.prefix, Value::Object(members))
    }

    /// The form of these frames; events come first, since they have every part.
    pub(super) fn of<'a>(frames: impl IntoIterator<Item = (&'a str, Known<'a>)>) -> Option<Self> {
        let mut found: Option<Self> = None;
        for (text, known) in frames {
            let Some((prefix, Value::Object(members))) = parsed(text) else { continue };
            let Some(kind) = type_key(&members) else { continue };
            let of_data = known.event.and_then(|(_, data)| {
                members.iter().find(|(_, value)| *value == data).map(|(key, _)| key.clone())
            });
            let usual =
                || PAYLOADS.iter().find(|key| members.get(**key).is_some_and(|value| !value.is_string()));
            let payload = of_data.or_else(|| usual().map(|key| (*key).to_owned())).filter(|key| *key != kind);
            let timestamp = members.iter().find(|(_, value)| is_time(value)).map(|(key, _)| key.clone());
            match &mut found {
                None => found = Some(Self { prefix, kind, payload, timestamp }),
                Some(form) if form.kind == kind => {
                    form.payload = form.payload.take().or(payload);
                    // Only what every frame has belongs to the form of all.
                    form.timestamp = form.timestamp.take().filter(|key| Some(key) == timestamp.as_ref());
                }
                Some(_) => {}
            }
        }
        found
    }
}

/// What precedes the JSON of a frame, and the JSON.
pub(super) fn parsed(text: &str) -> Option<(String, Value)> {
    let (prefix, json) = text.split_at(text.find(['{', '['])?);
    Some((prefix.trim_start().to_owned(), serde_json::from_str(json).ok()?))
}

/// The type of a frame.
pub(super) fn kind(text: &str) -> Option<String> {
    match parsed(text)?.1 {
        Value::Object(members) => Some(members[&type_key(&members)?].as_str()?.to_owned()),
        _ => None,
    }
}

/// The key under which a frame has its type.
pub(super) fn key_of_kind(text: &str) -> Option<String> {
    match parsed(text)? {
        (prefix, Value::Object(members)) if prefix.is_empty() => type_key(&members),
        _ => None,
    }
}

/// Whether a frame refuses something.
pub(super) fn is_error(text: &str) -> bool {
    let refuses = |word: &str| {
        let word = word.to_lowercase();
        REFUSALS.iter().any(|refusal| word.contains(refusal))
    };
    match parsed(text) {
        Some((_, Value::Object(members))) => {
            let is_refusal = |(key, value): (&String, &Value)| match value {
                Value::String(text) if TYPES.contains(&key.as_str()) || key == "status" => refuses(text),
                Value::Bool(false) => ["ok", "success"].contains(&key.as_str()),
                Value::Null => false,
                _ => ["error", "errors", "err"].contains(&key.as_str()),
            };
            members.iter().any(is_refusal)
        }
        _ => refuses(text),
    }
}

/// The name of an event in its frame: its type, unless that is the same for all; or else what stands beside the data and resembles one of
/// the names that it may have; or else what stands where names stand.
pub(super) fn event_name(text: &str, data: &Value, names: &[String]) -> Option<String> {
    let (_, frame) = parsed(text)?;
    let own = kind(text).filter(|kind| !GENERIC.contains(&kind.as_str()));
    let alike: Vec<String> = names.iter().map(|name| plain(name)).collect();
    own.or_else(|| resembling(&frame, data, &alike)).or_else(|| nested_name(&frame, data))
}

/// A name without what separates its words.
fn plain(name: &str) -> String {
    name.chars().filter(|character| character.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// A text beside the data that is one of these names, however it separates its words.
fn resembling(value: &Value, data: &Value, names: &[String]) -> Option<String> {
    if value == data {
        return None;
    }
    match value {
        Value::String(text) => names.contains(&plain(text)).then(|| text.clone()),
        Value::Array(items) => items.iter().find_map(|item| resembling(item, data, names)),
        Value::Object(members) => members.values().find_map(|member| resembling(member, data, names)),
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
    }
}

/// A name beside the data.
fn nested_name(value: &Value, data: &Value) -> Option<String> {
    match value {
        Value::Object(members) if value != data => {
            let keys = ["eventType", "event_type", "name", "event", "type", "topic", "action", "kind"];
            let own = keys.iter().find_map(|key| {
                let text = members.get(*key)?.as_str()?;
                (!GENERIC.contains(&text)).then(|| text.to_owned())
            });
            own.or_else(|| members.values().find_map(|member| nested_name(member, data)))
        }
        Value::Array(items) => {
            let text = items
                .iter()
                .find_map(|item| item.as_str().filter(|text| text.contains([':', '.', '-', '_'])));
            text.map(str::to_owned).or_else(|| items.iter().find_map(|item| nested_name(item, data)))
        }
        _ => None,
    }
}

/// The template of a frame: what is known of its parts is named, what means nothing is left out.
pub(super) fn generalized(text: &str, known: &Known<'_>) -> Option<String> {
    let Some((prefix, value)) = parsed(text) else {
        let plain = text.trim();
        return (!plain.is_empty() && !plain.contains('{')).then(|| plain.to_owned());
    };
    let body = match &value {
        Value::Object(members) => {
            let kind = type_key(members);
            let mut body = Map::new();
            for (key, member) in members {
                let part = match kind.as_ref() == Some(key) {
                    // An event within a generic message has its name elsewhere.
                    true if known.event.is_some_and(|(name, _)| member != name) => Some(member.clone()),
                    true => Some(json!("{type}")),
                    false => generalized_member(key, member, known),
                };
                body.extend(part.map(|part| (key.clone(), part)));
            }
            let mut body = Value::Object(body);
            keep_one_time(&mut body);
            body
        }
        // In an array every place counts.
        Value::Array(items) => items
            .iter()
            .map(|item| generalized_member("", item, known).unwrap_or_else(|| item.clone()))
            .collect(),
        _ => return None,
    };
    Some(format!("{prefix}{body}"))
}

/// A frame is sent once: of several times in it, the others mean something else, such as when a token expires.
fn keep_one_time(body: &mut Value) {
    fn keys(value: &Value, found: &mut Vec<String>) {
        for (key, member) in value.as_object().into_iter().flatten() {
            if member == "{timestamp}" {
                found.push(key.clone());
            }
            keys(member, found);
        }
    }
    fn keep(value: &mut Value, kept: &str) {
        let Value::Object(members) = value else { return };
        members.retain(|key, member| key == kept || member != "{timestamp}");
        members.values_mut().for_each(|member| keep(member, kept));
    }
    let mut found = Vec::new();
    keys(body, &mut found);
    let kept = found.iter().find(|key| TIMES.contains(&key.as_str())).or(found.first());
    if let (Some(kept), 2..) = (kept, found.len()) {
        keep(body, kept);
    }
}

fn generalized_member(key: &str, value: &Value, known: &Known<'_>) -> Option<Value> {
    if known.event.is_some_and(|(_, data)| value == data) {
        return Some(json!("{payload}"));
    }
    let is_user = known.user.is_some_and(|user| {
        value == user
            || matches!((value, user), (Value::String(text), Value::Number(id)) if *text == id.to_string())
    });
    if is_user {
        return Some(json!("{user}"));
    }
    match value {
        Value::String(text) if known.event.is_some_and(|(name, _)| name == text) => Some(json!("{type}")),
        Value::String(text) if known.room == Some(text) => Some(json!("{room}")),
        Value::String(text) if known.reference == Some(text) => Some(json!("{ref}")),
        Value::String(text) if known.subscription == Some(text) => Some(json!("{subscription}")),
        Value::String(_) if is_time(value) => Some(json!("{timestamp}")),
        Value::String(_) | Value::Number(_) if known.is_error() && CODES.contains(&key) => {
            Some(json!("{code}"))
        }
        Value::String(text) if known.is_error() && WORDS.contains(&key) && !text.contains(' ') => {
            Some(json!("{code}"))
        }
        Value::String(_) if known.is_error() && REASONS.contains(&key) => Some(json!("{message}")),
        Value::Array(items) if known.user.is_some() && items.iter().all(Value::is_string) => {
            ["rooms", "channels", "subscriptions"].contains(&key).then(|| json!("{rooms}"))
        }
        // The errors of a request: the first says what is wrong.
        Value::Array(items) if known.reference.is_some() && items.first().is_some_and(Value::is_object) => {
            Some(json!([generalized_member(key, &items[0], known)?]))
        }
        Value::Object(members) => {
            let inner = members
                .iter()
                .filter_map(|(key, member)| Some((key.clone(), generalized_member(key, member, known)?)));
            let inner: Map<String, Value> = inner.collect();
            (!inner.is_empty()).then_some(Value::Object(inner))
        }
        _ => None,
    }
}

impl Known<'_> {
    /// Whether nothing is known, as of an error.
    fn is_error(&self) -> bool {
        self.user.is_none() && self.event.is_none()
    }
}

/// The key of a frame's type.
fn type_key(members: &Map<String, Value>) -> Option<String> {
    let key = TYPES.iter().find(|key| members.get(**key).is_some_and(Value::is_string))?;
    Some((*key).to_owned())
}

/// Whether a value is an ISO 8601 time.
fn is_time(value: &Value) -> bool {
    value.as_str().is_some_and(|text| protocol::Timestamp::parse(text).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A frame has one time, and an error's code may be one word under the key of a reason.
    #[test]
    fn parts_are_known_by_what_they_say() {
        let user = json!(42);
        let known = Known { user: Some(&user), ..Known::default() };
        let time = "2026-01-01T00:00:00.000Z";
        for (frame, known, template) in [
            (
                format!(
                    r#"{{"action":"hello.ok","body":{{"person":42,"channels":["person.42"],"expires":"{time}","at":"{time}"}}}}"#
                ),
                known,
                r#"{"action":"{type}","body":{"at":"{timestamp}","channels":"{rooms}","person":"{user}"}}"#,
            ),
            (
                format!(
                    r#"{{"action":"oops","body":{{"why":"bad_shape","text":"what is that","at":"{time}"}}}}"#
                ),
                Known::default(),
                r#"{"action":"{type}","body":{"at":"{timestamp}","text":"{message}","why":"{code}"}}"#,
            ),
        ] {
            assert_eq!(sorted(&generalized(&frame, &known).unwrap()), sorted(template));
        }
    }

    fn sorted(template: &str) -> Value {
        serde_json::from_str(template).unwrap()
    }

    /// The form of frames is found by their usual keys, and by the data of an event.
    #[test]
    fn envelopes_are_found() {
        let data = json!({ "id": "gcm-1" });
        let event = Known { event: Some(("payment:created", &data)), ..Known::default() };
        for (frame, template) in [
            (
                r#"{"event":"payment:created","data":{"id":"gcm-1"}}"#,
                r#"{"data":"{payload}","event":"{type}"}"#,
            ),
            (
                r#"{"action":"payment:created","body":{"id":"gcm-1"},"at":"2026-01-01T00:00:00.000Z"}"#,
                r#"{"action":"{type}","at":"{timestamp}","body":"{payload}"}"#,
            ),
        ] {
            assert_eq!(EnvelopeForm::of([(frame, event.clone())]).unwrap().template(), template);
        }
        let seed =
            EnvelopeForm::of([(r#"{"type":"payment:created","payload":{"id":"gcm-1"}}"#, event)]).unwrap();
        assert!(seed.is_seed());
        assert!(EnvelopeForm::of([("pong", Known::default())]).is_none());
    }

    /// A template keeps what has a meaning, and nothing else.
    #[test]
    fn frames_are_generalized() {
        let (user, data) = (json!(42), json!({ "id": "gcm-1" }));
        for (frame, known, template) in [
            (
                r#"{"type":"hello","user":{"id":42,"plan":"x"},"rooms":["a"]}"#,
                Known { user: Some(&user), ..Known::default() },
                r#"{"rooms":"{rooms}","type":"{type}","user":{"id":"{user}"}}"#,
            ),
            (
                r#"{"action":"joined","channel":"a:b","seq":7}"#,
                Known { room: Some("a:b"), ..Known::default() },
                r#"{"action":"{type}","channel":"{room}"}"#,
            ),
            (
                r#"{"type":"event","data":{"name":"a:b","body":{"id":"gcm-1"}}}"#,
                Known { event: Some(("a:b", &data)), ..Known::default() },
                r#"{"data":{"body":"{payload}","name":"{type}"},"type":"event"}"#,
            ),
            (
                r#"{"event":"exception","data":{"status":"error","message":"no"}}"#,
                Known::default(),
                r#"{"data":{"message":"{message}","status":"{code}"},"event":"{type}"}"#,
            ),
        ] {
            let found = generalized(frame, &known).unwrap();
            assert_eq!(found, template, "{frame}");
            found.parse::<protocol::Template>().unwrap();
        }
        assert_eq!(generalized("pong", &Known::default()).as_deref(), Some("pong"));
    }

    /// What refuses is told from what grants.
    #[test]
    fn refusals_are_known() {
        for text in [
            r#"{"type":"error"}"#,
            r#"{"event":"exception","data":{}}"#,
            r#"{"ok":false}"#,
            "unknown command",
        ] {
            assert!(is_error(text), "{text}");
        }
        for text in [
            r#"{"type":"subscribed","payload":{"room":"error:log"}}"#,
            r#"{"type":"pong","error":null}"#,
            "pong",
        ] {
            assert!(!is_error(text), "{text}");
        }
    }

    /// An event's name is found where it stands.
    #[test]
    fn names_are_found() {
        let data = json!({ "id": 1, "type": "card" });
        for text in [
            r#"{"type":"a:b","payload":{"id":1,"type":"card"}}"#,
            r#"{"type":"event","payload":{"eventType":"a:b","data":{"id":1,"type":"card"}}}"#,
            r#"42["a:b",{"id":1,"type":"card"}]"#,
        ] {
            assert_eq!(event_name(text, &data, &[]).as_deref(), Some("a:b"), "{text}");
        }
        let frame = r#"{"action":"event","channel":"ticker.created","at":"x","body":{"id":1,"type":"card"}}"#;
        assert_eq!(
            event_name(frame, &data, &["ticker:created".to_owned()]).as_deref(),
            Some("ticker.created")
        );
    }
}
