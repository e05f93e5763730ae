//! Processes under test: started in a group of their own, watched, and never left behind.

mod descendants;
pub mod groups;
pub mod guard;
mod output;

use std::io;
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rustix::process::{Signal, kill_process};
use scenarios::scenario::ProcessAct;
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use self::groups::Group;
use self::output::Output;
use crate::limits::HostLimit;
use crate::profile::CommandProfile;
use crate::template::Values;

/// Names the endpoint to gateways and clients (CONF-1).
pub const ENDPOINT_VARIABLE: &str = "NX_WS_URL";
/// Bytes that a process may print at once.
const LAST_WORDS_BYTES: usize = 256 * 1024;
/// How long the pipes of a process that is gone may stay open.
const LAST_WORDS: Duration = Duration::from_secs(1);
/// How long a process that was killed may take to be gone: what the system does not end is not waited for.
const KILLED_WITHIN: Duration = Duration::from_secs(5);

/// Processes that have been started.
static STARTED: AtomicU32 = AtomicU32::new(0);

/// A running process and its children. Dropping it kills them all.
pub struct Subject {
    group: Group,
    /// What it, and all that it starts, has in its environment.
    mark: String,
    ended: watch::Receiver<Option<String>>,
    output: Output,
    pipes: Option<(ChildStdin, ChildStdout)>,
    readers: Vec<JoinHandle<()>>,
}

/// What becomes of the standard streams.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Streams {
    /// Standard output is kept beside standard error.
    Kept,
    /// Standard input and output are spoken to; standard error is kept.
    Piped,
}

/// A process could not be started.
#[derive(Debug, miette::Diagnostic, thiserror::Error)]
#[error("cannot start `{program}`: {}", reason(source))]
#[diagnostic(help("check `command` in the profile; it is started in {folder}"))]
pub struct SpawnError {
    program: String,
    folder: String,
    source: io::Error,
}

/// Why a program does not start, in words that say what to look at.
fn reason(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::NotFound => "there is no such program (on the PATH, or at that path)".to_owned(),
        io::ErrorKind::PermissionDenied => "it is not executable".to_owned(),
        _ => error.to_string(),
    }
}

impl SpawnError {
    /// The limit of this host that kept the program from being started, where it was one.
    pub fn limit(&self) -> Option<HostLimit> {
        HostLimit::of_start(&format!("cannot start `{}`", self.program), &self.source)
    }
}

impl Subject {
    /// Starts a command with its placeholders filled.
    ///
    /// # Errors
    /// When the program cannot be executed.
    pub fn spawn(
        command: &CommandProfile,
        values: &Values,
        folder: &Path,
        streams: Streams,
    ) -> Result<Self, SpawnError> {
        let words: Vec<_> = command.words.iter().map(|word| values.fill(word)).collect();
        let mark = format!("{}-{}", std::process::id(), STARTED.fetch_add(1, Ordering::Relaxed));
        let mut start = Command::new(&words[0]);
        start
            .args(&words[1..])
            // An endpoint that the harness was started beside is not the subject's.
            .env_remove(ENDPOINT_VARIABLE)
            .env_remove(guard::GUARD)
            .env(descendants::MARK, &mark)
            .envs(command.env.iter().map(|(name, value)| (name, values.fill(value))))
            .current_dir(folder)
            .kill_on_drop(true)
            .stdin(if streams == Streams::Piped { Stdio::piped() } else { Stdio::null() })
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let error =
            |source| SpawnError { program: words[0].clone(), folder: folder.display().to_string(), source };
        let (mut child, group) = Group::start(&mut start).map_err(error)?;
        let output = Output::default();
        let mut readers = Vec::new();
        readers.extend(child.stderr.take().map(|stderr| {
            widen(&stderr);
            tokio::spawn(output.clone().keep_of(stderr, group.clone()))
        }));
        let pipes = match streams {
            Streams::Piped => child.stdin.take().zip(child.stdout.take()),
            Streams::Kept => {
                let keep = |stdout| tokio::spawn(output.clone().keep_of(stdout, group.clone()));
                readers.extend(child.stdout.take().map(keep));
                None
            }
        };
        let (end, ended) = watch::channel(None);
        // The task ends with the process, even if the subject is dropped before: every child is reaped.
        tokio::spawn(watch_over(child, group.clone(), output.clone(), end));
        Ok(Self { group, mark, ended, output, pipes, readers })
    }

    /// The pipes, where they were asked for; given once.
    pub fn take_pipes(&mut self) -> Option<(ChildStdin, ChildStdout)> {
        self.pipes.take()
    }

