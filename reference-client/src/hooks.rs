//! What an application does with its connection, as values that act while they are held (HOOK-1 to HOOK-7).
//!
//! A hook is mounted by its `mount` function and unmounted when it is dropped: its listeners go, the subscription stays, since
//! others may listen to the same events (HOOK-1). Hooks that tie queries to events also invalidate them after a reconnect:
//! events may have been missed (HOOK-7). Callbacks run on the client's task and must not block.

mod dashboard;
mod listening;
mod payments;
mod profile;
mod subscription;
mod updates;

pub use dashboard::{Activity, DashboardUpdates, RECENT_ACTIVITIES};
pub use payments::PaymentUpdates;
pub use profile::ProfileUpdates;
pub use subscription::{Events, Lagged, Subscription};
pub use updates::{RealTimeQueryUpdate, RealTimeUpdates};

/// The events of a payment.
const PAYMENT_EVENTS: [&str; 4] =
    ["payment:created", "payment:updated", "payment:completed", "payment:failed"];
