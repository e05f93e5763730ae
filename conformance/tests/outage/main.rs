//! What `kill -9` leaves: of RabbitMQ, and of one of two gateways on one broker, while events flow (BRIDGE-7, BRIDGE-9,
//! BRIDGE-11).
//!
//! ```text
//!  publisher ──confirmed events 1, 2, 3 …──► broker ──► gateway ──► client: which numbers, in which order
//!                                              ╳           ╳
//! ```

#[path = "../arms/mod.rs"]
mod arms;
mod events;
mod gateway;
mod reader;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use arms::node::Node;
use arms::{Absence, Arm, Arms, requires};
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use tokio::runtime::Runtime;

use events::Publisher;
use gateway::{Gateway, Queue};
use reader::Reader;

/// Events of one trial.
const EVENTS: u64 = 600;
/// After how many of them something is killed.
const KILLED_AFTER: u64 = 200;
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
    let own = Arc::clone(&runtime);
    trials.push(Trial::ignorable_test("local/the_broker_is_killed", move || {
        own.block_on(the_broker_is_killed())
    }));
    let conclusion = libtest_mimic::run(&arguments, trials);
    let arms = Arc::into_inner(arms).expect("trials that did not run are dropped with their share");
    runtime.block_on(arms.stop());
    conclusion.exit();
}

/// With a queue each, the client of the surviving gateway sees every event once and in order. With a shared queue, what
/// the dead gateway had not broadcast comes by the survivor: no event is lost between the two.
async fn a_gateway_is_killed(arms: &Arms, arm: Arm, queue: Queue) -> Result<Completion, Failed> {
    let url = match arms.url(arm).await {
        Ok(url) => url,
        Err(Absence::Excused(reason)) => return Ok(Completion::ignored_with(reason)),
        Err(Absence::Failed(reason)) => return Err(reason.into()),
    };
    let names = events::names(arm.name(), queue);
    let survivor = Gateway::start(&url, &names, queue).await?;
    let mut doomed = Gateway::start(&url, &names, queue).await?;
    let mut here = Reader::connect(&survivor).await?;
    let mut there = Reader::connect(&doomed).await?;
    let mut publisher = Publisher::open(&url, &names, queue).await?;
    for number in 1..=EVENTS {
        publisher.publish(number).await?;
        if number == KILLED_AFTER {
            doomed.kill().await?;
        }
    }
    let before = there.read_to_the_end().await?;
    let all: BTreeSet<u64> = (1..=EVENTS).collect();
    match queue {
        Queue::PerInstance => {
            let seen = here.read_until(|seen| seen.contains(&EVENTS)).await?;
            if !seen.iter().copied().eq(1..=EVENTS) {
                return Err(format!("the survivor's client saw {seen:?}").into());
            }
        }
        Queue::Shared => {
            let complete = |seen: &[u64]| before.iter().chain(seen).copied().collect::<BTreeSet<_>>() == all;
            here.read_until(complete).await?;
        }
    }
    if before.is_empty() {
        return Err("the gateway was killed before it had broadcast anything".into());
    }
    publisher.clean_up().await;
    Ok(Completion::Completed)
}

/// The client's connection outlives the broker, and sees every event that the broker had confirmed: what was published
/// before, during and after. Nothing was acknowledged that was not broadcast.
async fn the_broker_is_killed() -> Result<Completion, Failed> {
    let mut node = match Node::start().await {
        Ok(node) => node,
        Err(Absence::Excused(reason)) if !requires("rabbitmq") => {
            return Ok(Completion::ignored_with(reason));
        }
        Err(Absence::Excused(reason) | Absence::Failed(reason)) => return Err(reason.into()),
    };
    let outcome = the_node_is_killed(&mut node).await;
    node.stop().await;
    outcome.map(|()| Completion::Completed)
}

async fn the_node_is_killed(node: &mut Node) -> Result<(), Failed> {
    let (url, names) = (node.url(), events::names("killed", Queue::Shared));
    let gateway = Gateway::start(&url, &names, Queue::Shared).await?;
    let mut reader = Reader::connect(&gateway).await?;
    let mut publisher = Publisher::open(&url, &names, Queue::Shared).await?;
    for number in 1..=KILLED_AFTER {
        publisher.publish(number).await?;
    }
    node.kill().await;
    node.start_again().await?;
    let mut publisher = Publisher::open(&url, &names, Queue::Shared).await?;
    for number in KILLED_AFTER + 1..=EVENTS {
        publisher.publish(number).await?;
    }
    let all: BTreeSet<u64> = (1..=EVENTS).collect();
    let seen = reader.read_until(|seen| seen.iter().copied().collect::<BTreeSet<_>>() == all).await?;
    // What the broker had not been told of comes again; the first time, everything comes in order.
    let mut first_times = BTreeSet::new();
    let in_order: Vec<_> = seen.into_iter().filter(|number| first_times.insert(*number)).collect();
    if !in_order.iter().copied().eq(1..=EVENTS) {
        return Err(format!("the client saw {in_order:?}").into());
    }
    Ok(())
}
