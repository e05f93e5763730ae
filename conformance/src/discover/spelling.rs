//! The dialect that fits what was seen. Pure: each frame that was seen is read by the dialect that comes out of it.

mod by_protocol;
mod errors;
mod requests;

use std::collections::BTreeMap;

use protocol::{
    CloseCode, Dialect, EventStyle, Frames, Heartbeat as HeartbeatKind, HeartbeatNames, Refusal,
    ServerMessage, SignIn, Template, TokenPlace, Welcome,
};
use serde_json::Value;

use super::candidates::{Person, Place};
use super::form::{self, EnvelopeForm, Known, generalized};
use super::heartbeat::PingKind;
use super::observed::ObservedGateway;
use super::sign_in::Entry;
use super::socket::Refused;

/// Most of a frame that is shown.
const SHOWN: usize = 160;

/// How a gateway spells the wire.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Spelling {
    /// The dialect.
    pub dialect: Dialect,
    /// What was seen, for each key of it that something was seen of.
    pub seen: BTreeMap<&'static str, String>,
    /// What was seen, and cannot be said by a dialect; or was not seen.
    pub open: Vec<String>,
    /// Keys that are to be filled in, with a value that may stand there.
    pub unset: Vec<(&'static str, &'static str)>,
}

/// A message that is to be read: where its name and its template stand, and what it must be read as.
#[derive(Clone, Copy)]
struct Slot {
    name: fn(&mut Dialect, &str),
    template: fn(&mut Frames) -> &mut Option<Template>,
}

const WELCOME: Slot = Slot {
    name: |dialect, name| {
        dialect.welcome = match name {
            "connection:established" => Welcome::Sent(true),
            name => Welcome::Named(name.to_owned()),
        };
    },
    template: |frames| &mut frames.welcome,
};
const PONG: Slot =
    Slot { name: |dialect, name| name.clone_into(&mut dialect.pong), template: |frames| &mut frames.pong };
const ERROR: Slot =
    Slot { name: |dialect, name| name.clone_into(&mut dialect.error), template: |frames| &mut frames.error };
const SUBSCRIBED: Slot = Slot {
    name: |dialect, name| name.clone_into(&mut dialect.requests.subscribed),
    template: |frames| &mut frames.subscribed,
};
const UNSUBSCRIBED: Slot = Slot {
    name: |dialect, name| name.clone_into(&mut dialect.requests.unsubscribed),
    template: |frames| &mut frames.unsubscribed,
};

impl Spelling {
    /// What fits.
    pub(super) fn of(seen: &ObservedGateway) -> Self {
        let mut spelling = Self::default();
        // Who has not signed in has heard nothing.
        let Some(entry) = &seen.sign_in.entry else { return spelling };
        match seen.talk.protocol {
            Some(protocol) => {
                spelling.token(seen, entry);
                spelling.by_protocol(protocol, seen, entry);
            }
            None => {
                spelling.envelope(seen);
                spelling.token(seen, entry);
                spelling.welcome(seen, entry);
                spelling.requests(seen);
                spelling.pong(seen);
                spelling.error(seen);
                spelling.error_codes(seen);
            }
        }
        spelling.heartbeat(seen);
        spelling.expiry(seen);
        if let Some(key) = seen.events.owner_key {
            key.clone_into(&mut spelling.dialect.user_key);
            spelling.note("user_key", format!("an event with its owner in `{key}` reached the owner alone"));
        }
        spelling
    }

    fn note(&mut self, key: &'static str, text: String) {
        self.seen.insert(key, text);
    }

    /// The form of most frames, and of events.
    fn envelope(&mut self, seen: &ObservedGateway) {
        let event = seen.events.events.first();
        let known = |event: &'_ super::events::ObservedEvent| event.frame.clone();
        let texts: Vec<String> =
            event.map(known).into_iter().chain(seen.talk.first.iter().cloned()).collect();
        let others = seen.talk.pong.iter().filter_map(|pong| pong.answer.clone());
        let acks = seen.talk.acknowledged().map(|(_, answer)| answer.to_owned());
        let errors = seen.talk.error().map(str::to_owned);
        let texts: Vec<String> = texts.into_iter().chain(others).chain(acks).chain(errors).collect();
        let of_event =
            event.map(|event| Known { event: Some((&event.name, &event.data)), ..Known::default() });
        let frames = texts.iter().enumerate().map(|(number, text)| {
            let known = if number == 0 { of_event.clone().unwrap_or_default() } else { Known::default() };
            (text.as_str(), known)
        });
        let Some(envelope) = EnvelopeForm::of(frames) else { return };
        if !envelope.is_seed() {
            self.set_frames(|frames, template| frames.message = template, &envelope.template());
            let first = event.map(super::events::ObservedEvent::shown);
            let first = first.or_else(|| Some(shown(texts.first()?))).unwrap_or_default();
            self.note("frames", format!("its frames are like {first}"));
        }
        if let Some(event) = event {
            self.event(event);
        }
    }

