//! Who scripted clients are to the gateway under test: what it has for user ids and for roles.

use std::collections::BTreeMap;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};

use protocol::Role;
use schemars::JsonSchema;
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Value, json};

/// What user ids are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum UserIds {
    /// Texts, such as `alice-c7`.
    #[default]
    Words,
    /// Numbers that fit into 31 bits, in tokens and in events as JSON numbers.
    Integers,
    /// UUIDs of version 4 (RFC 9562), in lower case.
    Uuids,
}

/// How an id differs from another one, as far as the form of ids has room for that; elsewhere it ends in another digit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Likeness {
    /// The other one begins with it, and is longer.
    Beginning,
    /// It begins with the other one, and is longer.
    Continuation,
    /// It is the same in upper case.
    Capitals,
}

/// What roles are called.
#[derive(Debug, Clone, PartialEq, Eq, JsonSchema)]
#[schemars(with = "Written")]
pub enum RoleNames {
    /// There are none.
    Absent,
    /// So; one that is missing is called as scenarios call it. Rooms have these names in lower case.
    Called(BTreeMap<Role, String>),
}

/// Cases that have integers of their own.
const CASES: u64 = 2_000_000;
/// Integers of one case.
const IDS_OF_A_CASE: u64 = 1000;
/// What the first integer is.
const FIRST_ID: u64 = 1001;

impl UserIds {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Words, Self::Integers, Self::Uuids];

    /// As a profile writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Words => "words",
            Self::Integers => "integers",
            Self::Uuids => "uuids",
        }
    }

    /// The id of a user in a case. `place` is the user's among those of the case: two places of a case have different integers.
    pub(crate) fn id(self, user: &str, place: usize, case: &str) -> String {
        match self {
            Self::Words => format!("{user}-{case}"),
            Self::Integers => {
                let place = place as u64 % IDS_OF_A_CASE;
                (hash(&case) % CASES * IDS_OF_A_CASE + FIRST_ID + place).to_string()
            }
            Self::Uuids => {
                let high = hash(&(user, case, 0)) & !0xf000 | 0x4000;
                let low = hash(&(user, case, 1)) & !(3 << 62) | 2 << 62;
                let (time, clock) = (high >> 32, low >> 48);
                let (middle, version, node) = (high >> 16 & 0xffff, high & 0xffff, low & 0xffff_ffff_ffff);
                format!("{time:08x}-{middle:04x}-{version:04x}-{clock:04x}-{node:012x}")
            }
        }
    }

    /// An id that is nearly this one.
    pub(crate) fn like(self, id: &str, how: Likeness) -> String {
        let last = id.len() - id.chars().next_back().map_or(0, char::len_utf8);
        let (rest, end) = id.split_at(last);
        // Three different digits, none of which is the id's own.
        let another = |step: u32| {
            let radix = if self == Self::Uuids { 16 } else { 10 };
            let digit = u32::from_str_radix(end, radix).unwrap_or_default() + step;
            format!("{rest}{}", char::from_digit(digit % radix, radix).unwrap_or_default())
        };
        match (self, how) {
            (Self::Words | Self::Integers, Likeness::Beginning) => rest.to_owned(),
            // A letter, so that it is no other case's.
            (Self::Words, Likeness::Continuation) => format!("{id}x"),
            (Self::Words, Likeness::Capitals) => id.to_uppercase(),
            (Self::Uuids, Likeness::Beginning) => another(1),
            (Self::Integers | Self::Uuids, Likeness::Continuation) => another(4),
            (Self::Integers | Self::Uuids, Likeness::Capitals) => another(7),
        }
    }

    /// An id as JSON has it.
    pub fn value(self, id: &str) -> Value {
        match (self, id.parse::<u64>()) {
            (Self::Integers, Ok(number)) => json!(number),
            _ => json!(id),
        }
    }
}

impl RoleNames {
    /// What a role is called in a token; nothing where there are no roles.
    pub fn name(&self, role: Role) -> Option<&str> {
        match self {
            Self::Absent => None,
            Self::Called(names) => Some(names.get(&role).map_or(role.as_str(), String::as_str)),
        }
    }

    /// What is wrong with the names, if anything: one is empty, or no role can be told from administrators.
    ///
    /// # Errors
    /// Says which.
    pub fn check(&self) -> Result<(), String> {
        let name = |role| self.name(role).map(str::to_lowercase);
        let is_empty = |role: &Role| self.name(*role).is_some_and(str::is_empty);
        if let Some(role) = Role::ALL.into_iter().find(is_empty) {
            return Err(format!("the name of {role} is empty"));
        }
        let others = [Role::Customer, Role::Vendor];
        let like = |role: &Role| name(*role).is_some() && name(*role) == name(Role::Admin);
        match others.into_iter().find(like) {
            Some(role) => {
                Err(format!("ADMIN and {role} have one name: no event would be for administrators alone"))
            }
            None => Ok(()),
        }
    }
}

impl Default for RoleNames {
    fn default() -> Self {
        Self::Called(BTreeMap::new())
    }
}

/// What a profile may say.
#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is read without it")]
enum Written {
    /// `false`: there are none.
    AreThere(bool),
    /// By the names that scenarios have; `VENDOR = false`: customers and administrators are all there are.
    Called(BTreeMap<String, WrittenRole>),
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "it is read without it")]
enum WrittenRole {
    Is(bool),
    Called(String),
}

