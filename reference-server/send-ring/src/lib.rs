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
//!
//! ```
//! # use std::io::Read as _;
//! # use std::os::fd::AsRawFd as _;
//! # use std::os::unix::net::UnixStream;
//! use bytes::Bytes;
//! use send_ring::SendRing;
//!
//! # fn main() -> std::io::Result<()> {
//! # let (ours, mut theirs) = UnixStream::pair()?;
//! let Ok(mut ring) = SendRing::new() else {
//!     return Ok(()); // plain sends, then
//! };
//! ring.push(ours.as_raw_fd(), Bytes::from_static(b"one event"));
//! let mut taken = Vec::new();
//! ring.submit(&mut taken)?;
//! assert_eq!(taken, [9]);
//! # let mut read = [0; 9];
//! # theirs.read_exact(&mut read)?;
//! # assert_eq!(&read, b"one event");
//! # Ok(()) }
//! ```

#[cfg(not(target_os = "linux"))]
mod absent;
#[cfg(target_os = "linux")]
mod ring;

#[cfg(not(target_os = "linux"))]
pub use absent::SendRing;
#[cfg(target_os = "linux")]
pub use ring::SendRing;
