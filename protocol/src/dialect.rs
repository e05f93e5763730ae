//! How a particular implementation spells the messages: names and shapes as data, so that no code knows a product.

mod builtin;
mod closes;
mod error;
mod error_codes;
mod frames;
mod heartbeat;
mod names;
mod opening;
mod pending;
mod refusal;
mod sign_in;
mod template;
mod token_place;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::envelope::Envelope;
use crate::message::{ClientMessage, ServerMessage};
use crate::{CloseCode, Timestamp};
use frames::Ids;

pub use closes::ErrorCloses;
pub use error::{DecodeError, DialectError};
pub use error_codes::ErrorCodes;
pub use frames::Frames;
pub use heartbeat::{Heartbeat, HeartbeatNames};
pub use names::{RequestNames, SubscriptionKeys};
pub use opening::{Opener, Opening};
pub use pending::PendingRequests;
pub use refusal::Refusal;
pub use sign_in::{SignIn, SignInAnswer};
pub use template::{Template, TemplateError};
pub use token_place::{TokenPlace, TokenPlaceError};

/// The spelling of the wire. The default is the seed's; a file gives a built-in one's name, or only what differs from the default.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(remote = "Self", deny_unknown_fields, default)]
pub struct Dialect {
    /// How events are wrapped.
    pub events: EventStyle,
    /// What requests and their acknowledgements are called.
    pub requests: RequestNames,
    /// Keys in the payload of `subscribe` and `unsubscribe`.
    pub subscribe: SubscriptionKeys,
    /// Keys in the payload of `subscribed` and `unsubscribed`.
    pub acknowledge: SubscriptionKeys,
    /// Whether `subscribed` and `unsubscribed` are sent at all.
    pub acks: bool,
    /// The first message of a connection.
    pub welcome: Welcome,
    /// The type of a ping message.
    pub ping: String,
    /// The type of its answer.
    pub pong: String,
    /// The type of an error message.
    pub error: String,
    /// The codes of error messages.
    pub errors: ErrorCodes,
    /// Whether there are error messages at all.
    pub error_messages: bool,
    /// What closes the connection, where others answer by an error.
    #[serde(skip_serializing_if = "ErrorCloses::is_empty")]
    pub closes: ErrorCloses,
    /// How the gateway pings its clients.
    pub heartbeat: Heartbeat,
    /// Where the token travels.
    pub token: TokenPlace,
    /// The `Sec-WebSocket-Protocol` that clients offer and the gateway agrees to, beside a token that travels elsewhere.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subprotocol: Option<String>,
    /// How a client signs in whose token travels in its first message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<Box<SignIn>>,
    /// What a client sends as soon as it is connected, or signed in.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub opening: Vec<Opening>,
    /// How a refused token looks.
    pub refusal: Refusal,
    /// How those are answered for whom there is no place (CONN-7), where that is neither HTTP 503 nor a close with 1013. One gateway may
    /// have several answers: before the upgrade, and once it knows who is asking.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub over_limit: Vec<Refusal>,
    /// The payload key that names an event's owner.
    pub user_key: String,
    /// The form of each frame, where it is not the seed's envelope.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<Box<Frames>>,
}

/// How events are wrapped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EventStyle {
    /// `{"type":"payment:updated","payload":D}`
    Typed,
    /// `{"type":"event","payload":{"eventType":"payment:updated","data":D}}`
    Enveloped,
}

/// The first message of a connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`welcome` is `true`, `false`, or the type of the first message")]
pub enum Welcome {
    /// `true`: its type is `connection:established`; `false`: there is none.
    Sent(bool),
    /// It has this type.
    Named(String),
}

/// A message and the `id` that its envelope carried.
#[derive(Debug, Clone, PartialEq)]
pub struct Decoded<M> {
    /// The message.
    pub message: M,
    /// The request's name, echoed by its answer.
    pub id: Option<String>,
}

const EVENT: &str = "event";
const WELCOME: &str = "connection:established";

