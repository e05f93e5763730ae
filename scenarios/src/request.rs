//! How the request for an upgrade differs from what a good client sends (RFC 6455 section 4.1).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// How a request differs from the one that a good client sends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RequestSpec {
    /// The method.
    pub method: String,
    /// The version of HTTP.
    pub http: String,
    /// Fields that it has instead, or besides.
    pub fields: BTreeMap<String, String>,
    /// Fields that it does not have.
    pub without: Vec<String>,
}

impl RequestSpec {
    /// A field that it names, whatever its case.
    pub fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str())
    }

    /// Whether the usual field of this name is left out.
    pub fn changes(&self, name: &str) -> bool {
        self.fields.keys().chain(&self.without).any(|changed| changed.eq_ignore_ascii_case(name))
    }
}

impl Default for RequestSpec {
    fn default() -> Self {
        Self {
            method: "GET".to_owned(),
            http: "1.1".to_owned(),
            fields: BTreeMap::new(),
            without: Vec::new(),
        }
    }
}
