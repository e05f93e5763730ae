//! How many connections there may be: in all, for one user, from one address (CONN-7), and none while the gateway drains (CONN-6).

use std::collections::BTreeMap;
use std::net::IpAddr;

use protocol::UserId;

use super::network::Network;

/// The limits; none where nothing is said.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// In all.
    pub total: Option<usize>,
    /// Of one user.
    pub per_user: Option<usize>,
    /// From one address, or one /64 of IPv6. Behind a load balancer all connections have the same address.
    pub per_address: Option<usize>,
}

/// Counts connections, of all shards together.
#[derive(Debug, Default)]
pub struct Admission {
    limits: ConnectionLimits,
    is_draining: bool,
    total: usize,
    users: BTreeMap<UserId, usize>,
    addresses: BTreeMap<Network, usize>,
}

/// There is no place for a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Full {
    /// The gateway shuts down.
    #[error("the gateway shuts down")]
    Draining,
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
    /// No connection yet.
    pub fn new(limits: ConnectionLimits) -> Self {
        Self { limits, ..Self::default() }
    }

    /// Takes a place, which [`Admission::release`] gives back.
    ///
    /// # Errors
    /// When there is none; nothing is taken then.
    pub fn admit(&mut self, user: &UserId, address: IpAddr) -> Result<(), Full> {
        let reached = |count: Option<&usize>, limit: Option<usize>| {
            limit.is_some_and(|limit| count.copied().unwrap_or_default() >= limit)
        };
        if self.is_draining {
            return Err(Full::Draining);
        }
        if reached(Some(&self.total), self.limits.total) {
            return Err(Full::Total);
        }
        if reached(self.users.get(user), self.limits.per_user) {
            return Err(Full::User);
        }
        if reached(self.addresses.get(&Network::of(address)), self.limits.per_address) {
            return Err(Full::Address);
        }
        self.total += 1;
        *self.users.entry(user.clone()).or_default() += 1;
        *self.addresses.entry(Network::of(address)).or_default() += 1;
        Ok(())
    }

    /// Gives back the place of a connection that has ended.
    pub fn release(&mut self, user: &UserId, address: IpAddr) {
        self.total -= 1;
        give_back(&mut self.users, user);
        give_back(&mut self.addresses, &Network::of(address));
    }

    /// From now on no one is admitted.
    pub fn drain(&mut self) {
        self.is_draining = true;
    }

    /// Whether no place is taken, and nothing of a closed connection is left (CONN-5).
    pub fn is_empty(&self) -> bool {
        self.total == 0 && self.users.is_empty() && self.addresses.is_empty()
    }
}

/// Takes one off a count; a count of none is not kept.
pub(crate) fn give_back<K: Ord>(counts: &mut BTreeMap<K, usize>, key: &K) {
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
        let mut admission = Admission::new(limits);
        assert_eq!(admission.admit(&user("a"), address(1)), Ok(()));
        assert_eq!(admission.admit(&user("a"), address(2)), Err(Full::User));
        assert_eq!(admission.admit(&user("b"), address(1)), Ok(()));
        assert_eq!(admission.admit(&user("c"), address(1)), Err(Full::Address));
        assert_eq!(admission.admit(&user("c"), address(2)), Ok(()));
        assert_eq!(admission.admit(&user("d"), address(3)), Err(Full::Total));
        admission.release(&user("a"), address(1));
        assert_eq!(admission.admit(&user("a"), address(1)), Ok(()));
    }

    /// A closed connection leaves no state behind (CONN-5), whether or not the gateway drains meanwhile.
    #[test]
    fn nothing_is_left_behind() {
        let mut admission = Admission::default();
        for last in [1, 2] {
            admission.admit(&user("a"), address(last)).unwrap();
        }
        admission.drain();
        for last in [1, 2] {
            assert!(!admission.is_empty());
            admission.release(&user("a"), address(last));
        }
        assert!(admission.is_empty());
    }
}
