//! The gateway that is soaked, as a process.

use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use scenarios::token::Secrets;
use scenarios::wire::handshake;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::ChildStdout;
use tokio::time::{sleep, timeout};

use super::dial::Door;
use super::summary::Problem;
use super::{PATIENCE, SoakError};
use crate::amqp::Names;
use crate::process::{Streams, Subject};
use crate::profile::CommandProfile;
use crate::template::Values;

/// What the gateway prints before its address.
const ANNOUNCEMENT: &str = "listening on ws://";
/// Bytes that may wait for one connection: small, so that stalled readers are shed within seconds.
const OUTBOX_BYTES: &str = "1048576";
/// How often the gateway is asked while something is awaited that it does not announce.
const ASK_AGAIN: Duration = Duration::from_millis(50);
/// What a gateway says that has a defect.
const PANIC: &str = "panicked at";

pub(super) struct Gateway {
    subject: Subject,
    door: Door,
    /// Read on, so that the gateway can always write.
    _stdout: tokio::task::JoinHandle<()>,
}

impl Gateway {
    /// Starts one, and waits until it consumes.
    pub(super) async fn start(program: &Path, amqp_url: &str) -> Result<Self, SoakError> {
        let secrets = Secrets::from_current("the secret of a gateway that is soaked");
        let words =
            ["reference-server", "--listen", "127.0.0.1:0", "--outbox-bytes", OUTBOX_BYTES, "--log", "warn"];
        let words = [program.display().to_string()].into_iter().chain(words.map(str::to_owned)).collect();
        let env = [("JWT_SECRET", secrets.current.as_str()), ("RABBITMQ_URL", amqp_url)];
        let env = env.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let command = CommandProfile { words, env };
        let mut subject = Subject::spawn(&command, &Values::default(), Path::new("."), Streams::Piped)?;
        let announced = match subject.take_pipes() {
            Some((_, stdout)) => announced(stdout).await,
            None => Err("has no standard output".to_owned()),
        };
        let (authority, stdout) = match announced {
            Ok(announced) => announced,
            Err(reason) => {
                return Err(SoakError::Gateway { reason, output: subject.output().await });
            }
        };
        let door = Door { authority: Arc::from(authority), secrets: Arc::new(secrets) };
        let gateway = Self { subject, door, _stdout: tokio::spawn(read_on(stdout)) };
        match timeout(PATIENCE, gateway.ready()).await {
            Ok(()) => Ok(gateway),
            Err(_) => Err(gateway.over("does not consume from its broker".to_owned()).await),
        }
    }

    /// How to get in.
    pub(super) fn door(&self) -> Door {
        self.door.clone()
    }

    /// What it declares at its broker.
    pub(super) fn names(&self) -> Names {
        Names { exchange: "payments_events".to_owned(), queue: "ws_events".to_owned() }
    }

    /// Waits for its end, which must not come by itself.
    pub(super) fn end(&self) -> impl Future<Output = String> + Send + 'static {
        self.subject.end()
    }

    /// An error with what it said last.
    pub(super) async fn over(&self, reason: String) -> SoakError {
        SoakError::Gateway { reason, output: self.subject.output().await }
    }

    /// Its resident memory, or nothing where this system does not tell.
    pub(super) fn resident_bytes(&self) -> u64 {
        let status = self.subject.id().map(|id| fs::read_to_string(format!("/proc/{id}/status")));
        let resident = |status: String| {
            let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?.trim();
            line.split(' ').next()?.parse::<u64>().ok().map(|kib| kib * 1024)
        };
        status.and_then(Result::ok).and_then(resident).unwrap_or_default()
    }

    /// Waits until it says that nobody is there and no room is left.
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
        self.subject.terminate();
        let status = match timeout(PATIENCE, self.subject.end()).await {
            Ok(status) => status,
            Err(_) => {
                self.subject.kill().await;
                "it had to be killed".to_owned()
            }
        };
        let panics =
            self.subject.output().await.into_iter().filter(|line| line.contains(PANIC)).map(Problem::End);
        let end = (status != "exit code 0").then_some(Problem::End(status));
        panics.chain(end).collect()
    }

    async fn ready(&self) {
        while !matches!(self.get("/readyz").await, Ok((200, _))) {
            sleep(ASK_AGAIN).await;
        }
    }

    async fn get(&self, path: &str) -> Result<(u16, String), String> {
        let mut stream =
            TcpStream::connect(&*self.door.authority).await.map_err(|error| error.to_string())?;
        handshake::get(&mut stream, &self.door.authority, path).await.map_err(|error| error.to_string())
    }
}

/// Waits for the address that the gateway prints.
async fn announced(stdout: ChildStdout) -> Result<(String, BufReader<ChildStdout>), String> {
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    match timeout(PATIENCE, stdout.read_line(&mut line)).await {
        Ok(Ok(count)) if count > 0 => {
            let address = line.trim().strip_prefix(ANNOUNCEMENT).and_then(|rest| rest.strip_suffix("/ws"));
            let address = address.ok_or_else(|| format!("said `{}`, which is no address", line.trim()))?;
            Ok((address.to_owned(), stdout))
        }
        Ok(_) => Err("ended before it listened".to_owned()),
        Err(_) => Err(format!("does not listen after {PATIENCE:?}")),
    }
}

async fn read_on(mut stdout: BufReader<ChildStdout>) {
    // What it prints later is of no interest.
    let _ = tokio::io::copy(&mut stdout, &mut tokio::io::sink()).await;
}
