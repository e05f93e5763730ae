//! Ports for gateways under test. A gateway binds its port itself, some time after its start. Until it has ended, no other
//! gateway of this process may get the same port, or the live one would be mistaken for one that failed to start.

use std::collections::BTreeSet;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::ops::Range;
use std::sync::{Mutex, PoisonError};

use crate::limits::HostLimit;

/// Below the ports that systems give to outgoing connections, which could take one in between.
const RANGE: Range<u16> = 16_384..32_768;
/// Ports that are tried before `lease` fails.
const TRIES: u32 = 1_000;

/// Ports that were handed out, and not given back.
static LEASED: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());

/// A port of the loopback interface that was free when it was chosen. Dropping it returns the lease.
#[derive(Debug)]
pub(crate) struct Port(u16);

impl Port {
    /// Chooses one. Which, is left to chance, so that several runs on one host rarely meet.
    ///
    /// # Errors
    /// When no free port was found.
    #[expect(clippy::disallowed_methods, reason = "which port it is decides nothing")]
    pub(crate) fn lease() -> io::Result<Self> {
        let mut chance = fastrand::Rng::new();
        for _ in 0..TRIES {
            let number = chance.u16(RANGE);
            if !leased().insert(number) {
                continue;
            }
            let port = Self(number);
            match TcpListener::bind((Ipv4Addr::LOCALHOST, number)) {
                Ok(_) => return Ok(port),
                // What the host refuses for one port it refuses for the next.
                Err(error) if HostLimit::of("", &error).is_some() => return Err(error),
                Err(_) => {}
            }
        }
        Err(io::Error::new(io::ErrorKind::AddrInUse, format!("no port of {RANGE:?} is free")))
    }

    pub(crate) fn number(&self) -> u16 {
        self.0
    }
}

impl Drop for Port {
    fn drop(&mut self) {
        leased().remove(&self.0);
    }
}

fn leased() -> std::sync::MutexGuard<'static, BTreeSet<u16>> {
    LEASED.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A leased port is not leased again, although nothing listens on it yet; after its release it is free again.
    #[test]
    fn a_port_has_one_tenant() {
        let ports: Vec<Port> = (0..200).map(|_| Port::lease().unwrap()).collect();
        let numbers: BTreeSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), ports.len());
        assert!(numbers.iter().all(|number| leased().contains(number)));
        drop(ports);
        assert!(!numbers.iter().all(|number| leased().contains(number)));
    }
}
