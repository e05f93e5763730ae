//! The adapter protocol: JSON objects, one a line. Whoever judges a client starts its adapter, asks on standard input, and
//! reads answers and reports on standard output. The adapter reports; it judges nothing.

mod consumer;
mod exchange;
mod request;
mod subject;
mod tokens;

pub use exchange::run;
