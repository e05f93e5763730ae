//! What judges the suite itself, and shows the reference pair at work.
//!
//! | module | what it is about |
//! |---|---|
//! | [`mutants`] | the reference pair with one defect each |
//! | [`selftest`] | each mutant must be found, and nothing may pass without evidence |
//! | [`soak`] | the reference gateway among thousands of clients, some of them hostile |
//! | [`demo`] | the reference gateway with its page, and made-up events |
//!
//! ```
//! use gatecheck_lab::{mutants, selftest::Trials};
//! use scenarios::Library;
//!
//! let library = Library::builtin()?;
//! let scenarios = library.select(&["gateway/rooms/private".to_owned()])?;
//! let mut mutants = mutants::all();
//! mutants.retain(|mutant| mutant.id == "gateway/private-rooms-are-open");
//! let matrix = Trials::new(mutants, &scenarios).play(1, |_| {});
//! assert!(matrix.is_clean(), "the reference passes, the mutant does not");
//! # Ok::<(), scenarios::LibraryError>(())
//! ```

pub mod demo;
pub mod mutants;
mod reference_gateway;
pub mod selftest;
pub mod soak;

pub use reference_gateway::GatewayError;