impl Dialect {
    /// Checks that every message can be distinguished from every other.
    ///
    /// # Errors
    /// Names the first key or name that cannot be used.
    pub fn check(&self) -> Result<(), DialectError> {
        self.check_sign_in()?;
        self.check_subprotocol()?;
        self.check_refusal()?;
        self.check_opening()?;
        let keys = [
            ("ping", &self.ping),
            ("pong", &self.pong),
            ("error", &self.error),
            ("user_key", &self.user_key),
            ("requests.subscribe", &self.requests.subscribe),
            ("requests.unsubscribe", &self.requests.unsubscribe),
            ("requests.subscribed", &self.requests.subscribed),
            ("requests.unsubscribed", &self.requests.unsubscribed),
            ("subscribe.event_type", &self.subscribe.event_type),
            ("subscribe.room", &self.subscribe.room),
            ("acknowledge.event_type", &self.acknowledge.event_type),
            ("acknowledge.room", &self.acknowledge.room),
        ];
        if let Some((key, _)) = keys.iter().find(|(_, name)| name.is_empty()) {
            return Err(DialectError::Empty { key });
        }
        self.check_heartbeat()?;
        if let Some(code) = self.errors.is_empty_for() {
            return Err(DialectError::EmptyCode { code });
        }
        let RequestNames { subscribe, unsubscribe, subscribed, unsubscribed } = &self.requests;
        let mut names: Vec<&str> =
            vec![subscribe, unsubscribe, subscribed, unsubscribed, &self.ping, &self.pong, &self.error];
        names.extend(self.welcome_type());
        names.sort_unstable();
        match names.windows(2).find(|pair| pair[0] == pair[1]) {
            Some(pair) => Err(DialectError::Ambiguous { name: pair[0].to_owned() }),
            None => self.frames.as_ref().map_or(Ok(()), |frames| frames.check(self)),
        }
    }

    /// The type of the welcome, where there is one.
    pub fn welcome_type(&self) -> Option<&str> {
        match &self.welcome {
            Welcome::Sent(true) => Some(WELCOME),
            Welcome::Sent(false) => None,
            Welcome::Named(name) => Some(name),
        }
    }

    /// Whether messages are known by the requests that they refer to, so that [`PendingRequests`] must be kept.
    pub fn has_references(&self) -> bool {
        self.frames.as_ref().is_some_and(|frames| frames.has_references())
    }

    /// Whether an event says to which subscription it belongs, so that it is another frame for each connection.
    pub fn names_subscriptions(&self) -> bool {
        self.frames.as_ref().is_some_and(|frames| frames.names_subscriptions())
    }

    /// Writes a client's message as one text frame.
    pub fn encode_client(&self, message: &ClientMessage, timestamp: Timestamp) -> String {
        self.encode_request(message, timestamp, None, None)
    }

    /// As [`Self::encode_client`], under a reference and with that of the subscription which it is about; only templates have places for
    /// these.
    pub fn encode_request(
        &self,
        message: &ClientMessage,
        timestamp: Timestamp,
        reference: Option<&str>,
        subscription: Option<&str>,
    ) -> String {
        if let Some(frames) = &self.frames {
            let ids = Ids { id: None, reference, subscription };
            return frames.write_client(self, message, Some(timestamp), ids);
        }
        let (kind, payload) = match message {
            ClientMessage::Ping => (self.ping.as_str(), Value::Null),
            ClientMessage::Pong => (self.heartbeat_pong(), Value::Null),
            ClientMessage::Subscribe(target) => {
                (self.requests.subscribe.as_str(), self.subscribe.payload(target))
            }
            ClientMessage::Unsubscribe(target) => {
                (self.requests.unsubscribe.as_str(), self.subscribe.payload(target))
            }
            ClientMessage::Other { kind, payload } => (kind.as_str(), payload.clone()),
        };
        Envelope { kind: kind.to_owned(), payload, timestamp: Some(timestamp), id: None }.encode()
    }

    /// Reads a client's text frame.
    ///
    /// # Errors
    /// When it is not a message, or a subscription that names nothing; the error's [`DecodeError::code`] is the answer.
    pub fn decode_client(&self, text: &str) -> Result<Decoded<ClientMessage>, DecodeError> {
        self.decode_request(text, None)
    }

