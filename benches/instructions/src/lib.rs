//! What the instruction counts of `benches/instructions.rs` are measured on, and the bounds that they are held against.
//!
//! A count does not move with the host's load, as time does: it gates a pull request on any machine. It moves with the compiler,
//! by less than [`TOLERANCE`]; a new one is a reason to renew the bounds: `benches/instructions/renew`.

pub mod bounds;
#[path = "../../src/machine.rs"]
pub mod machine;
#[path = "../../src/session.rs"]
pub mod session;

pub use bounds::TOLERANCE;
