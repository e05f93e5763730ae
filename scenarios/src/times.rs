//! Symbolic times: scenarios say `2 * max_reconnect_delay`, and each run says what that is.

use std::fmt;
use std::time::Duration;

use protocol::{Timing, parse_duration};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::design::{Attempts, ClientDesign, Law};

/// What the symbolic names mean in one run.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Times {
    /// What the subject is configured with.
    pub timing: Timing,
    /// How long a step waits for something that has no window of its own, in milliseconds.
    #[serde(serialize_with = "milliseconds")]
    #[schemars(with = "u64")]
    pub patience: Duration,
    /// How much later than ordered things may happen on this executor before that is a finding, in milliseconds.
    #[serde(serialize_with = "milliseconds")]
    #[schemars(with = "u64")]
    pub slack: Duration,
    /// How many clients a fleet has.
    pub fleet: u32,
    /// How long a client may not read before a gateway closes it, beside how much may wait for it meanwhile (BRIDGE-12).
    #[serde(skip)]
    pub slow_reader: Duration,
    /// How the client under test is designed. A report says it in words.
    #[serde(skip)]
    pub design: ClientDesign,
}

/// An expression over symbolic times, such as `ping_interval + 2 * pong_timeout` or `10`.
#[derive(Debug, Clone, PartialEq, Deserialize, Serialize)]
#[serde(try_from = "RawExpr", into = "String")]
pub struct Expr {
    text: String,
    sum: Vec<Term>,
}

/// Why a text is not an expression.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExprError {
    /// A factor that is no number, duration or name.
    #[error("`{factor}` is not a time: use a number, a duration such as `500ms`, or one of {NAMES:?}")]
    Factor {
        /// The factor.
        factor: String,
    },
    /// Two times multiplied, or numbers added to times.
    #[error("`{text}` mixes plain numbers and times")]
    Units {
        /// The expression.
        text: String,
    },
}

/// The names that expressions may use.
pub const NAMES: [&str; 14] = [
    "reconnect_delay",
    "max_reconnect_delay",
    "max_reconnect_attempts",
    "redials",
    "fleet",
    "backoff_total",
    "ping_interval",
    "pong_timeout",
    "connect_timeout",
    "stable_after",
    "patience",
    "slack",
    "slow_reader",
    "second",
];

/// A product; negative where it is subtracted.
#[derive(Debug, Clone, PartialEq)]
struct Term {
    negative: bool,
    factors: Vec<Factor>,
}

#[derive(Debug, Clone, PartialEq)]
enum Factor {
    Number(f64),
    Duration(Duration),
    Name(&'static str),
}

impl Times {
    /// How many clients a fleet has where nothing else is said (BACKOFF-5).
    pub const FLEET: u32 = 100;
    /// Redials that show how the delays grow (BACKOFF-1).
    const REDIALS: u32 = 8;

    /// The delays between redials, as declared.
    pub fn law(&self) -> Law<'_> {
        self.design.backoff.law(&self.timing)
    }

    /// Redials after which the client gives up; what is configured where they are unlimited, which the law of a case is not about.
    fn attempts(&self) -> u32 {
        match self.design.backoff.attempts {
            Some(Attempts::Own(attempts)) => attempts,
            Some(Attempts::Unlimited(_)) | None => self.timing.max_reconnect_attempts,
        }
    }

    /// Redials that are looked at where many attempts are configured: fewer where the client has its own number of them.
    fn redials(&self) -> u32 {
        match self.design.backoff.attempts {
            Some(Attempts::Own(attempts)) => attempts.min(Self::REDIALS),
            Some(Attempts::Unlimited(_)) | None => Self::REDIALS,
        }
    }
}

impl Expr {
    /// Reads an expression: products joined by `+` and `-`, of numbers, durations and names joined by `*`.
    ///
    /// # Errors
    /// When a factor means nothing, or times and plain numbers are mixed.
    pub fn parse(text: &str) -> Result<Self, ExprError> {
        let mut sum = Vec::new();
        let mut negative = false;
        let mut rest = text;
        loop {
            let end = rest.find(['+', '-']).unwrap_or(rest.len());
            let factors = rest[..end]
                .split('*')
                .map(|factor| Factor::parse(factor.trim()))
                .collect::<Result<_, _>>()?;
            sum.push(Term { negative, factors });
            match rest[end..].chars().next() {
                Some(sign) => {
                    negative = sign == '-';
                    rest = &rest[end + 1..];
                }
                None => break,
            }
        }
        let expr = Self { text: text.to_owned(), sum };
        let dimensions: Vec<_> = expr.sum.iter().map(Term::dimension).collect();
        if dimensions.iter().any(|&d| d > 1 || d != dimensions[0]) {
            return Err(ExprError::Units { text: text.to_owned() });
        }
        Ok(expr)
    }

    /// Whether the expression is a time rather than a plain number.
    pub fn is_time(&self) -> bool {
        self.sum[0].dimension() == 1
    }

