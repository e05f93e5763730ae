//! `[client.design.backoff]`: how a client comes back, each line with the delays that show it.

use std::time::Duration;

use serde_json::{Value, json};

use super::duration;
use crate::discover::client::delays::{Jitter, are_within, near};
use crate::discover::client::{ATTEMPTS, Attempts, Chance, DELAY, JITTERED, LONGEST, ObservedClient};
use crate::discover::text::Page;

pub(super) fn write(page: &mut Page, seen: &ObservedClient) {
    let Some(delays) = &seen.delays else {
        page.comment("it did not come back after its connection was dropped: say how it does");
        return page.open("factor", "2");
    };
    page.comment(&format!(
        "told reconnect_delay {} ms, max_reconnect_delay {} ms, jitter 0, it redialled after {}",
        DELAY.as_millis(),
        LONGEST.as_millis(),
        listed_ms(&delays.measured)
    ));
    let first = delays.measured[0];
    let is_told = near(first.as_secs_f64(), DELAY.as_secs_f64());
    let is_list = delays.factor.is_none()
        && !is_told
        && seen.chance == Chance::Nothing
        && matches!(seen.jitter, Some(Jitter::None));
    match delays.factor {
        None if is_list => {
            page.comment(
                "no one factor leads from each to the next, and none is what it was told: a list of its own",
            );
            let listed = delays.measured.iter().map(|delay| duration(listed(*delay)));
            page.set("delays", &Value::Array(listed.collect()));
        }
        Some(factor) if !near(factor, 2.0) => page.set("factor", &json!(factor)),
        Some(_) => {}
        None if seen.chance == Chance::Each => {
            page.comment("by which factor they grow cannot be seen through chance");
            page.open("factor", "2");
        }
        None => {
            page.comment("no one factor leads from each to the next: list them in `delays`, or say `first` and `factor`");
            page.open("factor", "2");
        }
    }
    match seen.chance {
        Chance::First | Chance::Start => {
            page.comment(&format!(
                "the first delays of {}: chance, of which that is a sample; widen it where its code says so",
                sample(&seen.firsts)
            ));
            let (shortest, longest) = bounds(&seen.firsts);
            let key = if seen.chance == Chance::Start { "initial" } else { "first" };
            page.set(key, &json!([down(shortest, seen.firsts.len()), up(longest)]));
        }
        Chance::Each => {
            page.comment(&format!(
                "the first delays of {}, and later ones were left to chance, too, though jitter 0 was told",
                sample(&seen.firsts)
            ));
            // As a multiple of what was told, of which there are halves.
            let times = bounds(&seen.firsts).1.as_secs_f64() / DELAY.as_secs_f64();
            if seen.jitter == Some(Jitter::Full) && !are_within(&seen.firsts, DELAY) {
                page.set("initial", &json!((times * 2.0).ceil() / 2.0));
            }
        }
        Chance::Nothing if !is_told && !is_list => {
            let times = first.as_secs_f64() / DELAY.as_secs_f64();
            match times < 4.0 {
                true => page.set("initial", &json!((times * 10.0).round() / 10.0)),
                false => page.set(
                    "initial",
                    &duration(Duration::from_millis(u64::try_from(first.as_millis()).unwrap_or_default())),
                ),
            }
        }
        Chance::Nothing => {}
    }
    let grows = delays.factor.is_none_or(|factor| factor > 1.05);
    match delays.cap {
        Some(cap) if near(cap.as_secs_f64(), LONGEST.as_secs_f64()) => {
            page.comment("the cap is what it was told");
        }
        Some(_) if is_list => {}
        Some(cap) => page
            .comment(&format!("its longest delay was {} ms, which is not what it was told", cap.as_millis())),
        None if grows && !is_list && delays.measured.iter().any(|delay| *delay > LONGEST.mul_f64(1.3)) => {
            page.comment("delays grew beyond what it was told");
            page.set("cap", &json!(false));
        }
        None => {}
    }
    match seen.jitter {
        Some(jitter) => {
            page.comment(&format!(
                "told jitter 0.5, and {} ms for each delay, its delays were {}: {}",
                JITTERED.as_millis(),
                in_words(jitter),
                listed_ms(&seen.jittered)
            ));
            if jitter != Jitter::PlusMinus {
                page.set("jitter", &json!(jitter.word()));
            }
        }
        None => {
            if seen.chance == Chance::Each {
                page.comment(&format!(
                    "which kind of chance that is could not be told; told jitter 0.5, and {} ms for each delay, they were {}",
                    JITTERED.as_millis(),
                    listed_ms(&seen.jittered)
                ));
            }
            page.open("jitter", "\"plus_minus\"");
        }
    }
    match seen.attempts {
        Attempts::GaveUp(ATTEMPTS) => {
            page.comment(&format!("it gave up after the {ATTEMPTS} redials that it was told"));
        }
        Attempts::GaveUp(attempts) => {
            page.comment(&format!("it gave up after {attempts} redials, and was told {ATTEMPTS}"));
            page.set("attempts", &json!(attempts));
        }
        Attempts::Unlimited => {
            page.comment(&format!(
                "it had not given up after {} redials, and was told {ATTEMPTS}",
                delays.measured.len()
            ));
            page.set("attempts", &json!("unlimited"));
        }
        Attempts::Unknown => {
            page.comment("whether it gives up was not seen: its delays are too long");
            page.open("attempts", "\"unlimited\"");
        }
    }
    match seen.resets_on_opening {
        Some(true) => {
            page.comment("where each connection opened and was dropped at once, delays did not grow");
            page.set("reset", &json!("open"));
        }
        Some(false) => page.comment("where each connection opened and was dropped at once, delays grew"),
        None => page.open("reset", "\"open\""),
    }
}

