//! How much a subject says while it is watched: whatever it is, one that says far more than there is to say floods.

use std::sync::Arc;

use tokio::sync::watch;

use super::DiscoverError;

/// Bytes that a subject may say while it is watched.
pub(super) const MOST_BYTES: u64 = 64 * 1024 * 1024;
/// What a frame or a line costs beside its bytes: work.
const EACH_BYTES: u64 = 256;

/// What a subject has said so far, in bytes. Its copies are one.
#[derive(Debug, Clone, Default)]
pub(super) struct FloodMeter(Arc<watch::Sender<u64>>);

impl FloodMeter {
    /// Adds a frame or a line.
    pub(super) fn add(&self, bytes: usize) {
        self.0.send_modify(|said| *said = said.saturating_add(bytes as u64 + EACH_BYTES));
    }

    /// Watches until it is seen, or until the subject has said too much.
    pub(super) async fn unless_flooded<T>(
        &self,
        watching: impl Future<Output = Result<T, DiscoverError>>,
    ) -> Result<T, DiscoverError> {
        let mut bytes = self.0.subscribe();
        tokio::select! {
            biased;
            // This keeps a sender itself, so that there is always one.
            Ok(_) = bytes.wait_for(|bytes| *bytes > MOST_BYTES) => Err(DiscoverError::Floods),
            seen = watching => seen,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Few large frames flood, and many small ones; what is usual does not.
    #[tokio::test]
    async fn what_floods_is_not_watched() {
        let watched = async |bytes, times| {
            let meter = FloodMeter::default();
            (0..times).for_each(|_| meter.add(bytes));
            meter.unless_flooded(async { Ok(()) }).await
        };
        assert!(matches!(watched(1024 * 1024, 65).await, Err(DiscoverError::Floods)));
        assert!(matches!(watched(2, 300_000).await, Err(DiscoverError::Floods)));
        assert!(watched(200, 10_000).await.is_ok());
    }
}
