//! Judges gateways and clients over real sockets: the harness as a library. The binary `gatecheck` is in `cli`; cases as tests of
//! `cargo test` are `gatecheck-libtest`.
//!
//! ```no_run
//! # async fn judge() -> Result<(), Box<dyn std::error::Error>> {
//! use conformance::Suite;
//! use conformance::exit::Exit;
//!
//! let report = Suite::from_profile("gatecheck.toml")?.filter("gateway/auth/**")?.run().await?;
//! assert_eq!(report.exit(), Exit::Conformant, "{}", report.sentence().1);
//!
//! // A gateway in this process, a new one for each case.
//! let suite = Suite::gateway(|start| async move {
//!     let listener = tokio::net::TcpListener::bind(start.listen).await?;
//!     serve(listener, &start.jwt_secret, start.amqp_url.as_deref()).await?;
//!     Ok(())
//! });
//! assert_eq!(suite.run().await?.exit(), Exit::Conformant);
//! # Ok(()) }
//! # async fn serve(_: tokio::net::TcpListener, _: &str, _: Option<&str>) -> std::io::Result<()> { Ok(()) }
//! ```
//!
//! ```text
//!  Suite ──► Plan ──► runner ──► Executor ──► process under test, or future in this one
//!                      │           │  └────► embedded broker, or one at a URL
//!                      │           └── player ──► Trace
//!                      └── Verdicts ──► RunReport ──► `report`: console, HTML, JSON, JUnit XML, Markdown
//! ```
//!
//! A [`profile`] says how a subject is started or reached; the reference pair has one too, and takes the same path.

pub mod adapter_check;
pub mod amqp;
mod auto_reply;
pub mod conclusion;
pub mod discover;
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
pub mod secrets;
pub mod suite;
pub mod template;
pub mod words;

pub use suite::{Suite, SuiteError};
