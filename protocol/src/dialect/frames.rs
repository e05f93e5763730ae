//! Frames of a form of their own, where a gateway does not use the seed's envelope.
//!
//! ```text
//!  names and payloads of the dialect ──► Parts ◄──[ Template ]──► text frame
//! ```

mod check;
mod form;
mod read;
mod write;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Dialect;
use super::template::{Part, Template};
use form::{CLIENT, Form, SERVER};

/// The form of each frame. A message that has no template of its own has that of `message`, with its name as the type and its
/// payload as the dialect has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table of templates, such as `message`, `event` and `error`"
)]
pub struct Frames {
    /// Whatever has none of its own.
    pub message: Template,
    /// An event.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub event: Option<Template>,
    /// The first message of a connection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub welcome: Option<Template>,
    /// A refused request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<Template>,
    /// A request to join.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscribe: Option<Template>,
    /// A request to leave.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsubscribe: Option<Template>,
    /// What grants the one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscribed: Option<Template>,
    /// What grants the other.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unsubscribed: Option<Template>,
    /// A ping message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping: Option<Template>,
    /// Its answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pong: Option<Template>,
    /// A gateway's ping message, where it has another form than a client's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_ping: Option<Template>,
    /// A client's answer to it, where it has another form than a gateway's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub heartbeat_pong: Option<Template>,
    /// What else a gateway may send that is part of its protocol and says nothing here. It counts as an event of no one's.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub ignored: Vec<Template>,
}

/// What a message is known by.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Ids<'a> {
    /// Its own name, or that of the request that it answers.
    pub(super) id: Option<&'a str>,
    /// The same, where the connection counts.
    pub(super) reference: Option<&'a str>,
    /// The reference of the subscription that it belongs to.
    pub(super) subscription: Option<&'a str>,
}

impl Default for Frames {
    fn default() -> Self {
        let envelope = r#"{"type":"{type}","payload":"{payload}","timestamp":"{timestamp}","id":"{id}"}"#;
        Self {
            message: envelope.parse().expect("the seed's envelope is a template"),
            event: None,
            welcome: None,
            error: None,
            subscribe: None,
            unsubscribe: None,
            subscribed: None,
            unsubscribed: None,
            ping: None,
            pong: None,
            heartbeat_ping: None,
            heartbeat_pong: None,
            ignored: Vec::new(),
        }
    }
}

impl Frames {
    /// The template that a form has of its own.
    fn own(&self, form: Form) -> Option<&Template> {
        match form {
            Form::Ping => self.ping.as_ref(),
            Form::Pong => self.pong.as_ref(),
            Form::HeartbeatPing => self.heartbeat_ping.as_ref().or(self.ping.as_ref()),
            Form::HeartbeatPong => self.heartbeat_pong.as_ref().or(self.pong.as_ref()),
            Form::Subscribe => self.subscribe.as_ref(),
            Form::Unsubscribe => self.unsubscribe.as_ref(),
            Form::Subscribed => self.subscribed.as_ref(),
            Form::Unsubscribed => self.unsubscribed.as_ref(),
            Form::Welcome => self.welcome.as_ref(),
            Form::Error => self.error.as_ref(),
            Form::Event => self.event.as_ref(),
            Form::Other => None,
        }
    }

    fn template(&self, form: Form) -> &Template {
        self.own(form).unwrap_or(&self.message)
    }

    /// The key of the template that a form has.
    fn key(&self, form: Form) -> &'static str {
        if self.own(form).is_some() { self.word(form) } else { Form::Other.name() }
    }

    /// What a form is called: a heartbeat's ping without a form of its own is a ping.
    fn word(&self, form: Form) -> &'static str {
        match form {
            Form::HeartbeatPing if self.heartbeat_ping.is_none() => Form::Ping.name(),
            Form::HeartbeatPong if self.heartbeat_pong.is_none() => Form::Pong.name(),
            _ => form.name(),
        }
    }

    /// Whether any message is known by an earlier request that it refers to.
    pub(super) fn has_references(&self) -> bool {
        let refers = |form| self.template(form).has(Part::Subscription);
        SERVER.into_iter().any(|form| self.answers_by_reference(form) || refers(form))
            || CLIENT.into_iter().any(refers)
    }

    /// Whether an event says to which subscription it belongs.
    pub(super) fn names_subscriptions(&self) -> bool {
        self.template(Form::Event).has(Part::Subscription)
    }

    /// Whether frames of this form are known by the request that they refer to.
    fn answers_by_reference(&self, form: Form) -> bool {
        matches!(form, Form::Pong | Form::Subscribed | Form::Unsubscribed)
            && self.template(form).has(Part::Ref)
    }
}

impl Dialect {
    /// What messages of a form are called; an event and what applications send have names of their own.
    fn name(&self, form: Form) -> Option<&str> {
        Some(match form {
            Form::Ping => &self.ping,
            Form::Pong => &self.pong,
            Form::HeartbeatPing => self.heartbeat_ping(),
            Form::HeartbeatPong => self.heartbeat_pong(),
            Form::Subscribe => &self.requests.subscribe,
            Form::Unsubscribe => &self.requests.unsubscribe,
            Form::Subscribed => &self.requests.subscribed,
            Form::Unsubscribed => &self.requests.unsubscribed,
            Form::Welcome => return self.welcome_type(),
            Form::Error => &self.error,
            Form::Event | Form::Other => return None,
        })
    }
}
