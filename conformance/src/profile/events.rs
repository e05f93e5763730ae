//! How events come to a gateway: `[events]` is one shape for all of them, `[[event]]` describes each. The default is the seed's.

mod body;
mod shape;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use protocol::Dialect;
pub use scenarios::Audience;
use scenarios::scenario::{GatewayAction, GatewayScript, Publication};
use scenarios::{Audiences, NotPlayed};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::amqp::{Exchange, ExchangeType, Outgoing};
pub use body::BodyError;
pub(super) use shape::EventShape;
use table::EventTable;
pub(super) use table::RawEvent;

/// How events come to a gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EventsProfile {
    form: Form,
    /// The key of an event's data that names its owner, where an event has none of its own: `dialect.user_key`.
    user_key: String,
    /// The audiences for which there are none, by `claims.without`.
    absent: BTreeSet<Audience>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Form {
    Shape(EventShape),
    Table(EventTable),
}

/// Why events cannot come as described.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EventsError {
    /// Both forms at once.
    #[error(
        "`[events]` and `[[event]]` exclude each other: one is a shape for all events, the other describes each"
    )]
    TwoForms,
    /// Types could not be distinguished.
    #[error(
        "event types could not be told apart: `events.routing_key` has no `{{key}}`, such as `payments.{{key}}`, and `events.body` \
         neither `{{type}}` nor `{{key}}`"
    )]
    Indistinct,
    /// A name is given to no event type of scenarios.
    #[error("`events.names` has {0:?}, which no scenario uses; there are {types}", types = types().join(", "))]
    UnknownType(String),
    /// A name that cannot be written into a scenario.
    #[error("`{place}`: {name:?} is no name: letters, digits and `:._-/`")]
    Name {
        /// Where it stands.
        place: &'static str,
        /// The name.
        name: String,
    },
    /// Two types could not be distinguished by clients.
    #[error("two event types are called {0:?}")]
    SameName(String),
    /// Two types could not be distinguished by the gateway.
    #[error("`{0}` and `{1}` come through the same exchange, under the same key, in the same body")]
    SameWay(String, String),
    /// More events than scenarios use.
    #[error(
        "scenarios use no more than {most} events for {audience}; `{kind}` is one too many: leave it out"
    )]
    TooMany {
        /// Whom they are for.
        audience: Audience,
        /// How many there can be.
        most: usize,
        /// The first that is not used.
        kind: String,
    },
    /// Audiences that no event has together.
    #[error("an event is not for {0:?} and {1:?}: beside [\"owner\", \"role\"] it has one audience")]
    TwoAudiences(&'static str, &'static str),
    /// A room of an event that has none.
    #[error("`room` goes with an event for subscribers: {0:?} is for {1}")]
    Room(String, Audience),
    /// An event for an audience that is not claimed.
    #[error("an event is for {0}, and `claims.without` says that there is none: take one of both away")]
    Unclaimed(Audience),
    /// One exchange is declared in two ways.
    #[error("`[[event]]`: the exchange `{0}` has two types")]
    TwoTypes(String),
    /// A body that cannot be filled.
    #[error("{place} {reason}")]
    Body {
        /// Where it stands.
        place: String,
        /// What is wrong with it.
        reason: BodyError,
    },
}

/// An exchange, as a profile writes it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default, expecting = "a table with `name` and `type`")]
pub(super) struct ExchangeProfile {
    /// What it is called; `gateway.exchange` where nothing is said.
    name: Option<String>,
    /// How it routes.
    #[serde(rename = "type")]
    kind: ExchangeType,
}

/// How a message is published.
struct Route<'a> {
    exchange: &'a ExchangeProfile,
    routing_key: String,
    body: String,
}

/// A body as the seed has it.
const DEFAULT_BODY: &str = r#"{"type":"{type}","data":"{data}"}"#;

impl Default for EventsProfile {
    fn default() -> Self {
        let (form, user_key) = (Form::Shape(EventShape::default()), Dialect::default().user_key);
        Self { form, user_key, absent: BTreeSet::new() }
    }
}

impl EventsProfile {
    /// Checks that events can be told apart.
    pub(super) fn check(
        shape: Option<EventShape>,
        table: Option<Vec<RawEvent>>,
        user_key: &str,
    ) -> Result<Self, EventsError> {
        let form = match (shape, table) {
            (Some(_), Some(_)) => return Err(EventsError::TwoForms),
            (None, Some(table)) => Form::Table(EventTable::check(table)?),
            (shape, None) => {
                let shape = shape.unwrap_or_default();
                shape.check()?;
                Form::Shape(shape)
            }
        };
        Ok(Self { form, user_key: user_key.to_owned(), absent: BTreeSet::new() })
    }

    /// The same, where there is none for these audiences.
    pub(super) fn without(mut self, absent: BTreeSet<Audience>) -> Result<Self, EventsError> {
        if let Form::Table(table) = &self.form
            && let Some(audience) =
                absent.iter().find(|audience| table.audiences().of(**audience).next().is_some())
        {
            return Err(EventsError::Unclaimed(*audience));
        }
        self.absent = absent;
        Ok(self)
    }

    /// Whether events are the seed's, and so its rooms.
    pub fn has_seed_rooms(&self) -> bool {
        matches!(self.form, Form::Shape(_))
    }

    /// What event types are called, where that is not what scenarios call them.
    pub fn names(&self) -> BTreeMap<String, String> {
        match &self.form {
            Form::Shape(shape) => shape.names.clone(),
            Form::Table(table) => table.names(),
        }
    }

