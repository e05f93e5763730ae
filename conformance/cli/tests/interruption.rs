//! A run that is interrupted reports what had ended by then, says so by its exit code, and leaves no process.

#![expect(clippy::disallowed_methods, reason = "what prints the lines is this workspace's own")]

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use rustix::process::{Pid, Signal, WaitOptions, kill_process, waitpid};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};

/// Long enough on any host for what must happen.
const LONG: Duration = Duration::from_secs(60);
/// In the environment of `gatecheck`, and so of whatever it starts.
const MARK: &str = "GATECHECK_TEST_MARK";
/// A gateway that is started by a shell, beside a process that does not end by itself. It gets ready once; the next does not.
const PROFILE: &str = r#"
[gateway]
command = [
    "sh", "-c", 'sleep 1000 & mkdir was-started && exec "$0" "$@"; exec sleep 1000',
    "{gatecheck}", "reference-server", "--listen", "127.0.0.1:{port}",
]
env = { JWT_SECRET = "{jwt_secret}", RABBITMQ_URL = "{amqp_url}" }
ready = { path = "/readyz", timeout = "10m" }
"#;
/// Cases on it, two at once: the first ends, and the second is still running then.
const CASES: [&str; 6] = ["gateway", "--no-preflight", "--jobs", "2", "--filter", "gateway/auth/**"];

