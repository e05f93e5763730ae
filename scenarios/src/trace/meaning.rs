//! What a frame means in a dialect.

use std::collections::BTreeMap;

use data_encoding::HEXLOWER;
use protocol::{ClientMessage, Dialect, ErrorCodes, PendingRequests, ServerMessage, SignInAnswer};
use serde_json::{Map, Value};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::{Event, Form, Frame, FrameKind, Message, Trace};
use crate::frame::RawFrame;

impl Frame {
    /// A whole frame as a trace has it. `from_gateway` says which direction its text is read in; what a gateway answers may be known
    /// by the request alone, which is one of those that are pending.
    pub fn of(
        frame: &RawFrame,
        dialect: &Dialect,
        from_gateway: bool,
        pending: Option<&PendingRequests>,
    ) -> Self {
        let (kind, text) = match frame.opcode {
            OpCode::Data(Data::Text) => (FrameKind::Text, std::str::from_utf8(&frame.payload).ok()),
            OpCode::Data(Data::Binary | Data::Continue) => (FrameKind::Binary, None),
            OpCode::Control(Control::Ping) => (FrameKind::Ping, None),
            OpCode::Control(Control::Pong) => (FrameKind::Pong, None),
            OpCode::Control(Control::Close) => (FrameKind::Close, None),
            OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => (FrameKind::Raw, None),
        };
        match text {
            Some(text) => Self {
                kind,
                body: text.to_owned(),
                message: Some(meaning(dialect, text, from_gateway, pending)),
                form: from_gateway.then(|| form(dialect, text, pending)).flatten(),
            },
            None => Self {
                kind,
                body: HEXLOWER.encode(&frame.payload),
                message: beat(kind, dialect, from_gateway),
                form: None,
            },
        }
    }

    /// The same frame, read in another dialect.
    fn read_in(&self, dialect: &Dialect, from_gateway: bool, pending: &PendingRequests) -> Self {
        let mut frame = self.clone();
        // A text that is not UTF-8 has no meaning in any.
        if self.kind == FrameKind::Text && self.message.is_some() {
            frame.message = Some(meaning(dialect, &self.body, from_gateway, Some(pending)));
            frame.form = from_gateway.then(|| form(dialect, &self.body, Some(pending))).flatten();
        } else {
            frame.message = beat(self.kind, dialect, from_gateway);
        }
        frame
    }

    /// The reference of its message, where it has one. A client's request is remembered, and forgotten once it is answered.
    pub fn refer(&self, dialect: &Dialect, pending: &mut PendingRequests) -> Option<String> {
        if !dialect.has_references() {
            return None;
        }
        match self.message.as_ref()? {
            Message::Client(message) => {
                let reference = dialect.decode_request(&self.body, Some(pending)).ok()?.id;
                match (&reference, message) {
                    (Some(reference), message) => pending.sent(reference, message),
                    (None, ClientMessage::Unsubscribe(target)) => pending.unsubscribed(target),
                    (None, _) => {}
                }
                reference
            }
            Message::Server(_) => {
                let reference = dialect.decode_answer(&self.body, Some(pending)).ok()?.id?;
                pending.answered(&reference);
                Some(reference)
            }
            Message::Unreadable(_) => None,
        }
    }
}

impl Trace {
    /// What one who speaks this dialect sees: each frame means what it means there.
    pub fn read_in(&self, dialect: &Dialect) -> Self {
        let mut trace = self.clone();
        let mut connections: BTreeMap<_, PendingRequests> = BTreeMap::new();
        for seen in &mut trace.observations {
            let from_gateway = matches!(seen.event, Event::Received(_));
            if let Event::Sent(frame) | Event::Received(frame) = &mut seen.event {
                let pending = connections.entry((seen.actor.clone(), seen.connection)).or_default();
                *frame = frame.read_in(dialect, from_gateway, pending);
                frame.refer(dialect, pending);
            }
        }
        trace
    }
}

/// A gateway's ping frame is its heartbeat, where the dialect has no message for that.
fn beat(kind: FrameKind, dialect: &Dialect, from_gateway: bool) -> Option<Message> {
    let beats = from_gateway && kind == FrameKind::Ping && !dialect.beats_by_message();
    beats.then_some(Message::Server(ServerMessage::Ping))
}