    /// The rooms of events for subscribers, by the types that scenarios use, where they have names of their own.
    pub fn rooms(&self) -> BTreeMap<String, String> {
        match &self.form {
            Form::Shape(_) => BTreeMap::new(),
            Form::Table(table) => table.rooms(),
        }
    }

    /// Which events there are, and for whom.
    pub fn audiences(&self) -> Audiences {
        let audiences = match &self.form {
            Form::Shape(_) => Audiences::default(),
            Form::Table(table) => table.audiences(),
        };
        audiences.without(self.absent.iter().copied())
    }

    /// The keys of events' data that name their owners, by the types that scenarios use, where an event has one of its own.
    pub fn owner_keys(&self) -> BTreeMap<String, String> {
        match &self.form {
            Form::Shape(_) => BTreeMap::new(),
            Form::Table(table) => table.owner_keys(),
        }
    }

    /// Why a scenario's events cannot be published, if so: an audience has no such event.
    pub fn lacks(&self, script: &GatewayScript) -> Option<NotPlayed> {
        script.steps.iter().find_map(|step| match &step.action {
            GatewayAction::Publish { publication, optional: false, .. } => self.lacks_of(publication),
            _ => None,
        })
    }

    /// As [`Self::lacks`], of one publication.
    pub fn lacks_of(&self, publication: &Publication) -> Option<NotPlayed> {
        let (kind, is_body) = match publication {
            Publication::Events { kind, .. } => (kind.clone(), false),
            // What is no event comes as one would, whichever there is.
            Publication::Body { body, .. } => (parsed(body)?.0, true),
            Publication::Addressed { .. } => return None,
        };
        if self.declares(&kind) {
            return None;
        }
        match (Audience::of(&kind), &self.form) {
            (Some((audience, place)), _) => {
                let which = ["", " second", " third", " fourth"][place];
                let why = format!("the profile declares no{which} event for {audience}");
                Some(self.audiences().gap([audience], why))
            }
            (None, Form::Shape(_)) => None,
            (None, Form::Table(table)) if is_body || table.calls(&kind) => None,
            (None, Form::Table(_)) => {
                Some(NotPlayed::undeclared(format!("the profile declares no event `{kind}`")))
            }
        }
    }

    /// Whether a type that scenarios use can be published.
    pub fn declares(&self, kind: &str) -> bool {
        self.audiences().declares(kind)
    }

    /// A type that can be published, as scenarios call it.
    pub fn any_type(&self) -> Option<&'static str> {
        types().into_iter().find(|kind| self.declares(kind))
    }

    /// The exchanges that events come through, each once, where the gateway's own is called so.
    ///
    /// # Errors
    /// When one has two types.
    pub fn exchanges(&self, own: &str) -> Result<Vec<Exchange>, EventsError> {
        let described: Vec<&ExchangeProfile> = match &self.form {
            Form::Shape(shape) => vec![&shape.exchange],
            Form::Table(table) => table.exchanges().collect(),
        };
        let mut exchanges = Vec::<Exchange>::new();
        for ExchangeProfile { name, kind } in described {
            let name = name.as_deref().unwrap_or(own);
            match exchanges.iter().find(|known| known.name == name) {
                Some(known) if known.kind != *kind => return Err(EventsError::TwoTypes(name.to_owned())),
                Some(_) => {}
                None => exchanges.push(Exchange { name: name.to_owned(), kind: *kind }),
            }
        }
        Ok(exchanges)
    }

    /// Whether all events come through the gateway's own exchange, whatever that is called.
    pub fn uses_own_exchange_only(&self) -> bool {
        match &self.form {
            Form::Shape(shape) => shape.exchange.name.is_none(),
            Form::Table(table) => table.exchanges().all(|exchange| exchange.name.is_none()),
        }
    }

    /// How what a scenario publishes is published, where the gateway's own exchange is called so; scenarios are bound to
    /// [`Self::names`] already.
    pub fn outgoing(&self, own: &str, routing_key: &str, body: &str) -> Outgoing {
        let route = match &self.form {
            Form::Shape(shape) => Some(shape.route(routing_key, body, &self.user_key)),
            Form::Table(table) => table.route(routing_key, body, &self.user_key),
        };
        match route {
            Some(Route { exchange, routing_key, body }) => {
                let exchange = exchange.name.as_deref().unwrap_or(own).to_owned();
                Outgoing { exchange, routing_key, body }
            }
            // An empty table publishes nothing.
            None => Outgoing {
                exchange: own.to_owned(),
                routing_key: routing_key.to_owned(),
                body: body.to_owned(),
            },
        }
    }
}

/// Type and data of what is an event, as scenarios word it.
fn parsed(body: &str) -> Option<(String, Value)> {
    let mut event: Value = serde_json::from_str(body).ok()?;
    let kind = event.get("type")?.as_str()?.to_owned();
    Some((kind, event.get_mut("data")?.take()))
}

/// Whether it can be written into a scenario.
pub(crate) fn is_name(name: &str) -> bool {
    let plain = |character: char| character.is_alphanumeric() || ":._-/".contains(character);
    !name.is_empty() && name.chars().all(plain)
}

/// The event types that scenarios use, as they call them, in alphabetical order.
fn types() -> Vec<&'static str> {
    let mut types: Vec<_> = Audience::ALL.into_iter().flat_map(Audience::types).copied().collect();
    types.sort_unstable();
    types
}
