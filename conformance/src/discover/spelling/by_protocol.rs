//! The dialect of a protocol that is known by name: its forms are given, and what a gateway adds to them was seen.

use protocol::{CloseCode, ErrorCloses, Frames, Opening, PendingRequests, ServerMessage, Target, Welcome};
use serde_json::Value;

use super::{Spelling, shown};
use crate::discover::candidates::JUNK;
use crate::discover::form::{self, Known, generalized};
use crate::discover::observed::ObservedGateway;
use crate::discover::protocols::Protocol;
use crate::discover::sign_in::Entry;

impl Spelling {
    pub(super) fn by_protocol(&mut self, protocol: Protocol, seen: &ObservedGateway, entry: &Entry) {
        self.dialect.welcome = Welcome::Sent(false);
        self.dialect.acks = protocol.has_acks();
        self.dialect.frames = Some(Box::new(protocol.frames()));
        self.note("frames", format!("it speaks {}, which fixes most of them", protocol.name()));
        if let Some(subprotocol) = &entry.subprotocol {
            self.dialect.subprotocol = Some(subprotocol.clone());
            self.note("subprotocol", "it agreed to it in its answer to the upgrade".to_owned());
        }
        self.closes(seen);
        self.subscription(protocol, seen);
        self.first_refusal(protocol, seen);
        self.event_of(protocol, seen);
        for opening in entry.opening.iter().filter_map(|opening| opening.room.clone()) {
            self.dialect.opening.push(Opening { subscribe: Some(opening), send: None, answer: None });
        }
        let rooms = self.dialect.opening.len();
        if rooms > 0 {
            self.note("opening", "events came to who had asked for one of these rooms".to_owned());
        } else {
            self.open.push(
                "no event came by a room that every client asks for: see `[[dialect.opening]]`".to_owned(),
            );
        }
        if let Err(error) = self.dialect.check() {
            self.open.push(format!("its frames cannot be told from each other: {error}"));
            self.dialect.frames = None;
        }
    }

    fn own_frames(&mut self) -> &mut Frames {
        self.dialect.frames.get_or_insert_with(Box::default)
    }

    /// What closes the connection where others answer by an error.
    fn closes(&mut self, seen: &ObservedGateway) {
        let code = |of_nonsense: bool| {
            let own = seen.talk.junk.iter().filter(|junk| JUNK.contains(&junk.sent.as_str()));
            let mut own = own.filter(|junk| junk.sent.contains("nonsense") == of_nonsense);
            own.find_map(|junk| junk.closed.flatten().map(CloseCode))
        };
        let frame = code(false);
        // Where every message has its form, another one is no message.
        let kind = code(true).filter(|_| self.dialect.subprotocol.is_some());
        self.dialect.closes =
            ErrorCloses { bad_message: frame, unknown_type: kind, ..ErrorCloses::default() };
        if let Some(code) = frame.or(kind) {
            self.note("closes", format!("what breaks its protocol was answered by a close with {}", code.0));
        }
    }

    /// How a room is asked for.
    fn subscription(&mut self, protocol: Protocol, seen: &ObservedGateway) {
        let requests = || seen.talk.requests.iter().filter(|request| request.may_be_understood());
        let understood = seen.events.understood.first();
        let shape = understood.or_else(|| requests().next().map(|request| &request.shape));
        let Some(shape) = shape.cloned() else {
            let why = match protocol {
                Protocol::GraphQl => {
                    "its schema was not told, or has no subscription that takes one text: see `dialect.frames.subscribe`"
                }
                Protocol::Phoenix => "no topic could be joined",
            };
            return self.open.push(why.to_owned());
        };
        let how = if understood.is_some() { "an event came after it" } else { "it was not refused" };
        self.note("subscribe", format!("understood: {shape} ({how})"));
        if let Ok(template) = shape.parse() {
            self.own_frames().subscribe = Some(template);
        }
    }

    /// A refusal by a message: where its code stands, if it has one.
    fn first_refusal(&mut self, protocol: Protocol, seen: &ObservedGateway) {
        let is_refusal = |answer: &&str| form::is_error(answer);
        let mut answers = seen.talk.junk.iter().filter_map(|junk| junk.answer.as_deref()).filter(is_refusal);
        let Some(error) = answers.next() else {
            return self.open.push("nothing was refused by a message".to_owned());
        };
        let is_read = |spelling: &Self| {
            let read = spelling.dialect.decode_server(error).map(|read| read.message);
            matches!(read, Ok(ServerMessage::Error { .. }))
        };
        if protocol == Protocol::GraphQl && !is_read(self) {
            let reference = reference(error);
            let known = Known { reference: reference.as_deref(), ..Known::default() };
            let kind = Value::from(form::kind(error).unwrap_or_default()).to_string();
            let own = generalized(error, &known).map(|text| text.replacen("\"{type}\"", &kind, 1));
            // One without a code is told as it is.
            let whole = r#"{"id":"{ref}","type":"error","payload":"{payload}"}"#.to_owned();
            for template in own.into_iter().chain([whole]).filter_map(|text| text.parse().ok()) {
                let mut own = self.clone();
                own.own_frames().error = Some(template);
                if own.dialect.check().is_ok() && is_read(&own) {
                    *self = own;
                    break;
                }
            }
        }
        match is_read(self) {
            true => self.note("error", format!("a request was refused by {}", shown(error))),
            false => self.open.push(format!("a request was refused by {}, which is not read", shown(error))),
        }
    }

    /// What an event looks like.
    fn event_of(&mut self, protocol: Protocol, seen: &ObservedGateway) {
        let Some(event) = seen.events.events.first() else { return };
        self.note("events", format!("an event came as {}", event.shown()));
        if protocol == Protocol::GraphQl {
            let reference = reference(&event.frame);
            let known = Known {
                event: Some((&event.name, &event.data)),
                subscription: reference.as_deref(),
                ..Known::default()
            };
            self.own_frames().event = generalized(&event.frame, &known).and_then(|text| text.parse().ok());
        }
        // An event that is of a request is read by who has made one.
        let mut pending = PendingRequests::default();
        if let Some(reference) = reference(&event.frame) {
            let room = Target::Room(event.name.clone());
            pending.sent(&reference, &protocol::ClientMessage::Subscribe(room));
        }
        let read = self.dialect.decode_answer(&event.frame, Some(&pending)).map(|read| read.message);
        let is_read = matches!(read, Ok(ServerMessage::Event { name, payload }) if name == event.name && payload == event.data);
        if !is_read {
            self.open.push(format!(
                "an event came as {}, which no template here reads with its data",
                event.shown()
            ));
        }
    }
}

/// What a frame calls the request that it is about.
fn reference(frame: &str) -> Option<String> {
    form::parsed(frame)?.1.get("id")?.as_str().map(str::to_owned)
}
