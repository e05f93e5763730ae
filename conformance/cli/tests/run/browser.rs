//! A client in a browser: what `gatecheck init browser` writes holds what it claims, and leaves nothing behind.

#![expect(clippy::disallowed_methods, reason = "the lines are those of a tool that the test starts")]

use std::env;
use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use libtest_mimic::{Completion, Failed, Trial};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::runtime::Runtime;

use crate::arms::requires;
use crate::init::shell;
use crate::trial;

/// One case of each kind: what is sent, received and renewed, and how connections are lost and dials fail.
const FILTERS: [&str; 8] = [
    "client/state/connect-and-lose",
    "client/state/failed-dial",
    "client/state/disconnect",
    "client/messages/**",
    "client/ping/rhythm",
    "client/queue/offline-in-order",
    "client/subscriptions/**",
    "client/token/replaced",
];
/// How long a browser may take to start or to end, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(60);
const LOOK_AGAIN: Duration = Duration::from_millis(20);

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let (verdict, ends, fails) = (Arc::clone(runtime), Arc::clone(runtime), Arc::clone(runtime));
    vec![
        trial::ignorable_test("browser/a_new_adapter_holds_what_it_claims", move || {
            with_browser(|folder| verdict.block_on(holds(folder)))
        }),
        trial::ignorable_test("browser/it_ends_with_its_adapter", move || {
            with_browser(|folder| ends.block_on(ends_with_its_adapter(folder)))
        }),
        trial::ignorable_test("browser/a_page_that_fails_is_told", move || {
            with_browser(|folder| fails.block_on(failures_are_reported(folder)))
        }),
    ]
}

/// Judges in a new folder. Ignored where there is no browser, or no Node.js to start it.
fn with_browser(judge: impl FnOnce(&Path) -> Result<(), Failed>) -> Result<Completion, Failed> {
    let browser = on_path("chromium") || on_path("chromium-headless-shell");
    if !on_path("node") || !browser && env::var_os("CHROMIUM").is_none() {
        let reason = "`node` or `chromium` is not on the path";
        return match requires("chromium") {
            true => Err(format!("GATECHECK_REQUIRE asks for it, but {reason}").into()),
            false => Ok(Completion::ignored_with(reason)),
        };
    }
    let folder = TempDir::with_prefix("gatecheck-page-").map_err(|error| error.to_string())?;
    judge(folder.path()).map(|()| Completion::Completed)
}

fn on_path(program: &str) -> bool {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path).any(|folder| folder.join(program).is_file())
}

async fn holds(folder: &Path) -> Result<(), Failed> {
    init(folder).await?;
    let (code, printed) = shell(folder, "gatecheck adapter check").await?;
    if code != 0 || printed.contains(" seen ") || !printed.contains("supported  dials the url") {
        return Err(format!("exit code {code}: {printed}").into());
    }
    let filters = FILTERS.map(|filter| format!(" --filter '{filter}'")).concat();
    match shell(folder, &format!("gatecheck client --jobs 2{filters}")).await? {
        // An inconclusive run on a busy host is no fault of the adapter.
        (0 | 3, _) => Ok(()),
        (code, printed) => Err(format!("exit code {code}: {printed}").into()),
    }
}

