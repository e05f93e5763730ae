//! Where the page `/stats` has its figures (CONN-9): JSON pointers (RFC 6901), as a profile gives them.

use serde_json::{Map, Value};

/// Where each figure stands; none where the page does not have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatsPlaces {
    /// The pointer to each of [`FIGURES`].
    places: [Option<String>; FIGURES.len()],
}

/// What scenarios look for on the page: the key of a profile, and where a scenario, and the reference, has it.
pub const FIGURES: [(&str, &str); 6] = [
    ("connections", "/connections/total"),
    ("by_user", "/connections/byUser"),
    ("by_role", "/connections/byRole"),
    ("rooms", "/rooms"),
    ("messages_in", "/messages/in"),
    ("messages_out", "/messages/out"),
];

impl StatsPlaces {
    /// Takes the places that differ: the key of a figure, and a pointer, or nothing where the page does not have it.
    ///
    /// # Errors
    /// Says which pointer is none, or stands within another.
    pub fn new(others: impl IntoIterator<Item = (usize, Option<String>)>) -> Result<Self, String> {
        let mut places = Self::default();
        for (figure, place) in others {
            let key = FIGURES[figure].0;
            if let Some(pointer) = &place
                && (!pointer.starts_with('/') || pointer.ends_with('/'))
            {
                return Err(format!(
                    "`{key}`: `{pointer}` is no JSON pointer to a member, such as `/connections/total`"
                ));
            }
            places.places[figure] = place;
        }
        let placed =
            || places.places.iter().zip(FIGURES).filter_map(|(at, (key, _))| Some((at.as_ref()?, key)));
        for (inner, key) in placed() {
            let outer = placed().find(|(outer, other)| *other != key && is_within(inner, outer));
            if let Some((outer, other)) = outer {
                return Err(format!("`{key}`, at `{inner}`, stands within `{other}`, at `{outer}`"));
            }
        }
        Ok(places)
    }

    /// Brings what a scenario expects of the page to where this one has it.
    pub(crate) fn arrange(&self, page: &mut Value) {
        if *self == Self::default() {
            return;
        }
        let mut arranged = Value::Object(Map::new());
        for ((_, usual), place) in FIGURES.into_iter().zip(&self.places) {
            if let (Some(figure), Some(place)) = (page.pointer(usual), place) {
                put(&mut arranged, place, figure.clone());
            }
        }
        *page = arranged;
    }
}

impl Default for StatsPlaces {
    fn default() -> Self {
        Self { places: FIGURES.map(|(_, usual)| Some(usual.to_owned())) }
    }
}

/// Whether one pointer leads to what another leads to, or into it.
fn is_within(inner: &str, outer: &str) -> bool {
    inner.strip_prefix(outer).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Puts a value where a pointer leads. Places do not stand within each other, so what is on the way is an object.
fn put(page: &mut Value, pointer: &str, figure: Value) {
    let mut place = page;
    for key in pointer.split('/').skip(1) {
        let key = key.replace("~1", "/").replace("~0", "~");
        let Value::Object(members) = place else { return };
        place = members.entry(key).or_insert_with(|| Value::Object(Map::new()));
    }
    *place = figure;
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn places(others: &[(&str, Option<&str>)]) -> Result<StatsPlaces, String> {
        let number = |key: &str| FIGURES.iter().position(|(figure, _)| *figure == key).unwrap();
        StatsPlaces::new(others.iter().map(|(key, place)| (number(key), place.map(str::to_owned))))
    }

    /// Each figure is looked for where the profile has it; what the page does not have is not.
    #[test]
    fn figures_are_looked_for_where_they_are() {
        let page = json!({ "connections": { "total": 2, "byUser": { "a": 1 } }, "rooms": { "r": 1 } });
        let arranged = |others: &[_]| {
            let mut page = page.clone();
            places(others).unwrap().arrange(&mut page);
            page
        };
        assert_eq!(arranged(&[]), page);
        let flat = [
            ("connections", Some("/connections")),
            ("by_user", Some("/byUser")),
            ("by_role", Some("/byRole")),
        ];
        assert_eq!(arranged(&flat), json!({ "connections": 2, "byUser": { "a": 1 }, "rooms": { "r": 1 } }));
        let fewer = [("by_user", None), ("rooms", None), ("connections", Some("/now/a~1b"))];
        assert_eq!(arranged(&fewer), json!({ "now": { "a/b": 2 } }));
    }

    /// What leads nowhere, or into another figure, is refused.
    #[test]
    fn places_are_pointers_beside_each_other() {
        assert!(places(&[("rooms", Some("rooms"))]).unwrap_err().contains("is no JSON pointer"));
        assert!(places(&[("rooms", Some("/"))]).unwrap_err().contains("is no JSON pointer"));
        let within = places(&[("connections", Some("/connections"))]).unwrap_err();
        assert!(
            within.contains("`by_user`, at `/connections/byUser`, stands within `connections`"),
            "{within}"
        );
    }
}