fn meaning(dialect: &Dialect, text: &str, from_gateway: bool, pending: Option<&PendingRequests>) -> Message {
    let read = if from_gateway {
        let read =
            |text: &str| dialect.decode_answer(text, pending).map(|decoded| Message::Server(decoded.message));
        // What a gateway says counts for what it is about. That its frame is wrong beside that is MSG-1, and nothing else.
        read(text).or_else(|error| without_marks(text).and_then(|text| read(&text).ok()).ok_or(error))
    } else {
        dialect.decode_request(text, pending).map(|decoded| Message::Client(decoded.message))
    };
    match read {
        Ok(Message::Server(ServerMessage::Error { code, .. }))
            if code.is_empty() && dialect.errors != ErrorCodes::None =>
        {
            Message::Unreadable("an error without a code (MSG-4)".to_owned())
        }
        // Only the declared heartbeat counts as one.
        Ok(Message::Server(ServerMessage::Ping)) if !dialect.beats_by_message() => {
            Message::Unreadable("a ping message, where the heartbeat is a control frame".to_owned())
        }
        Ok(message) => message,
        Err(error) => Message::Unreadable(error.to_string()),
    }
}

/// How the form of a gateway's text is, in a dialect that declares one.
fn form(dialect: &Dialect, text: &str, pending: Option<&PendingRequests>) -> Option<Form> {
    // What answers a first message has a form of its own, whatever the others have.
    if dialect.sign_in.is_some() && dialect.sign_in_answer(text) == SignInAnswer::Granted {
        return Some(Form::Declared);
    }
    Some(dialect.form(text, pending)?.map_or_else(Form::Wrong, |()| Form::Declared))
}

/// A message without its timestamp and id, where it has any.
fn without_marks(text: &str) -> Option<String> {
    let mut message: Map<String, Value> = serde_json::from_str(text).ok()?;
    let marks = ["timestamp", "id"].map(|mark| message.remove(mark));
    marks.iter().any(Option::is_some).then(|| Value::Object(message).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An error that says no code is none (MSG-4).
    #[test]
    fn an_error_without_a_code_is_unreadable() {
        let read = |payload: &str| {
            meaning(&Dialect::default(), &format!("{{\"type\":\"error\",\"payload\":{payload}}}"), true, None)
        };
        assert!(matches!(read(r#"{"code":"bad_room"}"#), Message::Server(ServerMessage::Error { .. })));
        for payload in [r#"{"message":"no"}"#, r#"{"code":7}"#, "null"] {
            assert!(matches!(read(payload), Message::Unreadable(why) if why.contains("MSG-4")), "{payload}");
        }
    }

    /// What answers a first message is as declared, without a timestamp; other frames need theirs.
    #[test]
    fn the_answer_to_a_first_message_has_its_form() {
        let dialect = Dialect::builtin("first-message").unwrap();
        let of = |text: &str| Frame::of(&RawFrame::text(text), &dialect, true, None).form;
        assert_eq!(of(r#"{"type":"connection_ack"}"#), Some(Form::Declared));
        assert_eq!(of(r#"{"type":"pong"}"#), None);
    }

    /// One wrong timestamp was seven findings: what came with it did not count as having come.
    #[test]
    fn a_wrong_timestamp_hides_no_message() {
        let read = |text: &str| meaning(&Dialect::default(), text, true, None);
        let forbidden = |timestamp: &str| {
            format!(
                r#"{{"type":"error","payload":{{"code":"forbidden","message":"no"}},"timestamp":{timestamp}}}"#
            )
        };
        for timestamp in ["1795892298666", "\"yesterday\"", "null"] {
            let Message::Server(ServerMessage::Error { code, .. }) = read(&forbidden(timestamp)) else {
                panic!("{timestamp}: {:?}", read(&forbidden(timestamp)))
            };
            assert_eq!(code, "forbidden");
        }
        assert!(matches!(read(r#"{"type":7,"timestamp":1}"#), Message::Unreadable(_)));
        assert!(matches!(read("[]"), Message::Unreadable(_)));
    }
}
