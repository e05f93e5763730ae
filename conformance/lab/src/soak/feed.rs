//! The record of published events, from which each client knows what it should have received.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use serde_json::{Value, json};

/// The events of a run, by their numbers.
#[derive(Debug, Default)]
pub(super) struct Feed {
    /// For whom each is; an event is entered before it is published.
    audiences: Mutex<Vec<Audience>>,
    /// How many of them the broker has confirmed; they are published one by one.
    confirmed: AtomicU64,
    /// Deliveries that were checked.
    checked: AtomicU64,
}

/// For whom an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Audience {
    /// All clients.
    All,
    /// The connections of one user.
    User(u64),
    /// The administrators.
    Administrators,
    /// Clients that subscribed to the catalogue.
    Subscribers,
}

/// The room that some subscribe to.
pub(super) const CATALOGUE: &str = "catalog:changed";

/// The room whose events are so large that a reader who does not read is soon shed.
pub(super) const HEAVY: &str = "heavy:load";
/// Clients of one user.
const CLIENTS_PER_USER: u64 = 4;

/// How many users there are among so many clients.
pub(super) fn users(clients: usize) -> u64 {
    (clients as u64).div_ceil(CLIENTS_PER_USER)
}

impl Feed {
    /// Enters the next event, and gives its number.
    pub(super) fn begin(&self, audience: Audience) -> u64 {
        let mut audiences = self.audiences.lock().unwrap_or_else(PoisonError::into_inner);
        audiences.push(audience);
        audiences.len() as u64 - 1
    }

    /// The number of the event that is entered next.
    pub(super) fn next(&self) -> u64 {
        self.audiences.lock().unwrap_or_else(PoisonError::into_inner).len() as u64
    }

    /// The broker has the events below this number.
    pub(super) fn confirm(&self, below: u64) {
        self.confirmed.store(below, Ordering::Release);
    }

    /// The events below this number are the broker's.
    pub(super) fn confirmed(&self) -> u64 {
        self.confirmed.load(Ordering::Acquire)
    }

    /// How many deliveries were checked.
    pub(super) fn checked(&self) -> u64 {
        self.checked.load(Ordering::Relaxed)
    }

    /// Counts one of them.
    pub(super) fn check(&self) {
        self.checked.fetch_add(1, Ordering::Relaxed);
    }

    /// Looks at the audiences of these events.
    pub(super) fn with<T>(&self, look: impl FnOnce(&[Audience]) -> T) -> T {
        look(&self.audiences.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

impl Audience {
    /// One of them; most events are for one user or for subscribers.
    pub(super) fn draw(random: &mut fastrand::Rng, users: u64) -> Self {
        match random.u8(..10) {
            0..3 => Self::All,
            3..6 => Self::User(random.u64(..users.max(1))),
            6 => Self::Administrators,
            _ => Self::Subscribers,
        }
    }

    /// The body and the routing key of such an event.
    pub(super) fn event(self, number: u64) -> (String, &'static str) {
        let (kind, key, data): (_, _, Value) = match self {
            Self::All => ("payment:created", "payment.created", json!({ "seq": number })),
            Self::User(user) => {
                ("profile:updated", "profile.updated", json!({ "seq": number, "userId": user_id(user) }))
            }
            Self::Administrators => ("admin:alert", "admin.alert", json!({ "seq": number })),
            Self::Subscribers => (CATALOGUE, "catalog.changed", json!({ "seq": number })),
        };
        (json!({ "type": kind, "data": data }).to_string(), key)
    }
}

/// The user id of a user.
pub(super) fn user_id(user: u64) -> String {
    format!("user-{user}")
}
