//! A test that is killed leaves no process that its profile has started: the tests are this program, run once more.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use conformance::Suite;
use gatecheck_libtest::Libtest;
use libtest_mimic::{Arguments, Failed, Trial};
use rustix::process::{Pid, Signal, kill_process};

/// Long enough on any host for what must happen.
const LONG: Duration = Duration::from_secs(60);
/// In the environment of the tests, and so of whatever they start: the folder of their profile.
const MARK: &str = "GATECHECK_TEST_MARK";
/// A gateway that never gets ready, beside a process in a session of its own.
const PROFILE: &str = r#"
[gateway]
command = ["sh", "-c", "setsid sleep 1000 & sleep 1000"]
env = { PORT = "{port}" }
ready = { timeout = "10m" }
"#;

fn main() -> ExitCode {
    if let Some(folder) = std::env::var_os(MARK) {
        return Suite::from_profile(Path::new(&folder).join("gatecheck.toml")).libtest();
    }
    let trial = |name: &str, of_worker| Trial::test(name, move || sigkill_leaves_nothing(of_worker));
    let trials = vec![
        trial("sigkill_of_the_guard_leaves_nothing", false),
        trial("sigkill_of_the_tests_leaves_nothing", true),
    ];
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

fn sigkill_leaves_nothing(of_worker: bool) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("gatecheck.toml"), PROFILE)?;
    let mark = folder.path().to_str().ok_or("a path of text")?;
    let mut tests = tests(mark)?;
    let guard = tests.id();
    let started = until(|| (sleepers(mark) == 2).then(|| worker_of(mark, guard)).flatten());
    // Whatever is found out, nothing is left.
    let victim = if of_worker { started } else { Some(guard) };
    kill(victim.unwrap_or(guard));
    let code = tests.wait()?.code();
    let gone = until(|| marked(mark).is_empty().then_some(()));
    let left = marked(mark);
    left.iter().for_each(|process| kill(*process));
    started.ok_or("no gateway is started by a process that is guarded")?;
    gone.ok_or_else(|| format!("these are left: {left:?}"))?;
    // By the guard's own exit code, or by the signal.
    if code != of_worker.then_some(5) {
        return Err(format!("it ended with {code:?}").into());
    }
    Ok(())
}

fn tests(mark: &str) -> std::io::Result<Child> {
    let mut tests = Command::new(std::env::current_exe()?);
    let silent = tests.env(MARK, mark).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    silent.spawn()
}

/// The process that the guard has started: this program, too.
fn worker_of(mark: &str, guard: u32) -> Option<u32> {
    let program = |process: u32| fs::read_link(format!("/proc/{process}/exe")).ok();
    marked(mark).into_iter().find(|process| *process != guard && program(*process) == program(guard))
}

/// How many processes wait in vain.
fn sleepers(mark: &str) -> usize {
    let name = |process: &u32| fs::read_to_string(format!("/proc/{process}/comm")).unwrap_or_default();
    marked(mark).iter().filter(|process| name(process).trim() == "sleep").count()
}

/// The processes that have this mark in their environment. Those that are dead and not yet reaped have none.
fn marked(mark: &str) -> Vec<u32> {
    let wanted = format!("{MARK}={mark}");
    let ids = fs::read_dir("/proc").into_iter().flatten().flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has_mark = |id: &u32| {
        let environment = fs::read(format!("/proc/{id}/environ"));
        environment.is_ok_and(|bytes| bytes.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes()))
    };
    ids.filter(has_mark).collect()
}

fn kill(process: u32) {
    // It may have ended.
    let _ = Pid::from_raw(process.cast_signed()).map(|id| kill_process(id, Signal::KILL));
}

/// Asks until there is something, for as long as anything may take.
#[expect(clippy::disallowed_methods, reason = "other processes live in real time")]
fn until<T>(mut look: impl FnMut() -> Option<T>) -> Option<T> {
    let begun = Instant::now();
    loop {
        let found = look();
        if found.is_some() || begun.elapsed() > LONG {
            return found;
        }
        thread::yield_now();
    }
}
