//! Events in broker messages (SPEC "Events in", BRIDGE-8).

use protocol::Timestamp;
use serde::Deserialize;
use serde_json::value::RawValue;

/// An event as a backend service published it. Its data is kept as it was written.
#[derive(Debug, Clone)]
pub struct Event {
    /// Its type.
    pub name: String,
    /// Its data.
    pub data: Box<RawValue>,
    /// Its timestamp, where the body has one.
    pub timestamp: Option<Timestamp>,
}

/// Why a body is not an event. Such a message is poison: redelivery cannot fix it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not an event: {reason}")]
pub struct EventError {
    reason: String,
}

#[derive(Deserialize)]
struct RawEvent {
    #[serde(rename = "type")]
    name: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
    #[serde(default)]
    timestamp: Option<Box<RawValue>>,
}

impl Event {
    /// Reads a body.
    ///
    /// # Errors
    /// When it is not `{"type": string, "data": …}`.
    pub fn parse(body: &[u8]) -> Result<Self, EventError> {
        let error = |reason: String| EventError { reason };
        if body.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
            return Err(error("an event is a JSON object".to_owned()));
        }
        let raw: RawEvent = serde_json::from_slice(body).map_err(|reason| error(reason.to_string()))?;
        if raw.name.is_empty() {
            return Err(error("its `type` is empty".to_owned()));
        }
        let data = match raw.data {
            Some(data) => data,
            None => RawValue::from_string("null".to_owned()).map_err(|reason| error(reason.to_string()))?,
        };
        // An event with an unreadable timestamp is kept: it gets the gateway's time.
        let timestamp = raw.timestamp.as_deref().and_then(|written| {
            let text: String = serde_json::from_str(written.get()).ok()?;
            Timestamp::parse(&text).ok()
        });
        Ok(Self { name: raw.name, data, timestamp })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The data is passed on as it was written, digit by digit.
    #[test]
    fn data_is_kept_as_written() {
        let event = Event::parse(br#" {"type":"a:b","data":{"n":1.10,"m":1e400}} "#).unwrap();
        assert_eq!((event.name.as_str(), event.data.get()), ("a:b", r#"{"n":1.10,"m":1e400}"#));
        assert_eq!(Event::parse(br#"{"type":"a:b"}"#).unwrap().data.get(), "null");
        let odd = Event::parse(br#"{"type":"a:b","timestamp":1e400}"#).unwrap();
        assert_eq!(odd.timestamp, None, "the event is good all the same");
    }

    /// A body that is not an event is recognised.
    #[test]
    fn poison_is_recognised() {
        for body in [
            "",
            "x",
            "[]",
            "null",
            r#"["a:b",1]"#,
            "{}",
            r#"{"type":7}"#,
            r#"{"type":""}"#,
            r#"{"type":"a"}}"#,
        ] {
            assert!(Event::parse(body.as_bytes()).is_err(), "{body}");
        }
    }

    proptest! {
        /// No body panics the parser.
        #[test]
        fn no_body_panics(body in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Event::parse(&body);
        }
    }
}
