//! The form of a gateway's frames: where none of them can be read, what came, what was expected, and which form it may be.

use protocol::{Dialect, Envelope, Timestamp};
use scenarios::trace::{Event, FrameKind, Trace};
use serde_json::{Map, Value};

use super::dialect::{Called, Mismatch};

/// Most of a frame that is shown.
const SHOWN: usize = 200;
/// Keys by which gateways of all kinds name a message, and its data.
const TYPES: [&str; 9] = ["event", "action", "type", "op", "kind", "cmd", "method", "name", "t"];
const PAYLOADS: [&str; 8] = ["data", "body", "payload", "content", "params", "args", "message", "d"];

/// What to write where no frame of a gateway has the declared form.
pub(super) fn of_gateway(trace: &Trace, dialect: &Dialect, called: &Called) -> Option<Mismatch> {
    let texts: Vec<&str> = trace
        .observations
        .iter()
        .filter_map(|seen| match &seen.event {
            Event::Received(frame) if frame.kind == FrameKind::Text => Some(frame.body.as_str()),
            _ => None,
        })
        .collect();
    let first = texts.first()?;
    if texts.iter().any(|text| has_form(dialect, text) || is_apart_from_its_time(dialect, text)) {
        return None;
    }
    let shown: String = first.chars().take(SHOWN).collect();
    let cut = if shown.len() < first.len() { "…" } else { "" };
    let expected = dialect.frames.as_ref().map_or_else(
        || r#"{"type":"{type}","payload":"{payload}",…}"#.to_owned(),
        |frames| frames.message.to_string(),
    );
    // An event whose name is known says more than a frame that is not understood at all.
    let telling = texts.iter().find(|text| text.contains(called.event())).unwrap_or(first);
    let message = likely(telling, called).unwrap_or_else(|| r#"{"…":"{type}","…":"{payload}"}"#.to_owned());
    Some(Mismatch {
        seen: format!("its first frame is `{shown}{cut}`, and none has the form `{expected}`"),
        setting: format!("dialect.frames = {{ message = '{message}' }}"),
    })
}

fn has_form(dialect: &Dialect, text: &str) -> bool {
    match dialect.form(text, None) {
        Some(form) => form.is_ok(),
        None => Envelope::decode(text).is_ok(),
    }
}

/// Whether a frame has the form once its time is an ISO 8601 one. A time that is none is a finding (MSG-1), not another design.
fn is_apart_from_its_time(dialect: &Dialect, text: &str) -> bool {
    const TIME: &str = "timestamp";
    let Ok(Value::Object(mut members)) = serde_json::from_str(text) else { return false };
    match members.get_mut(TIME) {
        Some(time) => *time = Timestamp::EPOCH.to_string().into(),
        None => return false,
    }
    has_form(dialect, &Value::Object(members).to_string())
}

/// The template that a frame may follow.
fn likely(text: &str, called: &Called) -> Option<String> {
    let (prefix, json) = text.split_at(text.find(['{', '['])?);
    let body = match serde_json::from_str(json).ok()? {
        Value::Object(members) => of_object(&members, called)?,
        Value::Array(items) => of_array(&items, called)?,
        _ => return None,
    };
    Some(format!("{prefix}{body}"))
}

fn of_object(members: &Map<String, Value>, called: &Called) -> Option<Value> {
    let is_event = |value: &Value| value.as_str() == Some(called.event());
    let of = |keys: &[&str], suits: &dyn Fn(&Value) -> bool| {
        let key = keys.iter().find(|key| members.get(**key).is_some_and(suits))?;
        Some((*key).to_owned())
    };
    let named = members.iter().find(|(_, value)| is_event(value)).map(|(key, _)| key.clone());
    let kind = named.or_else(|| of(&TYPES, &Value::is_string))?;
    let holds = |value: &Value| value.is_object() || value.is_array();
    let payload = of(&PAYLOADS, &|_| true)
        .or_else(|| members.iter().find(|(_, value)| holds(value)).map(|(key, _)| key.clone()));
    let mut template = Map::from_iter([(kind, "{type}".into())]);
    template.extend(payload.map(|key| (key, "{payload}".into())));
    Some(Value::Object(template))
}

fn of_array(items: &[Value], called: &Called) -> Option<Value> {
    let kind = items
        .iter()
        .position(|item| item.as_str() == Some(called.event()))
        .or_else(|| items.iter().position(Value::is_string))?;
    let payload = items.iter().rposition(|item| item.is_object() || item.is_array());
    let part = |place: usize| match place {
        _ if place == kind => "{type}",
        _ if Some(place) == payload => "{payload}",
        _ => "{id}",
    };
    Some((0..items.len()).map(|place| Value::from(part(place))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::EventsProfile;

    /// A wrong time is for MSG-1 to find; a frame of another form is one whatever its time.
    #[test]
    fn a_wrong_time_is_no_other_form() {
        let dialect = Dialect::default();
        for time in [r#""yesterday""#, "1700000000", "null"] {
            let text = format!(r#"{{"type":"hello","payload":{{}},"timestamp":{time}}}"#);
            assert!(is_apart_from_its_time(&dialect, &text), "{text}");
            let text = format!(r#"{{"action":"hello","timestamp":{time}}}"#);
            assert!(!is_apart_from_its_time(&dialect, &text), "{text}");
        }
    }

    /// The form of an event is found by its name, that of any other frame by usual keys.
    #[test]
    fn likely_forms_are_found() {
        let called = Called::by(&EventsProfile::default());
        for (frame, template) in [
            (r#"{"event":"payment:created","data":{"id":1}}"#, r#"{"data":"{payload}","event":"{type}"}"#),
            (r#"{"x":"payment:created","y":{"id":1},"z":0}"#, r#"{"x":"{type}","y":"{payload}"}"#),
            (r#"{"action":"hello","body":null}"#, r#"{"action":"{type}","body":"{payload}"}"#),
            (r#"42["payment:created",{"id":1}]"#, r#"42["{type}","{payload}"]"#),
            (r#"[null,null,"payment:created",{}]"#, r#"["{id}","{id}","{type}","{payload}"]"#),
        ] {
            assert_eq!(likely(frame, &called).as_deref(), Some(template), "{frame}");
            template.parse::<protocol::Template>().unwrap();
        }
        for frame in ["pong", "7", "{}", "[1]", "{ no"] {
            assert_eq!(likely(frame, &called), None, "{frame}");
        }
    }
}
