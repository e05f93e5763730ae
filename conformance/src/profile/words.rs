//! A command, as a profile writes it.

use std::fmt;

use serde::de::{Deserializer, SeqAccess, Visitor};

pub(super) fn required<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    deserializer.deserialize_any(Words)
}

pub(super) fn optional<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Vec<String>>, D::Error> {
    required(deserializer).map(Some)
}

struct Words;

impl<'de> Visitor<'de> for Words {
    type Value = Vec<String>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the program and its arguments as a list, such as [\"node\", \"main.js\"]")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Vec<String>, A::Error> {
        std::iter::from_fn(|| words.next_element().transpose()).collect()
    }
}