impl<'de> Deserialize<'de> for RoleNames {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(WhetherOrNames)
    }
}

/// What a role is called, or that there is none of it.
#[derive(Deserialize)]
#[serde(untagged, expecting = "a name, or `false` where there is no such role")]
enum RoleNameOrNone {
    Is(bool),
    Called(String),
}

/// Whether there are roles, or their names.
struct WhetherOrNames;

impl<'de> Visitor<'de> for WhetherOrNames {
    type Value = RoleNames;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("false, where there are no roles, or a table of their names")
    }

    fn visit_bool<E: serde::de::Error>(self, are: bool) -> Result<RoleNames, E> {
        Ok(if are { RoleNames::default() } else { RoleNames::Absent })
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<RoleNames, A::Error> {
        let given: BTreeMap<Role, RoleNameOrNone> =
            Deserialize::deserialize(MapAccessDeserializer::new(map))?;
        let absent = |role: &Role| matches!(given.get(role), Some(RoleNameOrNone::Is(false)));
        if let Some(role) = [Role::Admin, Role::Customer].into_iter().find(absent) {
            return Err(serde::de::Error::custom(format!(
                "`{role} = false`: only VENDOR may be missing; `roles = false` where there are none"
            )));
        }
        let mut names: BTreeMap<Role, String> = given
            .iter()
            .filter_map(|(role, name)| match name {
                RoleNameOrNone::Called(name) => Some((*role, name.clone())),
                RoleNameOrNone::Is(_) => None,
            })
            .collect();
        if absent(&Role::Vendor) {
            let customer = names.get(&Role::Customer).map_or(Role::Customer.as_str(), String::as_str);
            names.insert(Role::Vendor, customer.to_owned());
        }
        Ok(RoleNames::Called(names))
    }
}

/// The same in every run of this build.
fn hash(value: &impl Hash) -> u64 {
    let mut hasher = DefaultHasher::new();
    value.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A gateway of customers and administrators has no vendors: its cases take a customer in their place.
    #[test]
    fn vendors_may_be_missing() {
        let roles: RoleNames =
            serde_json::from_value(json!({ "ADMIN": "ops", "CUSTOMER": "member", "VENDOR": false })).unwrap();
        assert_eq!((roles.name(Role::Vendor), roles.check()), (Some("member"), Ok(())));
        let roles: RoleNames = serde_json::from_value(json!({ "VENDOR": false })).unwrap();
        assert_eq!(roles.name(Role::Vendor), Some("CUSTOMER"));
        let error = serde_json::from_value::<RoleNames>(json!({ "ADMIN": false })).unwrap_err();
        assert!(error.to_string().contains("only VENDOR may be missing"), "{error}");
    }

    /// Roles may be called anything by which administrators can be told from others, or be absent.
    #[test]
    fn roles_can_be_told_apart() {
        let names = [(Role::Admin, "vendor"), (Role::Vendor, "Seller")];
        let roles = RoleNames::Called(names.map(|(role, name)| (role, name.to_owned())).into());
        assert_eq!(roles.check(), Ok(()));
        let alike = [(Role::Admin, "staff"), (Role::Vendor, "Staff")];
        let alike = RoleNames::Called(alike.map(|(role, name)| (role, name.to_owned())).into());
        assert!(alike.check().unwrap_err().contains("ADMIN and VENDOR"));
        assert_eq!((RoleNames::Absent.name(Role::Admin), RoleNames::Absent.check()), (None, Ok(())));
    }

    /// Each kind has its form, one user has one id in a case, and others have others.
    #[test]
    fn ids_have_their_form() {
        for ids in UserIds::ALL {
            let of = |user: &str, place, case: &str| ids.id(user, place, case);
            assert_eq!(of("alice", 0, "c7"), of("alice", 0, "c7"));
            assert_ne!(of("alice", 0, "c7"), of("bob", 1, "c7"));
            assert_ne!(of("alice", 0, "c7"), of("alice", 0, "c8"));
        }
        assert_eq!(UserIds::Words.id("alice", 0, "c7"), "alice-c7");
        let number = UserIds::Integers.id("alice", 999, "c7");
        assert!(number.parse::<i32>().is_ok() && UserIds::Integers.value(&number).is_number());
        assert!(UserIds::Words.value("7").is_string());
        let uuid = UserIds::Uuids.id("alice", 0, "c7");
        let lengths: Vec<usize> = uuid.split('-').map(str::len).collect();
        assert_eq!(lengths, [8, 4, 4, 4, 12]);
        assert!(uuid[14..].starts_with('4') && "89ab".contains(&uuid[19..20]), "{uuid}");
    }

    /// Ids that are nearly the same are not the same, and have the form of ids.
    #[test]
    fn like_ids_differ() {
        let all = [Likeness::Beginning, Likeness::Continuation, Likeness::Capitals];
        let like = |ids: UserIds, id| all.map(|how| ids.like(id, how));
        assert_eq!(like(UserIds::Words, "alice-c7"), ["alice-c", "alice-c7x", "ALICE-C7"]);
        assert_eq!(like(UserIds::Integers, "1009"), ["100", "1003", "1006"]);
        assert_eq!(like(UserIds::Uuids, "4f-9e"), ["4f-9f", "4f-92", "4f-95"]);
    }
}