/// The first of these, in milliseconds.
fn listed_ms(delays: &[Duration]) -> String {
    const SHOWN: usize = 10;
    let shown: Vec<String> =
        delays.iter().take(SHOWN).map(|delay| format!("{} ms", delay.as_millis())).collect();
    shown.join(", ")
}

/// What several clients waited first.
fn sample(firsts: &[Duration]) -> String {
    let all: Vec<String> = firsts.iter().map(|delay| format!("{} ms", delay.as_millis())).collect();
    format!("{} clients were {}", all.len(), all.join(", "))
}

/// The shortest and the longest.
fn bounds(delays: &[Duration]) -> (Duration, Duration) {
    let (shortest, longest) = (delays.iter().min(), delays.iter().max());
    (shortest.copied().unwrap_or_default(), longest.copied().unwrap_or_default())
}

/// A delay of a list, as people write one: a host is late rather than early.
fn listed(measured: Duration) -> Duration {
    const EARLY_MS: u128 = 2;
    let ms = measured.as_millis() + EARLY_MS;
    let step = match ms {
        0..100 => 10,
        100..1000 => 50,
        _ => 100,
    };
    Duration::from_millis(u64::try_from(ms / step * step).unwrap_or(u64::MAX))
}

/// Samples of which the shortest, and the longest, are near to what chance allows: of an even chance between 0 and 5 delays, one of 16 is
/// below the first in 97 of 100 cases.
const MANY_FIRSTS: usize = 16;

/// A delay as a multiple of what was told, which a sample's shortest is not below.
fn down(shortest: Duration, samples: usize) -> f64 {
    let unseen = if samples >= MANY_FIRSTS { 0.0 } else { 1.0 };
    (shortest.as_secs_f64() / DELAY.as_secs_f64() - unseen).floor().max(0.0)
}

/// The same, which a sample's longest is not above.
fn up(longest: Duration) -> f64 {
    (longest.as_secs_f64() / DELAY.as_secs_f64()).ceil()
}

fn in_words(jitter: Jitter) -> &'static str {
    match jitter {
        Jitter::None => "what they were without",
        Jitter::PlusMinus => "shorter and longer",
        Jitter::Full => "anything from nothing to the delay",
        Jitter::Equal => "shorter, by half at most",
        Jitter::Added => "longer only",
    }
}
