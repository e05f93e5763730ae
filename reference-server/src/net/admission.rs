//! The places for connections, shared by the shards. Touched once when a connection opens and once when it ends, so a lock serves.

use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use protocol::UserId;
use reference_gateway::{Admission, ConnectionLimits, Full};

/// All places.
#[derive(Debug, Clone)]
pub(super) struct Places(Arc<Mutex<Admission>>);

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    user: UserId,
    address: IpAddr,
    places: Places,
}

impl Places {
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        Self(Arc::new(Mutex::new(Admission::new(limits))))
    }

    pub(super) fn admit(&self, user: &UserId, address: IpAddr) -> Result<Place, Full> {
        self.lock().admit(user, address)?;
        Ok(Place { user: user.clone(), address, places: self.clone() })
    }

    /// From now on there is none (CONN-6).
    pub(super) fn drain(&self) {
        self.lock().drain();
    }

    fn lock(&self) -> MutexGuard<'_, Admission> {
        // A panic under this lock leaves counts that are whole: each change is one addition.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.places.lock().release(&self.user, self.address);
    }
}