    fn event(&mut self, event: &super::events::ObservedEvent) {
        let is_read = |dialect: &Dialect| match dialect.decode_server(&event.frame).map(|read| read.message) {
            Ok(ServerMessage::Event { name, payload }) => name == event.name && payload == event.data,
            _ => false,
        };
        self.note("events", format!("an event came as {}", event.shown()));
        if is_read(&self.dialect) {
            return;
        }
        let mut enveloped = self.dialect.clone();
        enveloped.events = EventStyle::Enveloped;
        if is_read(&enveloped) {
            self.dialect = enveloped;
            return;
        }
        let known = Known { event: Some((&event.name, &event.data)), ..Known::default() };
        let mut own = self.clone();
        if let Some(template) = generalized(&event.frame, &known) {
            own.set_frames(|frames, template| frames.event = Some(template), &template);
        }
        if own.dialect.check().is_ok() && is_read(&own.dialect) {
            *self = own;
        } else {
            self.open.push(format!(
                "an event came as {}, which no template here reads with its data",
                event.shown()
            ));
        }
    }

    fn token(&mut self, seen: &ObservedGateway, entry: &Entry) {
        match &entry.place {
            Place::Request(place) => {
                self.dialect.token = place.clone();
                let also = if entry.is_confirmed { ", and its first message named the user" } else { "" };
                self.note("token", format!("a token there was accepted{also}"));
            }
            Place::FirstMessage(message) => self.first_message(seen, entry, message),
        }
        let refusals = &seen.sign_in.refusals;
        let lines: Vec<String> = refusals
            .iter()
            .map(|(kind, refused)| match refused {
                Some(refused) => format!("{kind}: {refused}"),
                None => format!("{kind}: ACCEPTED"),
            })
            .collect();
        let first = ["wrong secret", "expired"].iter().find_map(|kind| refusals.get(kind)?.as_ref());
        let refusal = match first {
            Some(Refused::Status(status))
                if (400..500).contains(status) && self.dialect.sign_in.is_none() =>
            {
                Some(Refusal::Http(*status))
            }
            Some(Refused::Close(Some(code))) => Some(Refusal::Close(CloseCode(*code))),
            Some(_) | None => None,
        };
        match refusal {
            Some(refusal) => {
                self.dialect.refusal = refusal;
                self.note("refusal", lines.join("; "));
            }
            // Behind the upgrade there is no status.
            None if self.dialect.sign_in.is_some() => {
                self.dialect.refusal = Refusal::Close(CloseCode::POLICY);
                self.open
                    .push(format!("by which close a token is refused was not seen ({})", lines.join("; ")));
            }
            None if lines.is_empty() => {}
            None => self.open.push(format!("how a token is refused was not seen ({})", lines.join("; "))),
        }
    }

    /// A token in the first message; what grants it is the welcome, or else what came first.
    fn first_message(&mut self, seen: &ObservedGateway, entry: &Entry, message: &str) {
        self.dialect.token = TokenPlace::Message;
        self.note("token", format!("{message} was accepted as the first message"));
        let Ok(message) = message.parse() else { return };
        let id = Person::Owner.id(entry.claims.users);
        let as_text = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let answer = match seen.talk.protocol {
            Some(_) => Some(super::graphql::GRANTED),
            None => seen.talk.first.first().map(String::as_str).filter(|first| !first.contains(&as_text)),
        };
        let answer = answer.and_then(|first| first.parse::<Template>().ok());
        if let Some(answer) = &answer {
            self.note("sign_in", format!("it was answered by {}", shown(&answer.to_string())));
        }
        self.dialect.sign_in = Some(Box::new(SignIn { message, answer }));
    }

    fn welcome(&mut self, seen: &ObservedGateway, entry: &Entry) {
        let id = Person::Owner.id(entry.claims.users);
        let as_text = id.as_str().map_or_else(|| id.to_string(), str::to_owned);
        let named = seen.talk.first.iter().find(|text| text.contains(&as_text));
        // What grants a first message is no welcome.
        let granted = usize::from(self.dialect.sign_in.as_ref().is_some_and(|found| found.answer.is_some()));
        let Some(first) = named.or(seen.talk.first.get(granted)) else {
            self.no_welcome("a new connection begins with silence".to_owned());
            return;
        };
        let known = Known { user: Some(&id), ..Known::default() };
        let is_read = |message: &ServerMessage| matches!(message, ServerMessage::Welcome { user_id, .. } if *user_id == as_text);
        match self.fit(WELCOME, first, &known, &is_read) {
            true => self.note("welcome", format!("first came {}", shown(first))),
            false => {
                self.no_welcome(format!("first came {}, which could not be read as one", shown(first)));
            }
        }
    }

    /// There is none. Where it alone could say that a client is signed in, that is to be filled in: a profile without either cannot be read.
    fn no_welcome(&mut self, seen: String) {
        if self.dialect.sign_in.as_ref().is_some_and(|found| found.answer.is_none()) {
            self.open.push(format!(
                "what says that a client is signed in was not understood ({seen}): write `sign_in.answer`, or `welcome` and its template"
            ));
            return;
        }
        self.dialect.welcome = Welcome::Sent(false);
        self.note("welcome", seen);
    }

