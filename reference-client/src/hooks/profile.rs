//! The signed-in user's profile, kept up to date.

use super::updates::RealTimeUpdates;
use crate::client::SendError;
use crate::provider::Provider;
use crate::query::{QueryClient, QueryKey};

/// Invalidates `["profile"]` at every `profile:updated` while it is held (HOOK-6), and after a reconnect (HOOK-7).
pub struct ProfileUpdates {
    _updates: RealTimeUpdates,
}

impl ProfileUpdates {
    /// Mounts it.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn mount(provider: &Provider, queries: &QueryClient) -> Result<Self, SendError> {
        let keys = vec![QueryKey::from(["profile"])];
        let updates = RealTimeUpdates::mount(provider, queries, "profile:updated", keys, |_| ()).await?;
        Ok(Self { _updates: updates })
    }
}