/// `gatecheck` while it runs, in a folder of its own.
struct Run {
    folder: TempDir,
    mark: String,
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Run {
    fn start(profile: &str, arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        fs::write(folder.path().join("gatecheck.toml"), profile).expect("a profile");
        let mark = folder.path().display().to_string();
        // Hang-ups may be ignored where the tests run, as under `nohup`.
        let mut child = Command::new("env")
            .arg("--default-signal=HUP,INT,TERM")
            .arg(env!("CARGO_BIN_EXE_gatecheck"))
            .args(arguments)
            .current_dir(folder.path())
            .env(MARK, &mark)
            .env("NO_COLOR", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("gatecheck runs");
        let lines = BufReader::new(child.stdout.take().expect("its output")).lines();
        Self { folder, mark, child, lines }
    }

    /// The next line on standard output.
    async fn line(&mut self) -> String {
        let line = tokio::time::timeout(LONG, self.lines.next_line()).await.expect("a line in time");
        line.expect("text").expect("a line")
    }

    /// Waits until something lives that `gatecheck` has started.
    async fn has_started(&self) {
        // The first process is `env` until it has become the guard.
        let is_subject = |id: &u32| {
            let program = fs::read_link(format!("/proc/{id}/exe"));
            self.child.id() != Some(*id) && program.is_ok_and(|program| !program.ends_with("gatecheck"))
        };
        let started = async {
            while !marked(&self.mark).iter().any(is_subject) {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(LONG, started).await.expect("a subject starts");
    }

    fn signal(&self, signal: Signal) {
        let id = Pid::from_raw(self.child.id().expect("it runs").cast_signed()).expect("a process");
        kill_process(id, signal).expect("it can be interrupted");
    }

    /// Waits for its end: the exit code, the rest of its output, and what it complained about. Nothing that it started is left then.
    async fn end(&mut self) -> (Option<i32>, String, String) {
        let mut output = Vec::new();
        let mut complaints = String::new();
        let mut stderr = self.child.stderr.take().expect("its complaints");
        let ended = async {
            while let Ok(Some(line)) = self.lines.next_line().await {
                output.push(line);
            }
            stderr.read_to_string(&mut complaints).await.expect("text");
            self.child.wait().await.expect("a status").code()
        };
        let code = tokio::time::timeout(LONG, ended).await.expect("it ends");
        // What has been killed is gone a moment later.
        let gone = async {
            while !marked(&self.mark).is_empty() {
                tokio::task::yield_now().await;
            }
        };
        tokio::time::timeout(Duration::from_secs(10), gone).await.expect("no process is left");
        (code, output.join("\n"), complaints)
    }

    fn read(&self, name: &str) -> String {
        let path = self.folder.path().join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}

/// The processes that have this mark in their environment. Those that are dead and not yet reaped have none.
fn marked(mark: &str) -> Vec<u32> {
    let wanted = format!("{MARK}={mark}");
    let ids = fs::read_dir("/proc").expect("proc(5)").flatten();
    let ids = ids.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    let has_mark = |id: &u32| {
        let environment = fs::read(Path::new("/proc").join(id.to_string()).join("environ"));
        environment.is_ok_and(|bytes| bytes.split(|byte| *byte == 0).any(|pair| pair == wanted.as_bytes()))
    };
    ids.filter(has_mark).collect()
}

/// The report is as its schema says, and about the interruption.
fn check_json(text: &str, signal: &str) -> Value {
    let schema = serde_json::from_str(include_str!("../../schemas/report.schema.json")).expect("a schema");
    let report: Value = serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let validator = jsonschema::validator_for(&schema).expect("a schema");
    let errors: Vec<_> = validator.iter_errors(&report).map(|error| error.to_string()).collect();
    assert!(errors.is_empty(), "{errors:#?}");
    assert_eq!((report["interrupted"].as_str(), report["exit_code"].as_u64()), (Some(signal), Some(130)));
    report
}

fn cases(report: &Value) -> &Vec<Value> {
    report["cases"].as_array().expect("cases")
}

/// Sends the signal once the first case has passed, and reads everything that was asked for. How many cases were running is returned.
async fn interrupt(arguments: &[&str], signal: Signal, name: &str) -> usize {
    let reports = ["--output", "out", "--summary", "summary.md"];
    let mut run = Run::start(PROFILE, &[arguments, &reports].concat());
    // What cannot be run ends first; one that was played is what the report must have.
    let first = loop {
        let line = run.line().await;
        if line.trim_start().starts_with("pass") {
            break line;
        }
    };
    run.signal(signal);
    let (code, text, complaints) = run.end().await;
    assert_eq!(code, Some(130), "{first}\n{text}\n{complaints}");
    let ended = text.lines().find(|line| line.starts_with("interrupted by ")).expect("it says so");
    assert!(ended.starts_with(&format!("interrupted by {name}: ")), "{ended}");
    assert!(ended.ends_with("not run (exit code 130)"), "{ended}");

    let report = check_json(&run.read("out/report.json"), name);
    let passed = cases(&report).iter().filter(|case| case["verdict"] == "pass").count();
    let cut = |case: &&Value| case["interrupted"] == true && case["why"] == "interrupted";
    let cut = cases(&report).iter().filter(cut).count();
    assert!(passed > 0, "what had ended is reported: {text}");
    let total = cases(&report).len();
    let unbegun = cases(&report).iter().filter(|case| case["why"] == "interrupted before it began").count();
    assert!(unbegun > 0 && passed + cut + unbegun <= total, "{passed}, {cut} and {unbegun} of {total}");
    let junit = run.read("out/junit.xml");
    assert!(junit.contains(&format!("<property name=\"interrupted\" value=\"{name}\"")), "{junit}");
    assert!(run.read("out/report.html").contains(&format!("Interrupted by {name}")));
    for summary in ["out/summary.md", "summary.md"] {
        assert!(run.read(summary).contains(&format!("> *interrupted* by {name}")), "{summary}");
    }
    cut
}

/// SIGINT, in a run of gateways and clients.
#[tokio::test]
async fn sigint_ends_a_run() {
    interrupt(&["run", "--jobs", "2"], Signal::INT, "SIGINT").await;
}

/// SIGTERM, where each gateway has a process beside it: what was running is reported as such.
#[tokio::test]
async fn sigterm_ends_a_run() {
    let cut = interrupt(&CASES, Signal::TERM, "SIGTERM").await;
    assert!((1..=2).contains(&cut), "{cut} of two cases at once were running");
}

/// SIGHUP, the same.
#[tokio::test]
async fn sighup_ends_a_run() {
    let cut = interrupt(&CASES, Signal::HUP, "SIGHUP").await;
    assert!((1..=2).contains(&cut), "{cut} of two cases at once were running");
}

/// Interrupted at the first look, before any case: a report says that none was run.
#[tokio::test]
async fn a_look_can_be_interrupted() {
    let never_ready = "[gateway]\ncommand = [\"sh\", \"-c\", \"sleep 1000 & sleep 1000\"]\n\
                       ready = { timeout = \"10m\" }\n[gateway.env]\nPORT = \"{port}\"";
    let mut run = Run::start(never_ready, &["gateway", "--filter", "gateway/auth/**", "--format", "json"]);
    run.has_started().await;
    run.signal(Signal::TERM);
    let (code, text, complaints) = run.end().await;
    assert_eq!(code, Some(130), "{text}\n{complaints}");
    let report = check_json(&text, "SIGTERM");
    // What its design has no place for, or its profile nothing to say of, would not have been run in any case.
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        cases(&report).iter().partition(|case| case["interrupted"] == true);
    assert!(elsewhere.len() < here.len() && here.len() > 10);
    let is_known = |case: &&Value| case["gap"] == "design" || case["gap"] == "undeclared";
    assert!(elsewhere.iter().all(is_known), "{text}");
}

/// A second signal does not wait for what the first one has begun: here for a reader of the summary, which does not come.
#[tokio::test]
async fn a_second_signal_ends_at_once() {
    let mut run = Run::start(PROFILE, &[&CASES[..], &["--output", "out", "--summary", "pipe"]].concat());
    let pipe = run.folder.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().await.expect("mkfifo runs");
    assert!(made.success());
    run.line().await;
    run.signal(Signal::TERM);
    // The summary comes after the folder.
    let page = run.folder.path().join("out/report.html");
    let written = async {
        while !page.exists() {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, written).await.expect("the folder is written");
    run.signal(Signal::INT);
    let (code, text, complaints) = run.end().await;
    assert_eq!(code, Some(130), "{complaints}");
    assert!(!text.contains("exit code 130"), "it ended before it could say so: {text}");
}

/// A second signal right behind the first leaves nothing either, whatever it finds.
#[tokio::test]
async fn two_signals_at_once_leave_nothing() {
    let mut run = Run::start(PROFILE, &CASES);
    run.line().await;
    run.signal(Signal::INT);
    run.signal(Signal::TERM);
    let (code, text, complaints) = run.end().await;
    assert_eq!(code, Some(130), "{text}\n{complaints}");
}

/// What a gateway leaves behind, in a session of its own and without a parent, ends with its case.
#[tokio::test]
async fn nothing_outlives_its_case() {
    let profile = PROFILE.replace("sleep 1000 &", "(setsid sleep 1000 </dev/null >/dev/null 2>&1 &);");
    let mut run = Run::start(&profile, &["gateway", "--no-preflight", "--filter", "gateway/auth/good-token"]);
    let (_, text, complaints) = run.end().await;
    assert!(text.contains("1 of 1 selected cases passed"), "{text}\n{complaints}");
}

/// The process that a guard has started. `/proc/PID/task/TID/children` may leave some out while others end.
fn worker_of(guard: u32) -> u32 {
    let parent = |process: u32| {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // Behind the name, which may hold anything: the state, and the parent.
        stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse::<u32>().ok()
    };
    let is_worker = |process: &u32| {
        let program = fs::read_link(format!("/proc/{process}/exe"));
        parent(*process) == Some(guard) && program.is_ok_and(|program| program.ends_with("gatecheck"))
    };
    let processes = fs::read_dir("/proc").expect("proc(5)").filter_map(Result::ok);
    let mut numbers = processes.filter_map(|process| process.file_name().to_str()?.parse().ok());
    numbers.find(is_worker).expect("a guard has a worker")
}

/// What a terminal stops (Ctrl-Z) is all of it, and all of it goes on.
#[tokio::test]
async fn a_stop_stops_everything() {
    let mut run = Run::start(PROFILE, &CASES);
    run.has_started().await;
    let guard = Pid::from_raw(run.child.id().expect("it runs").cast_signed()).expect("a process");
    run.signal(Signal::TSTP);
    // It stops last.
    let stopped = tokio::task::spawn_blocking(move || waitpid(Some(guard), WaitOptions::UNTRACED));
    let (_, status) = tokio::time::timeout(LONG, stopped).await.expect("it stops").unwrap().unwrap().unwrap();
    assert!(status.stopped(), "{status:?}");
    // A parent in `vfork` of a child that is stopped waits for it without being stopped itself (`D`).
    let is_held = |state| matches!(state, 'T' | 'D');
    let running =
        || marked(&run.mark).into_iter().filter(|id| state(*id).is_some_and(|state| !is_held(state)));
    let all = async {
        // What a signal has been sent to stops a moment later.
        while running().count() > 0 {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(LONG, all).await.expect("everything stops");
    assert!(marked(&run.mark).len() > 2, "there is more than gatecheck itself");
    run.signal(Signal::CONT);
    run.line().await;
    run.signal(Signal::INT);
    let (code, text, complaints) = run.end().await;
    assert_eq!(code, Some(130), "{text}\n{complaints}");
}

/// A subject that stops gatecheck stops nothing: its case ends in its time, and nothing is left.
#[tokio::test]
async fn a_subject_cannot_stop_its_judge() {
    let profile = "[gateway]\ncommand = [\"sh\", \"-c\", \"sleep 1000 & kill -STOP $PPID; exec sleep 1000\"]\n\
                   ready = { timeout = \"1s\" }\n[gateway.env]\nPORT = \"{port}\"";
    let mut run = Run::start(profile, &["gateway", "--no-preflight", "--filter", "gateway/auth/good-token"]);
    let (code, text, complaints) = run.end().await;
    assert_eq!(code, Some(4), "{text}\n{complaints}");
}

/// What a process does (proc(5)): `T` where it is stopped.
fn state(process: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
    stat.rsplit_once(')')?.1.trim_start().chars().next()
}

/// Killed without warning, the guard or the worker takes everything along.
#[tokio::test]
async fn sigkill_leaves_nothing() {
    for of_worker in [false, true] {
        let mut run = Run::start(PROFILE, &CASES);
        run.has_started().await;
        let guard = run.child.id().expect("it runs");
        let victim = if of_worker { worker_of(guard) } else { guard };
        kill_process(Pid::from_raw(victim.cast_signed()).expect("a process"), Signal::KILL)
            .expect("it lives");
        let (code, _, complaints) = run.end().await;
        assert_eq!(code, of_worker.then_some(5), "{complaints}");
        assert_eq!(complaints.contains("was killed (signal 9)"), of_worker, "{complaints}");
    }
}
