//! Which delays a client declares between its redials.

use std::fmt;
use std::time::Duration;

use protocol::{Timing, format_duration, parse_duration};
use schemars::JsonSchema;
use serde::Deserialize;

use super::law::Law;

/// `[client.design.backoff]`.
///
/// ```text
///  delay before redial n (from 0) = initial · factorⁿ, at most the cap     where `first` is declared: that, then initial · factorⁿ⁻¹
///                                 = delays[n], or the last of them; at most the cap, where `cap` is true
/// ```
#[derive(Debug, Clone, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "RawBackoff")]
#[schemars(with = "RawBackoff")]
pub struct BackoffDesign {
    /// What a delay is multiplied by for the next; 1 for the same delay each time (default 2).
    pub factor: f64,
    /// Where the multiplied delays begin, or between which two they begin by chance (default `reconnect_delay`).
    pub initial: Option<Span>,
    /// The delay before the first redial, where it is one of its own.
    pub first: Option<Span>,
    /// The delays one by one, in place of all that; the last one stays.
    pub delays: Vec<Length>,
    /// Whether `max_reconnect_delay` is the longest (default true; of listed `delays` false).
    pub cap: bool,
    /// How chance changes a delay (default `plus_minus`).
    pub jitter: JitterKind,
    /// By how much at most: a share of the delay, or a time (default `jitter` of the timing).
    pub jitter_size: Option<Length>,
    /// How many redials there are, where that is not `max_reconnect_attempts`.
    pub attempts: Option<Attempts>,
    /// When the count of redials begins again (default when a connection was stable).
    pub reset: Reset,
    /// The shortest delay after a connection that opened, where the count begins again on opening.
    pub floor: Option<Length>,
}

/// A time, or so many times `reconnect_delay`; of jitter, so many times the delay.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(try_from = "RawLength")]
#[schemars(with = "RawLength")]
pub enum Length {
    /// So many times.
    Times(f64),
    /// A time.
    Own(Duration),
}

/// One length, or two between which chance decides.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a delay is a duration such as \"500ms\", a number (so many times `reconnect_delay`), or a list of two of those"
)]
pub enum Span {
    /// One.
    Fixed(Length),
    /// Two, the shorter one first.
    Between([Length; 2]),
}

/// How chance changes a delay.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum JitterKind {
    /// Up to `jitter_size` shorter or longer.
    #[default]
    PlusMinus,
    /// Anything from nothing to the delay.
    Full,
    /// Anything from half the delay to the delay.
    Equal,
    /// Up to `jitter_size` longer.
    Added,
    /// Not at all.
    None,
}

/// How many redials there are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "`attempts` is a number, or \"unlimited\"")]
pub enum Attempts {
    /// So many, whatever is configured.
    Own(u32),
    /// As many as it takes.
    Unlimited(Unlimited),
}

/// The word for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unlimited {
    /// `unlimited`
    Unlimited,
}

/// When the count of redials begins again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Reset {
    /// Once a connection has lived for `stable_after`.
    #[default]
    Stable,
    /// As a connection opens.
    Open,
}

impl BackoffDesign {
    /// The delays of a client that is configured with these times.
    pub fn law(&self, timing: &Timing) -> Law<'_> {
        let Timing { reconnect_delay, max_reconnect_delay, jitter, .. } = *timing;
        Law::new(self, reconnect_delay, max_reconnect_delay, jitter)
    }

    /// Whether there is no end to the redials.
    pub fn is_unlimited(&self) -> bool {
        matches!(self.attempts, Some(Attempts::Unlimited(_)))
    }

    /// How many redials there are whatever is configured, where it has a number of its own.
    pub(super) fn own_attempts(&self) -> Option<u32> {
        match self.attempts {
            Some(Attempts::Own(attempts)) => Some(attempts),
            Some(Attempts::Unlimited(_)) | None => None,
        }
    }

    /// Why it has no place for a requirement, where it has none.
    pub(super) fn lacks(&self, id: &str) -> Option<&'static str> {
        match id {
            "BACKOFF-2" | "STATE-4" if self.is_unlimited() => Some("the declared attempts are unlimited"),
            "BACKOFF-6" if self.reset == Reset::Open && self.floor.is_none() => Some(
                "the count of redials begins again as a connection opens, as declared, and there is no floor",
            ),
            _ => None,
        }
    }
}

impl Length {
    /// The time that it is; `one` is what it may be a multiple of.
    pub(super) fn of(self, one: Duration) -> Duration {
        match self {
            Self::Times(times) => one.mul_f64(times),
            Self::Own(time) => time,
        }
    }
}

impl JitterKind {
    /// The word by which a profile says it.
    pub fn word(self) -> &'static str {
        match self {
            Self::PlusMinus => "plus_minus",
            Self::Full => "full",
            Self::Equal => "equal",
            Self::Added => "added",
            Self::None => "none",
        }
    }
}

impl fmt::Display for Attempts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Own(attempts) => attempts.fmt(f),
            Self::Unlimited(_) => f.write_str("unlimited"),
        }
    }
}

impl Span {
    pub(super) fn of(self, one: Duration) -> (Duration, Duration) {
        match self {
            Self::Fixed(length) => (length.of(one), length.of(one)),
            Self::Between([short, long]) => (short.of(one), long.of(one).max(short.of(one))),
        }
    }
}

