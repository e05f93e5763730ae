//! What judges the suite itself, and shows the reference pair at work.
//!
//! | module | what it is about |
//! |---|---|
//! | [`mutants`] | the reference pair with one defect each |
//! | [`selftest`] | each mutant must be found, and nothing may pass without evidence |
//! | [`soak`] | the reference gateway among thousands of clients, some of them hostile |
//! | [`demo`] | the reference gateway with its page, and made-up events |

pub mod demo;
pub mod mutants;
mod reference_gateway;
pub mod selftest;
pub mod soak;

pub use reference_gateway::GatewayError;