/// However the adapter ends, its browser does, and the browser's files are removed.
async fn ends_with_its_adapter(folder: &Path) -> Result<(), Failed> {
    init(folder).await?;
    for (way, expected) in [("input", Some(0)), ("exit", Some(0)), ("TERM", Some(143)), ("KILL", None)] {
        let mut adapter = Adapter::start(folder)?;
        adapter
            .ask(r#"{"id":1,"op":"configure","url":"ws://127.0.0.1:9/ws","token":"t","options":{}}"#)
            .await?;
        if profiles(folder)? != 1 {
            return Err("the browser keeps its files elsewhere".into());
        }
        let process = adapter.process.id().and_then(|id| Pid::from_raw(id.cast_signed()));
        let process = process.ok_or("it ended too early")?;
        match way {
            "input" => drop(adapter.requests.take()),
            "exit" => adapter.ask(r#"{"id":2,"op":"exit"}"#).await?,
            "TERM" => kill_process(process, Signal::TERM).map_err(|error| error.to_string())?,
            _ => kill_process(process, Signal::KILL).map_err(|error| error.to_string())?,
        }
        let (code, said) = adapter.end().await?;
        if code != expected || !said.is_empty() {
            return Err(format!("{way}: exit code {code:?}, not {expected:?}: {said}").into());
        }
        // The browser itself holds its files until it is gone.
        let removed = async {
            while profiles(folder)? > 0 {
                tokio::time::sleep(LOOK_AGAIN).await;
            }
            Ok::<_, Failed>(())
        };
        tokio::time::timeout(PATIENCE, removed).await.map_err(|_| format!("{way}: the files stay"))??;
    }
    Ok(())
}

/// A page that cannot serve ends its adapter, which says why.
async fn failures_are_reported(folder: &Path) -> Result<(), Failed> {
    init(folder).await?;
    let page = fs::read_to_string(folder.join("page.js")).map_err(|error| error.to_string())?;
    for (script, reason) in [
        ("throw new Error('no such luck');".to_owned(), "no such luck"),
        (page.replace("./client.js", "./elsewhere.js"), "the page asks for /elsewhere.js"),
        (format!("{page}\nlocation.reload();"), "the page was loaded anew"),
    ] {
        fs::write(folder.join("page.js"), script).map_err(|error| error.to_string())?;
        let (code, said) = Adapter::start(folder)?.end().await?;
        if code != Some(1) || !said.contains(reason) {
            return Err(format!("exit code {code:?}, without {reason:?}: {said}").into());
        }
    }
    Ok(())
}

async fn init(folder: &Path) -> Result<(), Failed> {
    match shell(folder, "gatecheck init browser").await? {
        (0, printed) if printed.ends_with("  gatecheck adapter check\n  gatecheck client\n") => Ok(()),
        (code, printed) => Err(format!("exit code {code}: {printed}").into()),
    }
}

/// Browsers that keep their files in the folder.
fn profiles(folder: &Path) -> Result<usize, Failed> {
    let entries = fs::read_dir(folder.join("temporary")).map_err(|error| error.to_string())?;
    Ok(entries.count())
}

/// An adapter that is spoken to without Gatecheck.
struct Adapter {
    process: Child,
    requests: Option<ChildStdin>,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Adapter {
    fn start(folder: &Path) -> Result<Self, Failed> {
        let temporary = folder.join("temporary");
        fs::create_dir_all(&temporary).map_err(|error| error.to_string())?;
        let mut process = Command::new("node")
            .arg("gatecheck-browser.mjs")
            .current_dir(folder)
            .env("TMPDIR", temporary)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(|error| error.to_string())?;
        let requests = process.stdin.take();
        let answers = process.stdout.take().ok_or("it has no output")?;
        Ok(Self { process, requests, answers: BufReader::new(answers).lines() })
    }

    /// Asks, and waits for the next line.
    async fn ask(&mut self, request: &str) -> Result<(), Failed> {
        let requests = self.requests.as_mut().ok_or("its input is closed")?;
        requests.write_all(format!("{request}\n").as_bytes()).await.map_err(|error| error.to_string())?;
        let answer = tokio::time::timeout(PATIENCE, self.answers.next_line()).await;
        let answer = answer.map_err(|_| format!("{request} is not answered"))?;
        match answer.map_err(|error| error.to_string())? {
            Some(answer) if answer.contains(r#""ok":true"#) => Ok(()),
            answer => Err(format!("{request} is answered {answer:?}").into()),
        }
    }

    /// Waits for its end; its exit code, and what it printed on standard error.
    async fn end(mut self) -> Result<(Option<i32>, String), Failed> {
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        let status = ended.map_err(|_| "it does not end")?.map_err(|error| error.to_string())?;
        let mut said = String::new();
        let mut errors = self.process.stderr.take().ok_or("its errors were read")?;
        errors.read_to_string(&mut said).await.map_err(|error| error.to_string())?;
        Ok((status.code(), said))
    }
}
