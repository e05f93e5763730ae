//! `[[event]]`: each event of a gateway, whom it is for, and how it comes.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use super::body::{BodyTemplate, KEY, check_text, fill_text, fill_user};
use super::{Audience, Audiences, DEFAULT_BODY, EventsError, ExchangeProfile, Route, is_name, parsed, types};

/// One event, as a profile writes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, such as `[[event]]` with `for` and `type`")]
pub(in crate::profile) struct RawEvent {
    /// Whom it is for.
    #[serde(rename = "for")]
    audience: RawAudience,
    /// What clients see.
    #[serde(rename = "type")]
    kind: String,
    /// The exchange.
    #[serde(default)]
    exchange: ExchangeProfile,
    /// The routing key. `{key}` in it is the type with dots for colons, `{type}` the type, `{user}` the user whom the event's data names.
    /// Usually `{key}`.
    #[serde(default = "any_key")]
    routing_key: String,
    /// The body, as JSON: the text `"{data}"` in it is the event's data, `"{user}"` the user whom that names; `{key}`, `{type}` and `{user}`
    /// may stand within texts. Usually `{"type":"{type}","data":"{data}"}`.
    #[serde(default = "usual_body")]
    body: String,
    /// The key of its data that names its owner, where that is not `dialect.user_key`.
    #[serde(default)]
    owner_key: Option<String>,
    /// The room that its subscribers join, where that is not called like its type.
    #[serde(default)]
    room: Option<String>,
}

/// Whom an event is for, as a profile writes it.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "`for` is one of \"everybody\", \"owner\", \"named\", \"role\", \"subscribers\", or [\"owner\", \"role\"]"
)]
enum RawAudience {
    One(Audience),
    Both([Audience; 2]),
}

impl RawAudience {
    /// The audience, and whether administrators are of it as well.
    fn check(&self) -> Result<(Audience, bool), EventsError> {
        match self {
            Self::One(audience) => Ok((*audience, false)),
            Self::Both([Audience::Owner, Audience::Role] | [Audience::Role, Audience::Owner]) => {
                Ok((Audience::Owner, true))
            }
            Self::Both([one, other]) => Err(EventsError::TwoAudiences(one.word(), other.word())),
        }
    }
}

/// The events of a gateway, by the names that scenarios have for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct EventTable(BTreeMap<&'static str, DeclaredEvent>);

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct DeclaredEvent {
    /// What clients see.
    kind: String,
    pub(super) exchange: ExchangeProfile,
    /// With its type in it; the user is filled in as it is published.
    routing_key: String,
    body: BodyTemplate,
    owner_key: Option<String>,
    room: Option<String>,
    /// Whether it is for administrators as well as for its owner.
    is_shared: bool,
}

impl EventTable {
    pub(super) fn check(raw: Vec<RawEvent>) -> Result<Self, EventsError> {
        let mut events = BTreeMap::<_, DeclaredEvent>::new();
        for RawEvent { audience, kind, exchange, routing_key, body, owner_key, room } in raw {
            if !is_name(&kind) {
                return Err(EventsError::Name { place: "event.type", name: kind });
            }
            let body = BodyTemplate::parse(&body)
                .map_err(|reason| EventsError::Body { place: format!("the `body` of `{kind}`"), reason })?;
            check_text(&routing_key).map_err(|reason| EventsError::Body {
                place: format!("the `routing_key` of `{kind}`"),
                reason,
            })?;
            let routing_key = fill_text(&routing_key, &kind);
            let (audience, is_shared) = audience.check()?;
            if room.is_some() && audience != Audience::Subscribers {
                return Err(EventsError::Room(kind, audience));
            }
            let event = DeclaredEvent { routing_key, kind, exchange, body, owner_key, room, is_shared };
            if let Some(other) = events.values().find(|other| other.kind == event.kind) {
                return Err(EventsError::SameName(other.kind.clone()));
            }
            if let Some(other) = events.values().find(|other| event.comes_like(other)) {
                return Err(EventsError::SameWay(other.kind.clone(), event.kind));
            }
            let Some(free) = audience.types().iter().find(|known| !events.contains_key(**known)) else {
                return Err(EventsError::TooMany {
                    audience,
                    most: audience.types().len(),
                    kind: event.kind,
                });
            };
            events.insert(*free, event);
        }
        Ok(Self(events))
    }

