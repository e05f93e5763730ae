//! How the client under test is set up.

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// `[client]`: how the client under test is configured, apart from the timing.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSetup {
    /// The token it is given.
    pub token: String,
    /// Whether it is given one at all.
    pub signed_in: bool,
    /// Who names its URL.
    pub url: UrlSource,
    /// Query parameters that its URL has already.
    pub query: String,
    /// Events that it listens to from the start, apart from its own.
    pub listen: Vec<String>,
    /// Whether nothing but `options` is configured, so that everything else is the client's own default.
    pub defaults: bool,
    /// Other options of the `configure` request, by the adapter protocol's names.
    pub options: BTreeMap<String, Value>,
    /// Whether there are as many clients as a fleet of this run has. Each does what the steps say; its token ends in its
    /// number, counted from 1, so that its dials are known.
    pub fleet: bool,
}

/// Who names the URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UrlSource {
    /// The `configure` request.
    #[default]
    Configured,
    /// The environment variable `NX_WS_URL`. A simulation has no such thing.
    Environment,
    /// Nobody.
    Nobody,
}

impl ClientSetup {
    /// The token of a client, counted from 1; nothing where nobody is signed in.
    pub fn token_of(&self, number: usize) -> Option<String> {
        match (self.signed_in, self.fleet) {
            (false, _) => None,
            (true, false) => Some(self.token.clone()),
            (true, true) => Some(format!("{}-{number}", self.token)),
        }
    }
}

impl Default for ClientSetup {
    fn default() -> Self {
        Self {
            token: "a-token".to_owned(),
            signed_in: true,
            url: UrlSource::Configured,
            query: String::new(),
            listen: Vec::new(),
            defaults: false,
            options: BTreeMap::new(),
            fleet: false,
        }
    }
}
