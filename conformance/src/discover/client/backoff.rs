//! How a client comes back: the law of its delays, the chance in them, and when it gives up.

use std::time::Duration;

use futures_util::future::try_join_all;
use protocol::adapter::Options;

use super::chance::{COMPARED, Chance};
use super::delays::{Delays, Jitter, near};
use super::gateway::{Dials, Step};
use super::trial::Trial;
use super::{AT_ONCE, ATTEMPTS, Attempts, DELAY, JITTER, JITTERED, LONGEST, ObservedClient, SAMPLED};
use crate::discover::{DiscoverError, Progress};

/// Observes how a client comes back that has dialled so while it was dropped, and then refused.
pub(super) async fn observe(
    trial: &Trial<'_>,
    dials: &Dials,
    seen: &mut ObservedClient,
    progress: &Progress<'_>,
) -> Result<(), DiscoverError> {
    let measured = dials.delays();
    if measured.is_empty() {
        return Ok(());
    }
    let count = u32::try_from(measured.len()).unwrap_or(u32::MAX);
    seen.attempts = match (dials.is_quiet(&measured), count > ATTEMPTS) {
        (true, _) => Attempts::GaveUp(count),
        (false, true) => Attempts::Unlimited,
        (false, false) => Attempts::Unknown,
    };
    progress("delays: the first ones of several clients");
    let mut clients = vec![measured.clone()];
    for first in (0..SAMPLED).step_by(AT_ONCE) {
        let several =
            (first..first + AT_ONCE).map(|number| trial.first_delays(COMPARED, seeded(trial.usual, number)));
        clients.extend(try_join_all(several).await?);
    }
    seen.firsts = clients.iter().filter_map(|delays| delays.first().copied()).collect();
    seen.chance = Chance::of(&clients);
    let delays = Delays::of(&measured);
    // What chance has made is no law.
    let delays = match seen.chance {
        Chance::Each => Delays { factor: None, cap: None, ..delays },
        Chance::Nothing | Chance::First | Chance::Start => delays,
    };
    progress("delays: with jitter");
    let ms = Some(u64::try_from(JITTERED.as_millis()).unwrap_or_default());
    let options =
        Options { jitter: Some(JITTER), reconnect_delay: ms, max_reconnect_delay: ms, ..trial.usual };
    let refused = [Step::Drop, Step::Status(503)];
    let several =
        try_join_all((0..AT_ONCE).map(|number| trial.run(&refused, seeded(options, number)))).await?;
    let mut jittered = Vec::new();
    for (dials, words) in several {
        seen.words.extend(words);
        jittered.push(dials.delays());
    }
    seen.jitter = match seen.chance {
        Chance::Each => Jitter::in_each(&clients, &jittered),
        Chance::Nothing | Chance::First | Chance::Start => {
            Jitter::of(&with_nominal(&jittered, &delays, seen.chance))
        }
    };
    seen.jittered = jittered.into_iter().flatten().collect();
    progress("delays: connections that open and are dropped");
    let options = Options { stable_after: Some(5_000), max_reconnect_attempts: Some(5), ..trial.usual };
    let (reopened, words) = trial.run(&[Step::Drop], options).await?;
    seen.words.extend(words);
    let reopened = reopened.delays();
    let grows = seen.chance != Chance::Each && grows(&measured);
    if let (Some(first), Some(fourth), true) = (reopened.first(), reopened.get(3), grows) {
        seen.resets_on_opening = Some(near(first.as_secs_f64(), fourth.as_secs_f64()));
    }
    seen.delays = Some(delays);
    Ok(())
}

/// A client whose chance has a seed has one of its own, or several would be as good as one.
fn seeded(options: Options, number: usize) -> Options {
    Options { seed: u64::try_from(number).ok(), ..options }
}

/// Each delay of clients that were told jitter, with what it would be without.
fn with_nominal(jittered: &[Vec<Duration>], delays: &Delays, chance: Chance) -> Vec<(Duration, Duration)> {
    let measured = &delays.measured;
    let is_told = near(measured[0].as_secs_f64(), DELAY.as_secs_f64());
    // Where no delay has shown that it grows beyond the cap, it is held to it.
    let has_no_cap = measured.iter().any(|delay| *delay > LONGEST.mul_f64(1.3));
    let factor = delays.factor.filter(|_| has_no_cap).unwrap_or(1.0);
    let nominal = |run: &[Duration], number: usize| match (chance, is_told) {
        // Where the first delay is left to chance, each is held against the one before it.
        (Chance::First | Chance::Start | Chance::Each, _) => {
            let last = number.checked_sub(1).map(|last| run[last]);
            let follows = last.zip(delays.factor).map(|(last, factor)| last.mul_f64(factor));
            follows.unwrap_or(run[number]).min(JITTERED.max(run[number]))
        }
        // Without a cap they grow beyond what it was told.
        (Chance::Nothing, true) => JITTERED.mul_f64(factor.powi(i32::try_from(number).unwrap_or(i32::MAX))),
        (Chance::Nothing, false) => measured.get(number).or(measured.last()).copied().unwrap_or_default(),
    };
    let of_run = |run: &Vec<Duration>| -> Vec<(Duration, Duration)> {
        run.iter().enumerate().map(|(number, delay)| (*delay, nominal(run, number))).collect()
    };
    jittered.iter().flat_map(of_run).collect()
}

/// Whether delays grow at all.
fn grows(measured: &[Duration]) -> bool {
    measured.len() > 3 && !near(measured[0].as_secs_f64(), measured[3].as_secs_f64())
}
