//! What a run has from its begin to its end: the gateway, and who measures its process.

use std::net::{SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use conformance::executor::RunningGateway;
use conformance::noise::{TreeMeter, TreeUsage};

use super::{BenchConfig, BenchError};
use crate::crowd::{Crowd, GatewayEndpoint};
use crate::plan::Plan;

pub(super) struct Scene<'a> {
    pub(super) config: &'a BenchConfig,
    pub(super) gateway: &'a RunningGateway,
    pub(super) subject: String,
}

impl Scene<'_> {
    /// The address of the gateway.
    fn address(&self) -> Result<SocketAddr, BenchError> {
        let authority = self.gateway.authority();
        let unknown = |why: &dyn ToString| BenchError::Subject {
            reason: format!("there is no address of {authority}: {}", why.to_string()),
            output: Vec::new(),
        };
        let addresses: Vec<_> = authority.to_socket_addrs().map_err(|error| unknown(&error))?.collect();
        // Most gateways listen on both, or on the older one alone.
        let first = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
        first.copied().ok_or_else(|| unknown(&"it is not known"))
    }

    /// The clients of this process.
    pub(super) fn crowd(&self, plan: Arc<Plan>, run: u32) -> Result<Crowd, BenchError> {
        let BenchConfig { workload, profile, shard, .. } = self.config;
        let endpoint = GatewayEndpoint {
            address: self.address()?,
            host: self.gateway.authority().to_owned(),
            path: self.gateway.path().to_owned(),
            issuer: self.gateway.issuer(),
            unix_s: unix_ms() / 1000,
        };
        Ok(Crowd::new(workload, profile, plan, *shard, run, endpoint))
    }

    /// What marks of this run have: the same in every part of it, and another in every other run.
    pub(super) fn run_number(&self) -> u32 {
        let begun = self.config.start_at_ms.unwrap_or_else(unix_ms);
        (begun as u32).rotate_left(5) ^ self.config.seed as u32
    }

    /// Who measures the gateway's process, where it is on this host and known.
    pub(super) fn meter(&self) -> Option<Meter> {
        let process = self.gateway.process().or(self.config.process)?;
        Some(Meter { tree: TreeMeter::new(process)?, last: TreeUsage::default(), peak_kib: 0 })
    }
}

/// Measures the gateway's processes.
pub(super) struct Meter {
    tree: TreeMeter,
    last: TreeUsage,
    pub(super) peak_kib: u64,
}

impl Meter {
    /// What they use; what they used last once they have ended.
    pub(super) fn look(&mut self) -> TreeUsage {
        self.last = self.tree.usage().unwrap_or(self.last);
        self.peak_kib = self.peak_kib.max(self.last.resident_kib);
        self.last
    }
}

#[expect(clippy::disallowed_methods, reason = "tokens are checked by the real clock of the gateway")]
pub(super) fn unix_ms() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as i64
}

#[expect(clippy::disallowed_methods, reason = "what is measured is real time")]
pub(super) fn now() -> Instant {
    Instant::now()
}
