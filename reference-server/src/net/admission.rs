//! How many connections there may be: in all, for one user, from one address (CONN-7).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::UserId;

/// The limits; none where nothing is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all.
    pub total: Option<usize>,
    /// Of one user.
    pub per_user: Option<usize>,
    /// From one address. Behind a load balancer all connections have the same address.
    pub per_address: Option<usize>,
}

/// Counts connections across shards. Touched once when a connection opens and once when it ends, so a lock serves.
#[derive(Debug, Clone)]
pub(super) struct Admission {
    limits: ConnectionLimits,
    counts: Arc<Mutex<Counts>>,
}

#[derive(Debug, Default)]
struct Counts {
    total: usize,
    users: BTreeMap<UserId, usize>,
    addresses: BTreeMap<IpAddr, usize>,
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
pub(super) struct Place {
    user: UserId,
    address: IpAddr,
    counts: Arc<Mutex<Counts>>,
}

/// A limit is reached.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Full {
    /// The total limit is reached.
    #[error("too many connections")]
    Total,
    /// For this user.
    #[error("too many connections of one user")]
    User,
    /// For this address.
    #[error("too many connections from one address")]
    Address,
}

impl Admission {
    pub(super) fn new(limits: ConnectionLimits) -> Self {
        Self { limits, counts: Arc::default() }
    }

    pub(super) fn admit(&self, user: &UserId, address: IpAddr) -> Result<Place, Full> {
        let reached = |count: Option<&usize>, limit: Option<usize>| {
            limit.is_some_and(|limit| count.copied().unwrap_or_default() >= limit)
        };
        // A panic under this lock leaves counts that are whole: each change is one addition.
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        if reached(Some(&counts.total), self.limits.total) {
            return Err(Full::Total);
        }
        if reached(counts.users.get(user), self.limits.per_user) {
            return Err(Full::User);
        }
        if reached(counts.addresses.get(&address), self.limits.per_address) {
            return Err(Full::Address);
        }
        counts.total += 1;
        *counts.users.entry(user.clone()).or_default() += 1;
        *counts.addresses.entry(address).or_default() += 1;
        Ok(Place { user: user.clone(), address, counts: self.counts.clone() })
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut counts = self.counts.lock().unwrap_or_else(PoisonError::into_inner);
        counts.total -= 1;
        give_back(&mut counts.users, &self.user);
        give_back(&mut counts.addresses, &self.address);
    }
}

fn give_back<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserId {
        UserId::new(name)
    }

    fn address(last: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, last])
    }

    /// Each limit refuses the one that is too many, and a place given back can be had again.
    #[test]
    fn each_limit_holds() {
        let limits = ConnectionLimits { total: Some(3), per_user: Some(1), per_address: Some(2) };
        let admission = Admission::new(limits);
        let first = admission.admit(&user("a"), address(1)).unwrap();
        assert_eq!(admission.admit(&user("a"), address(2)).unwrap_err(), Full::User);
        let _second = admission.admit(&user("b"), address(1)).unwrap();
        assert_eq!(admission.admit(&user("c"), address(1)).unwrap_err(), Full::Address);
        let _third = admission.admit(&user("c"), address(2)).unwrap();
        assert_eq!(admission.admit(&user("d"), address(3)).unwrap_err(), Full::Total);
        drop(first);
        let _again = admission.admit(&user("a"), address(1)).unwrap();
    }

    /// A closed connection leaves no state behind (CONN-5).
    #[test]
    fn nothing_is_left_behind() {
        let admission = Admission::new(ConnectionLimits::default());
        drop([admission.admit(&user("a"), address(1)), admission.admit(&user("a"), address(2))]);
        let counts = admission.counts.lock().unwrap();
        assert!(counts.total == 0 && counts.users.is_empty() && counts.addresses.is_empty());
    }
}
