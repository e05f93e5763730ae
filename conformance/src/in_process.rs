//! Subjects inside this process: each on a thread of its own, with a runtime of its own. What a subject spawns on that runtime ends
//! with it, and what it blocks is its own thread.

mod client;
mod gateway;

use std::any::Any;
use std::io;
use std::panic::AssertUnwindSafe;
use std::thread;
use std::time::Duration;

use futures_util::FutureExt;
use tokio::runtime::Builder;
use tokio::sync::{oneshot, watch};
use tokio::task::LocalSet;

pub use client::{Adapter, ClientStarter, Reports};
pub(crate) use gateway::Taken;
pub use gateway::{GatewayStart, GatewayStarter};

/// Why a subject gave up.
pub type SubjectError = Box<dyn std::error::Error + Send + Sync>;

/// How long a subject may block its thread after it was ended. One that never returns cannot be ended, and is left to itself.
const ENDS_WITHIN: Duration = Duration::from_secs(2);
/// How long blocking work that a subject has handed to its runtime is waited for.
const BLOCKS_WITHIN: Duration = Duration::from_millis(500);

/// A running subject. Dropping it ends it.
pub struct InProcess {
    ended: watch::Receiver<Option<String>>,
    /// Dropping it ends the subject.
    kill: Option<oneshot::Sender<()>>,
}

impl InProcess {
    /// Starts a subject. It lives as long as its future, which has no reason to end by itself.
    ///
    /// # Errors
    /// When the host refuses a thread or a runtime.
    pub(crate) fn start<B, F>(name: &str, body: B) -> io::Result<Self>
    where
        B: FnOnce() -> F + Send + 'static,
        F: Future<Output = Result<(), SubjectError>>,
    {
        let (end, ended) = watch::channel(None);
        let (kill, killed) = oneshot::channel::<()>();
        let runtime = Builder::new_current_thread().enable_all().build()?;
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            let tasks = LocalSet::new();
            let status = tasks.block_on(&runtime, async {
                let living = AssertUnwindSafe(async { body().await }).catch_unwind();
                tokio::select! {
                    biased;
                    _ = killed => "it was ended".to_owned(),
                    ended = living => describe(ended),
                }
            });
            // Its sockets are closed before its end is known.
            drop(tasks);
            runtime.shutdown_timeout(BLOCKS_WITHIN);
            end.send_replace(Some(status));
        })?;
        Ok(Self { ended, kill: Some(kill) })
    }

    /// How it ended, where it has.
    pub(crate) fn ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Waits for its end and says how it ended.
    pub(crate) fn end(&self) -> impl Future<Output = String> + Send + 'static {
        let mut ended = self.ended.clone();
        async move {
            match ended.wait_for(Option::is_some).await {
                Ok(status) => status.clone().unwrap_or_default(),
                Err(_) => "it panicked as it was ended".to_owned(),
            }
        }
    }

    /// Ends it, and waits until nothing of it is left.
    pub(crate) async fn kill(&mut self) {
        self.kill = None;
        // One that blocks its thread is waited for no longer.
        let _ = tokio::time::timeout(ENDS_WITHIN, self.end()).await;
    }
}

/// How a future ended that had no reason to.
fn describe(ended: Result<Result<(), SubjectError>, Box<dyn Any + Send>>) -> String {
    match ended {
        Ok(Ok(())) => "it returned".to_owned(),
        Ok(Err(error)) => format!("it returned an error: {error}"),
        Err(panic) => {
            let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
            let text = text.or_else(|| panic.downcast_ref::<String>().cloned());
            format!("it panicked: {}", text.unwrap_or_else(|| "with no message".to_owned()))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    /// How a subject ended is told in its words.
    #[tokio::test]
    async fn an_end_is_told() {
        let returned = InProcess::start("subject", || async { Ok(()) }).unwrap();
        assert_eq!(returned.end().await, "it returned");
        let failed = InProcess::start("subject", || async { Err("no port".into()) }).unwrap();
        assert_eq!(failed.end().await, "it returned an error: no port");
        let panicked = InProcess::start("subject", || async { panic!("at {}", 7) }).unwrap();
        assert_eq!(panicked.end().await, "it panicked: at 7");
        assert_eq!(panicked.ended().as_deref(), Some("it panicked: at 7"));
    }

    /// What a subject has spawned ends with it: its port is free.
    #[tokio::test]
    async fn what_it_spawned_ends_with_it() {
        let (sender, address) = oneshot::channel();
        let mut subject = InProcess::start("subject", || async {
            let listener = TcpListener::bind("127.0.0.1:0").await?;
            let _ = sender.send(listener.local_addr()?);
            tokio::spawn(async move {
                let _kept = listener.accept().await;
                pending::<()>().await;
            });
            pending().await
        })
        .unwrap();
        let address = address.await.unwrap();
        let _connection = TcpStream::connect(address).await.unwrap();
        subject.kill().await;
        assert_eq!(subject.ended().as_deref(), Some("it was ended"));
        assert!(TcpStream::connect(address).await.is_err());
    }
}
