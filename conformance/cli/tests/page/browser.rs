//! Chromium, and the driver that it is driven by.

#![expect(clippy::disallowed_methods, reason = "the lines are those of a tool that the test starts")]

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;
use std::{env, fs};

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::webdriver::Window;

const BROWSER: &str = "chromium";
const DRIVER: &str = "chromedriver";
/// What must be there: names divided by commas.
const REQUIRE: &str = "GATECHECK_REQUIRE";
/// The driver prints this, and then its port.
const ANNOUNCEMENT: &str = "was started successfully on port ";
/// A headless browser that connects to nothing but the page.
const ARGUMENTS: [&str; 11] = [
    "--headless",
    // Containers rarely allow the sandbox, and the page is ours.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--hide-scrollbars",
    "--lang=en-US",
];
/// How long browser and driver may take to start or to end, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(60);

/// Why there is no browser.
pub(crate) enum Absence {
    /// Nothing asks for it: trials are ignored, for this reason.
    Excused(String),
    /// It was required, or it is there and does not start: trials fail.
    Failed(String),
}

/// A browser that runs, with a profile of its own.
pub(crate) struct Browser {
    window: Window,
    driver: Child,
    profile: PathBuf,
}

impl Browser {
    /// Starts a browser on a port that the driver chooses.
    pub(crate) async fn start() -> Result<Self, Absence> {
        let (Some(browser), Some(driver)) = (on_path(BROWSER), on_path(DRIVER)) else {
            let reason = format!("`{BROWSER}` or `{DRIVER}` is not on the path");
            return Err(match is_required() {
                true => Absence::Failed(format!("{REQUIRE} asks for it, but {reason}")),
                false => Absence::Excused(reason),
            });
        };
        Self::spawn(&browser, &driver).await.map_err(|error| Absence::Failed(format!("{DRIVER}: {error}")))
    }

    async fn spawn(browser: &Path, driver: &Path) -> Result<Self, Box<dyn std::error::Error>> {
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .kill_on_drop(true)
            .spawn()?;
        let stdout = driver.stdout.take().ok_or("no output")?;
        let port = timeout(PATIENCE, port(BufReader::new(stdout))).await??;
        let profile = env::temp_dir().join(format!("gatecheck-page-{}-{port}", std::process::id()));
        let session = capabilities(browser, &profile);
        let window = timeout(PATIENCE, Window::open(port, &session)).await??;
        Ok(Self { window, driver, profile })
    }

    pub(crate) fn window(&self) -> Window {
        self.window.clone()
    }

    /// Ends it and removes its files.
    pub(crate) async fn close(mut self) {
        // The driver ends its browser with the session, and at the latest with itself.
        let ended = timeout(PATIENCE, self.window.quit()).await;
        if !matches!(ended, Ok(Ok(()))) {
            eprintln!("the browser did not end well: {ended:?}");
        }
        let _ = self.driver.kill().await;
        let _ = fs::remove_dir_all(&self.profile);
    }
}

/// The port that the driver prints; what it prints later is read and dropped.
async fn port(stdout: BufReader<tokio::process::ChildStdout>) -> Result<u16, Box<dyn std::error::Error>> {
    let mut lines = stdout.lines();
    while let Some(line) = lines.next_line().await? {
        if let Some((_, port)) = line.split_once(ANNOUNCEMENT) {
            let port = port.trim_end_matches('.').parse()?;
            tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
            return Ok(port);
        }
    }
    Err("it ended without printing its port".into())
}

fn capabilities(browser: &Path, profile: &Path) -> Value {
    let mut arguments = ARGUMENTS.map(str::to_owned).to_vec();
    arguments.push(format!("--user-data-dir={}", profile.display()));
    json!({ "browserName": "chrome", "goog:chromeOptions": { "binary": browser, "args": arguments } })
}

fn on_path(program: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH")?;
    env::split_paths(&path).map(|folder| folder.join(program)).find(|candidate| candidate.is_file())
}

fn is_required() -> bool {
    env::var(REQUIRE).unwrap_or_default().split(',').any(|name| name.trim() == BROWSER)
}
