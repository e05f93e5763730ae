//! `[gateway.stats]`: where the page `/stats` has its figures (CONN-9).

use scenarios::stats::{FIGURES, StatsPlaces};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{ProfileError, ValueError};

#[derive(Deserialize, Default, JsonSchema)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table of JSON pointers, such as `{ connections = \"/connections\", rooms = false }`"
)]
pub(super) struct RawStats {
    /// How many connections there are: a JSON pointer, as all of these. Usually `/connections/total`.
    connections: Option<RawPlace>,
    /// Of each user. Usually `/connections/byUser`.
    by_user: Option<RawPlace>,
    /// Of each role. Usually `/connections/byRole`.
    by_role: Option<RawPlace>,
    /// How many connections are in each room. Usually `/rooms`; `false` where rooms are counted and not listed.
    rooms: Option<RawPlace>,
    /// How many messages have come in. Usually `/messages/in`.
    messages_in: Option<RawPlace>,
    /// How many have gone out. Usually `/messages/out`.
    messages_out: Option<RawPlace>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a JSON pointer such as `/connections`, or `false` where the page does not say so"
)]
enum RawPlace {
    Is(bool),
    At(String),
}

impl RawStats {
    pub(super) fn check(self, value: ValueError<'_>) -> Result<StatsPlaces, ProfileError> {
        let Self { connections, by_user, by_role, rooms, messages_in, messages_out } = self;
        let figures: [Option<RawPlace>; FIGURES.len()] =
            [connections, by_user, by_role, rooms, messages_in, messages_out];
        let others = figures.into_iter().enumerate().filter_map(|(figure, place)| match place? {
            RawPlace::Is(true) => None,
            RawPlace::Is(false) => Some((figure, None)),
            RawPlace::At(pointer) => Some((figure, Some(pointer))),
        });
        StatsPlaces::new(others).map_err(|message| value(format!("`gateway.stats`: {message}"), None))
    }
}
