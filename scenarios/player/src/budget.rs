//! What a case may hold of what strangers say. Bytes are counted before they are read as anything, and a case that is flooded ends.
//!
//! ```text
//!  a message, a line ──► admits ──► read, recorded
//!                          ├──────► the case holds more than it may: it is flooded, and ends
//!                          └──────► all cases do, and this one more than is usual: it ends, and says nothing of its subject. Alone it has
//!                                   all the room that there is
//! ```
//!
//! What the scenario itself has somebody say, and so comes back once for each client, is expected and counts for nothing.

use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::sync::watch;

use super::stage::PlayError;

/// What a case may hold, and what all may that are played at the time, in bytes. A client that dials hundreds of times a second holds
/// more than a quarter of it.
const MAX_BYTES: usize = 32 * 1024 * 1024;
/// What a case holds, at most, that goes on whatever the others hold, in bytes. The cases of this build hold a fifth of it.
const USUAL_BYTES: usize = 4 * 1024 * 1024;
/// What an observation takes beside its texts, in bytes.
const OBSERVATION_BYTES: usize = 256;
/// What a value of a JSON text takes once it is read, in bytes.
const VALUE_BYTES: usize = 48;

/// What all cases hold.
static HELD: AtomicUsize = AtomicUsize::new(0);

/// The budget of one case.
#[derive(Debug)]
pub(super) struct Budget {
    held: AtomicUsize,
    /// What may come beside that.
    expected: AtomicUsize,
    end: watch::Sender<Option<PlayError>>,
}

impl Budget {
    pub(super) fn new() -> Self {
        Self { held: AtomicUsize::new(0), expected: AtomicUsize::new(0), end: watch::Sender::new(None) }
    }

    /// Whether there is room for a message or a line, of `by`; where there is none, the case is flooded.
    pub(super) fn admits(&self, text: &[u8], by: &str) -> bool {
        self.takes(cost(text), by)
    }

    /// That a text like this one is about to come so often, since the scenario has it said.
    pub(super) fn expects(&self, text: &[u8], times: usize) {
        self.expected.fetch_add(cost(text).saturating_mul(times), Ordering::Relaxed);
    }

    /// The same for an observation that holds little text.
    pub(super) fn admits_observation(&self, by: &str) -> bool {
        self.takes(OBSERVATION_BYTES, by)
    }

    fn takes(&self, bytes: usize, by: &str) -> bool {
        if self.has_ended() {
            return false;
        }
        let expected = self.expected.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |expected| {
            Some(expected.saturating_sub(bytes))
        });
        let bytes = bytes.saturating_sub(expected.unwrap_or_default());
        let held = self.held.fetch_add(bytes, Ordering::Relaxed) + bytes;
        let all = HELD.fetch_add(bytes, Ordering::Relaxed) + bytes;
        if held > MAX_BYTES {
            self.floods(format!(
                "the {by} floods the case: what it says takes more than {} KiB",
                held / 1024
            ));
            return false;
        }
        let has_room = held <= USUAL_BYTES || all <= MAX_BYTES;
        if !has_room {
            let what = "what was said in all cases that were played at once";
            self.end_by(PlayError::Crowded(format!("{what} takes more than {} KiB", all / 1024)));
        }
        has_room
    }

    /// Ends the case: something says more than is read. The first reason counts.
    pub(super) fn floods(&self, why: String) {
        self.end_by(PlayError::Flooded(why));
    }

    fn end_by(&self, why: PlayError) {
        self.end.send_if_modified(|first| {
            let is_first = first.is_none();
            first.get_or_insert(why);
            is_first
        });
    }

    fn has_ended(&self) -> bool {
        self.end.borrow().is_some()
    }

    /// Waits until the case must end, and says why: flooded, or without room beside the others.
    pub(super) async fn spent(&self) -> PlayError {
        let mut end = self.end.subscribe();
        match end.wait_for(Option::is_some).await.map(|why| why.clone()) {
            Ok(Some(why)) => why,
            // This has a sender itself.
            Ok(None) | Err(_) => std::future::pending().await,
        }
    }
}

/// What a text takes once it is read and recorded.
fn cost(text: &[u8]) -> usize {
    // A value takes more than its text does: lists of digits are the worst.
    let values = text.iter().filter(|byte| matches!(byte, b',' | b':' | b'[' | b'{')).count();
    OBSERVATION_BYTES + 2 * text.len() + VALUE_BYTES * values
}

impl Drop for Budget {
    fn drop(&mut self) {
        HELD.fetch_sub(*self.held.get_mut(), Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// These tests hold what all cases may.
    static ONE_AT_A_TIME: tokio::sync::Mutex<()> = tokio::sync::Mutex::const_new(());

    /// What goes beyond a case's budget floods it, and nothing is admitted then; values count for what they take when they are read.
    #[tokio::test]
    async fn a_flooded_case_admits_nothing() {
        let _alone = ONE_AT_A_TIME.lock().await;
        for text in [vec![b'x'; 1024 * 1024], b"1,".repeat(64 * 1024)] {
            let budget = Budget::new();
            let admitted = (0..100).take_while(|_| budget.admits(&text, "gateway")).count();
            assert!((1..=16).contains(&admitted), "{admitted}");
            assert!(!budget.admits_observation("gateway"));
            let why = budget.spent().await;
            assert!(
                matches!(&why, PlayError::Flooded(why) if why.starts_with("the gateway floods the case")),
                "{why:?}"
            );
        }
    }

    /// What a scenario has said comes back without flooding its case; what comes beside that counts.
    #[tokio::test]
    async fn what_is_expected_counts_for_nothing() {
        let _alone = ONE_AT_A_TIME.lock().await;
        let text = vec![b'x'; 1024 * 1024];
        let budget = Budget::new();
        budget.expects(&text, 100);
        assert!((0..100).all(|_| budget.admits(&text, "gateway")));
        assert!(!(0..100).all(|_| budget.admits(&text, "gateway")));
    }

    /// Whether a case is flooded does not depend on the others: one for which they leave no room ends, and is not called flooded.
    #[tokio::test]
    async fn others_flood_nothing() {
        let _alone = ONE_AT_A_TIME.lock().await;
        let text = vec![b'x'; 1024 * 1024];
        let others: Vec<_> = (0..40).map(|_| Budget::new()).collect();
        for budget in &others {
            budget.admits(&text, "gateway");
        }
        let usual = Budget::new();
        assert!(usual.admits(&text, "gateway"), "what is usual goes on");
        let admitted = (0..100).take_while(|_| usual.admits(&text, "gateway")).count();
        assert!(admitted < 8, "{admitted}");
        assert!(matches!(usual.spent().await, PlayError::Crowded(_)));
        drop((others, usual));
        let alone = Budget::new();
        assert!((0..12).all(|_| alone.admits(&text, "gateway")), "alone it has room for more");
    }
}
