//! Something that a pattern matches: what a subject would do that does what it must not.

use data_encoding::HEXLOWER_PERMISSIVE;
use protocol::adapter::{Outcome, Report, ReportEvent};
use protocol::{ClientMessage, CloseCode, Dialect, ServerMessage, Target, Timestamp};
use serde_json::{Map, Value};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{ClosePattern, EmitPattern, MessagePattern, Pattern, RefusedPattern, What};
use crate::frame::RawFrame;
use crate::trace::{FrameKind, Side};

/// Something that a pattern matches, as it crosses the boundary of a subject.
#[derive(Debug, Clone, PartialEq)]
pub enum Example {
    /// A frame for the client.
    Received(RawFrame),
    /// A frame from the client.
    Sent(RawFrame),
    /// A dial that is granted.
    Opened,
    /// A dial that is refused with this HTTP status.
    Refused(u16),
    /// The end of a connection.
    Closed {
        /// With this code.
        code: CloseCode,
        /// By this side; by the subject where nothing is said.
        by: Option<Side>,
    },
    /// A dial of the client.
    Dialled,
    /// A report of the client's adapter.
    Reported(Report),
    /// How the client's adapter answers a request of this name.
    Answered(String, Outcome),
    /// A line in the log.
    Printed(String),
}

/// What stands where a pattern leaves open what it is.
pub(super) const ANYTHING: &str = "anything";

impl Pattern {
    /// An observation that it matches, where one can be sent: not for a broker, a page, or the end of a gateway.
    pub fn example(&self, dialect: &Dialect, now: Timestamp) -> Option<Example> {
        let example = match &self.what {
            What::Dials(_) => Example::Dialled,
            What::Opens => Example::Opened,
            What::Refused(RefusedPattern::Any | RefusedPattern::ClientError) => Example::Refused(403),
            What::Refused(RefusedPattern::Status(status)) => Example::Refused(*status),
            What::Closes(closes) => closes.example(),
            What::Receives(message) => Example::Received(message.received(dialect, now)?),
            What::Sends(message) => Example::Sent(message.sent(dialect, now)?),
            What::Status(status) => {
                self.report(ReportEvent::Status { old: Some(ANYTHING.to_owned()), status: status.clone() })
            }
            What::Emits(emits) => self.report(emits.example()),
            What::Refetches(key) => self.report(ReportEvent::Refetch { key: key.clone() }),
            What::Reports(reports) => self.report(reports.example()),
            What::WantsToken => self.report(ReportEvent::TokenWanted),
            What::RequestFails(op) => {
                Example::Answered(op.clone(), Outcome::Error { error: ANYTHING.to_owned() })
            }
            What::Reads(reads) => {
                let (op, outcome) = reads.example();
                Example::Answered(op.to_owned(), outcome)
            }
            What::Log(log) => Example::Printed(log.example()?.to_owned()),
            What::Refused(RefusedPattern::Close(_) | RefusedPattern::AsDeclared)
            | What::Continues
            | What::DialsBroker
            | What::GatewayCloses
            | What::QueueDepth
            | What::Topology
            | What::Answers(_)
            | What::Ended
            | What::TurnedAway(_) => return None,
        };
        Some(example)
    }

    /// The connection that the pattern names.
    pub fn connection(&self) -> Option<u32> {
        self.connection
    }

    fn report(&self, event: ReportEvent) -> Example {
        Example::Reported(Report { consumer: self.consumer.clone(), event })
    }
}

impl ClosePattern {
    fn example(&self) -> Example {
        let code = self.code.or(self.code_or_none).unwrap_or(CloseCode::INTERNAL);
        Example::Closed { code, by: self.by }
    }
}

impl EmitPattern {
    fn example(&self) -> ReportEvent {
        ReportEvent::Emit {
            name: self.name.clone(),
            payload: self.payload.clone().or_else(|| self.with.clone()),
            listener: Some(self.listener.clone().unwrap_or_else(|| "main".to_owned())),
        }
    }
}

impl MessagePattern {
    /// A frame for the client.
    fn received(&self, dialect: &Dialect, now: Timestamp) -> Option<RawFrame> {
        let name = match self.name() {
            Some("ping") if !dialect.beats_by_message() => {
                return self.is_of(FrameKind::Ping).then(|| RawFrame::control(Control::Ping, ANYTHING));
            }
            name => name,
        };
        self.frame(name, || {
            let message = match name.unwrap_or(ANYTHING) {
                "ping" => ServerMessage::Ping,
                "pong" => ServerMessage::Pong,
                "welcome" => ServerMessage::Welcome {
                    user_id: ANYTHING.to_owned(),
                    rooms: self.room.iter().cloned().collect(),
                },
                "subscribed" => ServerMessage::Subscribed(self.target()),
                "unsubscribed" => ServerMessage::Unsubscribed(self.target()),
                "error" => ServerMessage::Error {
                    code: self.code.as_deref().unwrap_or(ANYTHING).to_owned(),
                    message: ANYTHING.to_owned(),
                },
                name => ServerMessage::Event { name: name.to_owned(), payload: self.payload() },
            };
            dialect.encode_server(&message, now, None)
        })
    }

