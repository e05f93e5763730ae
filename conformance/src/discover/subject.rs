//! The gateway that is observed, and the broker that feeds it.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use embedded_broker::{Broker, BrokerConfig, Snapshot};
use protocol::{Dialect, Timing};
use scenarios::scenario::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::candidates::{PAGE_PATHS, READY_PATHS};
use super::{DiscoverError, now};
use crate::executor::{Port, PublicKeyFile, limits_of_cases};
use crate::limits::HostLimit;
use crate::process::{Streams, Subject};
use crate::profile::CommandProfile;
use crate::template::Values;

/// Long enough for each of the HMAC algorithms (RFC 7518 section 3.2).
const SECRET: &str = "a-secret-of-gatecheck-init-that-is-long-enough-for-sixty-four-bytes-of-it";
/// How often a gateway that starts is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How long its queues may take after its port.
const CONSUMES_WITHIN: Duration = Duration::from_secs(5);
/// How long nothing new must have come up at the broker.
const SETTLED_FOR: Duration = Duration::from_millis(300);
/// How long one answer of a page may take.
const PAGE_WITHIN: Duration = Duration::from_secs(2);

/// How a gateway is started.
#[derive(Debug, Clone)]
pub struct Start {
    /// Its command, with placeholders.
    pub command: CommandProfile,
    /// Where it is started.
    pub folder: PathBuf,
    /// This program, for `{gatecheck}`.
    pub program: PathBuf,
    /// The times that it is told.
    pub timing: Timing,
    /// The dialect that it is told.
    pub dialect: Dialect,
    /// The exchange and the queue that it is told.
    pub exchange: String,
    /// See `exchange`.
    pub queue: String,
    /// The path that it is told to upgrade.
    pub path: String,
    /// The public key that it is to verify tokens with, in PEM; none where that is a secret.
    pub public_key: Option<String>,
    /// How long it may take to get ready.
    pub ready_within: Duration,
}

/// A running gateway.
pub(super) struct Gateway {
    process: Subject,
    pub(super) broker: Broker,
    pub(super) authority: String,
    /// From its start until its port took connections.
    pub(super) took: Duration,
    /// The port that it was given, where it listens on another one.
    pub(super) ignored_port: Option<u16>,
    _port: Port,
    /// What it reads its key from.
    _public_key: PublicKeyFile,
}

impl Gateway {
    /// Starts it with a broker of its own, and waits until its port takes connections and its queues are consumed.
    pub(super) async fn start(start: &Start) -> Result<Self, DiscoverError> {
        let host = |what: &str, error: &std::io::Error| DiscoverError::Host(HostLimit::explain(what, error));
        let broker =
            Broker::start(BrokerConfig { limits: limits_of_cases(), ..BrokerConfig::default() }).await;
        let broker = broker.map_err(|error| DiscoverError::Host(error.to_string()))?;
        let port = Port::lease().map_err(|error| host("cannot find a port", &error))?;
        let public_key = PublicKeyFile::default();
        let key_file = start.public_key.as_deref().map(|pem| public_key.holding(pem)).transpose();
        let key_file =
            key_file.map_err(|error| host("cannot write a public key", &error))?.unwrap_or_default();
        let values = values(start, port.number(), &broker.url(), &key_file);
        let process = Subject::spawn(&start.command, &values, &start.folder, Streams::Kept)?;
        let begun = now();
        let opened = async {
            loop {
                if TcpStream::connect((Ipv4Addr::LOCALHOST, port.number())).await.is_ok() {
                    return port.number();
                }
                if let Some(other) = process.id().and_then(listening_port) {
                    return other;
                }
                sleep(LOOK_AGAIN).await;
            }
        };
        let opened = tokio::select! {
            biased;
            status = process.end() => Err(format!("it ended before its port was open: {status}")),
            opened = timeout(start.ready_within, opened) => opened.map_err(|_| {
                format!("it opened no port within {:?}; it must listen on {{port}} (PORT in its environment)", start.ready_within)
            }),
        };
        let number = match opened {
            Ok(number) => number,
            Err(reason) => {
                let mut process = process;
                process.kill().await;
                return Err(DiscoverError::Subject { reason, output: process.output().await });
            }
        };
        let took = begun.elapsed();
        let ignored_port = (number != port.number()).then_some(number);
        let authority = format!("127.0.0.1:{number}");
        let gateway =
            Self { process, broker, authority, took, ignored_port, _port: port, _public_key: public_key };
        gateway.settle().await;
        Ok(gateway)
    }

    /// Why it is gone, where it is.
    pub(super) fn ended(&self) -> Option<String> {
        self.process.ended()
    }

    /// What it printed last.
    pub(super) async fn output(&self) -> Vec<String> {
        self.process.output().await
    }

    /// Ends it and its broker.
    pub(super) async fn stop(mut self) {
        self.process.kill().await;
        self.broker.shutdown().await;
    }

