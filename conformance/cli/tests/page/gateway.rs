//! What serves the page: a gateway in development mode that can be killed and started again, or `gatecheck demo`.

#![expect(clippy::disallowed_methods, reason = "what prints the lines is this workspace's own")]

use std::io;
use std::process::Stdio;
use std::time::Duration;

use embedded_broker::{Broker, BrokerConfig};
use libtest_mimic::Failed;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

/// Longest wait for a process to say where it listens, or to end.
const PATIENCE: Duration = Duration::from_secs(30);

/// A reference gateway with a broker of its own.
pub(crate) struct Gateway {
    broker: Broker,
    process: Child,
    address: String,
}

impl Gateway {
    pub(crate) async fn start() -> Result<Self, Failed> {
        let broker = Broker::start(BrokerConfig::default()).await?;
        let (process, address) = serve(&broker, "127.0.0.1:0").await?;
        Ok(Self { broker, process, address })
    }

    /// Kills it without warning.
    pub(crate) async fn kill(&mut self) {
        let _ = self.process.kill().await;
    }

    /// Starts it where it was; the tokens of the one before are still good.
    pub(crate) async fn start_again(&mut self) -> Result<(), Failed> {
        (self.process, self.address) = serve(&self.broker, &self.address).await?;
        Ok(())
    }

    /// The address of its page.
    pub(crate) fn page(&self) -> String {
        format!("http://{}/", self.address)
    }

    pub(crate) async fn stop(mut self) {
        self.kill().await;
        self.broker.shutdown().await;
    }
}

/// Starts a gateway; says where it listens once it is known to consume.
async fn serve(broker: &Broker, listen: &str) -> Result<(Child, String), Failed> {
    let mut process = gatecheck(&["reference-server", "--dev", "--listen", listen])
        .env("JWT_SECRET", "a secret that outlives the gateway")
        .env("RABBITMQ_URL", broker.url())
        .spawn()?;
    let line = line_with(&mut process, "listening on ws://").await?;
    let address = line.trim_start_matches("listening on ws://").trim_end_matches("/ws").to_owned();
    let consumed = async {
        while !broker
            .snapshot()
            .await
            .expect("the broker runs")
            .queues
            .values()
            .any(|queue| queue.consumers > 0)
        {
            tokio::task::yield_now().await;
        }
    };
    timeout(PATIENCE, consumed).await.map_err(|_| "the gateway does not consume")?;
    Ok((process, address))
}

/// `gatecheck demo`, which ends with the trial.
pub(crate) struct DemoProcess {
    process: Child,
    /// The page's address for `ada`, with a token.
    pub(crate) address: String,
}

impl DemoProcess {
    pub(crate) async fn start(arguments: &[&str]) -> Result<Self, Failed> {
        let arguments = [&["demo", "--listen", "127.0.0.1:0"], arguments].concat();
        let mut process = gatecheck(&arguments).kill_on_drop(false).spawn()?;
        let address = line_with(&mut process, "#token=").await?.trim().to_owned();
        Ok(Self { process, address })
    }

    /// Ends it as Ctrl-C does.
    pub(crate) async fn stop(mut self) -> Result<(), Failed> {
        self.ask_to_end();
        let status = timeout(PATIENCE, self.process.wait()).await??;
        if status.success() { Ok(()) } else { Err(format!("the demo ended by {status}").into()) }
    }

    fn ask_to_end(&self) {
        let id = self.process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let _ = id.map(|id| kill_process(id, Signal::TERM));
    }
}

impl Drop for DemoProcess {
    /// Killed, it could not end its gateway.
    fn drop(&mut self) {
        self.ask_to_end();
    }
}

fn gatecheck(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_gatecheck"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .kill_on_drop(true);
    command
}

/// The first line on its standard output that holds this; what it prints later is read and dropped.
async fn line_with(process: &mut Child, part: &str) -> Result<String, Failed> {
    let stdout: ChildStdout = process.stdout.take().ok_or("no output")?;
    let mut lines = BufReader::new(stdout).lines();
    let search = async {
        while let Some(line) = lines.next_line().await? {
            if line.contains(part) {
                return Ok(line);
            }
        }
        Err(io::Error::from(io::ErrorKind::UnexpectedEof))
    };
    let line = timeout(PATIENCE, search).await??;
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    Ok(line)
}
