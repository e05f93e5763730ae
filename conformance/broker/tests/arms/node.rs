//! RabbitMQ as a process of its own: a private node with its own name, ports, files, cookie and port mapper.

#![expect(clippy::disallowed_methods, reason = "the lines are those of a tool that the test starts")]

use super::Absence;
use std::env;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

const SERVER: &str = "rabbitmq-server";
/// Debian's wrapper on the path insists on an account of its own; this is what it wraps.
const WRAPPED_SERVER: &str = "/usr/lib/rabbitmq/bin/rabbitmq-server";
const PORT_MAPPER: &str = "epmd";
/// RabbitMQ prints this last.
const READY: &str = "Starting broker... completed";
/// How long the node may take, on a machine that does other things as well.
const START_TIMEOUT: Duration = Duration::from_secs(120);
/// How long the node may take to end.
const STOP_TIMEOUT: Duration = Duration::from_secs(40);
/// Time between two looks at what the node has written, for which there is no event.
const LOOK: Duration = Duration::from_millis(20);
/// Most bytes between the two names of a binding's record.
const RECORD_BYTES: usize = 512;
/// Ends the node when its input does: at the latest with the process that holds the other end, however that dies.
/// Arguments: the node's process group, the port mapper's process, the folder.
const SENTINEL: &str = r#"
read -r _
kill -s TERM -- "-$1"
left=100
while kill -s 0 -- "-$1" 2>/dev/null && [ "$left" -gt 0 ]; do
    sleep 0.2
    left=$((left - 1))
done
kill -s KILL -- "-$1"
kill -s KILL "$2"
rm -rf "$3"
"#;

/// A running node. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Node {
    place: Place,
    server: Child,
    port_mapper: Child,
    sentinel: Child,
}

/// What a node that is started again has in common with the one that was killed.
#[derive(Debug)]
struct Place {
    program: PathBuf,
    folder: PathBuf,
    port: u16,
    /// Where other nodes would reach it.
    distribution: u16,
    /// Where the port mapper is.
    mapper: u16,
}

impl Node {
    /// Starts a node, and waits until it takes connections.
    pub(crate) async fn start() -> Result<Self, Absence> {
        let server = match Path::new(WRAPPED_SERVER) {
            wrapped if wrapped.is_file() => wrapped.to_owned(),
            _ => on_path(SERVER).ok_or_else(|| missing(SERVER))?,
        };
        let port_mapper = on_path(PORT_MAPPER).ok_or_else(|| missing(PORT_MAPPER))?;
        let mut node = Self::spawn(&server, &port_mapper)
            .map_err(|error| Absence::Failed(format!("{} does not start: {error}", server.display())))?;
        match node.await_ready().await {
            Ok(()) => Ok(node),
            Err(reason) => {
                node.stop().await;
                Err(Absence::Failed(reason))
            }
        }
    }

    /// Kills it without warning and waits until it is gone. Its files stay.
    #[allow(dead_code, reason = "only some suites kill their broker")]
    pub(crate) async fn kill(&mut self) {
        // The sentinel would remove the files; another one comes with the next server.
        let _ = self.sentinel.kill().await;
        if let Some(leader) = self.server.id().and_then(|id| Pid::from_raw(id.cast_signed())) {
            let _ = kill_process_group(leader, Signal::KILL);
        }
        let _ = self.server.wait().await;
    }

    /// Waits until a binding is on disk, since the node writes what it was told to declare up to two seconds later, and an
    /// acknowledged declaration that was not written is lost with a node that is killed.
    #[allow(dead_code, reason = "only some suites kill their broker")]
    pub(crate) async fn written(&self, exchange: &str, queue: &str) -> Result<(), String> {
        let folder = self.place.folder.join("mnesia");
        let written = async {
            let mut look = tokio::time::interval(LOOK);
            loop {
                look.tick().await;
                if holds_binding(&folder, exchange.as_bytes(), queue.as_bytes()) {
                    return;
                }
            }
        };
        timeout(START_TIMEOUT, written).await.map_err(|_| format!("the binding of {queue} is not written"))
    }

    /// Starts it again where it was, and waits until it takes connections.
    #[allow(dead_code, reason = "only some suites kill their broker")]
    pub(crate) async fn start_again(&mut self) -> Result<(), String> {
        self.server = self.place.start_server().map_err(|error| error.to_string())?;
        self.sentinel =
            self.place.start_sentinel(&self.server, &self.port_mapper).map_err(|error| error.to_string())?;
        self.await_ready().await
    }

    /// Where it listens.
    pub(crate) fn url(&self) -> String {
        format!("amqp://guest:guest@127.0.0.1:{}/%2f", self.place.port)
    }

