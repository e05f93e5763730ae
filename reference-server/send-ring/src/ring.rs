//! The ring. All unsafe code of the workspace is in this file.

use std::fmt;
use std::io;
use std::os::fd::RawFd;

use bytes::Bytes;
use io_uring::types::Fd;
use io_uring::{IoUring, opcode, squeue};

/// A send takes what the socket has room for and never waits; a connection that the peer has ended raises no SIGPIPE.
const FLAGS: i32 = libc::MSG_DONTWAIT | libc::MSG_NOSIGNAL;

/// Sends that are made together. It belongs to the thread that made it: on another one [`SendRing::submit`] fails.
pub struct SendRing {
    /// None once it has failed: it would still hold what the kernel did not take.
    ring: Option<IoUring>,
    /// What is due; the buffers are the kernel's until each send is over.
    sends: Vec<Send>,
}

struct Send {
    socket: RawFd,
    buffer: Bytes,
}

impl SendRing {
    /// Sends of one system call at most; 16 KiB of the ring's memory.
    pub const SENDS: usize = 256;

    /// A ring of this thread.
    ///
    /// # Errors
    /// What the kernel says that has no io_uring (`ENOSYS`), forbids it (`EPERM`), or lacks a part of it (`EINVAL`, before 6.1).
    pub fn new() -> io::Result<Self> {
        let ring = IoUring::builder()
            .setup_submit_all()
            .setup_single_issuer()
            .setup_defer_taskrun()
            .build(Self::SENDS as u32)?;
        Ok(Self { ring: Some(ring), sends: Vec::with_capacity(Self::SENDS) })
    }

    /// Adds a send. Push a socket once: what it takes of a second buffer may follow a part of the first.
    ///
    /// # Panics
    /// When there are [`SendRing::SENDS`] already.
    pub fn push(&mut self, socket: RawFd, buffer: Bytes) {
        assert!(self.sends.len() < Self::SENDS, "one system call makes {} sends", Self::SENDS);
        self.sends.push(Send { socket, buffer });
    }

    /// Makes every send that was pushed, and adds to `taken` for each, in their order, how many bytes its socket took: none where it is
    /// full or broken, which a plain send tells apart.
    ///
    /// # Errors
    /// When the kernel takes no more sends, which then took nothing; so it is from then on.
    ///
    /// # Panics
    /// When the kernel does not say what became of a send, which cannot happen to one that does not wait.
    pub fn submit(&mut self, taken: &mut Vec<usize>) -> io::Result<()> {
        let first = taken.len();
        taken.resize(first + self.sends.len(), 0);
        let mut sends = std::mem::take(&mut self.sends);
        let mut ring = self.ring.take().ok_or(io::ErrorKind::BrokenPipe)?;
        match enter(&mut ring, &sends, &mut taken[first..]) {
            Ok(()) => {
                sends.clear();
                *self = Self { ring: Some(ring), sends };
                Ok(())
            }
            Err(EnterError::Refused(error)) => Err(error),
            Err(EnterError::Lost(error)) => {
                // The kernel may still read them.
                std::mem::forget(sends);
                panic!("io_uring does not say what became of a send: {error}");
            }
        }
    }
}

/// Why not every send was made.
enum EnterError {
    /// The kernel took no more sends; all that it took are over.
    Refused(io::Error),
    /// The kernel took sends and does not say what became of them.
    Lost(io::Error),
}

/// Hands the sends to the kernel, and returns when all that it took are over.
fn enter(ring: &mut IoUring, sends: &[Send], taken: &mut [usize]) -> Result<(), EnterError> {
    let mut submission = ring.submission();
    for (number, send) in sends.iter().enumerate() {
        let entry = entry(send, number);
        // SAFETY: the kernel reads what the entry refers to from the moment it takes the entry until it completes it. That is a buffer of
        // `sends`, which outlives this call, and no entry outlives it: for each that the kernel took a completion is counted below. What it
        // did not take, or not complete, is an error, after which `submit` drops the ring with its entries, or leaks the buffers.
        #[expect(unsafe_code, reason = "the kernel reads the buffer while the entry is in the ring")]
        let pushed = unsafe { submission.push(&entry) };
        pushed.expect("the ring is empty, and has an entry for each send");
    }
    drop(submission);
    let mut due = sends.len();
    loop {
        let entered = ring.submit_and_wait(due);
        for completion in ring.completion() {
            due -= 1;
            // A negative result is an error.
            taken[completion.user_data() as usize] = usize::try_from(completion.result()).unwrap_or(0);
        }
        if due == 0 {
            return Ok(());
        }
        match entered {
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) if ring.submission().len() == due => return Err(EnterError::Refused(error)),
            Err(error) => return Err(EnterError::Lost(error)),
        }
    }
}

fn entry(send: &Send, number: usize) -> squeue::Entry {
    // A send takes a part of what is longer.
    let length = u32::try_from(send.buffer.len()).unwrap_or(u32::MAX);
    opcode::Send::new(Fd(send.socket), send.buffer.as_ptr(), length)
        .flags(FLAGS)
        .build()
        .user_data(number as u64)
}

impl fmt::Debug for SendRing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SendRing").field("sends", &self.sends.len()).finish_non_exhaustive()
    }
}
