//! The reference gateway as a process that can be killed.

#![expect(clippy::disallowed_methods, reason = "what prints the lines is this workspace's own")]

use std::process::Stdio;

use conformance::amqp::Names;
use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::time::timeout;
use wire::page;

use crate::PATIENCE;

/// Deliveries that a gateway may hold.
pub(crate) const PREFETCH: usize = 16;
pub(crate) const JWT_SECRET: &str = "the secret of gateways that are killed";

/// Whose the queue is (BRIDGE-11).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Queue {
    Shared,
    PerInstance,
}

impl Queue {
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::PerInstance => "per-instance",
        }
    }
}

/// A running gateway. Dropping it kills it.
pub(crate) struct Gateway {
    process: Child,
    authority: String,
}

impl Gateway {
    /// Starts one, and waits until it consumes.
    pub(crate) async fn start(url: &str, names: &Names, queue: Queue) -> Result<Self, Failed> {
        let mut process = Command::new(env!("CARGO_BIN_EXE_gatecheck"))
            .args([
                "reference-server",
                "--listen",
                "127.0.0.1:0",
                "--prefetch",
                &PREFETCH.to_string(),
                "--log",
                "error",
            ])
            .args(["--exchange", &names.exchange, "--queue-name", &names.queue, "--queue", queue.as_str()])
            .env("JWT_SECRET", JWT_SECRET)
            .env("RABBITMQ_URL", url)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| error.to_string())?;
        let stdout = process.stdout.take().ok_or("no standard output")?;
        let mut lines = BufReader::new(stdout).lines();
        let first = timeout(PATIENCE, lines.next_line()).await.map_err(|_| "the gateway does not listen")?;
        let first = first.map_err(|error| error.to_string())?.ok_or("the gateway ended")?;
        let authority = first.strip_prefix("listening on ws://").and_then(|rest| rest.strip_suffix("/ws"));
        let authority = authority.ok_or_else(|| format!("no address in `{first}`"))?.to_owned();
        let gateway = Self { process, authority };
        timeout(PATIENCE, gateway.ready()).await.map_err(|_| "the gateway does not consume")?;
        Ok(gateway)
    }

    /// Where it listens.
    pub(crate) fn authority(&self) -> &str {
        &self.authority
    }

    /// Stops it where it stands: it holds what it has, and does nothing any more.
    pub(crate) fn freeze(&self) -> Result<(), Failed> {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed())).ok_or("it has ended")?;
        kill_process(id, Signal::STOP).map_err(|error| error.to_string().into())
    }

    /// `kill -9`, and its end.
    pub(crate) async fn kill(&mut self) -> Result<(), Failed> {
        self.process.kill().await.map_err(|error| error.to_string().into())
    }

    async fn ready(&self) {
        loop {
            if let Ok(stream) = TcpStream::connect(&self.authority).await
                && matches!(page::get(stream, &self.authority, "/readyz").await, Ok((200, _)))
            {
                return;
            }
            tokio::task::yield_now().await;
        }
    }
}
