//! Whom an event is for. Scenarios name an event type for each; a profile says which of its events that is.

use std::fmt;

use serde::Deserialize;

/// Whom an event is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Audience {
    /// Every connection.
    Everybody,
    /// The user whom its data names.
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
    pub(super) fn of(kind: &str) -> Option<(Self, usize)> {
        Self::ALL.into_iter().find_map(|audience| {
            let place = audience.types().iter().position(|known| *known == kind)?;
            Some((audience, place))
        })
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

/// The event types that scenarios use, as they call them, in alphabetical order.
pub(super) fn types() -> Vec<&'static str> {
    let mut types: Vec<_> = Audience::ALL.into_iter().flat_map(Audience::types).copied().collect();
    types.sort_unstable();
    types
}
