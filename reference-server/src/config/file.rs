//! Settings as a file says them: read, put over others, and shown.

use std::fs;
use std::path::Path;

use toml::Value;

use super::error::ConfigError;
use super::place::{Place, Places};
use super::settings::Settings;

/// What stands for a secret where settings are shown.
pub(super) const HIDDEN: &str = "***";
/// The two places of the secret.
const SECRETS: [&str; 2] = ["jwt_secret", "jwt_secret_file"];

impl Settings {
    /// Reads a file.
    ///
    /// # Errors
    /// When it cannot be read, or is not TOML, or has an unknown key; the message shows the line.
    pub(super) fn read(path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Read { path: path.to_owned(), source })?;
        Self::parse(path, &text)
    }

    pub(super) fn parse(path: &Path, text: &str) -> Result<Self, ConfigError> {
        let settings: Self = toml::from_str(text).map_err(|error| {
            // The reader's own rendering shows the line itself, which may hold a secret.
            let place = Place::of(text, error.span().map_or(0, |span| span.start));
            let message = unquoted(error.message()).to_owned();
            ConfigError::Syntax { path: path.to_owned(), place, message }
        })?;
        Ok(Self { places: Places::read(path, text), ..settings })
    }

    /// These settings, and below them those of `other` where these say nothing.
    pub(super) fn over(&self, other: &Self) -> Self {
        let (mut table, upper) = (other.table(), self.table());
        let places = other.places.clone().without(upper.keys());
        // Where the secret stands is one question, and the later answer counts.
        if SECRETS.iter().any(|name| upper.contains_key(*name)) {
            SECRETS.iter().for_each(|name| drop(table.remove(*name)));
        }
        table.extend(upper);
        let merged: Self = table.try_into().expect("settings that were written can be read");
        Self { places, ..merged }
    }

    /// These settings for another process, which would not know a secret that development mode makes up here.
    #[cfg(feature = "cli")]
    pub(crate) fn with_known_secrets(self) -> Self {
        Self { dev: None, ..self }
    }

    /// The settings as a file says them, secrets hidden (AUTH-8).
    pub(super) fn shown(mut self) -> String {
        let hide = |secret: &mut Option<String>| {
            if secret.is_some() {
                *secret = Some(HIDDEN.to_owned());
            }
        };
        hide(&mut self.jwt_secret);
        hide(&mut self.jwt_secret_previous);
        hide(&mut self.stats_token);
        hide(&mut self.sentry_dsn);
        for key in self.keys.iter_mut().flatten() {
            hide(&mut key.secret);
        }
        if let Some(mut url) = self.amqp_url.as_deref().and_then(|url| url::Url::parse(url).ok()) {
            if url.password().is_some() {
                // A URL that has a password takes another one.
                let _ = url.set_password(Some(HIDDEN));
            }
            self.amqp_url = Some(url.to_string());
        }
        toml::to_string(&self).expect("settings can be written")
    }

    /// What is set. An empty text is nothing: it is what an orchestrator makes of a variable that it does not know.
    fn table(&self) -> toml::Table {
        let mut table = toml::Table::try_from(self).expect("settings can be written");
        let says = |value: &Value| value.as_str() != Some("");
        table.retain(|_, value| match value {
            Value::Array(values) if !values.is_empty() => {
                values.retain(says);
                !values.is_empty()
            }
            value => says(value),
        });
        table
    }
}

/// A reader's message without what it quotes of a value: only names of keys stand in backticks.
fn unquoted(message: &str) -> &str {
    message.split_once(": string \"").or_else(|| message.split_once(": \"")).map_or(message, |(says, _)| says)
}