impl Default for BackoffDesign {
    fn default() -> Self {
        Self {
            factor: 2.0,
            initial: None,
            first: None,
            delays: Vec::new(),
            cap: true,
            jitter: JitterKind::default(),
            jitter_size: None,
            attempts: None,
            reset: Reset::default(),
            floor: None,
        }
    }
}

impl fmt::Display for BackoffDesign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { factor, initial, first, delays, cap, jitter, jitter_size, attempts, reset, floor } = self;
        f.write_str("backoff: ")?;
        if delays.is_empty() {
            first.iter().try_for_each(|first| write!(f, "{first} first, then "))?;
            match initial {
                Some(initial) => write!(f, "{initial}")?,
                None => f.write_str("reconnect_delay")?,
            }
            if *factor == 1.0 {
                f.write_str(" each time")?;
            } else {
                write!(f, " · {factor}ⁿ")?;
            }
            f.write_str(if *cap { ", at most max_reconnect_delay" } else { ", without a cap" })?;
        } else {
            let delays: Vec<_> = delays.iter().map(ToString::to_string).collect();
            f.write_str(&delays.join(", "))?;
            f.write_str(if *cap { ", at most max_reconnect_delay" } else { "" })?;
        }
        let size = match jitter_size {
            Some(Length::Own(time)) => Some(format_duration(*time)),
            Some(Length::Times(part)) => Some(percent(*part)),
            None => None,
        };
        match jitter {
            JitterKind::PlusMinus => size.iter().try_for_each(|size| write!(f, "; jitter ± {size}"))?,
            JitterKind::Full => f.write_str("; full jitter")?,
            JitterKind::Equal => f.write_str("; equal jitter")?,
            JitterKind::Added => {
                f.write_str("; added jitter")?;
                size.iter().try_for_each(|size| write!(f, " of up to {size}"))?;
            }
            JitterKind::None => f.write_str("; no jitter")?,
        }
        match attempts {
            Some(Attempts::Unlimited(_)) => f.write_str("; unlimited attempts")?,
            Some(Attempts::Own(attempts)) => write!(f, "; {attempts} attempts")?,
            None => {}
        }
        if *reset == Reset::Open {
            f.write_str("; the count begins again on opening")?;
        }
        floor.iter().try_for_each(|floor| write!(f, ", {floor} at least"))
    }
}

impl fmt::Display for Length {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Times(times) => write!(f, "{times} · reconnect_delay"),
            Self::Own(time) => f.write_str(&format_duration(*time)),
        }
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Fixed(length) => length.fmt(f),
            Self::Between([short, long]) => write!(f, "{short} to {long}"),
        }
    }
}

pub(super) fn percent(part: f64) -> String {
    format!("{} %", (part * 1000.0).round() / 10.0)
}

/// What a profile writes.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawBackoff {
    factor: Option<f64>,
    initial: Option<Span>,
    first: Option<Span>,
    delays: Option<Vec<Length>>,
    cap: Option<bool>,
    #[serde(default)]
    jitter: JitterKind,
    jitter_size: Option<Length>,
    attempts: Option<Attempts>,
    #[serde(default)]
    reset: Reset,
    floor: Option<Length>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "a length is a duration such as \"500ms\", or a number: so many times `reconnect_delay`"
)]
enum RawLength {
    Times(f64),
    Own(String),
}

impl TryFrom<RawBackoff> for BackoffDesign {
    type Error = String;

    fn try_from(raw: RawBackoff) -> Result<Self, String> {
        let RawBackoff { factor, initial, first, delays, cap, jitter, jitter_size, attempts, reset, floor } =
            raw;
        let is_series = factor.is_some() || initial.is_some() || first.is_some();
        match &delays {
            Some(delays) if delays.is_empty() => {
                return Err("`delays` is empty: list the delays, or leave it out".to_owned());
            }
            Some(_) if is_series => {
                return Err(
                    "`delays` lists every delay: leave out `factor`, `initial` and `first`".to_owned()
                );
            }
            Some(_) | None => {}
        }
        let factor = factor.unwrap_or(2.0);
        if !(1.0..=100.0).contains(&factor) {
            return Err(format!("`factor` is {factor}; it lies between 1, for constant delays, and 100"));
        }
        let has_size = matches!(jitter, JitterKind::PlusMinus | JitterKind::Added);
        match jitter_size {
            Some(_) if !has_size => {
                return Err("`jitter_size` goes with `jitter = \"plus_minus\"` or `\"added\"`: leave it out"
                    .to_owned());
            }
            Some(Length::Times(part)) if jitter == JitterKind::PlusMinus && part > 1.0 => {
                return Err(format!("`jitter_size` is {part}; a share lies between 0 and 1"));
            }
            Some(_) | None => {}
        }
        if floor.is_some() && reset != Reset::Open {
            return Err("`floor` goes with `reset = \"open\"`: add that, or leave it out".to_owned());
        }
        let cap = cap.unwrap_or(delays.is_none());
        let delays = delays.unwrap_or_default();
        Ok(Self { factor, initial, first, delays, cap, jitter, jitter_size, attempts, reset, floor })
    }
}

impl TryFrom<RawLength> for Length {
    type Error = String;

    fn try_from(raw: RawLength) -> Result<Self, String> {
        match raw {
            RawLength::Times(times) if (0.0..=1e6).contains(&times) => Ok(Self::Times(times)),
            RawLength::Times(times) => Err(format!("`{times}` is no length: it is 0 or more")),
            RawLength::Own(text) => parse_duration(&text).map(Self::Own).map_err(|error| error.to_string()),
        }
    }
}
