//! What a broker has to do, written once and run against the embedded broker and against RabbitMQ.
//!
//! Trials are named `ARM/BEHAVIOUR`. A real broker is looked for in this order: `GATECHECK_AMQP_URL` (as `guest` with
//! password `guest`, virtual host `%2f`); a Docker engine,
//! with the image that `GATECHECK_RABBITMQ_IMAGE` names (`rabbitmq:4`, the official one, by default); a
//! `rabbitmq-server` on the path, started as a private node. The first one found runs; arms that are not there, or not
//! needed, are ignored, with the reason. `GATECHECK_REQUIRE=docker,rabbitmq,node,python` turns an absence into a
//! failure: `docker` of the container, `rabbitmq` of the private node, `node` and `python` of the [`peers`].
//! `GATECHECK_CONTRACT_TABLE=FILE` writes what was seen as a table, brokers as columns.

#[path = "../arms/mod.rs"]
mod arms;
mod bench;
mod contract;
mod embedded;
mod peers;
mod raw;
mod table;

use arms::{Absence, Arm, Arms};
use bench::Bench;
use futures_util::FutureExt;
use libtest_mimic::{Arguments, Completion, Failed, Trial};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use table::Table;
use tokio::runtime::Runtime;

/// Where to write the outcomes as a table, in Markdown.
const TABLE: &str = "GATECHECK_CONTRACT_TABLE";
/// How long one behaviour may take to show.
const TRIAL_TIMEOUT: Duration = Duration::from_secs(60);

fn main() {
    let arguments = Arguments::from_args();
    let runtime = Arc::new(Runtime::new().expect("a runtime"));
    let arms = Arc::new(Arms::default());
    let table = Arc::new(Table::default());
    let mut trials = Vec::new();
    for arm in Arm::ALL {
        for behaviour in contract::all() {
            let (runtime, arms, table) = (Arc::clone(&runtime), Arc::clone(&arms), Arc::clone(&table));
            trials.push(Trial::ignorable_test(format!("{}/{}", arm.name(), behaviour.name), move || {
                runtime.block_on(show(&arms, arm, &behaviour, &table))
            }));
        }
    }
    trials.extend(embedded::trials(&runtime));
    trials.extend(peers::trials(&runtime, &arms));
    let conclusion = libtest_mimic::run(&arguments, trials);
    let arms = Arc::into_inner(arms).expect("trials that did not run are dropped with their share");
    runtime.block_on(arms.stop());
    if let Some(file) = std::env::var_os(TABLE) {
        let behaviours: Vec<_> = contract::all().iter().map(|behaviour| behaviour.name).collect();
        std::fs::write(file, table.markdown(&behaviours)).expect("the table can be written");
    }
    conclusion.exit();
}

async fn show(
    arms: &Arms,
    arm: Arm,
    behaviour: &contract::Behaviour,
    table: &Table,
) -> Result<Completion, Failed> {
    let url = match arms.url(arm).await {
        Ok(url) => url,
        Err(Absence::Excused(reason)) => return Ok(Completion::ignored_with(reason)),
        Err(Absence::Failed(reason)) => return Err(reason.into()),
    };
    let bench = Bench::new(url, behaviour.name).await;
    let outcome = AssertUnwindSafe(in_time("showing it", (behaviour.show)(&bench))).catch_unwind().await;
    table.note(behaviour.name, arm, matches!(outcome, Ok(Ok(()))));
    in_time("cleaning up", bench.clean()).await?;
    match outcome {
        Ok(shown) => shown.map(|()| Completion::Completed),
        Err(panic) => std::panic::resume_unwind(panic),
    }
}

async fn in_time(what: &str, work: impl Future<Output = ()>) -> Result<(), Failed> {
    let done = tokio::time::timeout(TRIAL_TIMEOUT, work).await;
    done.map_err(|_| format!("{what} is not done after {TRIAL_TIMEOUT:?}").into())
}
