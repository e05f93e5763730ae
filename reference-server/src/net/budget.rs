//! One budget, in bytes, for what waits in all outboxes of a gateway (BRIDGE-12). Frames that several outboxes share are counted once, as
//! they are in memory. Where more is held than may be, the fullest outboxes are shed first, of whichever shard they are.
//!
//! ```text
//!  hold ──► frames, counted until the last outbox has written them ─┐
//!  ShardOutboxes: pieces, counted by each shard for itself ─────────┴─► is_over ──► the shard with the fullest outbox sheds
//! ```
//!
//! A delivery costs nothing more; a batch costs one addition for its frames and, on each shard, a store and a load for each shard.

use std::cell::Cell;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use bytes::Bytes;
use tokio::sync::Notify;

/// What a frame costs beside its bytes: two allocations and their heads.
const FRAME_BYTES: usize = 128;
/// What a piece costs in each outbox that it waits in.
const PIECE_BYTES: usize = size_of::<Bytes>();

/// The budget of all shards. The counts are of their own; no other memory is published by them.
#[derive(Debug)]
pub(super) struct OutboxBudget {
    limit: usize,
    /// Bytes of frames, by whomever they are held.
    held: Arc<AtomicUsize>,
    shards: Vec<Share>,
}

/// What one shard says of its outboxes.
#[derive(Debug, Default)]
struct Share {
    /// Bytes that their pieces take, apart from the frames.
    piece_bytes: AtomicUsize,
    /// Bytes that wait in the fullest, or did since the shard looked.
    fullest: AtomicUsize,
    /// Wakes the shard to look for its fullest.
    look: Notify,
}

/// Frames that are counted until they are dropped.
struct Held {
    frames: Bytes,
    held: Arc<AtomicUsize>,
}

/// The outboxes of one shard, on one thread.
#[derive(Debug, Clone)]
pub(super) struct ShardOutboxes {
    budget: Arc<OutboxBudget>,
    pieces: Rc<Cell<usize>>,
}

impl OutboxBudget {
    /// At most so many bytes, for so many shards.
    pub(super) fn new(limit: usize, shards: usize) -> Self {
        let shards = std::iter::repeat_with(Share::default).take(shards).collect();
        Self { limit, held: Arc::default(), shards }
    }

    /// The same frames, counted while any outbox holds them.
    pub(super) fn hold(&self, frames: Bytes) -> Bytes {
        self.held.fetch_add(frames.len() + FRAME_BYTES, Relaxed);
        Bytes::from_owner(Held { frames, held: self.held.clone() })
    }

    /// Bytes that are held.
    pub(super) fn bytes(&self) -> usize {
        let pieces: usize = self.shards.iter().map(|share| share.piece_bytes.load(Relaxed)).sum();
        self.held.load(Relaxed) + pieces
    }

    /// Whether more is held than may be.
    pub(super) fn is_over(&self) -> bool {
        self.bytes() > self.limit
    }

    /// Whether so little is held that shedding may end: an eighth less than the limit, so that it does not begin again at once.
    pub(super) fn is_relieved(&self) -> bool {
        self.bytes() <= self.limit - self.limit / 8
    }

    /// Notes how much waits in the fullest outbox of a shard.
    pub(super) fn set_fullest(&self, shard: usize, bytes: usize) {
        self.shards[shard].fullest.store(bytes, Relaxed);
    }

    /// Whether no other shard has a fuller outbox than this; otherwise the shard that has the fullest is woken.
    pub(super) fn is_fullest(&self, bytes: usize) -> bool {
        let fullest = self.shards.iter().max_by_key(|share| share.fullest.load(Relaxed));
        let fuller = fullest.filter(|share| share.fullest.load(Relaxed) > bytes);
        if let Some(fuller) = fuller {
            fuller.look.notify_one();
        }
        fuller.is_none()
    }

    /// Waits until a shard is to look for its fullest outbox.
    pub(super) async fn looked_for(&self, shard: usize) {
        self.shards[shard].look.notified().await;
    }
}

impl ShardOutboxes {
    /// Of one shard.
    pub(super) fn new(budget: Arc<OutboxBudget>) -> Self {
        Self { budget, pieces: Rc::default() }
    }

    /// Without a budget.
    pub(super) fn unlimited() -> Self {
        Self::new(Arc::new(OutboxBudget::new(usize::MAX, 1)))
    }

    /// The same frames, counted while any outbox holds them.
    pub(super) fn hold(&self, frames: Bytes) -> Bytes {
        self.budget.hold(frames)
    }

    /// An outbox that had so many pieces has so many now.
    pub(super) fn changed(&self, before: usize, after: usize) {
        self.pieces.set(self.pieces.get() + after - before);
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.pieces.get() == 0
    }

    /// Tells the other shards what the pieces of this one take.
    pub(super) fn publish(&self, shard: usize) {
        self.budget.shards[shard].piece_bytes.store(self.pieces.get() * PIECE_BYTES, Relaxed);
    }
}

impl AsRef<[u8]> for Held {
    fn as_ref(&self) -> &[u8] {
        &self.frames
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.held.fetch_sub(self.frames.len() + FRAME_BYTES, Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shared frames count once, and until the last holder lets go; pieces count in each outbox.
    #[test]
    fn what_is_held_is_counted() {
        let budget = Arc::new(OutboxBudget::new(1000, 2));
        let outboxes = ShardOutboxes::new(budget.clone());
        let frames = budget.hold(Bytes::from(vec![0; 500]));
        let shared = frames.clone();
        outboxes.changed(0, 2);
        outboxes.publish(1);
        assert_eq!(budget.bytes(), 500 + FRAME_BYTES + 2 * PIECE_BYTES);
        drop(frames);
        assert!(!budget.is_over() && budget.is_relieved());
        let more = budget.hold(Bytes::from(vec![0; 300]));
        assert!(budget.is_over() && !budget.is_relieved());
        drop((more, shared));
        outboxes.changed(2, 0);
        outboxes.publish(1);
        assert_eq!(budget.bytes(), 0);
    }

    /// The shard with the fullest outbox sheds, and is woken where another one finds that too much is held.
    #[tokio::test]
    async fn the_fullest_is_first() {
        use futures_util::FutureExt;
        let budget = OutboxBudget::new(0, 2);
        budget.set_fullest(0, 10);
        budget.set_fullest(1, 20);
        assert!(budget.is_fullest(20));
        assert!(budget.looked_for(1).now_or_never().is_none());
        assert!(!budget.is_fullest(10));
        budget.looked_for(1).await;
        assert!(budget.looked_for(0).now_or_never().is_none());
    }
}
