//! By which of its events a gateway reaches a client.

use std::collections::{BTreeMap, BTreeSet};

use protocol::Role;

use super::super::GatewayScript;
use super::super::file;
use super::super::step::{GatewayAction, Publication};
use crate::audience::{Audience, Audiences};
use crate::gap::NotPlayed;

/// By which event a client is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Means {
    /// One for everybody, which names a user as its owner's where there is another before it.
    Everybody { kind: &'static str, user: Option<String> },
    /// One for its user.
    Owner { kind: &'static str, user: String },
    /// One for administrators, as it is one.
    Role(&'static str),
    /// One for the room of its name, which it joins.
    Subscribers(&'static str),
}

/// By which events each client is reached for whom something is published. One that none is for answers a ping after others have got theirs.
pub(super) type AllMeans = BTreeMap<String, Vec<Means>>;

/// What a profile would have to declare.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Missing {
    /// An event for an audience: of those that are not there, the first one's place, and how many there must be.
    Event { audience: Audience, place: usize, needed: usize },
    /// An event for clients, whatever its audience.
    Any,
}

impl Means {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Everybody { kind, .. } | Self::Owner { kind, .. } => kind,
            Self::Role(kind) | Self::Subscribers(kind) => kind,
        }
    }

    /// The requirement by which the event comes.
    pub(super) fn promised_by(&self) -> &'static str {
        match self {
            Self::Everybody { user: Some(_), .. } => "BRIDGE-3",
            Self::Everybody { .. } => Audience::Everybody.promised_by(),
            Self::Owner { .. } => Audience::Owner.promised_by(),
            Self::Role(_) => Audience::Role.promised_by(),
            Self::Subscribers(_) => Audience::Subscribers.promised_by(),
        }
    }
}

impl Missing {
    /// All of it in one sentence. A gateway need not have several events for one audience; that it has none for one, its profile says
    /// by `claims.without`.
    pub(super) fn gap(missing: impl IntoIterator<Item = Self>, audiences: &Audiences) -> NotPlayed {
        let mut parts = Vec::new();
        let mut needed = BTreeSet::new();
        let mut is_undeclared = false;
        for part in missing {
            match &part {
                Self::Event { audience, place: 0, .. } => {
                    is_undeclared = true;
                    needed.insert(*audience);
                }
                Self::Event { .. } => {}
                Self::Any => {
                    is_undeclared = true;
                    // Any of them would do: they are missed together once there is no other.
                    let absent = Audience::ALL.into_iter().filter(|audience| audiences.lacks(*audience));
                    needed.extend(absent.filter(|_| audiences.is_complete()));
                }
            }
            let part = part.to_string();
            if !parts.contains(&part) {
                parts.push(part);
            }
        }
        let why = format!("the profile declares {}", parts.join(", and "));
        if is_undeclared { audiences.gap(needed, why) } else { NotPlayed::by_design(why) }
    }
}

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Event { audience, place: 0, needed: 1 } => write!(f, "no event for {audience}"),
            Self::Event { audience, place: 0, needed } => write!(f, "no event for {audience}, of which {needed} are needed"),
            Self::Event { audience, place, .. } => {
                let which = ["first", "second", "third", "fourth"][*place];
                write!(f, "no {which} event for {audience}")
            }
            Self::Any => f.write_str(
                "no event that shows what has arrived: one for everybody or for its owner, or one for a room's subscribers beside what the case is about",
            ),
        }
    }
}

/// The events that a script publishes by their types and the gateway does not have. Where all are optional, one is enough.
pub(super) fn missing(script: &GatewayScript, audiences: &Audiences) -> Vec<Missing> {
    let mut missing = BTreeSet::new();
    let mut optional = Vec::new();
    let mut all_are_optional = true;
    for step in &script.steps {
        let GatewayAction::Publish {
            publication: Publication::Events { kind, .. },
            optional: is_optional,
            ..
        } = &step.action
        else {
            continue;
        };
        all_are_optional &= *is_optional;
        if *is_optional {
            optional.push(kind);
        } else if !audiences.declares(kind) {
            missing.insert(kind);
        }
    }
    if all_are_optional && optional.iter().all(|kind| !audiences.declares(kind)) {
        missing.extend(optional.first());
    }
    let of = |audience: Audience| {
        let places = missing.iter().filter_map(|kind| Audience::of(kind).filter(|(of, _)| *of == audience));
        let places: Vec<usize> = places.map(|(_, place)| place).collect();
        let (place, last) = (places.iter().min()?, places.iter().max()?);
        let place = if audiences.of(audience).next().is_none() { 0 } else { *place };
        Some(Missing::Event { audience, place, needed: last + 1 })
    };
    Audience::ALL.into_iter().filter_map(of).collect()
}

/// How each client is reached for whom something is published; nothing where nothing is.
pub(super) fn means(
    script: &GatewayScript,
    needs_roles: bool,
    audiences: &Audiences,
) -> Result<AllMeans, Missing> {
    let addressees: BTreeSet<&String> =
        script.steps.iter().flat_map(|step| step.action.addressees()).collect();
    let named = named_types(script);
    let takes_any_role = !needs_roles && script.clients.values().all(|spec| spec.role == Role::Customer);
    let means = |name: &String| {
        let spec = &script.clients[name];
        let user = || spec.user.clone().unwrap_or_else(|| name.clone());
        let everybody = audiences.of(Audience::Everybody).enumerate();
        let everybody =
            everybody.map(|(place, kind)| Means::Everybody { kind, user: (place > 0).then(user) });
        // What the case itself is about comes last.
        let mut own: Vec<_> = audiences.of(Audience::Owner).collect();
        own.sort_by_key(|kind| named.contains(kind));
        let own = own.into_iter().map(|kind| Means::Owner { kind, user: user() });
        let takes_role = takes_any_role || spec.role == Role::Admin;
        let of_role = audiences.of(Audience::Role).filter(|_| takes_role).map(Means::Role);
        let subscribed = audiences.of(Audience::Subscribers).filter(|kind| !named.contains(kind));
        let all = everybody.chain(own).chain(of_role).chain(subscribed.map(Means::Subscribers));
        let most = if spec.every_event { usize::MAX } else { 1 };
        (name.clone(), all.take(most).collect::<Vec<_>>())
    };
    let clients: AllMeans = addressees.into_iter().map(means).collect();
    let all = script.steps.iter().filter(|step| !step.action.addressees().is_empty());
    // Somebody must show that what was published has been handed on.
    if all.into_iter().any(|step| step.action.addressees().iter().all(|name| clients[name].is_empty())) {
        return Err(Missing::Any);
    }
    Ok(clients)
}

/// The types that a script names: in what it publishes, asks for and waits for.
fn named_types(script: &GatewayScript) -> BTreeSet<&'static str> {
    let text = file::steps_text(script);
    let all = Audience::ALL.into_iter().flat_map(Audience::types).copied();
    all.filter(|kind| text.contains(kind)).collect()
}