    /// As [`Self::decode_client`]; what refers to a subscription is about one of these.
    ///
    /// # Errors
    /// As [`Self::decode_client`], and when it refers to none.
    pub fn decode_request(
        &self,
        text: &str,
        pending: Option<&PendingRequests>,
    ) -> Result<Decoded<ClientMessage>, DecodeError> {
        if let Some(frames) = &self.frames {
            return frames.read_client(self, text, pending);
        }
        let Envelope { kind, payload, id, .. } = Envelope::decode(text)?;
        let message = match kind.as_str() {
            name if name == self.ping => ClientMessage::Ping,
            name if name == self.heartbeat_pong() => ClientMessage::Pong,
            name if name == self.requests.subscribe => {
                ClientMessage::Subscribe(self.subscribe.target(&payload, &kind, &id)?)
            }
            name if name == self.requests.unsubscribe => {
                ClientMessage::Unsubscribe(self.subscribe.target(&payload, &kind, &id)?)
            }
            _ => ClientMessage::Other { kind, payload },
        };
        Ok(Decoded { message, id })
    }

    /// A client's frame that is written in the seed's envelope as this dialect has it, under a reference where there is one; any other text stays as it is.
    pub fn respell(&self, text: &str, reference: Option<&str>) -> String {
        let envelope = self.frames.as_ref().and_then(|frames| Some((frames, Envelope::decode(text).ok()?)));
        envelope
            .map_or_else(|| text.to_owned(), |(frames, envelope)| frames.respell(self, &envelope, reference))
    }

    /// How the form of a gateway's frame is, where this dialect has forms of its own: sound, or what is wrong (MSG-1).
    pub fn form(&self, text: &str, pending: Option<&PendingRequests>) -> Option<Result<(), String>> {
        let frames = self.frames.as_ref()?;
        Some(frames.problem(self, text, pending).map_or(Ok(()), Err))
    }

    /// Writes a gateway's message as one text frame; `id` is that of the request it answers.
    pub fn encode_server(&self, message: &ServerMessage, timestamp: Timestamp, id: Option<&str>) -> String {
        if let Some(frames) = &self.frames {
            return frames.write_server(self, message, timestamp, id);
        }
        let (kind, payload) = match message {
            ServerMessage::Ping => (self.heartbeat_ping(), Value::Null),
            ServerMessage::Pong => (self.pong.as_str(), Value::Null),
            ServerMessage::Welcome { user_id, rooms } => {
                (self.welcome_type().unwrap_or(WELCOME), json!({ "userId": user_id, "rooms": rooms }))
            }
            ServerMessage::Subscribed(target) => {
                (self.requests.subscribed.as_str(), self.acknowledge.payload(target))
            }
            ServerMessage::Unsubscribed(target) => {
                (self.requests.unsubscribed.as_str(), self.acknowledge.payload(target))
            }
            ServerMessage::Error { code, message } => {
                (self.error.as_str(), self.error_payload(code, message))
            }
            ServerMessage::Event { name, payload } => return self.encode_event(name, payload, timestamp),
        };
        let id = id.map(str::to_owned);
        Envelope { kind: kind.to_owned(), payload, timestamp: Some(timestamp), id }.encode()
    }

    fn error_payload(&self, code: &str, message: &str) -> Value {
        match self.errors.spelled(code) {
            Some(code) => json!({ "code": code, "message": message }),
            None => json!({ "message": message }),
        }
    }

    /// Writes an event as it comes by a subscription: its reference and its room, which only templates have places for.
    pub fn encode_event_by(
        &self,
        name: &str,
        data: &Value,
        timestamp: Timestamp,
        subscription: Option<(&str, &str)>,
    ) -> String {
        match &self.frames {
            Some(frames) => frames.write_event(self, name, data.clone(), timestamp, subscription),
            None => self.encode_event(name, data, timestamp),
        }
    }

