//! The listeners of one hook.

use protocol::Target;
use serde_json::Value;

use crate::client::{ListenerId, SendError};
use crate::provider::Provider;
use reference_session::Status;

/// Listeners that are removed on drop. Subscriptions stay (HOOK-1).
pub(super) struct Listening {
    provider: Provider,
    listeners: Vec<ListenerId>,
}

impl Listening {
    pub(super) fn new(provider: &Provider) -> Self {
        Self { provider: provider.clone(), listeners: Vec::new() }
    }

    /// Subscribes to an event, once connected, and calls `callback` with each payload.
    pub(super) async fn event(
        &mut self,
        name: &str,
        mut callback: impl FnMut(&Value) + Send + 'static,
    ) -> Result<(), SendError> {
        let client = self.provider.client();
        // The listener comes first, so that no event falls between.
        self.listeners.push(client.on(name, move |payload| {
            callback(payload);
            Ok(())
        }));
        client.subscribe(Target::EventType(name.to_owned())).await
    }

    /// Calls `callback` whenever the connection is open again after it was lost (HOOK-7).
    pub(super) fn reconnected(&mut self, mut callback: impl FnMut() + Send + 'static) {
        let client = self.provider.client();
        let mut before = matches!(client.status(), Status::Connected | Status::Reconnecting);
        self.listeners.push(client.on("connected", move |_| {
            if std::mem::replace(&mut before, true) {
                callback();
            }
            Ok(())
        }));
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.listeners.iter().for_each(|listener| self.provider.client().off(*listener));
    }
}
