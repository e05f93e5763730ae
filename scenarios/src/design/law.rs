//! The declared delays between redials, as times.

use std::time::Duration;

use super::backoff::{BackoffDesign, JitterKind, Length, Span, percent};

/// Redials over which the longest delay of a law without a cap is sought.
const LOOKED_AT: u32 = 10;
/// Longer than anybody waits.
const FOR_EVER: Duration = Duration::from_secs(u32::MAX as u64);

/// The declared delays at the times of one run.
#[derive(Debug, Clone, Copy)]
pub struct Law<'a> {
    design: &'a BackoffDesign,
    base: Duration,
    cap: Duration,
    jitter: f64,
    /// Between what chance has begun the delays that were seen, where it decides once for all of them.
    begun: Option<(Duration, Duration)>,
}

impl<'a> Law<'a> {
    /// The delays of a client of this design that is configured with this `reconnect_delay`, `max_reconnect_delay` and `jitter`.
    pub fn new(design: &'a BackoffDesign, base: Duration, cap: Duration, jitter: f64) -> Self {
        Self { design, base, cap, jitter, begun: None }
    }

    /// Shortest and longest delay before redial `attempt`, counted from 0.
    pub fn window(&self, attempt: u32) -> (Duration, Duration) {
        let (short, long) = self.nominal(attempt);
        let share = |part: f64| long.mul_f64(part);
        let size = match self.design.jitter_size {
            Some(Length::Own(time)) => time,
            Some(Length::Times(part)) => share(part),
            None => share(self.jitter),
        };
        match self.design.jitter {
            JitterKind::PlusMinus => {
                // Of a random delay each end has its own share.
                let below = size.mul_f64(ratio(short, long));
                (short.saturating_sub(below), long + size)
            }
            JitterKind::Full => (Duration::ZERO, long),
            JitterKind::Equal => (short / 2, long),
            JitterKind::Added => (short, long + size),
            JitterKind::None => (short, long),
        }
    }

    /// The delay before redial `attempt` without jitter; two where it begins by chance.
    pub fn nominal(&self, attempt: u32) -> (Duration, Duration) {
        let BackoffDesign { delays, first, initial, factor, .. } = self.design;
        if let Some(last) = delays.len().checked_sub(1) {
            let delay = delays[last.min(attempt as usize)].of(self.base);
            let delay = if self.design.cap { delay.min(self.cap) } else { delay };
            return (delay, delay);
        }
        let (span, power) = match first {
            Some(first) if attempt == 0 => return first.of(self.base),
            Some(_) => (initial, attempt - 1),
            None => (initial, attempt),
        };
        let declared = span.map_or((self.base, self.base), |span| span.of(self.base));
        let (short, long) = self.begun.unwrap_or(declared);
        let grown = |start: Duration| {
            if start.is_zero() {
                return start;
            }
            let seconds = start.as_secs_f64() * factor.powf(f64::from(power));
            let grown = Duration::try_from_secs_f64(seconds).unwrap_or(FOR_EVER);
            if self.design.cap { grown.min(self.cap) } else { grown.min(FOR_EVER) }
        };
        (grown(short), grown(long))
    }

    /// The same law for the redials that follow one that came after this pause, give or take the slack: where chance decides once between
    /// which two delays they begin, that pause says where they did.
    pub fn after(self, attempt: u32, pause: Duration, slack: Duration) -> Self {
        let BackoffDesign { delays, first, initial, factor, cap, jitter, .. } = self.design;
        let is_drawn_once = matches!(initial, Some(Span::Between(_))) && *jitter == JitterKind::None;
        let power = if first.is_some() { attempt.checked_sub(1) } else { Some(attempt) };
        let (Some(initial), Some(power), true) = (initial, power, is_drawn_once && delays.is_empty()) else {
            return self;
        };
        let (short, long) = self.begun.unwrap_or_else(|| initial.of(self.base));
        let begun = |pause: Duration| pause.div_f64(factor.powf(f64::from(power)));
        let least = begun(pause.saturating_sub(slack)).clamp(short, long);
        let is_capped = *cap && pause + slack >= self.cap;
        let most = if is_capped { long } else { begun(pause + slack).clamp(least, long) };
        Self { begun: Some((least, most)), ..self }
    }

    /// The longest delay, jitter aside, among the first redials.
    pub fn longest(&self) -> Duration {
        (0..LOOKED_AT).map(|attempt| self.nominal(attempt).1).max().unwrap_or_default()
    }

