//! A gateway that a test runs in its own process.

use std::collections::BTreeSet;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{Dialect, Timing};
use tokio::sync::watch;

use super::{InProcess, SubjectError};
use crate::template::Values;

/// What a gateway is started with. A new one is started for each case, on a port of its own, and serves until its future is dropped.
pub struct GatewayStart {
    /// Where it must take connections.
    pub listen: SocketAddr,
    /// The path that upgrades.
    pub path: String,
    /// The secret that it verifies tokens with.
    pub jwt_secret: String,
    /// The broker that feeds it; none where there is none.
    pub amqp_url: Option<String>,
    /// The exchange that it consumes from.
    pub exchange: String,
    /// Its queue, or the first of them; empty where the profile names none.
    pub queue: String,
    /// The times that it is judged by.
    pub timing: Timing,
    /// How it spells the wire.
    pub dialect: Dialect,
    pub(crate) values: Values,
    pub(crate) taken: Taken,
    pub(crate) shutdown: watch::Receiver<bool>,
}

/// What a gateway has taken of what it was offered. What it has not taken it cannot be judged by.
#[derive(Debug, Clone, Default)]
pub(crate) struct Taken(Arc<Mutex<BTreeSet<&'static str>>>);

/// Its way of ending well.
const SHUTDOWN: &str = "shutdown";

impl Taken {
    /// Whether it takes this setting.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains(name)
    }

    /// Whether it can be asked to end.
    pub(crate) fn has_shutdown(&self) -> bool {
        self.has(SHUTDOWN)
    }

    fn take(&self, name: &'static str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(name);
    }
}

impl GatewayStart {
    /// A setting that some cases need, by the name that it has as a placeholder in profiles: `allowed_origin`,
    /// `jwt_secret_previous`, `jwt_public_key`, `max_connections`, `max_connections_per_user`, `max_connections_per_address`,
    /// `message_rate`, `outbox_bytes`. Empty where there is nothing to set. Cases are not run whose settings a gateway does not
    /// ask for before it takes connections.
    ///
    /// # Panics
    /// When there is no setting of this name.
    pub fn setting(&self, name: &str) -> &str {
        let Some((name, value)) = self.values.get(name) else {
            panic!("there is no setting `{name}`");
        };
        self.taken.take(name);
        value
    }

    /// Ends when the gateway is to end by itself, as a process does after SIGTERM: it drains, and its future returns. Cases about
    /// that are not run for a gateway that does not call this.
    pub fn shutdown(&self) -> impl Future<Output = ()> + Send + use<> {
        self.taken.take(SHUTDOWN);
        let mut shutdown = self.shutdown.clone();
        async move {
            if shutdown.wait_for(|asked| *asked).await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }
}

/// Starts gateways inside this process.
#[derive(Clone)]
pub struct GatewayStarter(Arc<dyn Fn(GatewayStart) -> io::Result<InProcess> + Send + Sync>);

impl GatewayStarter {
    /// Each call of `gateway` is one gateway, on a thread and a runtime of its own.
    pub fn new<G, F>(gateway: G) -> Self
    where
        G: Fn(GatewayStart) -> F + Send + Sync + 'static,
        F: Future<Output = Result<(), SubjectError>>,
    {
        let gateway = Arc::new(gateway);
        Self(Arc::new(move |start| {
            let gateway = Arc::clone(&gateway);
            InProcess::start("gateway", move || gateway(start))
        }))
    }

    pub(crate) fn start(&self, with: GatewayStart) -> io::Result<InProcess> {
        self.0(with)
    }
}

impl fmt::Debug for GatewayStarter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GatewayStarter")
    }
}
