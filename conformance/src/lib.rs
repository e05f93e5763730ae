//! Judges gateways and clients over real sockets: the harness as a library. The binary `gatecheck` is in `cli`.
//!
//! ```text
//!  Profile, Plan ──► runner ──► Executor ──► process under test
//!                      │           │  └────► embedded broker, or one at a URL
//!                      │           └── player ──► Trace
//!                      └── Verdicts ──► RunReport ──► `report`: console, HTML, JSON, JUnit XML, Markdown
//! ```
//!
//! A [`profile`] says how an implementation is started or reached; the reference pair has one too, and takes the same path.

pub mod adapter_check;
pub mod amqp;
pub mod conclusion;
pub mod executor;
pub mod exit;
pub mod in_process;
pub mod interruption;
pub mod known_failing;
pub mod limits;
pub mod noise;
pub mod preflight;
pub mod process;
pub mod profile;
pub mod proxy;
pub mod result;
pub mod runner;
pub mod suite;
pub mod template;
pub mod words;

pub use suite::{Suite, SuiteError};
