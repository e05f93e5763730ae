//! Trials share a host with each other. What fails beside others is tried again alone: then it is no other trial's doing.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{PoisonError, RwLock};

use libtest_mimic::{Completion, Failed, Trial};

/// Read by those that run beside others, written by the one that runs alone.
static HOST: RwLock<()> = RwLock::new(());

pub(crate) fn test(
    name: impl Into<String>,
    runner: impl Fn() -> Result<(), Failed> + Send + 'static,
) -> Trial {
    ignorable_test(name, move || runner().map(|()| Completion::Completed))
}

pub(crate) fn ignorable_test(
    name: impl Into<String>,
    runner: impl Fn() -> Result<Completion, Failed> + Send + 'static,
) -> Trial {
    let name = name.into();
    Trial::ignorable_test(name.clone(), move || {
        let beside_others = {
            let _beside = HOST.read().unwrap_or_else(PoisonError::into_inner);
            catch_unwind(AssertUnwindSafe(&runner)).unwrap_or_else(|_| Err("it panicked: see above".into()))
        };
        let Err(failure) = beside_others else { return beside_others };
        let _alone = HOST.write().unwrap_or_else(PoisonError::into_inner);
        let reason = failure.message().unwrap_or("no reason was given");
        eprintln!("{name} failed beside others, and is tried again alone:\n{reason}\n");
        runner()
    })
}
