//! Which of the defaults a declared design replaces (CONF-1).

use super::backoff::{JitterKind, Length, Reset, Span};
use super::{BackoffDesign, ClientDesign, QueuePolicy};

impl ClientDesign {
    /// The options, by the adapter protocol's names, that mean nothing to this client, or something of its own.
    pub(super) fn replaced_options(&self) -> Vec<&'static str> {
        let BackoffDesign { initial, delays, cap, jitter, jitter_size, attempts, reset, .. } = &self.backoff;
        let is_own = |length: &Length| matches!(length, Length::Own(_));
        let begins_itself = match (initial, delays.is_empty()) {
            (Some(Span::Fixed(initial)), true) => is_own(initial),
            (Some(Span::Between(initial)), true) => initial.iter().all(is_own),
            (None, true) => false,
            (_, false) => delays.iter().all(is_own),
        };
        let replaced = [
            (attempts.is_some(), "maxReconnectAttempts"),
            (begins_itself, "reconnectDelay"),
            (!cap, "maxReconnectDelay"),
            (*jitter != JitterKind::PlusMinus || jitter_size.is_some(), "jitter"),
            (*reset == Reset::Open, "stableAfter"),
            (self.queue == QueuePolicy::None, "queueCapacity"),
        ];
        replaced.into_iter().filter_map(|(is_replaced, option)| is_replaced.then_some(option)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is declared in place of an option is not read; everything else is.
    #[test]
    fn options_that_a_design_replaces_are_not_read() {
        for (declared, replaced) in [
            ("", vec![]),
            ("backoff = { attempts = \"unlimited\" }", vec!["maxReconnectAttempts"]),
            ("backoff = { attempts = 3, jitter = \"full\" }", vec!["maxReconnectAttempts", "jitter"]),
            ("backoff = { delays = [1, 2] }", vec!["maxReconnectDelay"]),
            ("backoff = { delays = [1, 2], cap = true }", vec![]),
            ("backoff = { delays = [\"1s\"] }", vec!["reconnectDelay", "maxReconnectDelay"]),
            ("backoff = { initial = \"1s\" }", vec!["reconnectDelay"]),
            ("backoff = { reset = \"open\" }", vec!["stableAfter"]),
            ("queue = \"none\"", vec!["queueCapacity"]),
        ] {
            let design: ClientDesign = toml::from_str(declared).unwrap();
            assert_eq!(design.replaced_options(), replaced, "{declared}");
        }
    }
}