    /// Its process id, while it runs.
    pub fn id(&self) -> Option<u32> {
        self.group
            .leader()
            .filter(|_| self.ended().is_none())
            .map(|leader| leader.as_raw_nonzero().get().unsigned_abs())
    }

    /// How the process ended, where it has.
    pub fn ended(&self) -> Option<String> {
        self.ended.borrow().clone()
    }

    /// Waits for the end of the process and says how it ended.
    pub fn end(&self) -> impl Future<Output = String> + Send + 'static {
        let mut ended = self.ended.clone();
        async move {
            match ended.wait_for(Option::is_some).await {
                Ok(status) => status.clone().unwrap_or_default(),
                Err(_) => "gone".to_owned(),
            }
        }
    }

    /// Kills the process and all that it has started without warning, and waits until it is gone and all that it printed has been
    /// read.
    pub async fn kill(&mut self) {
        self.kill_all();
        // What cannot be killed is named by the guard.
        let _ = tokio::time::timeout(KILLED_WITHIN, self.end()).await;
        // What it started while it was killed.
        descendants::kill_marked(&self.mark);
        for reader in self.readers.drain(..) {
            // A pipe held open by a process outside of the group is not waited for.
            let _ = tokio::time::timeout(LAST_WORDS, reader).await;
        }
    }

    /// Stops the process and its children (SIGSTOP), or lets them go on (SIGCONT).
    pub fn pause(&self, act: ProcessAct) {
        self.signal(match act {
            ProcessAct::Stop => Signal::STOP,
            ProcessAct::Continue => Signal::CONT,
        });
    }

    /// Asks the process to end (SIGTERM), and returns at once.
    pub fn terminate(&self) {
        self.signal(Signal::TERM);
    }

    fn signal(&self, signal: Signal) {
        self.group.signal(signal, self.ended().is_none());
    }

    fn kill_all(&self) {
        // Looked at first: what loses its parent is found by its mark alone.
        let tree = self.group.leader().filter(|_| self.ended().is_none()).map(descendants::tree);
        self.signal(Signal::KILL);
        for process in tree.into_iter().flatten().skip(1) {
            let _ = kill_process(process, Signal::KILL);
        }
        descendants::kill_marked(&self.mark);
    }

    /// Asks the process to end, kills what is left of it after `patience`, and says how it ended. All that it printed has been
    /// read then.
    pub async fn stop(&mut self, patience: Duration) -> String {
        self.terminate();
        // Whether it went by itself or not, nothing of it stays.
        let ended = tokio::time::timeout(patience, self.end()).await;
        self.kill().await;
        ended.unwrap_or_else(|_| "it had to be killed".to_owned())
    }

    /// The last lines that the process printed.
    pub async fn output(&self) -> Vec<String> {
        self.output.last().await
    }

    /// The first panics that the process printed on its kept streams, where it is a program in Rust.
    pub async fn panics(&self) -> Vec<String> {
        self.output.panics().await
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        self.kill_all();
        self.readers.iter().for_each(JoinHandle::abort);
    }
}

/// Lets a pipe hold the last words of a process that does not wait for room, as Node.js does not: it prints the line that it could
/// not read before its error, and a message may be that line.
fn widen(pipe: &impl AsFd) {
    // Where the system does not allow that, the end of what a process prints may be lost.
    #[cfg(target_os = "linux")]
    let _ = rustix::pipe::fcntl_setpipe_size(pipe, LAST_WORDS_BYTES);
    #[cfg(not(target_os = "linux"))]
    let _ = pipe;
}

async fn watch_over(mut child: Child, _listed: Group, output: Output, end: watch::Sender<Option<String>>) {
    let status = match child.wait().await {
        Ok(_) if output.has_flooded() => output::FLOODED.to_owned(),
        Ok(status) => describe(status),
        Err(error) => format!("cannot be watched: {error}"),
    };
    end.send_replace(Some(status));
}

