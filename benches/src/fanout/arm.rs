//! The programs that are compared, and the commands that they receive while they run.

mod consumer;
mod floor;
mod gatecheck;
mod plain;

use std::fs::File;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

use reference_server::Config;
use rustix::time::{ClockId, clock_gettime};

use super::event::EventSize;
use super::subscribers::SECRET;

/// Names the arm that a program shall be.
pub(super) const VARIABLE: &str = "FANOUT_ARM";
/// How many bytes its messages have.
pub(super) const SIZE_VARIABLE: &str = "FANOUT_MESSAGE_BYTES";
/// Where its events come from, if that is a broker.
pub(super) const BROKER_VARIABLE: &str = "FANOUT_AMQP_URL";
/// The first message of arms other than the gateway, sent once the subscriber will receive every event.
const WELCOME: &str = r#"{"type":"connection:established"}"#;

/// A program that sends events to its subscribers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Arm {
    /// The reference gateway, with its default number of shards; its broker is in its process.
    Gatecheck,
    /// The same with io_uring off: a `send` for each write.
    Sends,
    /// The same with one shard, io_uring as the kernel allows it.
    OneShard,
    /// One `send(2)` of a ready frame for each delivery, on one thread, and nothing else.
    Floor,
    /// The usual first design: tokio-tungstenite, a task for each socket, a broadcast channel.
    Plain,
    /// The reference gateway on a broker.
    Bridge,
    /// A plain consumer: lapin, and for each delivery a write to each socket.
    Consumer,
}

impl Arm {
    const ALL: [Self; 7] = [
        Self::Gatecheck,
        Self::Sends,
        Self::OneShard,
        Self::Floor,
        Self::Plain,
        Self::Bridge,
        Self::Consumer,
    ];

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Gatecheck => "gatecheck",
            Self::Sends => "sends",
            Self::OneShard => "one shard",
            Self::Floor => "floor",
            Self::Plain => "plain",
            Self::Bridge => "bridge",
            Self::Consumer => "consumer",
        }
    }

    fn run(self, size: EventSize) -> io::Result<()> {
        let mut config = Config::with_secret(SECRET);
        match self {
            Self::Gatecheck => {}
            Self::Sends => config.io_uring = false,
            Self::OneShard => config.shards = 1,
            Self::Floor => return floor::run(size),
            Self::Plain => return plain::run(size),
            Self::Bridge => return gatecheck::run_on(config, &broker()?),
            Self::Consumer => return consumer::run(size, &broker()?),
        }
        gatecheck::run(config, size)
    }
}

/// Turns this process into the arm that its environment names, where it names one. A program that measures calls this
/// before anything else, and ends with what it returns.
pub fn become_arm() -> Option<ExitCode> {
    let name = std::env::var(VARIABLE).ok()?;
    let Some(arm) = Arm::ALL.into_iter().find(|arm| arm.name() == name) else {
        eprintln!("{VARIABLE}={name} names no arm");
        return Some(ExitCode::FAILURE);
    };
    let size = std::env::var(SIZE_VARIABLE).ok().and_then(|bytes| bytes.parse().ok());
    let Some(size) = size.map(EventSize::new) else {
        eprintln!("{SIZE_VARIABLE} has no size");
        return Some(ExitCode::FAILURE);
    };
    Some(match arm.run(size) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("the arm {name} failed: {error}");
            ExitCode::FAILURE
        }
    })
}

fn broker() -> io::Result<String> {
    std::env::var(BROKER_VARIABLE).map_err(io::Error::other)
}

/// A command on an arm's standard input. At its end the arm ends.
enum SubscriberCommand {
    /// Send the next so many events.
    Emit(usize),
    /// Report the CPU time used so far.
    Cpu,
}

/// Standard input, read so that it can also be waited for with others.
struct CommandSender {
    lines: BufReader<File>,
}

impl CommandSender {
    fn open() -> io::Result<Self> {
        let input = io::stdin().as_fd().try_clone_to_owned()?;
        Ok(Self { lines: BufReader::new(File::from(input)) })
    }

    /// Whether there is an order that has left the descriptor already.
    fn are_waiting(&self) -> bool {
        !self.lines.buffer().is_empty()
    }

    /// Waits for the next order; none when there will be no more.
    fn next(&mut self) -> io::Result<Option<SubscriberCommand>> {
        let mut line = String::new();
        self.lines.read_line(&mut line)?;
        match line.trim_end().split_once(' ') {
            None if line.is_empty() => Ok(None),
            None if line == "cpu\n" => Ok(Some(SubscriberCommand::Cpu)),
            Some(("emit", count)) => {
                count.parse().map(SubscriberCommand::Emit).map(Some).map_err(io::Error::other)
            }
            _ => Err(io::Error::other(format!("unknown order {line:?}"))),
        }
    }
}

impl AsFd for CommandSender {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.lines.get_ref().as_fd()
    }
}

/// Follows commands on its own thread, beside a runtime. The process ends at the end of the commands.
fn follow(mut emit: impl FnMut(usize) + Send + 'static) -> io::Result<()> {
    let mut orders = CommandSender::open()?;
    thread::Builder::new().name("orders".to_owned()).spawn(move || {
        let failed = loop {
            match orders.next() {
                Ok(Some(SubscriberCommand::Emit(count))) => emit(count),
                Ok(Some(SubscriberCommand::Cpu)) => {
                    if let Err(error) = report_cpu() {
                        break Some(error);
                    }
                }
                Ok(None) => break None,
                Err(error) => break Some(error),
            }
        };
        fail_or_end(failed)
    })?;
    Ok(())
}

fn fail_or_end(failed: Option<io::Error>) -> ! {
    match failed {
        None => std::process::exit(0),
        Some(error) => {
            eprintln!("an arm's orders broke: {error}");
            std::process::exit(1)
        }
    }
}

fn report_address(address: SocketAddr) -> io::Result<()> {
    report(&format!("listening {address}"))
}

/// User and system time of all threads.
fn report_cpu() -> io::Result<()> {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    let used = Duration::try_from(used).map_err(io::Error::other)?;
    report(&format!("cpu {}", used.as_nanos()))
}

fn report(line: &str) -> io::Result<()> {
    let mut output = io::stdout().lock();
    writeln!(output, "{line}")?;
    output.flush()
}
