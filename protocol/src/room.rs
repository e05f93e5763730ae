//! Rooms, and who may be in them (SPEC "Rooms", ROOM-3, ROOM-4).

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::claims::{Claims, Role, UserId};
use crate::limits::MAX_ROOM_NAME_BYTES;

/// The name of a room: `broadcast`, `user:{userId}`, `role:{role}`, or an event type.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
pub struct RoomName(String);

/// Why a text is not a room name (ROOM-4).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RoomNameError {
    /// No text at all.
    #[error("a room name has at least one character")]
    Empty,
    /// Too long.
    #[error("a room name has at most {MAX_ROOM_NAME_BYTES} bytes; this one has {bytes}")]
    TooLong {
        /// Its length.
        bytes: usize,
    },
    /// A character outside `[A-Za-z0-9:_.-]`.
    #[error("a room name holds only letters, digits and `: _ . -`; this one has {character:?}")]
    Character {
        /// The first one that does not belong.
        character: char,
    },
}

const USER_PREFIX: &str = "user:";
const ROLE_PREFIX: &str = "role:";

impl RoomName {
    /// Parses a requested name.
    ///
    /// # Errors
    /// When it is empty, overlong, or holds a character that names do not have.
    pub fn parse(text: &str) -> Result<Self, RoomNameError> {
        if text.is_empty() {
            return Err(RoomNameError::Empty);
        }
        if text.len() > MAX_ROOM_NAME_BYTES {
            return Err(RoomNameError::TooLong { bytes: text.len() });
        }
        let belongs = |c: char| c.is_ascii_alphanumeric() || matches!(c, ':' | '_' | '.' | '-');
        match text.chars().find(|&c| !belongs(c)) {
            Some(character) => Err(RoomNameError::Character { character }),
            None => Ok(Self(text.to_owned())),
        }
    }

    /// The room that every connection is in (CONN-2).
    pub fn broadcast() -> Self {
        Self("broadcast".to_owned())
    }

    /// A user's own room. The id comes from a verified token and so needs no check: an id that holds other characters
    /// gives a room that cannot be requested by name.
    pub fn user(user: &UserId) -> Self {
        Self(format!("{USER_PREFIX}{user}"))
    }

    /// A role's room (CONN-3).
    pub fn role(role: Role) -> Self {
        Self(format!("{ROLE_PREFIX}{}", role.lower_case()))
    }

    /// The rooms that a connection of these claims is in from its start (CONN-2, CONN-3).
    pub fn on_connect(claims: &Claims) -> [Self; 3] {
        [Self::broadcast(), Self::user(&claims.user_id), Self::role(claims.role)]
    }

    /// The name's text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whether a connection with these claims may join `room`: any connection a public one, only its owner a `user:` room,
/// only its role a `role:` room (ROOM-3).
pub fn may_join(claims: &Claims, room: &RoomName) -> bool {
    let name = room.as_str();
    if let Some(user) = name.strip_prefix(USER_PREFIX) {
        user == claims.user_id.as_str()
    } else if let Some(role) = name.strip_prefix(ROLE_PREFIX) {
        role == claims.role.lower_case()
    } else {
        true
    }
}

impl fmt::Display for RoomName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<RoomName> for String {
    fn from(room: RoomName) -> Self {
        room.0
    }
}

impl TryFrom<String> for RoomName {
    type Error = RoomNameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn claims(user: &str, role: Role) -> Claims {
        Claims {
            user_id: UserId::new(user),
            email: "x@example.org".into(),
            role,
            expires_at: 0,
            not_before: None,
        }
    }

    /// The edges of length and alphabet (ROOM-4).
    #[test]
    fn names_have_a_length_and_an_alphabet() {
        assert!(RoomName::parse(&"a".repeat(128)).is_ok());
        assert_eq!(RoomName::parse(&"a".repeat(129)), Err(RoomNameError::TooLong { bytes: 129 }));
        assert_eq!(RoomName::parse(""), Err(RoomNameError::Empty));
        assert_eq!(RoomName::parse("a b"), Err(RoomNameError::Character { character: ' ' }));
        assert_eq!(RoomName::parse("ä"), Err(RoomNameError::Character { character: 'ä' }));
        assert!(RoomName::parse("Aa0:_.-").is_ok());
    }

    /// Private rooms open to their owners only; everything else is public (ROOM-3).
    #[test]
    fn private_rooms_open_to_their_owners_only() {
        let alice = claims("alice", Role::Customer);
        let join = |name: &str| may_join(&alice, &RoomName::parse(name).unwrap());
        assert!(join("user:alice") && join("role:customer") && join("broadcast") && join("payment:updated"));
        assert!(!join("user:bob") && !join("user:") && !join("user:alice2") && !join("role:admin"));
        assert!(!join("role:CUSTOMER"), "role rooms are lower case");
    }

    proptest! {
        /// Any text is either a name that reads back unchanged or an error; nothing panics.
        #[test]
        fn any_text_is_a_name_or_an_error(text in any::<String>()) {
            if let Ok(room) = RoomName::parse(&text) {
                prop_assert_eq!(room.as_str(), text);
            }
        }
    }
}
