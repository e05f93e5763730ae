//! What the rooms of a user and of a role are called, as far as a gateway's first messages name them. Pure.

use protocol::Role;
use scenarios::{RoleNames, RoomKind, RoomNames};
use serde_json::Value;

use super::candidates::Person;
use super::form;
use super::sign_in::Entry;

/// Rooms that a first message names.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct NamedRooms {
    /// The user's own, and how a profile writes it.
    pub(crate) user: Option<(String, String)>,
    /// That of the user's role.
    pub(crate) role: Option<(String, String)>,
    /// All of them.
    all: Vec<String>,
}

impl NamedRooms {
    /// Those of the owner, in the messages that came first.
    pub(super) fn said(first: &[String], entry: &Entry) -> Self {
        Self::among(
            &all_listed(first),
            &entry.id_text(Person::Owner),
            Person::Owner.role(),
            &entry.claims.roles,
        )
    }

    /// Those of a user of this id and role among the rooms of a first message.
    pub(crate) fn among(rooms: &[String], id: &str, role: Role, roles: &RoleNames) -> Self {
        let of = |room: &str, whose: &str, place: &str| {
            let (before, after) = room.split_once(whose)?;
            (!before.is_empty() || !after.is_empty())
                .then(|| (room.to_owned(), format!("{before}{place}{after}")))
        };
        let user = rooms.iter().find_map(|room| of(room, id, "{user}"));
        let called = roles.name(role).unwrap_or_default();
        let others = || rooms.iter().filter(|room| !called.is_empty() && !room.contains(id));
        let in_lower_case = others().find_map(|room| of(room, &called.to_lowercase(), "{role}"));
        let role = in_lower_case.or_else(|| others().find_map(|room| of(room, called, "{ROLE}")));
        Self { user, role, all: rooms.to_vec() }
    }

    /// The one room that these messages to an administrator name and those to the owner do not, where it is not called after a user.
    pub(super) fn of_admins_alone(&self, first_of_admin: &[String], entry: &Entry) -> Option<String> {
        let id = entry.id_text(Person::Admin);
        let mut others = all_listed(first_of_admin)
            .into_iter()
            .filter(|room| !self.all.contains(room) && !room.contains(&id));
        let room = others.next().filter(|room| !room.is_empty() && !room.contains(['{', '}']));
        // Without a list of the owner's, nothing is known of the difference.
        room.filter(|_| others.next().is_none() && self.user.is_some())
    }

    /// How many rooms a connection has of its own, where the list of them is known by the user's.
    pub(super) fn own(&self) -> Option<usize> {
        self.user.as_ref().map(|_| self.all.len())
    }

    /// What is called otherwise than declared: which kind, as it is declared, and as it is. Where the declared name is among them, whatever else
    /// resembles it is another room.
    pub(crate) fn unlike(
        &self,
        declared: &RoomNames,
        id: &str,
        role: Role,
        roles: &RoleNames,
    ) -> Vec<(RoomKind, Option<String>, String)> {
        let own = [
            (RoomKind::User, declared.user.of(id), &self.user),
            (RoomKind::Role, declared.of_role(role, roles), &self.role),
        ];
        let other = own.into_iter().filter_map(|(kind, declared, seen)| {
            let (_, template) = seen.as_ref()?;
            let is_named = declared.as_ref().is_some_and(|room| self.all.contains(room));
            (!is_named).then(|| (kind, declared, template.clone()))
        });
        other.collect()
    }
}

/// The rooms that messages name.
fn all_listed(messages: &[String]) -> Vec<String> {
    let mut rooms = Vec::new();
    for (_, value) in messages.iter().filter_map(|text| form::parsed(text)) {
        listed(&value, &mut rooms);
    }
    rooms
}

/// The texts of lists, wherever they stand.
fn listed(value: &Value, rooms: &mut Vec<String>) {
    match value {
        Value::Array(items) => {
            rooms.extend(items.iter().filter_map(Value::as_str).map(str::to_owned));
            items.iter().for_each(|item| listed(item, rooms));
        }
        Value::Object(members) => members.values().for_each(|member| listed(member, rooms)),
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Rooms are known by the id and the role that stand in them; one that is the id alone says nothing.
    #[test]
    fn rooms_are_known_by_whose_they_are() {
        let rooms = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>();
        let roles = RoleNames::Called([(Role::Customer, "Shopper".to_owned())].into());
        let of = |names: &[&str]| NamedRooms::among(&rooms(names), "17", Role::Customer, &roles);
        let pair = |room: &str, template: &str| Some((room.to_owned(), template.to_owned()));
        let found = of(&["all", "user/17", "team/shopper"]);
        assert_eq!(found.user, pair("user/17", "user/{user}"));
        assert_eq!(found.role, pair("team/shopper", "team/{role}"));
        assert_eq!(of(&["role-Shopper"]).role, pair("role-Shopper", "role-{ROLE}"));
        let bare = of(&["17", "shopper"]);
        assert_eq!((bare.user, bare.role), (None, None));
        let usual = RoomNames::default();
        let unlike: Vec<_> = found.unlike(&usual, "17", Role::Customer, &roles);
        assert_eq!(unlike.len(), 2);
        assert_eq!(unlike[0], (RoomKind::User, Some("user:17".to_owned()), "user/{user}".to_owned()));
        assert!(
            of(&["session-17", "user:17", "role:shopper"])
                .unlike(&usual, "17", Role::Customer, &roles)
                .is_empty()
        );
    }
}
