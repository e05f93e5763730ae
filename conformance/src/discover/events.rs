//! Which events reach whom: candidates are published, and four users say what they got.

mod declared;
mod field;
mod search;

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::Value;

use super::candidates::Person;
use super::sign_in::{Door, Entry};
use super::spelling::shown;
use super::subject::Gateway;
use super::talk::{RequestAnswer, Talk};
use super::topology::{Route, Topology, names};
use super::{DiscoverError, Hints, Progress};
use crate::amqp::{BrokerLink, Feed, Outgoing, Queues};
use crate::profile::Audience;
use field::Field;

/// How long a gateway may be silent before it counts as having said all.
const QUIET: Duration = Duration::from_millis(250);
/// How long it may take to deliver all.
const DELIVERS_WITHIN: Duration = Duration::from_secs(2);
/// How long candidates are published.
const PUBLISHES_FOR: Duration = Duration::from_secs(25);
/// How long the broker may take to confirm.
const CONFIRMS_WITHIN: Duration = Duration::from_secs(5);
/// Most requests that the subscriber sends.
const MAX_REQUESTS: usize = 300;
/// Most shapes of requests that are tried at once.
const MAX_SHAPES: usize = 12;
/// Where a binding takes one key only, types stand in bodies.
const USUAL: [&str; 5] =
    ["payment.created", "payment.updated", "profile.updated", "admin.alert", "catalog.changed"];

/// An event that reached someone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ObservedEvent {
    /// Its exchange.
    pub exchange: String,
    /// The exchange's type.
    pub exchange_kind: String,
    /// Its routing key.
    pub routing_key: String,
    /// Its body, in which `"{data}"` stands for its data.
    pub body: String,
    /// What clients see.
    pub name: String,
    /// Whom it is for; none where those who got it are no audience of scenarios.
    pub audience: Option<Audience>,
    /// Who got it: the owner that it named, another user, an administrator, a subscriber.
    pub reached: [bool; 4],
    /// The frame.
    pub frame: String,
    /// The data that was published.
    pub data: Value,
}

/// What was seen of events.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// Those that arrived.
    pub events: Vec<ObservedEvent>,
    /// How many were tried.
    pub tried: usize,
    /// Routing keys under which nothing arrived though others did.
    pub unreached: Vec<String>,
    /// The key by which an event's owner is found; none where that was not seen.
    pub owner_key: Option<&'static str>,
    /// Shapes of requests after which an event came that had not come before.
    pub understood: Vec<&'static str>,
    /// What became of the events that the checked profile declares.
    pub declared: Vec<DeclaredEvent>,
    /// Why observation ended early, where it did.
    pub ended: Option<String>,
}

/// An event of the profile that is checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeclaredEvent {
    /// What the profile says that clients see.
    pub name: String,
    /// Whom the profile says that it is for.
    pub audience: Option<Audience>,
    /// Whom it was for.
    pub observed: Option<Audience>,
    /// What clients saw.
    pub seen_as: Option<String>,
}

impl DeclaredEvent {
    /// Whom the profile says that it is for, in words.
    pub(super) fn audience_word(&self) -> String {
        self.audience.map_or_else(|| "no one".to_owned(), |audience| audience.to_string())
    }
}

/// An event that may be.
struct Candidate {
    route: Route,
    /// What it may be called.
    names: Vec<String>,
}

/// A name to subscribe to while nothing is known of events.
pub(super) fn likely_room(topology: &Topology) -> String {
    let routes = topology.routes();
    let usual = routes.iter().find(|route| route.routing_key == "catalog.changed");
    let any = usual.or(routes.last()).map(|route| names(&route.routing_key).remove(0));
    any.unwrap_or_else(|| "catalog:changed".to_owned())
}

impl ObservedEvent {
    /// Its frame as a comment shows it: what was published as data says nothing.
    pub(super) fn shown(&self) -> String {
        shown(&self.frame.replace(&self.data.to_string(), "{data}"))
    }
}

