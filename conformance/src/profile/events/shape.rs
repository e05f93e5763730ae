//! `[events]`: one shape for all events.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;

use super::body::{BodyTemplate, KEY, TYPE, USER, check_text, fill_user};
use super::{DEFAULT_BODY, EventsError, ExchangeProfile, Route, is_name, parsed, types};

/// The shape of what is published.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table, such as `[events]` with a `body`")]
pub(in crate::profile) struct EventShape {
    /// The exchange.
    pub(super) exchange: ExchangeProfile,
    /// The routing key; `{key}` is the event's type with dots for colons, such as `payment.created`, and `{user}` the user whom its data
    /// names.
    routing_key: String,
    /// What event types are called, where that is not what scenarios call them: `payment:created` may be
    /// `PaymentCreated`. So they are called everywhere, by the broker and by clients.
    pub(super) names: BTreeMap<String, String>,
    /// The body, as JSON: the text `"{data}"` in it is the event's data, `"{user}"` the user whom that names; `{key}`, `{type}` and `{user}`
    /// may stand within texts.
    body: String,
}

impl Default for EventShape {
    fn default() -> Self {
        Self {
            exchange: ExchangeProfile::default(),
            routing_key: KEY.to_owned(),
            names: BTreeMap::new(),
            body: DEFAULT_BODY.to_owned(),
        }
    }
}

impl EventShape {
    /// Checks that events can be distinguished.
    pub(super) fn check(&self) -> Result<(), EventsError> {
        for (kind, name) in &self.names {
            if !types().contains(&kind.as_str()) {
                return Err(EventsError::UnknownType(kind.clone()));
            }
            if !is_name(name) {
                return Err(EventsError::Name { place: "events.names", name: name.clone() });
            }
        }
        let mut used = BTreeSet::new();
        let names = types().into_iter().map(|kind| self.names.get(kind).map_or(kind, String::as_str));
        if let Some(twice) = names.into_iter().find(|name| !used.insert(*name)) {
            return Err(EventsError::SameName(twice.to_owned()));
        }
        let place = || "`events.routing_key`".to_owned();
        check_text(&self.routing_key).map_err(|reason| EventsError::Body { place: place(), reason })?;
        let body = self.template()?;
        match self.routing_key.contains(KEY) || body.tells_types_apart() {
            true => Ok(()),
            false => Err(EventsError::Indistinct),
        }
    }

    fn unshaped(&self, body: &str) -> String {
        match self.template() {
            Ok(template) if parsed(body).is_none() => template.poisoned(body),
            _ => body.to_owned(),
        }
    }

    fn template(&self) -> Result<BodyTemplate, EventsError> {
        BodyTemplate::parse(&self.body)
            .map_err(|reason| EventsError::Body { place: "`events.body`".to_owned(), reason })
    }

    /// How what scenarios publish is published. What is no event, and is meant to be none, keeps its body.
    pub(super) fn route(&self, routing_key: &str, body: &str, user_key: &str) -> Route<'_> {
        let shaped = || {
            let (kind, data) = parsed(body).filter(|_| self.body != DEFAULT_BODY)?;
            Some(self.template().ok()?.fill(&kind, &data, user_key))
        };
        Route {
            exchange: &self.exchange,
            routing_key: {
                let event = parsed(body).filter(|_| self.routing_key.contains(USER));
                let owner = event.as_ref().and_then(|(_, data)| data.get(user_key));
                let key = self.routing_key.replace(KEY, routing_key);
                fill_user(&key.replace(TYPE, &routing_key.replace('.', ":")), owner)
            },
            body: shaped().unwrap_or_else(|| self.unshaped(body)),
        }
    }
}