    /// What the broker holds.
    pub(super) async fn snapshot(&self) -> Snapshot {
        self.broker.snapshot().await.unwrap_or_default()
    }

    /// Waits until it consumes, and nothing new comes up at the broker. One that never consumes is for the report.
    async fn settle(&self) {
        let end = now() + CONSUMES_WITHIN;
        let (mut last, mut since) = (None, now());
        while now() < end {
            let snapshot = self.snapshot().await;
            let seen = (snapshot.bindings, snapshot.consumers.len());
            let consumes = seen.1 > 0;
            if last.as_ref() != Some(&seen) {
                (last, since) = (Some(seen), now());
            }
            if consumes && since.elapsed() >= SETTLED_FOR {
                return;
            }
            sleep(LOOK_AGAIN).await;
        }
    }
}

/// What the placeholders stand for.
fn values(start: &Start, port: u16, amqp_url: &str, key_file: &str) -> Values {
    let mut values = Values::of_timing(&start.timing);
    values.set_settings(&Settings::default(), 1);
    let dialect = serde_json::to_string(&start.dialect).expect("a dialect has string keys");
    for (name, value) in [
        ("amqp_url", amqp_url),
        ("dialect", &dialect),
        ("exchange", &start.exchange),
        ("gatecheck", &start.program.display().to_string()),
        ("jwt_public_key", start.public_key.as_deref().unwrap_or_default()),
        ("jwt_public_key_file", key_file),
        ("jwt_secret", SECRET),
        ("jwt_secret_previous", ""),
        ("path", &start.path),
        ("port", &port.to_string()),
        ("queue", &start.queue),
    ] {
        values.set(name, value);
    }
    values
}

/// The secret that a gateway is started with.
pub(super) fn secret() -> String {
    SECRET.to_owned()
}

/// The first path that answers 200, where not every path does.
pub(super) async fn ready_path(authority: &str) -> Option<&'static str> {
    if status_of(authority, "/gatecheck-nowhere").await == Some(200) {
        return None;
    }
    for path in READY_PATHS {
        if status_of(authority, path).await == Some(200) {
            return Some(path);
        }
    }
    None
}

/// What its pages are called, by the key of a profile, where that is not what they are called usually. Nothing where every path answers.
pub(super) async fn pages(authority: &str) -> BTreeMap<&'static str, &'static str> {
    let mut called = BTreeMap::new();
    if status_of(authority, "/gatecheck-nowhere").await == Some(200) {
        return called;
    }
    for (page, paths) in PAGE_PATHS {
        for (place, path) in paths.iter().enumerate() {
            if status_of(authority, path).await == Some(200) {
                if place > 0 {
                    called.insert(page, *path);
                }
                break;
            }
        }
    }
    called
}

/// The status of a page.
pub(super) async fn status_of(authority: &str, path: &str) -> Option<u16> {
    let ask = async {
        let mut stream = TcpStream::connect(authority).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut head = [0; 16];
        let mut filled = 0;
        while filled < head.len() {
            match stream.read(&mut head[filled..]).await {
                Ok(0) | Err(_) => break,
                Ok(count) => filled += count,
            }
        }
        std::str::from_utf8(&head[..filled]).ok()?.split_whitespace().nth(1)?.parse().ok()
    };
    timeout(PAGE_WITHIN, ask).await.ok().flatten()
}

/// The port on which a process of this group listens, where it is one only. Linux lists the sockets of each process.
fn listening_port(leader: u32) -> Option<u16> {
    let inodes: BTreeSet<String> =
        processes_of(leader).into_iter().flat_map(|process| sockets_of(&process)).collect();
    let tables =
        ["/proc/net/tcp", "/proc/net/tcp6"].map(|table| fs::read_to_string(table).unwrap_or_default());
    let ports = tables.iter().flat_map(|table| table.lines().skip(1)).filter_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_own =
            fields.get(3) == Some(&"0A") && fields.get(9).is_some_and(|inode| inodes.contains(*inode));
        u16::from_str_radix(fields.get(1)?.rsplit_once(':')?.1, 16).ok().filter(|_| is_own)
    });
    let ports: BTreeSet<u16> = ports.collect();
    (ports.len() == 1).then(|| ports.into_iter().next()).flatten()
}

fn processes_of(leader: u32) -> Vec<String> {
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    let names = entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok());
    let is_member = |name: &String| {
        let stat = fs::read_to_string(format!("/proc/{name}/stat")).unwrap_or_default();
        // Behind the name in parentheses: state, parent, group.
        let group = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().nth(2)?.parse().ok());
        group == Some(leader)
    };
    names.filter(|name| name.bytes().all(|byte| byte.is_ascii_digit())).filter(is_member).collect()
}

fn sockets_of(process: &str) -> Vec<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{process}/fd")) else { return Vec::new() };
    let links = entries.filter_map(|entry| fs::read_link(entry.ok()?.path()).ok());
    let sockets =
        links.filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()));
    sockets.collect()
}
