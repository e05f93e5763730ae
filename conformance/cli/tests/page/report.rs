//! The report in a browser: of a reference gateway whose limit on messages is too wide.

use std::path::PathBuf;
use std::process::Stdio;
use std::{env, fs};

use libtest_mimic::Failed;
use serde_json::Value;
use tokio::process::Command;

use crate::visit::Visit;
use crate::webdriver::Window;

/// What is judged: one case fails, some pass, some do not run.
const FILTERS: [&str; 4] =
    ["gateway/messages/**", "gateway/auth/**", "gateway/rooms/**", "gateway/connections/*user*"];

/// It opens from a file without a complaint; the matrix and the filters work; it is dark for those who want it so, and as wide as
/// a phone for those who have one.
pub(crate) async fn the_report_can_be_read(window: Window) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let judged = Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .args(["gateway", "--output"])
        .arg(folder.path())
        .args(FILTERS.iter().flat_map(|filter| ["--filter", filter]))
        .args(["--", env!("CARGO_BIN_EXE_gatecheck"), "reference-server", "--listen", "127.0.0.1:{port}"])
        .args(["--ping-interval", "{ping_interval}", "--pong-timeout", "{pong_timeout}"])
        .args(["--max-message-bytes", "1000000"])
        .stdin(Stdio::null())
        .output()
        .await?;
    if judged.status.code() != Some(1) {
        return Err(format!("{}\n{}", judged.status, String::from_utf8_lossy(&judged.stdout)).into());
    }
    let address = format!("file://{}", folder.path().join("report.html").display());
    let page = Visit::open(&window, &address).await?;
    page.resize(1240, 1500).await?;
    page.text_with("h1", "selected cases passed").await?;
    page.count("a.chip[data-requirement='MSG-5'][data-standing=fail]", 1).await?;
    page.count(".case[open] svg.sequence .arrow", 1).await?;
    picture(&window, "report.png").await?;

    let seen = |selector: &str| {
        format!(
            "return [...document.querySelectorAll('{selector}')].filter(one => one.checkVisibility()).length;"
        )
    };
    let all = number(&window, &seen(".case")).await?;
    page.press("#cases [data-show=fail]").await?;
    expect("failed cases", number(&window, &seen(".case")).await?, 1)?;
    page.press("#cases [data-show='']").await?;
    expect("cases", number(&window, &seen(".case")).await?, all)?;

    page.press("#matrix [data-show=fail]").await?;
    let dimmed = number(&window, &seen(".chip.off")).await?;
    let chips = number(&window, &seen(".chip")).await?;
    expect("chips that stand out", chips - dimmed, 1)?;
    page.press("#matrix [data-show='']").await?;
    page.press("a.chip[data-requirement='MSG-5']").await?;
    page.text_with("#narrowed", "MSG-5, fail").await?;
    if number(&window, &seen(".case")).await? >= all {
        return Err("a requirement does not narrow the cases".into());
    }
    page.press("#narrowed button").await?;
    page.fill("#search", "too-long").await?;
    expect("cases that were searched for", number(&window, &seen(".case")).await?, 1)?;
    page.fill("#search", "no such case").await?;
    page.text("#nothing", "No case is like that.").await?;

    let ground = "return getComputedStyle(document.body).backgroundColor;";
    let light = window.run(ground).await?;
    page.press("#theme").await?;
    page.text("#theme", "Light").await?;
    page.press("#theme").await?;
    page.text("#theme", "Dark").await?;
    if window.run(ground).await? == light {
        return Err("dark is no darker than light".into());
    }
    page.resize(500, 900).await?;
    let wider = "return document.documentElement.scrollWidth - document.documentElement.clientWidth;";
    expect("pixels beyond a phone's edge", number(&window, wider).await?, 0)?;
    page.has_no_complaints().await?;
    match window.log().await? {
        Value::Array(entries) if entries.is_empty() => Ok(()),
        entries => Err(format!("the browser complains: {entries}").into()),
    }
}

pub(crate) async fn picture(window: &Window, name: &str) -> Result<(), Failed> {
    let folder = env::var_os("GATECHECK_SCREENSHOTS")
        .map_or_else(|| PathBuf::from(env!("CARGO_TARGET_TMPDIR")), PathBuf::from);
    fs::create_dir_all(&folder)?;
    Ok(fs::write(folder.join(name), window.picture().await?)?)
}

pub(crate) async fn number(window: &Window, script: &str) -> Result<i64, Failed> {
    let answer = window.run(script).await?;
    Ok(answer.as_i64().ok_or_else(|| format!("{script}: {answer}"))?)
}

pub(crate) fn expect(what: &str, found: i64, expected: i64) -> Result<(), Failed> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found}, not {expected}").into()) }
}
