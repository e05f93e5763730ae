//! Which events reach whom: candidates are published, and four users say what they got.

mod body;
mod declared;
mod field;
mod narrow;
mod roles;
mod search;

use std::time::Duration;

use futures_util::future::join_all;
use scenarios::token::TokenStyle;
use serde_json::Value;

use super::candidates::Person;
use super::heartbeat::{Heartbeat, Watch};
use super::observed::ObservedGateway;
use super::sign_in::{Dialer, Entry};
use super::spelling::shown;
use super::subject::{Gateway, Start};
use super::talk::Talk;
use super::topology::{Route, Topology, names};
use super::{DiscoverError, Hints, Progress};
use crate::profile::Audience;
use field::Field;

/// How long a gateway may be silent before it counts as having said all.
const QUIET: Duration = Duration::from_millis(250);
/// How long it may take to deliver all.
const DELIVERS_WITHIN: Duration = Duration::from_secs(2);
/// How long candidates are published in one body after another.
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
    /// What its body calls it.
    pub called: String,
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
#[derive(Debug, Clone, Default, PartialEq)]
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
    pub understood: Vec<String>,
    /// The room that was asked for by those, where it is not called as its event is.
    pub room: Option<String>,
    /// What became of the events that the checked profile declares.
    pub declared: Vec<DeclaredEvent>,
    /// Why observation ended early, where it did.
    pub ended: Option<String>,
    /// Why the gateway was started again, where it was.
    pub restarted: Option<String>,
    /// The form of claims that makes an administrator, where the one that signs in does not.
    pub roles: Option<TokenStyle>,
    /// What comes first on an administrator's connection.
    pub first_of_admin: Vec<String>,
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
    /// The frame, where it reached someone.
    pub frame: Option<String>,
    /// The data that was published.
    pub data: Value,
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

/// What an event for subscribers, and so its room, is called where nothing is known.
pub(super) const LIKELY_ROOM: &str = "catalog:changed";

/// A name to subscribe to while nothing is known of events.
pub(super) fn likely_room(topology: &Topology) -> String {
    let routes = topology.routes();
    let usual = routes.iter().find(|route| route.routing_key == "catalog.changed");
    let any = usual.or(routes.last()).map(|route| names(&route.routing_key).remove(0));
    any.unwrap_or_else(|| LIKELY_ROOM.to_owned())
}

impl ObservedEvent {
    /// Its frame as a comment shows it: what was published as data says nothing.
    pub(super) fn shown(&self) -> String {
        shown(&self.frame.replace(&self.data.to_string(), "{data}"))
    }
}

/// What events are tried on.
pub(super) struct Subject<'a> {
    pub(super) gateway: &'a mut Gateway,
    pub(super) start: &'a Start,
    /// Pings that are being watched.
    pub(super) watch: Option<Watch>,
}

/// Publishes, and looks. The heartbeat is what was watched meanwhile; the dialer that of the gateway as it was started last.
pub(super) async fn observe(
    subject: Subject<'_>,
    dialer: Dialer,
    entry: &Entry,
    topology: &Topology,
    said: &ObservedGateway,
    hints: &Hints,
    progress: &Progress<'_>,
) -> Result<(Events, Dialer, Option<Heartbeat>), DiscoverError> {
    let mut seen = Events::default();
    let Subject { gateway, start, watch } = subject;
    let link = field::link(&gateway.broker.url()).await?;
    let opened = join_all(Person::ALL.map(|person| dialer.open(entry, person))).await;
    let mut sockets = Vec::new();
    for (person, opened) in Person::ALL.into_iter().zip(opened) {
        match opened {
            Ok(opened) => {
                sockets.push(opened.socket);
                if person == Person::Admin {
                    seen.first_of_admin = opened.said;
                }
            }
            Err(refused) => {
                seen.ended = Some(format!("four users cannot sign in at once: {refused}"));
                return Ok((seen, dialer, ended(watch, None).await));
            }
        }
    }
    let mut field = Field {
        gateway,
        start,
        dialer,
        entry,
        link,
        sockets,
        shapes: likely_shapes(&said.talk),
        requests: Vec::new(),
        count: 0,
        restarts: 0,
        watch,
        heartbeat: None,
    };
    match &hints.profile {
        Some(profile) => {
            progress("events: those of the profile");
            seen.declared = field.declared(profile).await?;
        }
        None => find(&mut field, topology, &mut seen, progress).await?,
    }
    field.link.close().await;
    let Field { dialer, watch, heartbeat, .. } = field;
    progress("heartbeat: its kind and its period");
    let heartbeat = ended(watch, heartbeat).await;
    Ok((seen, dialer, heartbeat))
}

async fn ended(watch: Option<Watch>, seen: Option<Heartbeat>) -> Option<Heartbeat> {
    match watch {
        Some(watch) => Some(watch.end().await),
        None => seen,
    }
}

/// Finds out which events there are.
async fn find(
    field: &mut Field<'_>,
    topology: &Topology,
    seen: &mut Events,
    progress: &Progress<'_>,
) -> Result<(), DiscoverError> {
    let candidates = candidates(topology);
    if candidates.is_empty() {
        return Ok(());
    }
    progress(&format!("events: {} routing keys, to four users", candidates.len()));
    field.subscribe(&candidates).await;
    let forms = field.search(&candidates, seen).await?;
    let of =
        |seen: &Events, audience| seen.events.iter().find(|event| event.audience == Some(audience)).cloned();
    if of(seen, Audience::Role).is_none() && !seen.events.is_empty() && !seen.unreached.is_empty() {
        progress("events: what makes an administrator");
        field.role(&candidates, &forms, seen).await?;
    }
    if let Some(event) = of(seen, Audience::Subscribers) {
        progress("events: which shapes of requests are understood");
        for room in [event.name.clone()].iter().chain(&names(&event.routing_key)) {
            seen.understood = field.understood(&event, room).await?;
            if !seen.understood.is_empty() {
                seen.room = (*room != event.name).then(|| room.clone());
                break;
            }
        }
    }
    if !forms.is_empty() {
        progress("events: what their bodies need");
        field.narrow(&candidates, forms, seen).await?;
    }
    if let Some(event) = of(seen, Audience::Owner) {
        progress("events: the key of an event's owner");
        seen.owner_key = field.owner_key(&event).await?;
    }
    Ok(())
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
fn likely_shapes(talk: &Talk) -> Vec<String> {
    let acknowledged: Vec<_> = talk.acknowledged().map(|(shape, _)| shape.to_owned()).collect();
    if !acknowledged.is_empty() {
        return acknowledged;
    }
    let open = talk.requests.iter().filter(|request| request.may_be_understood());
    let mut open: Vec<String> = open.map(|request| request.shape.clone()).collect();
    // A gateway that answers a ping has the key of its type in other requests, too.
    let beginning = talk.pong.as_ref().and_then(|pong| pong.sent.split(':').next());
    open.sort_by_key(|shape| !beginning.is_some_and(|beginning| shape.starts_with(beginning)));
    open
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
