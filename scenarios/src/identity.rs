//! Who scripted clients are to the gateway under test: what it has for user ids.

use std::hash::{DefaultHasher, Hash, Hasher};

use serde::Deserialize;
use serde_json::{Value, json};

/// What user ids are.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
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

    /// An id as JSON has it.
    pub fn value(self, id: &str) -> Value {
        match (self, id.parse::<u64>()) {
            (Self::Integers, Ok(number)) => json!(number),
            _ => json!(id),
        }
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
}