/// Publishes, and looks.
pub(super) async fn observe(
    gateway: &Gateway,
    door: &Door,
    entry: &Entry,
    topology: &Topology,
    talk: &Talk,
    hints: &Hints,
    progress: &Progress<'_>,
) -> Result<Events, DiscoverError> {
    let mut seen = Events::default();
    let candidates = candidates(topology);
    if candidates.is_empty() {
        return Ok(seen);
    }
    let feed = Feed { exchange: String::new(), exchanges: Vec::new(), queues: Queues::Any };
    let link = BrokerLink::open(&gateway.broker.url(), feed, CONFIRMS_WITHIN).await;
    let link = link.map_err(|error| DiscoverError::Host(error.to_string()))?.publishing_unconsumed();
    let opened = join_all(Person::ALL.map(|person| door.open(entry, person))).await;
    let mut sockets = Vec::new();
    for opened in opened {
        match opened {
            Ok(opened) => sockets.push(opened.socket),
            Err(refused) => {
                seen.ended = Some(format!("four users cannot sign in at once: {refused}"));
                return Ok(seen);
            }
        }
    }
    let mut field = Field { gateway, door, entry, link, sockets, shapes: likely_shapes(talk), count: 0 };
    progress(&format!("events: {} candidates, to four users", candidates.len()));
    field.subscribe(&candidates).await;
    field.search(&candidates, &mut seen).await?;
    if let Some(event) = seen.events.iter().find(|event| event.audience == Some(Audience::Owner)).cloned() {
        progress("events: the key of an event's owner");
        seen.owner_key = field.owner_key(&event).await?;
    }
    if let Some(event) =
        seen.events.iter().find(|event| event.audience == Some(Audience::Subscribers)).cloned()
    {
        progress("events: which shapes of requests are understood");
        seen.understood = field.understood(&event).await?;
    }
    if let Some(profile) = &hints.profile {
        progress("events: those of the profile");
        seen.declared = field.declared(profile).await?;
    }
    field.link.close().await;
    Ok(seen)
}

fn candidates(topology: &Topology) -> Vec<Candidate> {
    let mut candidates = Vec::new();
    for route in topology.routes() {
        let is_one_of_many = route.routing_key.contains('.') || route.kind == "fanout";
        candidates.push(Candidate { names: names(&route.routing_key), route: route.clone() });
        if !is_one_of_many {
            let usual = USUAL.map(|key| Candidate { names: names(key), route: route.clone() });
            candidates.extend(usual);
        }
    }
    candidates
}

/// Whom an event is for that reached the owner, another, an administrator, a subscriber.
fn audience(reached: [bool; 4]) -> Option<Audience> {
    match reached {
        [true, true, _, _] => Some(Audience::Everybody),
        [true, false, _, _] => Some(Audience::Owner),
        [false, false, true, _] => Some(Audience::Role),
        [false, false, false, true] => Some(Audience::Subscribers),
        [false, true, _, _] | [false, false, false, false] => None,
    }
}

/// Shapes that may be understood: those that were acknowledged, or else those that were not refused.
fn likely_shapes(talk: &Talk) -> Vec<&'static str> {
    let acknowledged: Vec<_> = talk.acknowledged().map(|(shape, _)| shape).collect();
    if !acknowledged.is_empty() {
        return acknowledged;
    }
    let may_be =
        |answer: &RequestAnswer| matches!(answer, RequestAnswer::Answered(_) | RequestAnswer::Silence);
    let open = talk.requests.iter().filter(|request| may_be(&request.answer)).map(|request| request.shape);
    let mut open: Vec<&str> = open.collect();
    // A gateway that answers a ping has the key of its type in other requests, too.
    let beginning = talk.pong.as_ref().and_then(|pong| pong.sent.split(':').next());
    open.sort_by_key(|shape| !beginning.is_some_and(|beginning| shape.starts_with(beginning)));
    open
}

fn outgoing(event: &ObservedEvent, data: &Value) -> Outgoing {
    Outgoing {
        exchange: event.exchange.clone(),
        routing_key: event.routing_key.clone(),
        body: filled(&event.body, data),
    }
}

fn filled(template: &str, data: &Value) -> String {
    template.replace("\"{data}\"", &data.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whom an event is for follows from who gets it; an owner's event may reach administrators, too.
    #[test]
    fn audiences_follow_from_who_is_reached() {
        for (reached, expected) in [
            ([true, true, true, true], Some(Audience::Everybody)),
            ([true, false, false, false], Some(Audience::Owner)),
            ([true, false, true, false], Some(Audience::Owner)),
            ([false, false, true, false], Some(Audience::Role)),
            ([false, false, false, true], Some(Audience::Subscribers)),
            ([false, true, false, false], None),
            ([false; 4], None),
        ] {
            assert_eq!(audience(reached), expected, "{reached:?}");
        }
    }
}
