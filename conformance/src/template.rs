//! Placeholders in commands and environments: `{port}`, `{jwt_secret}`, `{amqp_url}` and the rest.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{Timing, format_duration};
use scenarios::scenario::{Interval, Settings};

/// Every placeholder. A duration has three: `{ping_interval}` is `300ms`, `{ping_interval_ms}` is `300`, `{ping_interval_s}` is `0.3`.
const NAMES: [&str; 37] = [
    "allowed_origin",
    "amqp_url",
    "connect_timeout",
    "connect_timeout_ms",
    "connect_timeout_s",
    "dialect",
    "exchange",
    "gatecheck",
    "jwt_public_key",
    "jwt_public_key_file",
    "jwt_secret",
    "jwt_secret_previous",
    "max_connections",
    "max_connections_per_address",
    "max_connections_per_user",
    "max_reconnect_attempts",
    "max_reconnect_delay",
    "max_reconnect_delay_ms",
    "max_reconnect_delay_s",
    "message_rate",
    "outbox_bytes",
    "path",
    "ping_interval",
    "ping_interval_ms",
    "ping_interval_s",
    "pong_timeout",
    "pong_timeout_ms",
    "pong_timeout_s",
    "port",
    "queue",
    "queue_kind",
    "reconnect_delay",
    "reconnect_delay_ms",
    "reconnect_delay_s",
    "stable_after",
    "stable_after_ms",
    "stable_after_s",
];

const PING_INTERVAL: [&str; 3] = ["ping_interval", "ping_interval_ms", "ping_interval_s"];

/// A text names a placeholder that does not exist.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TemplateError {
    /// The name.
    pub name: String,
    /// The names that exist.
    pub hint: String,
}

/// What the placeholders stand for in one run.
#[derive(Debug, Clone, Default)]
pub struct Values {
    values: BTreeMap<&'static str, String>,
}

impl Values {
    /// The values that follow from the timing.
    pub fn of_timing(timing: &Timing) -> Self {
        let mut values = Self::default();
        for (names, duration) in [
            (["connect_timeout", "connect_timeout_ms", "connect_timeout_s"], timing.connect_timeout),
            (
                ["max_reconnect_delay", "max_reconnect_delay_ms", "max_reconnect_delay_s"],
                timing.max_reconnect_delay,
            ),
            (PING_INTERVAL, timing.ping_interval),
            (["pong_timeout", "pong_timeout_ms", "pong_timeout_s"], timing.pong_timeout),
            (["reconnect_delay", "reconnect_delay_ms", "reconnect_delay_s"], timing.reconnect_delay),
            (["stable_after", "stable_after_ms", "stable_after_s"], timing.stable_after),
        ] {
            values.set_duration(names, duration);
        }
        values.set("max_reconnect_attempts", timing.max_reconnect_attempts.to_string());
        values
    }

    /// Adds what a scenario wants the gateway to be configured with, or the usual.
    pub fn set_settings(&mut self, settings: &Settings, gateways: usize) {
        let number = |set: Option<u32>, usual: u32| set.unwrap_or(usual).to_string();
        self.set("allowed_origin", settings.allowed_origin.clone().unwrap_or_default());
        self.set("max_connections", number(settings.max_connections, Settings::MANY_CONNECTIONS));
        self.set(
            "max_connections_per_user",
            number(settings.max_connections_per_user, Settings::MANY_CONNECTIONS),
        );
        self.set(
            "max_connections_per_address",
            number(settings.max_connections_per_address, Settings::MANY_CONNECTIONS),
        );
        self.set("message_rate", number(settings.message_rate, Settings::MESSAGE_RATE));
        self.set("outbox_bytes", number(settings.outbox_bytes, Settings::OUTBOX_BYTES));
        if let Some(Interval(interval)) = settings.ping_interval {
            self.set_duration(PING_INTERVAL, interval);
        }
        self.set("queue_kind", if gateways > 1 { "per-instance" } else { "shared" });
    }

    fn set_duration(&mut self, [name, name_ms, name_s]: [&'static str; 3], duration: Duration) {
        self.set(name, format_duration(duration));
        self.set(name_ms, duration.as_millis().to_string());
        self.set(name_s, duration.as_secs_f64().to_string());
    }

    /// Gives a placeholder its value.
    pub fn set(&mut self, name: &'static str, value: impl Into<String>) {
        debug_assert!(NAMES.contains(&name), "{name} is a placeholder");
        self.values.insert(name, value.into());
    }

    /// A placeholder's own name, and its value.
    pub(crate) fn get(&self, name: &str) -> Option<(&'static str, &str)> {
        self.values.get_key_value(name).map(|(name, value)| (*name, value.as_str()))
    }

    /// The text with every placeholder replaced; one without a value stays as it is.
    pub fn fill(&self, text: &str) -> String {
        let mut filled = text.to_owned();
        for (name, value) in &self.values {
            filled = filled.replace(&format!("{{{name}}}"), value);
        }
        filled
    }
}

/// Whether a text uses a placeholder.
pub fn uses(text: &str, name: &str) -> bool {
    text.contains(&format!("{{{name}}}"))
}

/// Checks that every placeholder in a text exists. Braces around anything but a plain word are left alone, so that
/// JSON can be passed.
pub fn check(text: &str) -> Result<(), TemplateError> {
    check_among(text, &NAMES)
}

/// As [`check`], where there are other names.
pub fn check_among(text: &str, names: &[&str]) -> Result<(), TemplateError> {
    for part in text.split('{').skip(1) {
        let Some((name, _)) = part.split_once('}') else { continue };
        let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
        if word && !names.contains(&name) {
            return Err(TemplateError {
                name: name.to_owned(),
                hint: format!("there are: {}", names.join(", ")),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Placeholders become values; unknown ones are errors; JSON is left alone.
    #[test]
    fn placeholders_become_values() {
        let mut values = Values::of_timing(&Timing::default());
        values.set("port", "4000");
        let said = values.fill("ws://h:{port} {ping_interval} {ping_interval_ms} {ping_interval_s}");
        assert_eq!(said, "ws://h:4000 30s 30000 30");
        assert_eq!(check("{prt}").unwrap_err().name, "prt");
        assert_eq!(check(r#"{"port": {port}}"#), Ok(()));
        assert!(uses("a {queue}", "queue") && !uses("queue", "queue"));
    }
}