    /// The value as a time; negative ones are zero. A plain number counts as seconds.
    pub fn duration(&self, times: &Times) -> Duration {
        Duration::try_from_secs_f64(self.value(times).max(0.0)).unwrap_or(Duration::MAX)
    }

    /// The value as a count; a time counts its seconds.
    pub fn count(&self, times: &Times) -> usize {
        self.value(times).max(0.0).round() as usize
    }

    fn value(&self, times: &Times) -> f64 {
        self.sum.iter().map(|term| term.value(times)).sum()
    }
}

impl Term {
    fn dimension(&self) -> usize {
        self.factors.iter().filter(|factor| factor.is_time()).count()
    }

    fn value(&self, times: &Times) -> f64 {
        let product: f64 = self.factors.iter().map(|factor| factor.value(times)).product();
        if self.negative { -product } else { product }
    }
}

impl Factor {
    fn parse(text: &str) -> Result<Self, ExprError> {
        if let Some(name) = NAMES.into_iter().find(|name| *name == text) {
            return Ok(Self::Name(name));
        }
        if let Ok(number) = text.parse() {
            return Ok(Self::Number(number));
        }
        parse_duration(text).map(Self::Duration).map_err(|_| ExprError::Factor { factor: text.to_owned() })
    }

    fn is_time(&self) -> bool {
        match self {
            Self::Number(_) => false,
            Self::Duration(_) => true,
            Self::Name(name) => !matches!(*name, "max_reconnect_attempts" | "redials" | "fleet"),
        }
    }

    /// Seconds, or a plain number.
    fn value(&self, times: &Times) -> f64 {
        let timing = &times.timing;
        match self {
            Self::Number(number) => *number,
            Self::Duration(duration) => duration.as_secs_f64(),
            Self::Name(name) => match *name {
                "reconnect_delay" => timing.reconnect_delay.as_secs_f64(),
                // A client whose delays exceed the cap is waited for as long as they last.
                "max_reconnect_delay" => timing.max_reconnect_delay.max(times.law().longest()).as_secs_f64(),
                "max_reconnect_attempts" => f64::from(times.attempts()),
                "redials" => f64::from(times.redials()),
                "fleet" => f64::from(times.fleet),
                "backoff_total" => times.law().total(times.attempts()).as_secs_f64(),
                "ping_interval" => timing.ping_interval.as_secs_f64(),
                "pong_timeout" => timing.pong_timeout.as_secs_f64(),
                "connect_timeout" => timing.connect_timeout.as_secs_f64(),
                "stable_after" => timing.stable_after.as_secs_f64(),
                "patience" => times.patience.as_secs_f64(),
                "slack" => times.slack.as_secs_f64(),
                "slow_reader" => times.slow_reader.as_secs_f64(),
                "second" => 1.0,
                other => unreachable!("{other} is not in NAMES"),
            },
        }
    }
}

impl fmt::Display for Expr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.text)
    }
}

/// Files may write a plain count as a number.
#[derive(Deserialize)]
#[serde(untagged)]
enum RawExpr {
    Number(u32),
    Text(String),
}

impl TryFrom<RawExpr> for Expr {
    type Error = ExprError;

    fn try_from(raw: RawExpr) -> Result<Self, Self::Error> {
        match raw {
            RawExpr::Number(number) => Self::parse(&number.to_string()),
            RawExpr::Text(text) => Self::parse(&text),
        }
    }
}

impl From<Expr> for String {
    fn from(expr: Expr) -> Self {
        expr.text
    }
}

fn milliseconds<S: serde::Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(u64::try_from(duration.as_millis()).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times() -> Times {
        Times {
            slow_reader: Duration::ZERO,
            timing: Timing { jitter: 0.0, ..Timing::default() },
            patience: Duration::from_secs(2),
            slack: Duration::from_millis(50),
            fleet: 20,
            design: ClientDesign::default(),
        }
    }

    fn ms(text: &str) -> u128 {
        Expr::parse(text).unwrap().duration(&times()).as_millis()
    }

    /// Sums of products of names, durations and numbers mean what they say.
    #[test]
    fn expressions_mean_what_they_say() {
        assert_eq!(ms("ping_interval + pong_timeout"), 40_000);
        assert_eq!(ms("2 * max_reconnect_delay - 500ms"), 59_500);
        assert_eq!(ms("0.5 * ping_interval"), 15_000);
        assert_eq!(ms("backoff_total"), 1000 * (1 + 2 + 4 + 8 + 16 + 30 * 5));
        assert_eq!(ms("500ms - second"), 0, "a negative time is none");
        assert_eq!(Expr::parse("1 + max_reconnect_attempts").unwrap().count(&times()), 11);
        assert_eq!(Expr::parse("2 * fleet").unwrap().count(&times()), 40);
    }

    /// What means nothing, or mixes counts and times, is an error that says so.
    #[test]
    fn nonsense_is_refused() {
        for text in ["", "pong_timeot", "2 *", "ping_interval * pong_timeout", "1 + ping_interval"] {
            assert!(Expr::parse(text).is_err(), "{text}");
        }
    }
}
