//! The lists and details of payments, kept up to date.

use serde_json::{Value, json};

use super::PAYMENT_EVENTS;
use super::listening::Listening;
use crate::client::SendError;
use crate::provider::Provider;
use crate::query::{QueryClient, QueryKey};

/// Keeps payments up to date while it is held: `payment:created` invalidates `["payments"]`; `payment:updated`, `completed`
/// and `failed` also `["payment", paymentId]` (HOOK-4). After a reconnect every payment is out of date (HOOK-7).
pub struct PaymentUpdates {
    _listening: Listening,
}

impl PaymentUpdates {
    /// Mounts it.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn mount(provider: &Provider, queries: &QueryClient) -> Result<Self, SendError> {
        let mut listening = Listening::new(provider);
        let all = [QueryKey::from(["payments"]), QueryKey::from(["payment"])];
        let after_loss = queries.clone();
        listening.reconnected(move || all.iter().for_each(|key| after_loss.invalidate(key)));
        for name in PAYMENT_EVENTS {
            let queries = queries.clone();
            let at_event = move |payload: &Value| {
                queries.invalidate(&QueryKey::from(["payments"]));
                if name != "payment:created"
                    && let Some(id) = payment_id(payload)
                {
                    queries.invalidate(&QueryKey::from([json!("payment"), id.clone()]));
                }
            };
            listening.event(name, at_event).await?;
        }
        Ok(Self { _listening: listening })
    }
}

/// The payment that an event speaks of; some publishers say `id`.
fn payment_id(payload: &Value) -> Option<&Value> {
    ["paymentId", "id"].into_iter().find_map(|name| payload.get(name)).filter(|id| !id.is_null())
}
