//! Bad input gets one clear error and its exit code; an interrupt leaves no process behind.

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Output, Stdio};
use std::time::Duration;

/// `gatecheck` with these arguments, and no colours.
fn gatecheck(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .args(arguments)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .output()
        .expect("gatecheck runs")
}

/// The exit code, and what was complained about: on standard error, short, without a panic.
fn complaint(arguments: &[&str]) -> (i32, String) {
    let output = gatecheck(arguments);
    let text = String::from_utf8(output.stderr).expect("errors are text");
    assert!(!text.contains("panicked") && !text.contains("RUST_BACKTRACE"), "{text}");
    assert!(text.lines().count() < 30, "one clear error: {text}");
    (output.status.code().expect("an exit code"), text)
}

struct TempFolder(PathBuf);

impl TempFolder {
    fn new(name: &str) -> Self {
        let folder = std::env::temp_dir().join(format!("gatecheck-{name}-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        Self(folder)
    }

    fn file(&self, name: &str, text: &str) -> String {
        let path = self.0.join(name);
        fs::write(&path, text).expect("a file");
        path.display().to_string()
    }
}

impl Drop for TempFolder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// Wrong usage is not a failed check: exit code 2, and what to do.
#[test]
fn wrong_usage_is_reported() {
    for (arguments, says) in [
        (&["rnu"][..], "unrecognized subcommand 'rnu'"),
        (&["run", "--fliter", "x"], "--fliter"),
        (
            &["run", "--filter", "client/backof/doubles-to-the-cap"],
            "did you mean `client/backoff/doubles-to-the-cap`",
        ),
        (&["run", "--filter", "client/["], "no scenario matches `client/[`"),
        (&["run", "--level", "core", "--filter", "BACKOFF-6"], "no case is selected"),
        (&["run", "--jobs", "0"], "0"),
        (&["run", "--repeat", "0"], "--repeat"),
        (&["run", "--seed", "one"], "--seed"),
        (&["run", "--shard", "4/3"], "such as 3/16"),
        (&["run", "--shard", "half"], "such as 3/16"),
        (&["run", "--level", "soft"], "hardened"),
        (&["run", "--format", "html"], "junit"),
        (&["run", "--color", "blue"], "never"),
        (&["run", "--output", "/dev/null/reports"], "cannot write /dev/null/reports"),
        (&["run", "--update-baseline"], "`--known-failing FILE`"),
        (&["schema", "poem"], "report"),
        (&["run", "--broker", "nonsense"], "is not an AMQP URL"),
        (&["run", "--broker", "amqp://127.0.0.1:1"], "no broker answers at 127.0.0.1:1"),
        (&["run", "--scenarios", "/no/such/folder"], "cannot read /no/such/folder"),
        (&["gateway", "-c", "/no/such/gatecheck.toml"], "cannot read /no/such/gatecheck.toml"),
        (&["gateway", "--attach", "http://h", "--jwt-secret", "s"], "is not a `ws://` URL"),
        (&["gateway", "--attach", "ws://h/"], "--jwt-secret"),
        (&["explain", "AUTH-99"], "neither a requirement nor a scenario"),
        (&["broker", "--listen", "here"], "here"),
        (&["demo", "--listen", "here"], "here"),
        (&["demo", "--rate", "0"], "write a number from 0.001 to 1000"),
        (&["reference-server", "--listen", "127.0.0.1:0"], "JWT_SECRET"),
        (&["reference-server", "token", "--dev", "--user", "u"], "JWT_SECRET"),
        (&["reference-client", "--url", "nonsense", "--token", "t"], "is not a URL"),
    ] {
        let (code, text) = complaint(arguments);
        assert_eq!(code, 2, "{arguments:?}: {text}");
        assert!(text.contains(says), "{arguments:?}: {text}");
    }
}

/// A broken scenario is reported with file, line and a hint; a broken profile with its file.
#[test]
fn broken_files_are_reported() {
    let folder = TempFolder::new("files");
    folder.file(
        "mine.toml",
        "version = 2\ntitle = \"t\"\nsubject = \"client\"\n[[step]]\nwiat = { opens = true }\n",
    );
    let (code, text) = complaint(&["run", "--scenarios", &folder.0.display().to_string()]);
    assert_eq!(code, 2, "{text}");
    for part in ["mine.toml", "wiat", "did you mean `wait`?", "5"] {
        assert!(text.contains(part), "{part}: {text}");
    }
    let profile = folder.file("gatecheck.profile", "[gateway]\ncommand = [\"node\", \"{prt}\"]\n");
    let (code, text) = complaint(&["gateway", "-c", &profile]);
    // Where lines are wrapped depends on how long the folder's name is.
    let flowing = text.replace('│', " ").split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(code == 2 && flowing.contains("no placeholder `{prt}`"), "{text}");
}

/// A gateway that does not start, ends at once, or never gets ready is the subject's fault: exit code 4, and why.
#[test]
fn a_subject_that_does_not_start_is_reported() {
    let case = ["--filter", "gateway/auth/good-token"];
    for (command, says) in [
        (&["no-such-program"][..], "cannot start `no-such-program`"),
        (&["sh", "-c", "echo out of luck >&2; exit 7"], "exit code 7"),
    ] {
        let mut arguments = vec!["gateway"];
        arguments.extend(case);
        arguments.push("--");
        arguments.extend(command);
        let (code, text) = complaint(&arguments);
        assert_eq!(code, 4, "{text}");
        assert!(text.contains(says), "{text}");
        assert!(command[0] != "sh" || text.contains("out of luck"), "its last words are shown: {text}");
    }
    let client = ["client", "--filter", "client/dial/token-in-query", "--", "sh", "-c", "echo hello; cat"];
    let (code, text) = complaint(&client);
    assert_eq!(code, 4, "{text}");
    assert!(text.contains("noise belongs on"), "{text}");
}

/// Two reports are compared, what failed is run again, and nothing is run where only a list is asked for.
#[test]
fn reports_are_used_again() {
    let folder = TempFolder::new("reports-are-used-again");
    let (old, new) = (folder.0.join("old"), folder.0.join("new"));
    let report = |folder: &PathBuf, verdicts: [&str; 2]| {
        fs::create_dir_all(folder).expect("a folder");
        let names = ["client/queue/during-reconnection", "client/queue/overflow"];
        let cases: Vec<_> = names
            .iter()
            .zip(verdicts)
            .map(|(id, verdict)| format!(r#"{{"id":"{id}","verdict":"{verdict}"}}"#))
            .collect();
        let text = format!(r#"{{"version":3,"requirements":[],"cases":[{}]}}"#, cases.join(","));
        fs::write(folder.join("report.json"), text).expect("a report");
    };
    report(&old, ["pass", "pass"]);
    report(&new, ["fail", "pass"]);
    let [old, new] = [old, new].map(|folder| folder.display().to_string());
    let of = |arguments: &[&str]| {
        let output = gatecheck(arguments);
        (output.status.code(), String::from_utf8(output.stdout).expect("text"))
    };
    let (code, text) = of(&["diff", &old, &new]);
    assert!(code == Some(1) && text.contains("pass → fail") && text.contains("is worse"), "{code:?}: {text}");
    assert_eq!(of(&["diff", &new, &old]).0, Some(0));
    let (code, text) = of(&["run", "-f", "client/queue/**", "--last-failed", "-o", &new, "--list"]);
    assert!(
        code == Some(0) && text.contains("cases: 1 would run") && !text.contains("overflow"),
        "{code:?}: {text}"
    );
    let (code, text) = of(&["run", "-f", "client/queue/**", "--last-failed", "-o", &new]);
    assert!(code == Some(0) && text.contains("1 of 1 selected cases passed"), "{code:?}: {text}");
    let (code, said) = complaint(&["run", "--last-failed", "-o", &new]);
    assert!(code == 0 && said.contains("nothing is left to run"), "{code}: {said}");
    let (code, said) = complaint(&["diff", &old, "nowhere"]);
    assert!(code == 2 && said.contains("cannot read nowhere"), "{code}: {said}");
}

/// A run that ends at the first failure begins no further case, and its exit code is that failure's.
#[test]
fn a_run_can_end_at_the_first_failure() {
    let dies = [
        "--no-preflight",
        "--fail-fast",
        "-j",
        "1",
        "-f",
        "client/state/**",
        "--",
        "sh",
        "-c",
        "read l; exit 7",
    ];
    let output = gatecheck(&[&["client"], dies.as_slice()].concat());
    let text = String::from_utf8(output.stdout).expect("text");
    let died = text.lines().filter(|line| line.trim_start().starts_with("DIED")).count();
    assert!(output.status.code() == Some(4) && died == 1, "{:?}: {text}", output.status);
    assert!(text.contains("not run: interrupted before it began"), "{text}");
}

/// What a package installs beside the program is about every command.
#[test]
fn a_package_has_its_pages() {
    let folder = TempFolder::new("a-package-has-its-pages");
    let pages = folder.0.join("man");
    assert!(gatecheck(&["man", "-o", &pages.display().to_string()]).status.success());
    let page =
        fs::read_to_string(pages.join("gatecheck-bench-compare.1")).expect("a page of a command's command");
    assert!(page.starts_with(".ie") && page.contains("bench"), "{page}");
    for shell in ["bash", "zsh", "fish"] {
        let output = gatecheck(&["completions", shell]);
        let script = String::from_utf8(output.stdout).expect("a script");
        assert!(output.status.success() && script.contains("last-failed"), "{shell}: {script}");
    }
}

/// What is asked for is printed on standard output, and that is all.
#[test]
fn questions_are_answered() {
    for (arguments, says) in [
        (&["list", "--filter", "client/backoff/**"][..], "client/backoff/doubles-to-the-cap"),
        (&["explain", "BACKOFF-1"], "min(reconnect_delay"),
        (&["explain", "client/backoff/doubles-to-the-cap"], "[[expect]]"),
        (&["demo", "--help"], "--rate"),
        (&["requirements"], "126 requirements"),
        (&["schema", "report"], "https://json-schema.org/draft/2020-12/schema"),
        (&["reference-server", "--help"], "--ping-interval"),
        (&["reference-client", "--help"], "Exit codes"),
        (&["--help"], "Exit codes"),
    ] {
        let output = gatecheck(arguments);
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {text}");
        assert!(text.contains(says) && output.stderr.is_empty(), "{arguments:?}: {text}");
    }
}

/// Interrupted in the middle of a run, `gatecheck` says so by its exit code, and every process that it started is gone.
#[tokio::test]
async fn an_interrupt_leaves_nothing_behind() {
    let folder = TempFolder::new("interrupt");
    let marks = folder.0.display().to_string();
    // Writes its process group to a file, and is never ready.
    let script = format!("echo $$ > {marks}/pid; sleep 600");
    let mut run = tokio::process::Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .args(["gateway", "--filter", "gateway/auth/good-token", "--", "sh", "-c", &script])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("gatecheck runs");
    let pid = folder.0.join("pid");
    let started = async {
        loop {
            match fs::read_to_string(&pid) {
                Ok(text) if text.ends_with('\n') => break text.trim().to_owned(),
                _ => tokio::task::yield_now().await,
            }
        }
    };
    let subject = tokio::time::timeout(Duration::from_secs(20), started).await.expect("the subject starts");
    assert!(lives(&subject));
    let id = rustix::process::Pid::from_raw(run.id().expect("it runs").cast_signed()).expect("a process");
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it can be interrupted");
    let status =
        tokio::time::timeout(Duration::from_secs(10), run.wait()).await.expect("it ends").expect("a status");
    assert_eq!(status.code(), Some(130));
    let mut out = run.stdout.take().expect("its output");
    tokio::io::copy(&mut out, &mut tokio::io::sink()).await.expect("it can be read to its end");
    let gone = async {
        while lives(&subject) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the subject is gone");
}

/// Whether a process is alive. A zombie, which its inheriting parent has yet to reap, is not (proc(5)).
fn lives(process: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = stat.rsplit_once(')').and_then(|(_, rest)| rest.split_whitespace().next());
    !matches!(state, None | Some("Z" | "X"))
}

/// A soak that is interrupted while clients are still connecting says so by its exit code, and its gateway is gone.
#[tokio::test]
async fn an_interrupted_soak_leaves_nothing_behind() {
    let mut run = tokio::process::Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .args(["soak", "--connections", "1000", "--adversaries", "0"])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .expect("gatecheck runs");
    let id = run.id().expect("it runs");
    let started = async {
        loop {
            match child_of(id) {
                Some(child) => break child,
                None => tokio::task::yield_now().await,
            }
        }
    };
    let gateway = tokio::time::timeout(Duration::from_secs(20), started).await.expect("the gateway starts");
    let id = rustix::process::Pid::from_raw(id.cast_signed()).expect("a process");
    rustix::process::kill_process(id, rustix::process::Signal::INT).expect("it can be interrupted");
    let status =
        tokio::time::timeout(Duration::from_secs(20), run.wait()).await.expect("it ends").expect("a status");
    assert_eq!(status.code(), Some(130));
    let gone = async {
        while lives(&gateway.to_string()) {
            tokio::task::yield_now().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), gone).await.expect("the gateway is gone");
}

/// The first child of a process, over all of its threads.
fn child_of(id: u32) -> Option<u32> {
    let threads = fs::read_dir(format!("/proc/{id}/task")).ok()?;
    let children =
        threads.flatten().filter_map(|thread| fs::read_to_string(thread.path().join("children")).ok());
    children
        .flat_map(|text| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
        .find_map(|child| child.parse().ok())
}

/// More connections than this host has descriptors for are an error before anything is started.
#[test]
fn too_many_connections_are_reported() {
    let (code, text) = complaint(&["soak", "--connections", "1000000000"]);
    assert_eq!(code, 2);
    assert!(text.contains("open files are needed"), "{text}");
}