    /// What event types are called. One that is not declared has a name that no other has.
    pub(super) fn names(&self) -> BTreeMap<String, String> {
        let is_taken = |kind: &str| self.0.values().any(|event| event.kind == kind);
        let name = |kind: &'static str| match self.0.get(kind) {
            Some(event) => event.kind.clone(),
            None if is_taken(kind) => format!("{kind}:undeclared"),
            None => kind.to_owned(),
        };
        let named = types().into_iter().map(|kind| (kind, name(kind)));
        named.filter(|(kind, name)| kind != name).map(|(kind, name)| (kind.to_owned(), name)).collect()
    }

    /// Which events there are, and for whom.
    pub(super) fn audiences(&self) -> Audiences {
        let shared = self.0.iter().filter(|(_, event)| event.is_shared).map(|(kind, _)| *kind);
        Audiences::new(self.0.keys().copied(), shared)
    }

    /// The keys of their data that name their owners, where they have their own.
    pub(super) fn owner_keys(&self) -> BTreeMap<String, String> {
        let own =
            self.0.iter().filter_map(|(kind, event)| Some(((*kind).to_owned(), event.owner_key.clone()?)));
        own.collect()
    }

    /// The rooms of events for subscribers, where they have names of their own.
    pub(super) fn rooms(&self) -> BTreeMap<String, String> {
        self.0.iter().filter_map(|(kind, event)| Some(((*kind).to_owned(), event.room.clone()?))).collect()
    }

    /// The exchanges.
    pub(super) fn exchanges(&self) -> impl Iterator<Item = &ExchangeProfile> {
        self.0.values().map(|event| &event.exchange)
    }

    /// Whether one is called so.
    pub(super) fn calls(&self, kind: &str) -> bool {
        self.0.values().any(|event| event.kind == kind)
    }

    /// How what scenarios publish is published, once it has the names that clients see. What is no event comes as one would.
    pub(super) fn route(&self, routing_key: &str, body: &str, user_key: &str) -> Option<Route<'_>> {
        let event = parsed(body);
        // Within a text, the name that scenarios use is not replaced.
        let called =
            |kind: &str| self.0.values().find(|event| event.kind == kind).or_else(|| self.0.get(kind));
        let by_kind = event.as_ref().and_then(|(kind, _)| called(kind));
        let by_key = || kind_of_key(routing_key).and_then(|kind| self.0.get(kind));
        let declared = by_kind.or_else(by_key).or_else(|| self.0.values().next())?;
        let owner_key = declared.owner_key.as_deref().unwrap_or(user_key);
        let owner = event.as_ref().and_then(|(_, data)| data.get(owner_key));
        Some(Route {
            exchange: &declared.exchange,
            routing_key: fill_user(&declared.routing_key, owner),
            body: match event.filter(|_| by_kind.is_some()) {
                Some((_, data)) => declared.body.fill(&declared.kind, &data, owner_key),
                None => declared.body.poisoned(body),
            },
        })
    }
}

impl DeclaredEvent {
    /// Whether a gateway could not tell them apart.
    fn comes_like(&self, other: &Self) -> bool {
        let sample = |event: &Self| event.body.fill(&event.kind, &Value::Null, "");
        (&self.exchange, &self.routing_key) == (&other.exchange, &other.routing_key)
            && sample(self) == sample(other)
    }
}

/// The type whose usual routing key this is.
fn kind_of_key(routing_key: &str) -> Option<&'static str> {
    types().into_iter().find(|kind| kind.replace(':', ".") == routing_key)
}

fn any_key() -> String {
    KEY.to_owned()
}

fn usual_body() -> String {
    DEFAULT_BODY.to_owned()
}
