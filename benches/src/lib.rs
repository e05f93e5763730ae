//! Workloads that benchmarks share: what is measured, apart from who asks.
//!
//! * [`machine`]: the gateway's machine and its codec, without sockets.
//! * [`session`]: the client's machine, without sockets.
//! * [`fanout`]: one event to many sockets, the gateway beside two comparators, each a process of its own.

pub mod fanout;
pub mod machine;
pub mod session;
