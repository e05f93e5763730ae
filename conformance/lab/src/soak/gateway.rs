//! The gateway that is soaked, as a process.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use protocol::format_duration;
use scenarios::token::Issuer;
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};
use wire::page;

use super::config::{PATIENCE, SoakError};
use super::dial::Dialer;
use super::summary::Problem;
use crate::reference_gateway::{ReferenceGateway, StartArguments};
use conformance::amqp::Names;

/// Bytes that may wait for one connection: small, so that stalled readers are shed within seconds.
const OUTBOX_BYTES: &str = "1048576";
/// How often the gateway is asked while something is awaited that it does not announce.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// Longest time that connections may take to close when the gateway shuts down.
const GRACE: Duration = Duration::from_secs(10);
/// What a busy host may add to that.
const MARGIN: Duration = Duration::from_secs(5);

pub(super) struct Gateway {
    process: ReferenceGateway,
    dialer: Dialer,
}

impl Gateway {
    /// Starts one, and waits until it consumes.
    pub(super) async fn start(program: &Path, amqp_url: &str) -> Result<Self, SoakError> {
        let issuer = Issuer::with_secret("the secret of a gateway that is soaked");
        let process = ReferenceGateway::start(StartArguments {
            program,
            arguments: &[
                "--listen",
                "127.0.0.1:0",
                "--outbox-bytes",
                OUTBOX_BYTES,
                "--shutdown-grace",
                &format_duration(GRACE),
                "--log",
                "warn",
            ],
            jwt_secret: &issuer.current,
            amqp_url,
            patience: PATIENCE,
        })
        .await?;
        let dialer = Dialer { authority: process.address().to_string().into(), issuer: Arc::new(issuer) };
        let gateway = Self { process, dialer };
        match timeout(PATIENCE, gateway.ready()).await {
            Ok(()) => Ok(gateway),
            Err(_) => Err(gateway.over("does not consume from its broker".to_owned()).await),
        }
    }

    /// How to get in.
    pub(super) fn dialer(&self) -> Dialer {
        self.dialer.clone()
    }

    /// What it declares at its broker.
    pub(super) fn names(&self) -> Names {
        Names { exchange: "payments_events".to_owned(), queue: "ws_events".to_owned() }
    }

    /// Waits for its end, which must not come by itself.
    pub(super) fn end(&self) -> impl Future<Output = String> + Send + 'static {
        self.process.process().end()
    }

    /// An error with what it said last.
    pub(super) async fn over(&self, reason: String) -> SoakError {
        self.process.over(reason).await.into()
    }

    /// Its resident memory in bytes, or 0 where this system does not report it.
    pub(super) fn resident_bytes(&self) -> u64 {
        let status = self.process.process().id().map(|id| fs::read_to_string(format!("/proc/{id}/status")));
        let resident = |status: String| {
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim();
            line.split(' ').next()?.parse::<u64>().ok().map(|kib| kib * 1024)
        };
        status.and_then(Result::ok).and_then(resident).unwrap_or_default()
    }

    /// Waits until it reports no connections and no rooms.
    pub(super) async fn deserted(&self, patience: Duration) -> Result<(), String> {
        let mut last = String::new();
        let ask = async {
            loop {
                last = self.get("/stats").await.map_or_else(|error| error, |(_, body)| body);
                let stats: Value = serde_json::from_str(&last).unwrap_or_default();
                let no_room = stats["rooms"].as_object().is_some_and(serde_json::Map::is_empty);
                if stats["connections"]["total"] == 0 && no_room {
                    return;
                }
                sleep(ASK_AGAIN).await;
            }
        };
        timeout(patience, ask).await.map_err(|_| last.trim().to_owned())
    }

    /// Asks it to end; whatever is not right about that is a problem, and so is a panic before.
    pub(super) async fn stop(&mut self) -> Vec<Problem> {
        let status = self.process.stop(GRACE + MARGIN).await;
        let panics = self.process.process().panics().await.into_iter().map(Problem::Panic);
        let end = (status != "exit code 0").then_some(Problem::End(status));
        panics.chain(end).collect()
    }

    async fn ready(&self) {
        while !matches!(self.get("/readyz").await, Ok((200, _))) {
            sleep(ASK_AGAIN).await;
        }
    }

    async fn get(&self, path: &str) -> Result<(u16, String), String> {
        let stream = TcpStream::connect(&*self.dialer.authority).await.map_err(|error| error.to_string())?;
        page::get(stream, &self.dialer.authority, path).await.map_err(|error| error.to_string())
    }
}
