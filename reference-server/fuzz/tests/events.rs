//! What a broker brings.

use protocol::{Dialect, Timestamp};
use reference_gateway::Event;
use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;

/// An event's data passes the gateway byte by byte, and its name as it is.
#[test]
fn event_bodies() {
    #[derive(Deserialize)]
    struct Frame {
        #[serde(rename = "type")]
        kind: String,
        payload: Box<RawValue>,
        timestamp: String,
    }
    bolero::check!().for_each(|body: &[u8]| {
        let Ok(event) = Event::parse(body) else { return };
        assert!(!event.name.is_empty());
        let now = Timestamp::from_unix_ms(1);
        let text = Dialect::default().encode_event(&event.name, &event.data, event.timestamp.unwrap_or(now));
        let frame: Frame = serde_json::from_str(&text).unwrap();
        assert_eq!((&frame.kind, frame.payload.get()), (&event.name, event.data.get()));
        assert_eq!(Timestamp::parse(&frame.timestamp).unwrap(), event.timestamp.unwrap_or(now));
        // What a gateway says of an event is an event again.
        let again = format!(r#"{{"type":{},"data":{}}}"#, Value::from(event.name.as_str()), event.data);
        let again = Event::parse(again.as_bytes()).unwrap();
        assert_eq!((again.name, again.data.get()), (event.name, event.data.get()));
    });
}
