//! What the program under test says in its log, kept to be looked at.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use tracing_subscriber::fmt::MakeWriter;

/// Most bytes that are kept; a simulation that says more says it too often.
const MAX_BYTES: usize = 1024 * 1024;

/// Its own lines, at every level; the network between the hosts has a log too, which says all.
const OWN: &str = "reference_server=trace,reference_client=trace";

/// A log in memory. Simulations run on one thread, so what is said during one is its own.
#[derive(Debug, Clone, Default)]
pub(crate) struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Keeps what gateways and clients of this thread log until the guard goes.
    pub(crate) fn keep(&self) -> tracing::subscriber::DefaultGuard {
        let subscriber = tracing_subscriber::fmt()
            .with_env_filter(OWN)
            .with_ansi(false)
            .without_time()
            .with_writer(self.clone());
        tracing::subscriber::set_default(subscriber.finish())
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