    /// A frame from the client.
    fn sent(&self, dialect: &Dialect, now: Timestamp) -> Option<RawFrame> {
        let name = self.name();
        self.frame(name, || {
            let message = match name.unwrap_or(ANYTHING) {
                "ping" => ClientMessage::Ping,
                "pong" => ClientMessage::Pong,
                "subscribe" => ClientMessage::Subscribe(self.target()),
                "unsubscribe" => ClientMessage::Unsubscribe(self.target()),
                name => ClientMessage::Other { kind: name.to_owned(), payload: self.payload() },
            };
            dialect.encode_client(&message, now)
        })
    }

    /// A frame of the kind that is asked for; a text where the message has a name, or none is asked for.
    fn frame(&self, name: Option<&str>, text: impl Fn() -> String) -> Option<RawFrame> {
        let opcode = match self.frame.unwrap_or(FrameKind::Text) {
            FrameKind::Text if name == Some("unreadable") => return Some(RawFrame::text("{")),
            FrameKind::Text => return Some(RawFrame::text(self.body.clone().unwrap_or_else(text))),
            // What has a name is a text.
            _ if name.is_some() => return None,
            FrameKind::Binary => OpCode::Data(Data::Binary),
            FrameKind::Ping => OpCode::Control(Control::Ping),
            FrameKind::Pong => OpCode::Control(Control::Pong),
            FrameKind::Close => OpCode::Control(Control::Close),
            FrameKind::Raw => return None,
        };
        let body = self.body.as_deref().unwrap_or_default();
        let payload = HEXLOWER_PERMISSIVE.decode(body.as_bytes()).ok()?;
        Some(RawFrame::whole(opcode, payload))
    }

    fn name(&self) -> Option<&str> {
        self.name.as_ref().or(self.any.first()).map(String::as_str)
    }

    fn is_of(&self, kind: FrameKind) -> bool {
        self.frame.is_none_or(|wanted| wanted == kind)
    }

    fn target(&self) -> Target {
        Target::EventType(self.target.as_deref().unwrap_or(ANYTHING).to_owned())
    }

    fn payload(&self) -> Value {
        self.data.as_ref().or(self.with.as_ref()).cloned().unwrap_or_else(|| Value::Object(Map::new()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn example(pattern: &str) -> Option<Example> {
        #[derive(serde::Deserialize)]
        struct File {
            pattern: Pattern,
        }
        let File { pattern } = toml::from_str(&format!("pattern = {pattern}")).unwrap();
        pattern.example(&Dialect::default(), Timestamp::from_unix_ms(0))
    }

    /// Frames say what the pattern asks for, in the dialect; where it asks for a frame alone, they carry its bytes.
    #[test]
    fn frames_say_what_is_asked_for() {
        let Some(Example::Received(event)) =
            example(r#"{ client = "a", receives = { type = "x:y", with = { turn = 2 } } }"#)
        else {
            panic!("an event is a frame");
        };
        let event: Value = serde_json::from_slice(&event.payload).unwrap();
        assert_eq!((&event["type"], &event["payload"]["turn"]), (&json!("x:y"), &json!(2)));
        let pong = example(r#"{ receives = { frame = "pong", body = "6c61" } }"#);
        assert_eq!(pong, Some(Example::Received(RawFrame::control(Control::Pong, "la"))));
        let beat = example(r#"{ receives = "ping" }"#);
        assert_eq!(beat, Some(Example::Received(RawFrame::control(Control::Ping, ANYTHING))));
        let Some(Example::Sent(asked)) = example(r#"{ sends = { type = "subscribe", target = "t" } }"#)
        else {
            panic!("a subscription is a frame");
        };
        assert!(String::from_utf8_lossy(&asked.payload).contains(r#""eventType":"t""#));
    }

    /// A report names what the pattern asks for, and whom.
    #[test]
    fn reports_say_what_is_asked_for() {
        let status = example(r#"{ consumer = "badge", status = "error" }"#).unwrap();
        let event = ReportEvent::Status { old: Some(ANYTHING.to_owned()), status: "error".to_owned() };
        assert_eq!(status, Example::Reported(Report { consumer: Some("badge".to_owned()), event }));
        let Some(Example::Reported(report)) = example(r#"{ reports = { nobody = false } }"#) else {
            panic!("a report is a line");
        };
        assert!(matches!(report.event, ReportEvent::Report { user: Some(user), .. } if !user.is_null()));
        assert!(
            matches!(example(r#"{ request_fails = "send" }"#), Some(Example::Answered(op, _)) if op == "send")
        );
    }

    /// What contradicts itself has no example, nor has what a subject does not do by itself.
    #[test]
    fn some_patterns_have_no_example() {
        for pattern in [
            r#"{ receives = { type = "error", frame = "binary" } }"#,
            r#"{ log = { is_empty = true } }"#,
            r#"{ topology = true }"#,
        ] {
            assert_eq!(example(pattern), None, "{pattern}");
        }
    }
}