    /// Writes an event as one text frame. `data` is anything that serializes, so that a gateway can pass the broker's
    /// bytes through as raw JSON without building a tree.
    pub fn encode_event(&self, name: &str, data: &impl Serialize, timestamp: Timestamp) -> String {
        if let Some(frames) = &self.frames {
            let data = serde_json::to_value(data).expect("event data has string keys");
            return frames.write_event(self, name, data, timestamp, None);
        }
        let text = match self.events {
            EventStyle::Typed => {
                serde_json::to_string(&Typed { kind: name, payload: data, timestamp: timestamp.to_string() })
            }
            EventStyle::Enveloped => serde_json::to_string(&Typed {
                kind: EVENT,
                payload: &Enveloped { event_type: name, data },
                timestamp: timestamp.to_string(),
            }),
        };
        text.expect("event data has string keys")
    }

    /// Reads a gateway's text frame.
    ///
    /// # Errors
    /// When it is not a message of this dialect. What only looks unfamiliar is an event under its own type.
    pub fn decode_server(&self, text: &str) -> Result<Decoded<ServerMessage>, DecodeError> {
        self.decode_answer(text, None)
    }

    /// As [`Self::decode_server`]; what refers to a request answers one of these. Without them, the first answer that it can be is
    /// what it is.
    ///
    /// # Errors
    /// As [`Self::decode_server`], and when it answers no request.
    pub fn decode_answer(
        &self,
        text: &str,
        pending: Option<&PendingRequests>,
    ) -> Result<Decoded<ServerMessage>, DecodeError> {
        if let Some(frames) = &self.frames {
            return frames.read_server(self, text, pending);
        }
        let Envelope { kind, payload, id, .. } = Envelope::decode(text)?;
        let shape = || DecodeError::Payload { kind: kind.clone() };
        let message = match kind.as_str() {
            name if name == self.heartbeat_ping() => ServerMessage::Ping,
            name if name == self.pong => ServerMessage::Pong,
            name if name == self.error => ServerMessage::Error {
                code: payload.get("code").and_then(|code| self.errors.read(code)).unwrap_or_default(),
                message: text_of(&payload, "message").unwrap_or_default(),
            },
            name if Some(name) == self.welcome_type() => ServerMessage::Welcome {
                user_id: payload.get("userId").and_then(template::as_text).ok_or_else(shape)?,
                rooms: serde_json::from_value(payload["rooms"].clone()).map_err(|_| shape())?,
            },
            name if name == self.requests.subscribed => {
                ServerMessage::Subscribed(self.acknowledge.target(&payload, &kind, &id)?)
            }
            name if name == self.requests.unsubscribed => {
                ServerMessage::Unsubscribed(self.acknowledge.target(&payload, &kind, &id)?)
            }
            EVENT if self.events == EventStyle::Enveloped => ServerMessage::Event {
                name: text_of(&payload, "eventType").ok_or_else(shape)?,
                payload: payload.get("data").cloned().unwrap_or_default(),
            },
            _ => ServerMessage::Event { name: kind, payload },
        };
        Ok(Decoded { message, id })
    }
}

impl Default for Dialect {
    fn default() -> Self {
        Self {
            events: EventStyle::Typed,
            requests: RequestNames::default(),
            subscribe: SubscriptionKeys::default(),
            acknowledge: SubscriptionKeys::default(),
            acks: true,
            welcome: Welcome::Sent(true),
            ping: "ping".to_owned(),
            pong: "pong".to_owned(),
            error: "error".to_owned(),
            errors: ErrorCodes::default(),
            error_messages: true,
            closes: ErrorCloses::default(),
            heartbeat: Heartbeat::Control,
            token: TokenPlace::Query,
            subprotocol: None,
            sign_in: None,
            opening: Vec::new(),
            refusal: Refusal::UNAUTHORIZED,
            over_limit: Vec::new(),
            user_key: "userId".to_owned(),
            frames: None,
        }
    }
}

/// An event's envelope with borrowed parts; [`Envelope`] would own them.
#[derive(Serialize)]
struct Typed<'a, T: Serialize> {
    #[serde(rename = "type")]
    kind: &'a str,
    payload: &'a T,
    timestamp: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Enveloped<'a, T: Serialize> {
    event_type: &'a str,
    data: &'a T,
}

fn text_of(payload: &Value, key: &str) -> Option<String> {
    payload.get(key)?.as_str().map(str::to_owned)
}

#[cfg(test)]
mod tests;
