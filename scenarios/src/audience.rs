//! Whom an event is for. Scenarios name an event type for each audience; a profile says which of its events that is.

use std::collections::BTreeSet;
use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::gap::NotPlayed;

/// Whom an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Every connection.
    Everybody,
    /// The user whom its data, or its body, names.
    #[serde(alias = "named")]
    Owner,
    /// Every administrator.
    Role,
    /// Those who have subscribed to its type.
    Subscribers,
}

impl Audience {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Everybody, Self::Owner, Self::Role, Self::Subscribers];

    /// The event types that scenarios use for it, in the order in which a profile's events take their places.
    pub fn types(self) -> &'static [&'static str] {
        match self {
            Self::Everybody => &["payment:created", "payment:updated", "payment:completed", "payment:failed"],
            Self::Owner => &["profile:updated", "session:ended"],
            Self::Role => &["admin:alert"],
            Self::Subscribers => &["catalog:changed", "stock:changed"],
        }
    }

    /// The audience of a type that scenarios use, and its place there, counted from 0.
    pub fn of(kind: &str) -> Option<(Self, usize)> {
        Self::ALL.into_iter().find_map(|audience| {
            let place = audience.types().iter().position(|known| *known == kind)?;
            Some((audience, place))
        })
    }

    /// The one that a profile calls so.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|audience| audience.word() == word || (*audience == Self::Owner && word == "named"))
    }

    /// The word by which a profile says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Everybody => "everybody",
            Self::Owner => "owner",
            Self::Role => "role",
            Self::Subscribers => "subscribers",
        }
    }

    /// The requirement that promises that an event reaches it.
    pub(crate) fn promised_by(self) -> &'static str {
        match self {
            Self::Everybody => "BRIDGE-2",
            Self::Owner | Self::Role => "BRIDGE-18",
            Self::Subscribers => "ROOM-1",
        }
    }
}

impl fmt::Display for Audience {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Everybody => "everybody",
            Self::Owner => "its owner",
            Self::Role => "a role",
            Self::Subscribers => "a room's subscribers",
        })
    }
}

/// The events that a gateway has, by the types that scenarios use. By default it has all of them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Audiences {
    declared: BTreeSet<&'static str>,
    shared: BTreeSet<&'static str>,
    absent: BTreeSet<Audience>,
}

impl Audiences {
    /// Those of a gateway that has these types; those in `shared` are for administrators as well as for their owner.
    pub fn new(
        declared: impl IntoIterator<Item = &'static str>,
        shared: impl IntoIterator<Item = &'static str>,
    ) -> Self {
        let (declared, shared) = (declared.into_iter().collect(), shared.into_iter().collect());
        Self { declared, shared, absent: BTreeSet::new() }
    }

    /// The same, of a gateway of which its profile says that it has no events for these.
    pub fn without(mut self, absent: impl IntoIterator<Item = Audience>) -> Self {
        self.absent.extend(absent);
        self.declared.retain(|kind| !Audience::of(kind).is_some_and(|(of, _)| self.absent.contains(&of)));
        self
    }

    /// Why a case is not played that needs an event for each of these: one for which the profile says that there is none is not
    /// claimed, however much else is missing.
    pub fn gap(
        &self,
        needed: impl IntoIterator<Item = Audience>,
        undeclared: impl Into<String>,
    ) -> NotPlayed {
        let needed: BTreeSet<Audience> = needed.into_iter().collect();
        let absent: Vec<String> = needed.intersection(&self.absent).map(ToString::to_string).collect();
        match absent.as_slice() {
            [] => NotPlayed { audiences: needed.into_iter().collect(), ..NotPlayed::undeclared(undeclared) },
            absent => NotPlayed::unclaimed(format!("it has no event for {}", absent.join(" or "))),
        }
    }

    /// Whether nothing more can be declared: each audience has an event, or the profile says that it has none.
    pub(crate) fn is_complete(&self) -> bool {
        Audience::ALL.into_iter().all(|audience| self.lacks(audience) || self.of(audience).next().is_some())
    }

    /// Whether the profile says that there is no event for an audience.
    pub fn lacks(&self, audience: Audience) -> bool {
        self.absent.contains(&audience)
    }

    /// Whether it has an event of a type.
    pub fn declares(&self, kind: &str) -> bool {
        self.declared.contains(kind)
    }

    /// Its events for an audience, as scenarios call them.
    pub fn of(&self, audience: Audience) -> impl Iterator<Item = &'static str> {
        audience.types().iter().copied().filter(|kind| self.declares(kind))
    }

    /// Whether administrators receive a type that is its owner's.
    pub fn is_shared(&self, kind: &str) -> bool {
        self.shared.contains(kind)
    }
}

impl Default for Audiences {
    fn default() -> Self {
        Self::new(Audience::ALL.into_iter().flat_map(Audience::types).copied(), [])
    }
}
