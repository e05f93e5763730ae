//! Writes to many sockets by one system call, where the kernel allows io_uring. Whatever it does not write, a plain write does: because there
//! is no ring, or several pieces wait, or the socket takes no more, or it is broken.
//!
//! ```text
//!  offer of each outbox ──► SendRing ──► sent: how much of each was taken ──► Outbox::flush writes the rest, if there is any
//! ```

use send_ring::SendRing;

use super::outbox::Outbox;

/// Fewer writes are made one by one: the ring's own cost is that of some of them.
const MIN_SENDS: usize = 4;

/// The ring of one shard, if there is one.
#[derive(Debug)]
pub(super) struct SendBatch {
    ring: Option<SendRing>,
    /// How many bytes were taken of each send of a round.
    taken: Vec<usize>,
}

impl SendBatch {
    /// With a ring for this thread, if the kernel allows it.
    pub(super) fn of_this_thread() -> Self {
        let ring = SendRing::new().inspect_err(|error| {
            tracing::info!("each write to a socket is a system call of its own: no io_uring ({error})");
        });
        Self { ring: ring.ok(), taken: Vec::new() }
    }

    /// Writes nothing.
    pub(super) fn none() -> Self {
        Self { ring: None, taken: Vec::new() }
    }

    /// Writes what these outboxes offer, each of which must be named once, and returns how many writes that were.
    pub(super) fn send<W>(&mut self, outboxes: &[&Outbox<W>]) -> u64 {
        if outboxes.len() < MIN_SENDS {
            return 0;
        }
        let mut writes = 0;
        for round in outboxes.chunks(SendRing::SENDS) {
            let Some(ring) = &mut self.ring else { break };
            let mut push =
                |outbox: &Outbox<W>| outbox.offer().map(|(socket, frames)| ring.push(socket, frames));
            let offered: Vec<_> = round.iter().filter(|outbox| push(outbox).is_some()).collect();
            self.taken.clear();
            if let Err(error) = ring.submit(&mut self.taken) {
                tracing::warn!("from now on each write to a socket is a system call of its own: {error}");
                self.ring = None;
            }
            for (outbox, taken) in offered.iter().zip(&self.taken) {
                outbox.sent(*taken);
            }
            writes += self.taken.iter().filter(|taken| **taken > 0).count() as u64;
        }
        writes
    }
}
