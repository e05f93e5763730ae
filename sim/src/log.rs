//! What the program under test says in its log, kept to be looked at.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::{self, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;

/// Most bytes that are kept; a simulation that says more says it too often.
const MAX_BYTES: usize = 1024 * 1024;

/// Its own lines, at every level; the network between the hosts has a log too, which says all.
const OWN: [(&str, LevelFilter); 2] =
    [("reference_server", LevelFilter::TRACE), ("reference_client", LevelFilter::TRACE)];

/// A log in memory. Simulations run on one thread, so what is said during one is its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Keeps what gateways and clients of this thread log until the guard goes.
    pub(crate) fn keep(&self) -> tracing::subscriber::DefaultGuard {
        let lines = fmt::layer().with_ansi(false).without_time().with_writer(self.clone());
        let targets = Targets::new().with_targets(OWN);
        tracing::subscriber::set_default(tracing_subscriber::registry().with(targets).with(lines))
    }

    /// What was logged.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.0.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
    }
}

impl<'a> MakeWriter<'a> for Log {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if kept.len() < MAX_BYTES {
            kept.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
