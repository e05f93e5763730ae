//! What `kill -9` leaves: of RabbitMQ, and of one of two gateways on one broker, while events flow (BRIDGE-7, BRIDGE-9,
//! BRIDGE-11).
//!
//! ```text
//!  publisher ──confirmed events 1, 2, 3 …──► broker ──► gateway ──► client: which numbers, in which order
//!                                              ╳           ╳
//! ```

#[path = "../../../broker/tests/arms/mod.rs"]
mod arms;
mod broker;
mod events;
mod gateway;
mod reader;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arms::{Absence, Arm, Arms};
use conformance::amqp::Names;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::Runtime;

use broker::Mortal;
use events::{Flow, Flowed};
use gateway::{Gateway, PREFETCH, Queue};
use reader::Reader;

/// Events that are enough to say that they flow.
const SOME: usize = 200;
/// Longest wait for anything that must happen.
const PATIENCE: Duration = Duration::from_secs(60);

fn main() {
    let arguments = Arguments::from_args();
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let arms = Arc::new(Arms::default());
    let mut trials = Vec::new();
    for arm in Arm::ALL {
        for queue in [Queue::PerInstance, Queue::Shared] {
            let (runtime, arms) = (Arc::clone(&runtime), Arc::clone(&arms));
            let name = format!("{}/a_gateway_is_killed/{}", arm.name(), queue.as_str());
            trials.push(Trial::ignorable_test(name, move || {
                runtime.block_on(a_gateway_is_killed(&arms, arm, queue))
            }));
        }
    }
    let (here, there) = (Arc::clone(&runtime), Arc::clone(&runtime));
    trials.push(Trial::ignorable_test("embedded/the_broker_is_killed", move || {
        here.block_on(async { with_mortal(Mortal::embedded().await).await })
    }));
    trials.push(Trial::ignorable_test("local/the_broker_is_killed", move || {
        there.block_on(async { with_mortal(Mortal::node().await).await })
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    let arms = Arc::into_inner(arms).expect("trials that did not run are dropped with their share");
    runtime.block_on(arms.stop());
    conclusion.exit();
}

async fn a_gateway_is_killed(arms: &Arms, arm: Arm, queue: Queue) -> Result<Completion, Failed> {
    let url = match arms.url(arm).await {
        Ok(url) => url,
        Err(absence) => return absent(absence),
    };
    let names = events::names(arm.name(), queue);
    let outcome = match queue {
        Queue::PerInstance => one_of_two_is_killed(&url, &names).await,
        Queue::Shared => what_it_held_comes_again(&url, &names).await,
    };
    let cleaned_up = events::clean_up(&url, &names).await;
    outcome.and(cleaned_up).map(|()| Completion::Completed)
}

async fn with_mortal(broker: Result<Mortal, Absence>) -> Result<Completion, Failed> {
    let mut broker = match broker {
        Ok(broker) => broker,
        Err(absence) => return absent(absence),
    };
    let outcome = the_broker_is_killed(&mut broker).await;
    broker.stop().await;
    outcome.map(|()| Completion::Completed)
}

fn absent(absence: Absence) -> Result<Completion, Failed> {
    match absence {
        Absence::Excused(reason) => Ok(Completion::ignored_with(reason)),
        Absence::Failed(reason) => Err(reason.into()),
    }
}

/// With a queue each, the client of the surviving gateway sees every event once and in order, as if nothing had happened.
async fn one_of_two_is_killed(url: &str, names: &Names) -> Result<(), Failed> {
    let mut pair = Pair::start(url, names, Queue::PerInstance).await?;
    let flow = Flow::start(url, names, 1).await?;
    pair.there.more(SOME).await?;
    pair.doomed.kill().await?;
    pair.here.more(SOME).await?;
    let Flowed { confirmed, .. } = flow.stop().await?;
    let seen = pair.here.until(|seen| seen.last() == confirmed.last()).await?;
    if !seen.iter().eq(&confirmed) {
        return Err(format!("not every event came once and in order: {}", oddities(&seen, &confirmed)).into());
    }
    Ok(())
}

/// With a shared queue, what the dead gateway had not broadcast comes by the survivor: no event is lost between the two.
///
/// The doomed gateway is frozen first. Events flow on, so that the broker gives it as many as its prefetch allows; it holds
/// them and can neither broadcast nor acknowledge them. They are published before others that the survivor has broadcast
/// by the time of the kill, so they show by coming late.
async fn what_it_held_comes_again(url: &str, names: &Names) -> Result<(), Failed> {
    let mut pair = Pair::start(url, names, Queue::Shared).await?;
    let flow = Flow::start(url, names, 1).await?;
    pair.there.more(SOME).await?;
    pair.doomed.freeze()?;
    // Of two events that follow each other one is offered to each, until the frozen one may hold no more.
    pair.here.more(SOME + PREFETCH).await?;
    pair.doomed.kill().await?;
    pair.here.more(SOME).await?;
    let Flowed { confirmed, .. } = flow.stop().await?;
    let before: BTreeSet<u64> = pair.there.rest().await?.into_iter().collect();
    let due: BTreeSet<u64> = confirmed.difference(&before).copied().collect();
    let complete = |seen: &[u64]| due.is_subset(&seen.iter().copied().collect());
    let seen = pair.here.until(complete).await?;
    let late = late(&seen);
    if late == 0 {
        return Err("the dead gateway held nothing, so this shows nothing".into());
    }
    Ok(())
}

/// The client's connection outlives the broker, and sees every event that the broker had confirmed: what was published
/// before, during and after. Nothing was acknowledged that was not broadcast.
async fn the_broker_is_killed(broker: &mut Mortal) -> Result<(), Failed> {
    let (url, names) = (broker.url(), events::names("killed", Queue::Shared));
    let gateway = Gateway::start(&url, &names, Queue::Shared).await?;
    let mut reader = Reader::connect(&gateway).await?;
    broker.written(&names).await?;
    let flow = Flow::start(&url, &names, 1).await?;
    reader.more(SOME).await?;
    if !flow.is_flowing() {
        return Err("the events do not flow while the broker is killed".into());
    }
    broker.kill().await;
    let before = flow.end().await?;
    broker.start_again().await?;
    // The gateway reconnects after its backoff. Until then, the durable queue keeps what is published.
    let flow = Flow::start(&url, &names, before.next).await?;
    reader.until(|seen| seen.iter().filter(|number| **number >= before.next).count() >= SOME).await?;
    let after = flow.stop().await?;
    let confirmed: BTreeSet<u64> = before.confirmed.union(&after.confirmed).copied().collect();
    let complete = |seen: &[u64]| confirmed.is_subset(&seen.iter().copied().collect());
    let seen = match reader.until(complete).await {
        Ok(seen) => seen,
        Err(error) => {
            return Err(still_missing(&url, &names, &before, &reader.seen(), &confirmed, error).await);
        }
    };
    // Unacknowledged events come again; first deliveries come in order.
    let mut known = BTreeSet::new();
    let firsts: Vec<u64> = seen.into_iter().filter(|number| known.insert(*number)).collect();
    if late(&firsts) > 0 {
        return Err(format!("events came out of order: {}", oddities(&firsts, &confirmed)).into());
    }
    match reader.end() {
        None => Ok(()),
        Some(end) => Err(format!("the client's connection ended: {end}").into()),
    }
}

/// Where events are that have not come: lost by the broker, or not taken from it.
async fn still_missing(
    url: &str,
    names: &Names,
    before: &Flowed,
    seen: &[u64],
    confirmed: &BTreeSet<u64>,
    error: Failed,
) -> Failed {
    let queue = events::queue_counts(url, names).await.unwrap_or_else(|error| error.to_string());
    let oddities = oddities(seen, confirmed);
    let restarted = before.next;
    let error = error.message().unwrap_or_default();
    format!("{error}; the broker was killed before {restarted}; {oddities}; {queue}").into()
}

/// Two gateways on one broker, and a client on each.
struct Pair {
    _survivor: Gateway,
    doomed: Gateway,
    here: Reader,
    there: Reader,
}

impl Pair {
    async fn start(url: &str, names: &Names, queue: Queue) -> Result<Self, Failed> {
        let survivor = Gateway::start(url, names, queue).await?;
        let doomed = Gateway::start(url, names, queue).await?;
        let here = Reader::connect(&survivor).await?;
        let there = Reader::connect(&doomed).await?;
        Ok(Self { _survivor: survivor, doomed, here, there })
    }
}

/// How many came after one that was published later.
fn late(seen: &[u64]) -> usize {
    let mut newest = 0;
    let is_late = |number: &&u64| {
        newest = newest.max(**number);
        **number < newest
    };
    seen.iter().filter(is_late).count()
}

/// What is odd about what was seen, in a few words.
fn oddities(seen: &[u64], confirmed: &BTreeSet<u64>) -> String {
    let distinct: BTreeSet<u64> = seen.iter().copied().collect();
    let missing: Vec<&u64> = confirmed.difference(&distinct).take(10).collect();
    let twice = seen.len() - distinct.len();
    format!("missing {missing:?}, {twice} twice, {} late; {}", late(seen), reader::summary(seen))
}
