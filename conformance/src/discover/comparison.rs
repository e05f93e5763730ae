//! A profile, held against what was observed: where they differ, and what was not compared.

use std::fmt;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key in the profile.
    pub key: String,
    /// What the profile says.
    pub says: String,
    /// What was observed.
    pub observed: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, says, observed } = self;
        write!(f, "{key}: the profile says {says}, observed {observed}")
    }
}

/// What a profile says, and was not observed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unobserved {
    /// The key in the profile.
    pub key: String,
    /// Why it was not.
    pub why: String,
}

impl fmt::Display for Unobserved {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, why } = self;
        write!(f, "not observed: {key}: {why}")
    }
}

/// A profile, held against what was observed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Where they differ.
    pub differences: Vec<Difference>,
    /// What was not compared.
    pub unobserved: Vec<Unobserved>,
}

impl Comparison {
    pub(super) fn add(&mut self, key: &str, says: impl fmt::Display, observed: impl fmt::Display) {
        self.differences.push(Difference {
            key: key.to_owned(),
            says: says.to_string(),
            observed: observed.to_string(),
        });
    }

    pub(super) fn unless_equal<T: PartialEq + fmt::Display>(&mut self, key: &str, says: T, observed: T) {
        if says != observed {
            self.add(key, says, observed);
        }
    }

    pub(super) fn unobserved(&mut self, key: &str, why: &str) {
        self.unobserved.push(Unobserved { key: key.to_owned(), why: why.to_owned() });
    }

    /// Whether this key is among the differences.
    pub(super) fn differs(&self, key: &str) -> bool {
        self.differences.iter().any(|difference| difference.key == key)
    }
}