    /// Longest time that `attempts` delays can take together.
    pub fn total(&self, attempts: u32) -> Duration {
        (0..attempts).map(|attempt| self.window(attempt).1).fold(Duration::ZERO, Duration::saturating_add)
    }

    /// The shortest delay after a connection that opened, where one is declared.
    pub fn floor(&self) -> Option<Duration> {
        self.design.floor.map(|floor| floor.of(self.base))
    }

    /// How the delay before redial `attempt` comes about, such as `50 ms · 1.3² ± 20 %`.
    pub fn describe(&self, attempt: u32) -> String {
        let BackoffDesign { delays, first, factor, .. } = self.design;
        let (short, long) = self.nominal(0);
        let nominal = match (first, delays.is_empty()) {
            (None, true) if attempt > 0 && *factor != 1.0 => {
                let start = range(short, long);
                let is_capped = self.design.cap && self.nominal(attempt).1 == self.cap;
                let cap = if is_capped { format!(", at most {}", ms(self.cap)) } else { String::new() };
                format!("{start} · {factor}{}{cap}", superscript(attempt))
            }
            _ => {
                let (short, long) = self.nominal(attempt);
                range(short, long)
            }
        };
        let size = match self.design.jitter_size {
            Some(Length::Own(time)) => ms(time),
            Some(Length::Times(part)) => percent(part),
            None => percent(self.jitter),
        };
        match self.design.jitter {
            JitterKind::PlusMinus => format!("{nominal} ± {size}"),
            JitterKind::Full => format!("anything up to {nominal}"),
            JitterKind::Equal => format!("{nominal}, down to the half of it"),
            JitterKind::Added => format!("{nominal} + up to {size}"),
            JitterKind::None => nominal,
        }
    }
}

fn ratio(short: Duration, long: Duration) -> f64 {
    if long.is_zero() { 1.0 } else { short.as_secs_f64() / long.as_secs_f64() }
}

fn range(short: Duration, long: Duration) -> String {
    if short == long { ms(long) } else { format!("{} to {}", ms(short), ms(long)) }
}

fn ms(time: Duration) -> String {
    format!("{} ms", (time.as_secs_f64() * 10_000.0).round() / 10.0)
}

