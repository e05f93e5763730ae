//! What a process prints: its last lines are kept, and a process that does nothing but print is ended.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use futures_util::StreamExt;
use player::lines::{Line, LineDecoder};
use rustix::process::Signal;
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::Mutex;
use tokio::time::Instant;
use tokio_util::codec::FramedRead;

use super::groups::Group;

/// Lines of output that are kept to be shown with a failure.
pub(super) const KEPT_LINES: usize = 200;
/// Longest part of a line that is kept, in bytes.
pub(super) const KEPT_BYTES: usize = 2000;
/// Panics that are kept, however much is printed after them; the first are the most informative.
const KEPT_PANICS: usize = 20;
/// What a program in Rust says when it panics.
const PANIC: &str = "panicked at";
/// What a process may print at once, in bytes.
const BURST_BYTES: f64 = 64.0 * 1024.0 * 1024.0;
/// What a line costs beside its bytes: work.
const LINE_BYTES: usize = 128;
/// What it may print for long, in bytes a second. Reading more takes the time that its cases need.
const BYTES_PER_SECOND: f64 = 16.0 * 1024.0 * 1024.0;

/// How a process ended that was ended for what it printed.
pub(super) const FLOODED: &str =
    "it flooded its output (64 MiB at once, 16 MiB a second after that are read), and was killed";

/// The last lines of output, shared by the tasks that read them and the one that shows them.
#[derive(Clone, Default)]
pub(super) struct Output {
    lines: Arc<Mutex<Lines>>,
    flooded: Arc<AtomicBool>,
}

#[derive(Default)]
struct Lines {
    last: VecDeque<String>,
    panics: Vec<String>,
}

impl Output {
    /// Keeps what a stream of this group brings. Where that is too much, the group is killed.
    pub(super) async fn keep_of(self, from: impl AsyncRead + Unpin, group: Group) {
        let flooded = Arc::clone(&self.flooded);
        // It is open until that is noted: its end would end the process by itself.
        let mut from = Metered::new(from);
        if self.keep(&mut from).await.is_err() {
            flooded.store(true, Ordering::Relaxed);
            group.signal(Signal::KILL, false);
        }
    }

    /// Whether more was printed than is read.
    pub(super) fn has_flooded(&self) -> bool {
        self.flooded.load(Ordering::Relaxed)
    }

    /// The last lines.
    pub(super) async fn last(&self) -> Vec<String> {
        self.lines.lock().await.last.iter().cloned().collect()
    }

    /// The first panics.
    pub(super) async fn panics(&self) -> Vec<String> {
        self.lines.lock().await.panics.clone()
    }

    async fn keep(self, from: impl AsyncRead + Unpin) -> io::Result<()> {
        let mut printed = FramedRead::new(from, LineDecoder::new(KEPT_BYTES));
        while let Some(line) = printed.next().await {
            let (Line::Whole(line) | Line::TooLong(line)) = line?;
            let text = line.trim_end().to_owned();
            let mut lines = self.lines.lock().await;
            if lines.panics.len() < KEPT_PANICS && text.contains(PANIC) {
                lines.panics.push(text.clone());
            }
            if lines.last.len() == KEPT_LINES {
                lines.last.pop_front();
            }
            lines.last.push_back(text);
        }
        Ok(())
    }
}

/// A stream from which so much is read, and no more; what is refilled as time passes.
struct Metered<R> {
    from: R,
    left: f64,
    at: Instant,
}

impl<R> Metered<R> {
    fn new(from: R) -> Self {
        Self { from, left: BURST_BYTES, at: now() }
    }

    fn take(&mut self, bytes: usize) -> io::Result<()> {
        let now = now();
        let refilled = self.left + (now - self.at).as_secs_f64() * BYTES_PER_SECOND;
        (self.left, self.at) = (refilled.min(BURST_BYTES) - bytes as f64, now);
        if self.left < 0.0 { Err(io::Error::other("more is printed than is read")) } else { Ok(()) }
    }
}

impl<R: AsyncRead + Unpin> AsyncRead for Metered<R> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.from).poll_read(context, buffer))?;
        let read = &buffer.filled()[before..];
        let lines = read.iter().filter(|byte| **byte == b'\n').count();
        let cost = read.len() + LINE_BYTES * lines;
        Poll::Ready(self.take(cost))
    }
}

#[expect(clippy::disallowed_methods, reason = "processes print in real time")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of a line that is too long its beginning is kept, and of what is no text what can be shown.
    #[tokio::test]
    async fn long_lines_are_cut() {
        let text = [b"x".repeat(3 * KEPT_BYTES).as_slice(), b"\nb\xffd\nend"].concat();
        let output = Output::default();
        output.clone().keep(text.as_slice()).await.unwrap();
        let kept = output.last().await;
        assert_eq!(kept, ["x".repeat(KEPT_BYTES), "b\u{fffd}d".to_owned(), "end".to_owned()]);
    }

    /// What never ends is read up to its limit, with a line break or without.
    #[tokio::test(start_paused = true)]
    async fn a_flood_ends() {
        for byte in *b"x\n" {
            let flood = Metered { left: 1_000_000.0, ..Metered::new(tokio::io::repeat(byte)) };
            assert!(Output::default().keep(flood).await.is_err());
        }
    }

    /// What is printed in the course of time is read for ever.
    #[tokio::test(start_paused = true)]
    async fn what_takes_its_time_is_read() {
        let mut stream = Metered::new(tokio::io::empty());
        for _ in 0..100 {
            stream.take(16 * 1024 * 1024).unwrap();
            tokio::time::advance(std::time::Duration::from_secs(1)).await;
        }
        assert!(stream.take(65 * 1024 * 1024).is_err());
    }
}
