//! `gatecheck`: judges gateways and clients over real sockets.
//!
//! ```text
//!  cli ──► Profile, Plan ──► runner ──► Executor ──► process under test
//!                              │           │  └────► embedded broker, or one at a URL
//!                              │           └── player ──► Trace
//!                              └── Verdicts ──► RunReport ──► console, HTML, JSON, JUnit XML, Markdown
//! ```
//!
//! A [`profile`] says how an implementation is started or reached; the reference pair has one too, and takes the same path.

pub mod adapter_check;
pub mod amqp;
pub mod cli;
pub mod demo;
pub mod executor;
pub mod exit;
pub mod interruption;
pub mod known_failing;
pub mod limits;
pub mod mutants;
pub mod noise;
pub mod preflight;
pub mod process;
pub mod profile;
pub mod proxy;
pub mod reference_gateway;
pub mod report;
pub mod result;
pub mod runner;
pub mod selftest;
pub mod soak;
pub mod template;