fn superscript(number: u32) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    number.to_string().bytes().map(|digit| DIGITS[usize::from(digit - b'0')]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn design(text: &str) -> BackoffDesign {
        toml::from_str(text).unwrap()
    }

    fn windows(text: &str) -> Vec<(u128, u128)> {
        let design = design(text);
        let law = Law::new(&design, Duration::from_millis(100), Duration::from_secs(1), 0.2);
        let window = |attempt| law.window(attempt);
        (0..5).map(window).map(|(short, long)| (short.as_millis(), long.as_millis())).collect()
    }

    /// Where nothing is declared, the law is the reference client's.
    #[test]
    fn the_default_is_the_doubling_of_the_requirement() {
        let usual = protocol::Timing::default();
        let design = BackoffDesign::default();
        for attempt in (0..40).chain([u32::MAX]) {
            let (ours, theirs) = (design.law(&usual).window(attempt), usual.backoff().window(attempt));
            assert!(ours.0.abs_diff(theirs.0) < Duration::from_micros(1), "{attempt}: {ours:?}, {theirs:?}");
            assert!(ours.1.abs_diff(theirs.1) < Duration::from_micros(1), "{attempt}: {ours:?}, {theirs:?}");
        }
        assert!(design.law(&usual).total(10).abs_diff(usual.backoff().total(10)) < Duration::from_micros(1));
    }

    /// Each key of the design changes the windows as it says.
    #[test]
    fn each_declared_law_has_its_windows() {
        let same = |window| vec![window; 5];
        assert_eq!(windows("factor = 1\njitter = \"none\""), same((100, 100)));
        assert_eq!(windows("factor = 1.3\njitter = \"none\"").last(), Some(&(285, 285)), "100 ms · 1.3⁴");
        let first = windows("first = \"0s\"\njitter = \"none\"");
        assert_eq!(first[..3], [(0, 0), (100, 100), (200, 200)]);
        assert_eq!(windows("initial = 2\njitter = \"none\"")[..2], [(200, 200), (400, 400)]);
        assert_eq!(windows("initial = [\"1s\", \"5s\"]\ncap = false\njitter = \"none\"")[1], (2000, 10_000));
        let list = windows("delays = [\"10ms\", \"50ms\", 1]\njitter = \"none\"");
        assert_eq!(list, [(10, 10), (50, 50), (100, 100), (100, 100), (100, 100)]);
        assert_eq!(windows("delays = [5, 20]\njitter = \"none\"")[..2], [(500, 500), (2000, 2000)]);
        let capped = windows("delays = [5, 20]\ncap = true\njitter = \"none\"");
        assert_eq!(capped[..2], [(500, 500), (1000, 1000)]);
        assert_eq!(windows("jitter = \"none\"")[4], (1000, 1000), "the cap");
        assert_eq!(windows("cap = false\njitter = \"none\"")[4], (1600, 1600));
        assert_eq!(windows("jitter = \"full\"")[..2], [(0, 100), (0, 200)]);
        assert_eq!(windows("jitter = \"equal\"")[..2], [(50, 100), (100, 200)]);
        assert_eq!(windows("jitter = \"added\"\njitter_size = 0.5")[..2], [(100, 150), (200, 300)]);
        assert_eq!(windows("jitter = \"added\"\njitter_size = \"30ms\"")[..2], [(100, 130), (200, 230)]);
        assert_eq!(windows("jitter_size = 0.1")[0], (90, 110));
    }

    /// Delays that begin by chance begin once: later ones follow from those that were seen, up to the cap.
    #[test]
    fn delays_that_begin_by_chance_grow_from_there() {
        let ms = Duration::from_millis;
        let design = design("initial = [1, 5]\nfactor = 1.3\njitter = \"none\"");
        let law = Law::new(&design, ms(100), ms(1000), 0.2);
        let seen = law.after(0, ms(200), ms(10));
        assert_eq!(seen.window(0), (ms(190), ms(210)));
        assert_eq!(seen.window(1), (ms(247), ms(273)));
        assert_eq!(
            seen.after(1, ms(400), ms(10)).window(0),
            (ms(210), ms(210)),
            "it has doubled, which is outside"
        );
        assert_eq!(law.after(7, ms(1000), ms(10)).window(0).1, ms(500), "the cap hides where they began");
        let first =
            Law { design: &self::design("first = \"0s\"\ninitial = [1, 5]\njitter = \"none\""), ..law };
        assert_eq!(first.after(0, ms(0), ms(10)).window(1), (ms(100), ms(500)));
        let usual = Law { design: &BackoffDesign::default(), ..law };
        assert_eq!(usual.after(0, ms(100), ms(1)).window(1), usual.window(1), "nothing is left to chance");
    }

    /// A finding names the delay that it is about.
    #[test]
    fn a_law_is_described() {
        let describe = |text: &str, attempt| {
            let design = design(text);
            Law::new(&design, Duration::from_millis(50), Duration::from_secs(1), 0.2).describe(attempt)
        };
        assert_eq!(describe("factor = 1.3", 2), "50 ms · 1.3² ± 20 %");
        assert_eq!(describe("factor = 1.3", 0), "50 ms ± 20 %");
        assert_eq!(describe("factor = 1\njitter = \"none\"", 3), "50 ms");
        assert_eq!(describe("", 5), "50 ms · 2⁵, at most 1000 ms ± 20 %");
        assert_eq!(describe("delays = [\"10ms\", \"40ms\"]\njitter = \"full\"", 7), "anything up to 40 ms");
    }

    /// What makes no sense is an error that says what to write.
    #[test]
    fn mistakes_are_named() {
        for (text, says) in [
            ("factor = 0.5", "between 1, for constant delays, and 100"),
            ("delays = []", "`delays` is empty"),
            ("delays = [1]\nfactor = 2", "leave out `factor`"),
            ("first = \"soon\"", "a duration such as"),
            ("jitter = \"wild\"", "unknown variant `wild`"),
            ("jitter = \"full\"\njitter_size = 0.5", "`jitter_size` goes with"),
            ("jitter_size = 1.5", "a share lies between 0 and 1"),
            ("attempts = \"many\"", "`attempts` is a number, or \"unlimited\""),
            ("floor = \"1s\"", "`floor` goes with `reset = \"open\"`"),
            ("facto = 2", "unknown field `facto`"),
        ] {
            let error = toml::from_str::<BackoffDesign>(text).unwrap_err().to_string();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
