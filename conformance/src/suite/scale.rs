//! Shorter or longer times, for subjects that receive their times from the harness.

use std::str::FromStr;

use miette::Diagnostic;
use protocol::Timing;
use scenarios::SubjectKind;

use crate::profile::{CommandProfile, GatewayAccess, Profile};

/// What every time of a profile is multiplied by.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct TimeScale(f64);

/// Below a thousandth, times are less than a millisecond, the unit in which they are passed; above a hundredfold, runs take
/// too long.
const SCALES: std::ops::RangeInclusive<f64> = 0.001..=100.0;

/// A factor is too small, too large, or no number.
#[derive(Debug, thiserror::Error)]
#[error("it is a number of the range {} to {}, such as 0.02", SCALES.start(), SCALES.end())]
pub struct FactorError;

/// Why times cannot be scaled.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum ScaleError {
    /// The gateway was started by somebody else.
    #[error("`--time-scale`: a gateway that runs already is not told its times")]
    #[diagnostic(help("write the times that it runs with into `[timing]`"))]
    Attached,
    /// The gateway's command does not take a time.
    #[error("`--time-scale`: the gateway is not told `{name}`")]
    #[diagnostic(help(
        "hand over `{{{name}}}`, `{{{name}_ms}}` or `{{{name}_s}}` by an argument or the environment"
    ))]
    Untold {
        /// Its placeholder.
        name: &'static str,
    },
}

impl TryFrom<f64> for TimeScale {
    type Error = FactorError;

    fn try_from(factor: f64) -> Result<Self, FactorError> {
        if SCALES.contains(&factor) { Ok(Self(factor)) } else { Err(FactorError) }
    }
}

impl FromStr for TimeScale {
    type Err = FactorError;

    fn from_str(text: &str) -> Result<Self, FactorError> {
        text.parse::<f64>().map_err(|_| FactorError)?.try_into()
    }
}

impl TimeScale {
    /// The profile with its times multiplied.
    ///
    /// # Errors
    /// When a subject does not receive its times from the harness.
    pub fn apply(self, profile: Profile, subjects: &[SubjectKind]) -> Result<Profile, ScaleError> {
        let gateway = profile
            .gateway
            .as_ref()
            .filter(|_| subjects.iter().any(|subject| *subject != SubjectKind::Client));
        match gateway.map(|gateway| &gateway.access) {
            Some(GatewayAccess::Attach { .. }) => return Err(ScaleError::Attached),
            Some(GatewayAccess::Spawn { command, .. }) => {
                let names = ["ping_interval", "pong_timeout"];
                if let Some(name) = names.into_iter().find(|name| !is_given(command, name)) {
                    return Err(ScaleError::Untold { name });
                }
            }
            // One in this process is always told.
            Some(GatewayAccess::InProcess { .. }) | None => {}
        }
        let timing = self.scaled(&profile.timing);
        Ok(Profile { timing, ..profile })
    }

    fn scaled(self, timing: &Timing) -> Timing {
        // Times are passed in whole milliseconds.
        let scale = |time: std::time::Duration| {
            let ms = (time.as_secs_f64() * self.0 * 1000.0).round().max(1.0);
            std::time::Duration::from_secs_f64(ms / 1000.0)
        };
        Timing {
            reconnect_delay: scale(timing.reconnect_delay),
            max_reconnect_delay: scale(timing.max_reconnect_delay),
            ping_interval: scale(timing.ping_interval),
            pong_timeout: scale(timing.pong_timeout),
            connect_timeout: scale(timing.connect_timeout),
            stable_after: scale(timing.stable_after),
            ..timing.clone()
        }
    }
}

fn is_given(command: &CommandProfile, name: &str) -> bool {
    ["", "_ms", "_s"].iter().any(|unit| command.uses(&format!("{name}{unit}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;
    use std::time::Duration;

    fn scaled(factor: &str, text: &str, subject: SubjectKind) -> Result<Timing, String> {
        let profile = Profile::parse("gatecheck.toml", text, Path::new(".")).unwrap();
        let factor = factor.parse::<TimeScale>().map_err(|error| error.to_string())?;
        let scaled = factor.apply(profile, &[subject]);
        scaled.map(|profile| profile.timing).map_err(|report| report.to_string())
    }

    /// Times shrink together, to whole milliseconds; numbers and parts stay.
    #[test]
    fn times_shrink_together() {
        let timing = scaled("0.01", "[client]\ncommand = [\"a\"]", SubjectKind::Client).unwrap();
        assert_eq!(timing.ping_interval, Duration::from_millis(300));
        assert_eq!(timing.reconnect_delay, Duration::from_millis(10));
        assert_eq!((timing.max_reconnect_attempts, timing.jitter), (10, 0.2));
        let least = scaled("0.001", "[timing]\nreconnect_delay = \"1ms\"", SubjectKind::Client).unwrap();
        assert_eq!(least.reconnect_delay, Duration::from_millis(1));
    }

    /// A gateway that does not receive its times cannot be scaled.
    #[test]
    fn a_gateway_with_its_own_times_is_not_scaled() {
        let given = "[gateway]\ncommand = [\"a\", \"{ping_interval_ms}\"]\nenv = { T = \"{pong_timeout}\" }";
        assert!(scaled("0.1", given, SubjectKind::Gateway).is_ok());
        let half = scaled("0.1", "[gateway]\ncommand = [\"a\", \"{ping_interval}\"]", SubjectKind::Gateway);
        assert!(half.unwrap_err().contains("not told `pong_timeout`"));
        let attached = "[gateway]\nattach = \"ws://h:1/ws\"\njwt_secret = \"s\"";
        assert!(scaled("0.1", attached, SubjectKind::Gateway).unwrap_err().contains("runs already"));
        assert!(scaled("0", given, SubjectKind::Gateway).unwrap_err().contains("such as 0.02"));
    }
}
