//! The behaviours, each named by its function.

mod connections;
mod consuming;
mod dead_letters;
mod declaring;
mod direct_reply;
mod priorities;
mod publishing;
mod quorum;
mod routing;
mod settling;

use crate::bench::Bench;
use std::future::Future;
use std::pin::Pin;

/// One thing that a broker does.
pub(crate) struct Behaviour {
    pub(crate) name: &'static str,
    /// Panics where the broker does something else.
    pub(crate) show: for<'a> fn(&'a Bench) -> Pin<Box<dyn Future<Output = ()> + Send + 'a>>,
}

/// All of them.
pub(crate) fn all() -> Vec<Behaviour> {
    [
        connections::behaviours(),
        routing::behaviours(),
        declaring::behaviours(),
        publishing::behaviours(),
        consuming::behaviours(),
        settling::behaviours(),
        dead_letters::behaviours(),
        direct_reply::behaviours(),
        quorum::behaviours(),
        priorities::behaviours(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Makes the list of a module's behaviours.
macro_rules! behaviours {
    ($($name:ident),* $(,)?) => {
        pub(crate) fn behaviours() -> Vec<crate::contract::Behaviour> {
            vec![$(crate::contract::Behaviour {
                name: stringify!($name),
                show: |bench| Box::pin($name(bench)),
            }),*]
        }
    };
}
use behaviours;
