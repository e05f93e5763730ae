//! What a query is known by.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Value;

/// A JSON array, such as `["payments", {"page": 1}]`. It matches every key that it begins: `["payments"]` matches
/// `["payments"]` and `["payments", {"page": 1}]`, not `["payment"]` (HOOK-2).
#[derive(Clone)]
pub struct QueryKey {
    parts: Vec<Value>,
    /// The parts as JSON, by which keys are compared and ordered.
    text: String,
}

impl QueryKey {
    /// A key of these parts.
    pub fn new(parts: impl IntoIterator<Item = impl Into<Value>>) -> Self {
        let parts: Vec<Value> = parts.into_iter().map(Into::into).collect();
        let text = serde_json::to_string(&parts).expect("JSON values can be written");
        Self { parts, text }
    }

    /// The parts.
    pub fn parts(&self) -> &[Value] {
        &self.parts
    }

    /// Whether `other` begins with this key's parts.
    pub fn matches(&self, other: &Self) -> bool {
        other.parts.starts_with(&self.parts)
    }
}

impl<T: Into<Value>, const N: usize> From<[T; N]> for QueryKey {
    fn from(parts: [T; N]) -> Self {
        Self::new(parts)
    }
}

impl From<Vec<Value>> for QueryKey {
    fn from(parts: Vec<Value>) -> Self {
        Self::new(parts)
    }
}

impl PartialEq for QueryKey {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for QueryKey {}

impl PartialOrd for QueryKey {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for QueryKey {
    fn cmp(&self, other: &Self) -> Ordering {
        self.text.cmp(&other.text)
    }
}

impl fmt::Debug for QueryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl fmt::Display for QueryKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn key(parts: &Value) -> QueryKey {
        QueryKey::from(parts.as_array().expect("an array").clone())
    }

    /// A key matches what it begins, part by part, and nothing else.
    #[test]
    fn a_key_matches_what_it_begins() {
        let payments = key(&json!(["payments"]));
        assert!(payments.matches(&payments));
        assert!(payments.matches(&key(&json!(["payments", { "page": 1 }]))));
        assert!(!payments.matches(&key(&json!(["payment", "p-1"]))));
        assert!(!payments.matches(&key(&json!([]))));
        assert!(!key(&json!(["payments", 1])).matches(&payments));
        assert!(!key(&json!(["payments", 1])).matches(&key(&json!(["payments", "1"]))));
        assert!(key(&json!([])).matches(&payments), "the empty key matches everything");
    }

    /// The order of an object's members does not make another key.
    #[test]
    fn members_have_no_order() {
        assert_eq!(key(&json!([{ "a": 1, "b": 2 }])), key(&json!([{ "b": 2, "a": 1 }])));
    }

    proptest! {
        /// Every key matches itself with anything behind it.
        #[test]
        fn what_follows_does_not_matter(head in prop::collection::vec("[a-c]{0,2}", 0..4), tail in prop::collection::vec("[a-c]{0,2}", 0..4)) {
            let whole = QueryKey::new(head.iter().chain(&tail).map(String::as_str));
            prop_assert!(QueryKey::new(head.iter().map(String::as_str)).matches(&whole));
        }
    }
}
