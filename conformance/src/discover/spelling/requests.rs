//! How requests to join and leave are spelled, and their acknowledgements.

use protocol::{Frames, ServerMessage, SubscriptionKeys, Target, Template};

use super::{SUBSCRIBED, Spelling, UNSUBSCRIBED, shown, without_extras};
use crate::discover::form::{self, Known};
use crate::discover::observed::ObservedGateway;
use crate::discover::talk::{Request, RequestAnswer};

impl Spelling {
    pub(super) fn requests(&mut self, seen: &ObservedGateway) {
        let acknowledged: Vec<(&str, &str)> = seen.talk.acknowledged().collect();
        let understood: Vec<&str> = seen.events.understood.iter().map(String::as_str).collect();
        let is_understood = |shape: &str| understood.contains(&shape);
        let shapes: Vec<&str> = match understood.is_empty() {
            false => understood.clone(),
            true => acknowledged.iter().map(|(shape, _)| *shape).collect(),
        };
        let Some(shape) = shapes.first().copied() else {
            self.open.push(
                "no request to subscribe was acknowledged, and none led to an event: see `subscribe`"
                    .to_owned(),
            );
            let is_silent = |request: &Request| request.answer == RequestAnswer::Silence;
            if !seen.talk.requests.is_empty() && seen.talk.requests.iter().all(is_silent) {
                let count = seen.talk.requests.len();
                self.open.push(format!("{count} forms of requests were tried, and none was answered at all"));
            }
            self.unset.push(("subscribe", r#"{ event_type = "channel", room = "channel" }"#));
            self.unset.push(("acks", "false"));
            return;
        };
        let how = if is_understood(shape) { "an event came after it" } else { "it was acknowledged" };
        self.note("subscribe", format!("understood: {shape} ({how})"));
        let keys: Vec<String> = shapes.iter().filter_map(|shape| seed_key(shape)).collect();
        match seed_key(shape) {
            Some(_) if ["eventType", "room"].iter().all(|key| keys.iter().any(|known| known == key)) => {}
            Some(key) => self.dialect.subscribe = SubscriptionKeys::single(&key),
            None => self.request_template(shape),
        }
        let answer = acknowledged.iter().find(|(known, _)| *known == shape).map(|(_, answer)| *answer);
        let Some(answer) = answer else {
            self.dialect.acks = false;
            self.note("acks", "requests that were understood were not answered".to_owned());
            return;
        };
        self.note("acks", format!("a request was answered by {}", shown(answer)));
        let room = seen.room.as_str();
        let is_granted = |message: &ServerMessage| matches!(message, ServerMessage::Subscribed(target) if target.name() == room);
        if let Some(key) = payload_key(answer, room).filter(|key| *key != "eventType" && *key != "room") {
            self.dialect.acknowledge = SubscriptionKeys::single(&key);
        }
        let known = Known { room: Some(room), ..Known::default() };
        if !self.fit(SUBSCRIBED, answer, &known, &is_granted) {
            self.open.push(format!(
                "the acknowledgement {} cannot be told from other messages: `acks` are left out",
                shown(answer)
            ));
            self.dialect.acks = false;
        }
        if let Some(left) = seen.left.as_deref() {
            let is_left = |message: &ServerMessage| matches!(message, ServerMessage::Unsubscribed(target) if matches!(target, Target::Room(name) | Target::EventType(name) if name == room));
            if !self.fit(UNSUBSCRIBED, left, &known, &is_left) {
                self.open.push(format!(
                    "an unsubscription was answered by {}, which cannot be told from other messages",
                    shown(left)
                ));
            }
        }
    }

    /// A request of a form of its own.
    fn request_template(&mut self, shape: &str) {
        let verbs = crate::discover::candidates::VERBS;
        let verb = verbs.iter().find(|(join, _)| shape.contains(&format!("\"{join}\"")));
        let Some((join, leave)) = verb else { return };
        let mut own = self.clone();
        own.dialect.requests.subscribe = (*join).to_owned();
        own.dialect.requests.unsubscribe = (*leave).to_owned();
        let template = shape.replacen(&format!("\"{join}\""), "\"{type}\"", 1);
        let set = |frames: &mut Frames, template: Template| {
            frames.subscribe = Some(template.clone());
            frames.unsubscribe = Some(template);
        };
        // A message of the general form that has the room in its payload needs no template of its own.
        let mut general = own.clone();
        if let Some(key) = payload_key(shape, "{room}") {
            general.dialect.subscribe = SubscriptionKeys::single(&key);
            let target = Target::Room("{room}".to_owned());
            let message = protocol::ClientMessage::Subscribe(target);
            let written = general.dialect.encode_client(&message, protocol::Timestamp::EPOCH);
            let without_time = form::parsed(&written).map(|(_, value)| without_extras(value));
            if without_time.is_some() && without_time == form::parsed(shape).map(|(_, value)| value) {
                *self = general;
                return;
            }
        }
        own.set_frames(set, &template);
        if own.dialect.check().is_ok() {
            *self = own;
        } else {
            self.open.push(format!("the request {shape} cannot be told from other messages"));
        }
    }
}

/// The key of a request in the seed's envelope.
fn seed_key(shape: &str) -> Option<String> {
    let (_, value) = form::parsed(shape)?;
    let is_seed = value["type"] == "subscribe" && value.as_object()?.len() == 2;
    is_seed.then(|| payload_key(shape, "{room}")).flatten().filter(|_| value.get("payload").is_some())
}

/// The key in the payload that holds a text.
fn payload_key(text: &str, wanted: &str) -> Option<String> {
    let (_, value) = form::parsed(text)?;
    let payload = ["payload", "data", "body", "d"].iter().find_map(|key| value.get(*key)?.as_object())?;
    payload.iter().find(|(_, value)| *value == wanted).map(|(key, _)| key.clone())
}