    fn pong(&mut self, seen: &ObservedGateway) {
        let Some((sent, answer)) =
            seen.talk.pong.as_ref().and_then(|pong| Some((&pong.sent, pong.answer.as_ref()?)))
        else {
            self.open
                .push("no ping message was answered: `ping` and `pong` are as the seed has them".to_owned());
            return;
        };
        let before = self.clone();
        if let Some(name) = form::kind(sent) {
            self.dialect.ping = name;
        }
        let is_pong = |message: &ServerMessage| *message == ServerMessage::Pong;
        if self.fit(PONG, answer, &Known::default(), &is_pong) {
            let general =
                self.dialect.encode_client(&protocol::ClientMessage::Ping, protocol::Timestamp::EPOCH);
            let is_general = form::parsed(&general).map(|(_, value)| without_extras(value))
                == form::parsed(sent).map(|(_, value)| value);
            if !is_general {
                let template = form::kind(sent).map_or_else(
                    || sent.clone(),
                    |kind| sent.replacen(&format!("\"{kind}\""), "\"{type}\"", 1),
                );
                self.set_frames(|frames, template| frames.ping = Some(template), &template);
            }
            if self.dialect.check().is_ok() {
                self.note("pong", format!("{sent} was answered by {}", shown(answer)));
                return;
            }
        }
        *self = before;
        self.open.push(format!(
            "{sent} was answered by {}, which cannot be told from other messages",
            shown(answer)
        ));
    }

    fn heartbeat(&mut self, seen: &ObservedGateway) {
        match &seen.heartbeat.pings {
            Some((PingKind::Control, _)) => self.note("heartbeat", "pings came as control frames".to_owned()),
            Some((PingKind::Message(text), _)) => {
                let is_read = |dialect: &Dialect| {
                    dialect.decode_server(text).is_ok_and(|read| read.message == ServerMessage::Ping)
                };
                self.dialect.heartbeat = HeartbeatKind::Message;
                self.note("heartbeat", format!("pings came as {}", shown(text)));
                if is_read(&self.dialect) {
                    return;
                }
                let names = form::kind(text)
                    .map(|ping| HeartbeatNames { ping, pong: self.dialect.pong.clone() })
                    .filter(|names| names.ping != self.dialect.ping);
                match names {
                    Some(names) => {
                        let own = Dialect {
                            heartbeat: HeartbeatKind::Named(names.clone()),
                            ..self.dialect.clone()
                        };
                        if own.check().is_ok() && is_read(&own) {
                            self.dialect = own;
                        }
                        self.open.push(format!(
                            "the ping {} is called otherwise than those that it answers, and what answers it is not to be seen: \
                             `heartbeat = {{ ping = \"{}\", pong = \"…\" }}`; a form of its own is `frames.heartbeat_ping`",
                            shown(text),
                            names.ping
                        ));
                    }
                    None => self.open.push(format!(
                        "the ping {} has another form than the pings that it answers: `frames.heartbeat_ping`",
                        shown(text)
                    )),
                }
            }
            None => {}
        }
    }

    /// Makes the dialect read a frame as what it is: by its name, or else by a template of its own. Nothing is changed where
    /// neither does.
    fn fit(
        &mut self,
        slot: Slot,
        frame: &str,
        known: &Known<'_>,
        is_right: &dyn Fn(&ServerMessage) -> bool,
    ) -> bool {
        let reads = |dialect: &Dialect| {
            dialect.check().is_ok() && dialect.decode_server(frame).is_ok_and(|read| is_right(&read.message))
        };
        let mut named = self.clone();
        if let Some(kind) = form::kind(frame) {
            (slot.name)(&mut named.dialect, &kind);
        }
        if reads(&named.dialect) {
            *self = named;
            return true;
        }
        let Some(template) = generalized(frame, known) else { return false };
        // A frame of another envelope says by itself what it is.
        let literal = form::kind(frame)
            .map(|kind| template.replacen("\"{type}\"", &Value::String(kind).to_string(), 1));
        for template in [Some(template), literal].into_iter().flatten() {
            let mut own = named.clone();
            own.set_frames(|frames, template| *(slot.template)(frames) = Some(template), &template);
            if reads(&own.dialect) {
                own.seen
                    .entry("frames")
                    .or_insert_with(|| "some of its frames have a form of their own".to_owned());
                *self = own;
                return true;
            }
        }
        false
    }

    fn set_frames(&mut self, set: impl Fn(&mut Frames, Template), template: &str) {
        if let Ok(template) = template.parse() {
            set(self.dialect.frames.get_or_insert_with(Box::default), template);
        }
    }
}

/// A frame without its time, which was not sent.
pub(super) fn without_extras(mut value: Value) -> Value {
    if let Value::Object(members) = &mut value {
        members
            .retain(|_, member| member.as_str().is_none_or(|text| protocol::Timestamp::parse(text).is_err()));
    }
    value
}

/// A frame as a comment shows it: on one line.
pub(super) fn shown(text: &str) -> String {
    let plain: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(SHOWN).collect();
    if plain.chars().count() < text.chars().count() { format!("{plain}…") } else { plain }
}
