//! Where there is no io_uring.

use std::convert::Infallible;
use std::io;
use std::os::fd::RawFd;

use bytes::Bytes;

/// There is none on this system.
#[derive(Debug)]
pub struct SendRing(Infallible);

impl SendRing {
    /// Sends of one system call at most.
    pub const SENDS: usize = 256;

    /// Fails.
    ///
    /// # Errors
    /// Always: [`io::ErrorKind::Unsupported`].
    pub fn new() -> io::Result<Self> {
        Err(io::ErrorKind::Unsupported.into())
    }

    /// Adds a send.
    pub fn push(&mut self, _: RawFd, _: Bytes) {
        match self.0 {}
    }

    /// Makes every send that was pushed.
    ///
    /// # Errors
    /// Never: there is no ring.
    pub fn submit(&mut self, _: &mut Vec<usize>) -> io::Result<()> {
        match self.0 {}
    }
}