    /// Ends it and removes its files.
    pub(crate) async fn stop(mut self) {
        drop(self.sentinel.stdin.take());
        let ended = async { tokio::join!(self.server.wait(), self.port_mapper.wait(), self.sentinel.wait()) };
        if timeout(STOP_TIMEOUT, ended).await.is_err() || self.place.folder.exists() {
            eprintln!("the RabbitMQ node in {} did not end in time", self.place.folder.display());
        }
    }

    fn spawn(server: &Path, port_mapper: &Path) -> io::Result<Self> {
        // Ports are free when asked for, and the node binds them a moment later: all are held until the last is known.
        let held = [free_port()?, free_port()?, free_port()?];
        let [port, distribution, mapper] = held.each_ref().map(|(port, _)| *port);
        let folder = env::temp_dir().join(format!("gatecheck-rabbitmq-{}-{port}", std::process::id()));
        fs::create_dir_all(&folder)?;
        drop(held);
        let port_mapper = Command::new(port_mapper)
            .args(["-port", &mapper.to_string(), "-address", "127.0.0.1"])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()?;
        let program = server.to_owned();
        let place = Place { program, folder, port, distribution, mapper };
        let server = place.start_server()?;
        let sentinel = place.start_sentinel(&server, &port_mapper)?;
        Ok(Self { place, server, port_mapper, sentinel })
    }

    async fn await_ready(&mut self) -> Result<(), String> {
        let program = self.place.program.display().to_string();
        match timeout(START_TIMEOUT, self.ready()).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(output)) => Err(format!("{program} ended: {output}")),
            Err(_) => Err(format!("{program} is not up after {START_TIMEOUT:?}")),
        }
    }

    /// Reads what the server prints until it is up; all of it where that does not happen.
    async fn ready(&mut self) -> Result<(), String> {
        let mut printed = String::new();
        let Some(stdout) = self.server.stdout.take() else { return Err(printed) };
        let mut lines = BufReader::new(stdout).lines();
        while let Ok(Some(line)) = lines.next_line().await {
            if line.contains(READY) {
                // Whatever it prints later must not block it.
                tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
                return Ok(());
            }
            printed.push_str(&line);
            printed.push('\n');
        }
        Err(printed)
    }
}

impl Place {
    fn start_server(&self) -> io::Result<Child> {
        let Self { program, folder, port, distribution, mapper } = self;
        Command::new(program)
            .env("HOME", folder)
            .env("ERL_EPMD_PORT", mapper.to_string())
            .env("ERL_EPMD_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODENAME", format!("gatecheck-{}-{port}@localhost", std::process::id()))
            .env("RABBITMQ_NODE_IP_ADDRESS", "127.0.0.1")
            .env("RABBITMQ_NODE_PORT", port.to_string())
            .env("RABBITMQ_DIST_PORT", distribution.to_string())
            .env("RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS", "-kernel inet_dist_use_interface {127,0,0,1}")
            .env("RABBITMQ_MNESIA_BASE", folder.join("mnesia"))
            .env("RABBITMQ_LOG_BASE", folder.join("log"))
            .env("RABBITMQ_CONFIG_FILE", folder.join("rabbitmq"))
            .env("RABBITMQ_CONF_ENV_FILE", folder.join("rabbitmq-env.conf"))
            .env("RABBITMQ_ENABLED_PLUGINS_FILE", folder.join("enabled_plugins"))
            .env("RABBITMQ_GENERATED_CONFIG_DIR", folder.join("config"))
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
    }

    fn start_sentinel(&self, server: &Child, port_mapper: &Child) -> io::Result<Child> {
        Command::new("sh")
            .args(["-c", SENTINEL, "sentinel"])
            .args([id_of(server), id_of(port_mapper)])
            .arg(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
    }
}

fn id_of(child: &Child) -> String {
    child.id().map(|id| id.to_string()).expect("it was just started and has not been waited for")
}

/// Whether a file below has a binding's record: the exchange's name, and the queue's close behind it.
fn holds_binding(folder: &Path, exchange: &[u8], queue: &[u8]) -> bool {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).any(|path| match path.is_dir() {
        true => holds_binding(&path, exchange, queue),
        false => fs::read(&path).is_ok_and(|bytes| {
            let close = |at: usize| {
                let from = at + exchange.len();
                bytes[from..bytes.len().min(from + RECORD_BYTES)]
                    .windows(queue.len())
                    .any(|window| window == queue)
            };
            let mut found = bytes.windows(exchange.len()).enumerate();
            found.any(|(at, window)| window == exchange && close(at))
        }),
    })
}

fn free_port() -> io::Result<(u16, TcpListener)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    Ok((listener.local_addr()?.port(), listener))
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    let candidates = env::split_paths(&path).map(|folder| folder.join(program));
    candidates.chain([Path::new("/usr/sbin").join(program)]).find(|candidate| candidate.is_file())
}

fn missing(program: &str) -> Absence {
    Absence::Excused(format!("there is no {program} on the path"))
}
