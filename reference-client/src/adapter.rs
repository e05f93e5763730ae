//! The adapter protocol: one JSON object per line. The harness starts the adapter, writes requests to its standard input,
//! and reads answers and reports from its standard output. The adapter reports; it judges nothing.

mod consumer;
mod exchange;
mod settings;
mod subject;
mod tokens;

pub use exchange::run;
