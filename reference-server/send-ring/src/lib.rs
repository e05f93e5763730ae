//! Many sends to many sockets by one system call: io_uring, where the kernel has it and allows it.
//!
//! ```text
//!  push ──► a socket and a buffer, up to 256 times
//!  submit ──► one io_uring_enter ──► how many bytes each socket took, in the order of push
//! ```
//!
//! No send waits (`MSG_DONTWAIT`): a socket takes what it has room for, and that is known when [`SendRing::submit`] returns. So nothing is in
//! flight between two calls, a socket may be closed at any time, and whatever a ring did not do can be done by a plain `send`.
//!
//! Containers often forbid io_uring, and kernels before 6.1 lack what is asked of it: [`SendRing::new`] fails there, and the caller goes without.

#[cfg(not(target_os = "linux"))]
mod absent;
#[cfg(target_os = "linux")]
mod ring;

#[cfg(not(target_os = "linux"))]
pub use absent::SendRing;
#[cfg(target_os = "linux")]
pub use ring::SendRing;
