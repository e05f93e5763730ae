//! Cases that configure one delay for all redials, and are about what happens within it.

use std::time::Duration;

use super::{ClientDesign, Law};
use crate::scenario::{Scenario, Script};

/// Redials of such a case.
const REDIALS: u32 = 5;
/// By how much the configured delay may be longer than the one that the case is about.
const MOST: f64 = 3.0;

impl Scenario {
    /// The case with a delay that is as long as it says even where chance makes it shortest.
    ///
    /// # Errors
    /// Where chance may make it too short for that.
    pub(super) fn with_whole_delays(mut self, design: &ClientDesign) -> Result<Self, String> {
        let Script::Client(script) = &mut self.script else { return Ok(self) };
        let options = &mut script.client.options;
        let is_flat = options.max_reconnect_delay == options.reconnect_delay && options.jitter == Some(0.0);
        let Some(delay) = options.reconnect_delay.filter(|_| is_flat) else { return Ok(self) };
        let wanted = Duration::from_millis(delay);
        let shortest = |configured: Duration| {
            let law = Law::new(&design.backoff, configured, configured, 0.0);
            (0..REDIALS).map(|attempt| law.window(attempt).0).min().unwrap_or_default()
        };
        let usual = shortest(wanted);
        if usual >= wanted {
            return Ok(self);
        }
        // A millisecond more makes up for rounding.
        let longer = wanted.as_secs_f64().powi(2) / usual.as_secs_f64().max(f64::EPSILON);
        let longer =
            Duration::from_secs_f64(longer.min(wanted.as_secs_f64() * MOST)) + Duration::from_millis(1);
        if shortest(longer) < wanted {
            return Err(format!(
                "is about a delay of {wanted:?}; the declared delays may be as short as {usual:?}"
            ));
        }
        let configured = u64::try_from(longer.as_millis()).unwrap_or(delay);
        (options.reconnect_delay, options.max_reconnect_delay) = (Some(configured), Some(configured));
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::library::Library;

    fn configured(design: &str) -> Result<Option<u64>, String> {
        let library = Library::builtin().unwrap();
        let case = library.iter().find(|case| case.id.0 == "client/backoff/after-each-close").unwrap();
        let case = case.clone().with_whole_delays(&toml::from_str(design).unwrap())?;
        let Script::Client(script) = &case.script else { unreachable!("it is about a client") };
        Ok(script.client.options.reconnect_delay)
    }

    /// Half of it may be left to chance, and not all of it; what is configured has no say in delays of the client's own.
    #[test]
    fn a_delay_is_as_long_as_the_case_needs() {
        assert_eq!(configured(""), Ok(Some(600)));
        assert_eq!(configured("backoff = { jitter = \"equal\" }"), Ok(Some(1201)));
        assert_eq!(configured("backoff = { initial = 0.5 }"), Ok(Some(1201)));
        assert!(configured("backoff = { jitter = \"full\" }").unwrap_err().contains("as short as 0ns"));
        assert!(
            configured("backoff = { delays = [\"30ms\", \"1s\"] }").unwrap_err().contains("as short as 30ms")
        );
    }
}
