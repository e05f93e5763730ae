//! An arm from outside: a child process that receives commands and ends with its owner.

use std::fs;
use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::process::{self, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

use super::arm::{Arm, BROKER_VARIABLE, SIZE_VARIABLE, VARIABLE};
use super::event::EventSize;

/// A running arm. It is killed when this is dropped, and ends by itself when its standard input does.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
    address: SocketAddr,
}

impl Child {
    /// Starts this program again as an arm whose events have this size: its `main` must begin with [`super::become_arm`].
    ///
    /// # Errors
    /// When it cannot be started, or does not listen.
    pub fn start(arm: Arm, size: EventSize) -> io::Result<Self> {
        Self::start_on(arm, size, "")
    }

    /// The same for an arm that gets its events from a broker.
    ///
    /// # Errors
    /// As [`Child::start`].
    pub fn start_on(arm: Arm, size: EventSize, broker: &str) -> io::Result<Self> {
        let mut process = Command::new(std::env::current_exe()?)
            .env(VARIABLE, arm.name())
            .env(SIZE_VARIABLE, size.message_bytes().to_string())
            .env(BROKER_VARIABLE, broker)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()?;
        let (Some(orders), Some(answers)) = (process.stdin.take(), process.stdout.take()) else {
            unreachable!("both were asked for");
        };
        let unknown = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut child = Self { process, orders, answers: BufReader::new(answers), address: unknown };
        child.address = child.answer("listening")?.parse().map_err(io::Error::other)?;
        Ok(child)
    }

    /// Where subscribers connect.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Has the next so many events sent.
    ///
    /// # Errors
    /// When the arm is gone.
    pub fn emit(&mut self, count: usize) -> io::Result<()> {
        self.order(&format!("emit {count}\n"))
    }

    /// CPU time, user and system, that the arm has used since it began.
    ///
    /// # Errors
    /// When the arm is gone.
    pub fn cpu(&mut self) -> io::Result<Duration> {
        self.order("cpu\n")?;
        self.answer("cpu")?.parse().map(Duration::from_nanos).map_err(io::Error::other)
    }

    /// Memory that is resident: `Rss` of `smaps_rollup`, which is counted page by page where `statm` is estimated. The
    /// kernel's socket buffers are in neither.
    ///
    /// # Errors
    /// When the arm is gone.
    pub fn resident_bytes(&self) -> io::Result<u64> {
        let rollup = fs::read_to_string(format!("/proc/{}/smaps_rollup", self.process.id()))?;
        let kib = rollup
            .lines()
            .find_map(|line| line.strip_prefix("Rss:")?.trim().strip_suffix(" kB"))
            .ok_or_else(|| io::Error::other("smaps_rollup without Rss"))?;
        kib.parse::<u64>().map(|kib| kib * 1024).map_err(io::Error::other)
    }

    /// One write, so that no order is cut in two.
    fn order(&mut self, line: &str) -> io::Result<()> {
        self.orders.write_all(line.as_bytes())
    }

    fn answer(&mut self, name: &str) -> io::Result<String> {
        let mut line = String::new();
        self.answers.read_line(&mut line)?;
        match line.trim_end().split_once(' ') {
            Some((said, value)) if said == name => Ok(value.to_owned()),
            _ => Err(io::Error::other(format!("the arm was asked for {name} and said {line:?}"))),
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // It may have ended already; then there is nothing to kill, and it still has to be waited for.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