fn describe(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit code {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => status.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use player::lines::LineDecoder;
    use tokio_util::codec::FramedRead;

    use super::output::{KEPT_BYTES, KEPT_LINES};
    use super::*;

    fn shell(script: &str) -> CommandProfile {
        let words = ["sh", "-c", script].map(str::to_owned).to_vec();
        CommandProfile { words, env: Default::default() }
    }

    /// How a process ended, and what it said last, is known.
    #[tokio::test]
    async fn an_end_is_noticed() {
        let command = shell("echo out; echo err >&2; exit 3");
        let subject = Subject::spawn(&command, &Values::default(), Path::new("."), Streams::Kept).unwrap();
        assert_eq!(subject.end().await, "exit code 3");
    }

    /// Killing takes the children of the process with it.
    #[tokio::test]
    async fn killing_takes_the_children_too() {
        let command = shell("sleep 600 & echo $!; wait");
        let mut subject =
            Subject::spawn(&command, &Values::default(), Path::new("."), Streams::Piped).unwrap();
        let (_, stdout) = subject.take_pipes().unwrap();
        let mut printed = FramedRead::new(stdout, LineDecoder::new(KEPT_BYTES));
        assert!(printed.next().await.is_some());
        subject.kill().await;
        // The pipe closes once the last process that holds it is gone: the child held it too.
        assert!(printed.next().await.is_none());
    }

    /// Nor does it help to leave the group, or the session, or the parent.
    #[tokio::test]
    async fn killing_takes_who_left_too() {
        for script in [
            "exec perl -e 'setpgrp(0, getpgrp(getppid)); $| = 1; print \"x\\n\"; sleep 600'",
            "setsid sleep 600 & echo x; wait",
            "(setsid sleep 600 &) ; echo x; exec sleep 600",
        ] {
            let mut subject =
                Subject::spawn(&shell(script), &Values::default(), Path::new("."), Streams::Piped).unwrap();
            let (_, stdout) = subject.take_pipes().unwrap();
            let mut printed = FramedRead::new(stdout, LineDecoder::new(KEPT_BYTES));
            assert!(printed.next().await.is_some());
            subject.kill().await;
            assert_eq!(subject.ended().as_deref(), Some("signal 9"), "{script}");
            // The pipe closes once the last process that holds it is gone.
            let closed = tokio::time::timeout(Duration::from_secs(20), printed.next()).await;
            assert!(closed.expect("nothing holds it").is_none(), "{script}");
        }
    }

    /// A process that prints without an end is killed, and that is why it ended.
    #[tokio::test]
    async fn a_flood_of_output_ends_the_process() {
        for script in ["yes", "yes >&2", "tr '\\0' x < /dev/zero"] {
            let subject =
                Subject::spawn(&shell(script), &Values::default(), Path::new("."), Streams::Kept).unwrap();
            let ended = tokio::time::timeout(Duration::from_secs(100), subject.end()).await;
            assert_eq!(ended.expect("it ends"), output::FLOODED, "{script}");
        }
    }

    /// A process that is asked to end may say goodbye; one that does not listen is killed.
    #[tokio::test]
    async fn stopping_asks_first() {
        for (script, patience, ended) in [
            (
                "trap 'exit 7' TERM; echo ready; while :; do sleep 0.01; done",
                Duration::from_secs(20),
                "exit code 7",
            ),
            ("trap '' TERM; echo ready; while :; do sleep 0.01; done", Duration::from_millis(50), "signal 9"),
        ] {
            let mut subject =
                Subject::spawn(&shell(script), &Values::default(), Path::new("."), Streams::Piped).unwrap();
            let (_, stdout) = subject.take_pipes().unwrap();
            assert!(FramedRead::new(stdout, LineDecoder::new(KEPT_BYTES)).next().await.is_some());
            subject.stop(patience).await;
            assert_eq!(subject.ended().as_deref(), Some(ended));
        }
    }

    /// A panic is known however much is printed after it, up to the very last line before the end.
    #[tokio::test]
    async fn panics_are_not_forgotten() {
        let script = "trap 'echo \"b panicked at 2\" >&2; exit 0' TERM; echo \"a panicked at 1\" >&2; \
             seq 1000 >&2; echo ready; while :; do sleep 0.01; done";
        let mut subject =
            Subject::spawn(&shell(script), &Values::default(), Path::new("."), Streams::Piped).unwrap();
        let (_, stdout) = subject.take_pipes().unwrap();
        assert!(FramedRead::new(stdout, LineDecoder::new(KEPT_BYTES)).next().await.is_some());
        assert_eq!(subject.stop(Duration::from_secs(20)).await, "exit code 0");
        assert_eq!(subject.panics().await, ["a panicked at 1", "b panicked at 2"]);
        assert_eq!(subject.output().await.len(), KEPT_LINES);
    }

    /// A program that does not exist is an error that names it.
    #[tokio::test]
    async fn a_missing_program_is_named() {
        let command = CommandProfile { words: vec!["no-such-program".to_owned()], env: Default::default() };
        let error =
            Subject::spawn(&command, &Values::default(), Path::new("."), Streams::Kept).err().unwrap();
        assert!(error.to_string().contains("no-such-program"));
    }
}
