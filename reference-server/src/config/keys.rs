//! From settings to what tokens are verified with.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::check::{time, value};
use super::error::ConfigError;
use super::settings::Settings;
use crate::auth::{Algorithm, Key, TokenVerifier};

/// A key with a name. It has exactly one of the other three.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct KeySetting {
    /// The `kid` of the tokens that it verifies; without it, of any.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) kid: Option<String>,
    /// A secret of tokens signed by HMAC.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret: Option<String>,
    /// A file that holds one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) secret_file: Option<PathBuf>,
    /// A file with a public key in PEM.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) public_key_file: Option<PathBuf>,
}

impl Settings {
    pub(super) fn verification(&self) -> Result<TokenVerifier, ConfigError> {
        let keys = self.keys()?;
        let algorithms: BTreeSet<Algorithm> = match &self.algorithms {
            None => keys.iter().map(Key::default_algorithm).collect(),
            Some(names) if names.is_empty() => {
                return Err(value("algorithms", "empty", "name at least one, such as HS256"));
            }
            Some(names) => names.iter().map(|name| name.parse()).collect::<Result<_, _>>()?,
        };
        if let Some(keyless) =
            algorithms.iter().find(|algorithm| !keys.iter().any(|key| key.fits(**algorithm)))
        {
            return Err(ConfigError::Keyless(*keyless));
        }
        Ok(TokenVerifier {
            keys,
            algorithms,
            leeway_s: time("leeway", self.leeway.as_deref(), Duration::ZERO)?.as_secs(),
            audience: self.audience.clone().unwrap_or_default(),
            issuer: self.issuer.clone().unwrap_or_default(),
        })
    }

    fn keys(&self) -> Result<Vec<Key>, ConfigError> {
        let mut keys = Vec::new();
        let secret = match (&self.jwt_secret, &self.jwt_secret_file) {
            (Some(secret), _) => Some(secret.clone()),
            (None, Some(path)) => {
                Some(read(path).map_err(|error| self.places.locate("jwt_secret_file", error))?)
            }
            (None, None) => None,
        };
        for secret in secret.iter().chain(&self.jwt_secret_previous) {
            keys.push(Key::secret(None, secret.as_str()));
        }
        for path in self.jwt_public_keys.iter().flatten() {
            let key = public(None, path);
            keys.push(key.map_err(|error| self.places.locate("jwt_public_keys", error))?);
        }
        for (number, key) in self.keys.iter().flatten().enumerate() {
            let key = Self::named_key(key);
            keys.push(key.map_err(|error| self.places.locate(&format!("key[{number}]"), error))?);
        }
        match (keys.is_empty(), self.dev) {
            (false, _) => Ok(keys),
            (true, Some(true)) => Ok(vec![Key::random().map_err(ConfigError::NoSecretMade)?]),
            (true, Some(false) | None) => Err(ConfigError::NoKey),
        }
    }

    fn named_key(key: &KeySetting) -> Result<Key, ConfigError> {
        let kid = key.kid.clone();
        match (&key.secret, &key.secret_file, &key.public_key_file) {
            (Some(secret), None, None) if !secret.is_empty() => Ok(Key::secret(kid, secret.as_str())),
            (None, Some(path), None) => Ok(Key::secret(kid, read(path)?)),
            (None, None, Some(path)) => public(kid, path),
            _ => {
                let hint = "it has one of `secret`, `secret_file` and `public_key_file`";
                Err(value("key", kid.as_deref().unwrap_or("nameless"), hint))
            }
        }
    }
}

/// A secret from a file, without the line's end.
fn read(path: &Path) -> Result<String, ConfigError> {
    let text =
        fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    match text.trim() {
        "" => Err(ConfigError::NoKey),
        secret => Ok(secret.to_owned()),
    }
}

fn public(kid: Option<String>, path: &Path) -> Result<Key, ConfigError> {
    let pem = fs::read(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
    Key::public(kid, &pem).map_err(|source| ConfigError::Key { path: path.to_owned(), source })
}
