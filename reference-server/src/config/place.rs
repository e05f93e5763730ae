//! Where settings stand in their file, so that an error about a value names its line.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::error::ConfigError;

/// A line and a column, counted from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    line: usize,
    column: usize,
}

/// The places of a file's settings. Without a file there are none.
#[derive(Debug, Clone, Default)]
pub(super) struct Places {
    file: PathBuf,
    of: BTreeMap<String, Place>,
}

impl Place {
    /// Of a byte of a text.
    pub(super) fn of(text: &str, offset: usize) -> Self {
        let before = &text[..offset.min(text.len())];
        let column = before.chars().rev().take_while(|c| *c != '\n').count() + 1;
        Self { line: before.matches('\n').count() + 1, column }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}", self.line, self.column)
    }
}

impl Places {
    /// The places of all values: by name, and those of a list by name and number, as `key[0]`.
    pub(super) fn read(file: &Path, text: &str) -> Self {
        let mut of = BTreeMap::new();
        // A text that is no TOML is refused elsewhere.
        for (name, value) in DeTable::parse(text).map(Spanned::into_inner).unwrap_or_default() {
            let name = name.into_inner();
            if let DeValue::Array(elements) = value.get_ref() {
                for (number, element) in elements.iter().enumerate() {
                    of.insert(format!("{name}[{number}]"), Place::of(text, element.span().start));
                }
            }
            of.insert(name.into_owned(), Place::of(text, value.span().start));
        }
        Self { file: file.to_owned(), of }
    }

    /// Those that are left where other settings, which are not of this file, say these things.
    pub(super) fn without<'a>(mut self, names: impl Iterator<Item = &'a String>) -> Self {
        for name in names {
            self.of.retain(|found, _| found.split('[').next() != Some(name));
        }
        self
    }

    /// The error with the place of its setting, where that is in the file.
    pub(super) fn locate(&self, setting: &str, error: ConfigError) -> ConfigError {
        let whole = setting.split('[').next().unwrap_or(setting);
        match (self.of.get(setting).or_else(|| self.of.get(whole)), error) {
            (Some(place), error) if !matches!(error, ConfigError::Located { .. }) => {
                ConfigError::Located { path: self.file.clone(), place: *place, source: Box::new(error) }
            }
            (_, error) => error,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values have places, those of tables and lists too; what is set elsewhere has none.
    #[test]
    fn values_have_places() {
        let text = "path = \"/ws\"\nshards =\t2\n\n[[key]]\nkid = \"a\"\n[[key]]\nkid = \"b\"\n[dialect]\nacks = false\n";
        let places = Places::read(Path::new("f"), text);
        for (name, line, column) in
            [("path", 1, 8), ("shards", 2, 10), ("key[0]", 4, 1), ("key[1]", 6, 1), ("dialect", 8, 1)]
        {
            assert_eq!(places.of.get(name), Some(&Place { line, column }), "{name}");
        }
        let left = places.without(["key".to_owned(), "path".to_owned()].iter());
        assert_eq!(left.of.keys().collect::<Vec<_>>(), ["dialect", "shards"]);
    }
}
