//! The pages of `gatecheck bench`, from a file, as their readers open them.

use std::fs;

use gatecheck_load::history::{History, Stored};
use gatecheck_load::measure::Measure;
use gatecheck_load::{Run, page};
use libtest_mimic::Failed;
use serde_json::Value;

use crate::report::{expect, number, picture};
use crate::visit::Visit;
use crate::webdriver::Window;

/// A run's page opens without a complaint: its plots have sizes and labels, their numbers are behind them, it is dark for those who
/// want it so, and as wide as a phone. A history's page has its mark.
pub(crate) async fn the_load_pages_can_be_read(window: Window) -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("load.html");
    let mut run = Run::sample();
    for second in &mut run.series {
        second.clients = u64::from(second.at + 1) * 30;
    }
    fs::write(&file, page::run(&run))?;
    let visit = Visit::open(&window, &format!("file://{}", file.display())).await?;
    visit.resize(1240, 1500).await?;
    visit.text("h1", "Thresholds broke").await?;
    // Percentiles, throughput, latency, memory; throughput and memory against clients.
    let drawn = "return [...document.querySelectorAll('.chart > svg[role=img][aria-label]')]
                 .filter(one => one.getBoundingClientRect().height > 100 && one.querySelector('.line').getTotalLength() > 50).length;";
    expect("plots", number(&window, drawn).await?, 6)?;
    let outside = "return [...document.querySelectorAll('.chart > svg')].flatMap(plot => {
                     const edge = plot.getBoundingClientRect();
                     return [...plot.querySelectorAll('text')].map(text => text.getBoundingClientRect())
                       .filter(text => text.left < edge.left - 1 || text.right > edge.right + 1 || text.bottom > edge.bottom + 1);
                   }).length;";
    expect("labels beyond their plot's edge", number(&window, outside).await?, 0)?;
    let ticks = "return [...document.querySelectorAll('.chart > svg')].filter(plot => {
                   const below = [...plot.querySelectorAll('.tick[text-anchor=middle]')].map(text => text.getBoundingClientRect());
                   return below.some((one, at) => at > 0 && one.left < below[at - 1].right);
                 }).length;";
    expect("plots whose labels overlap", number(&window, ticks).await?, 0)?;
    picture(&window, "load.png").await?;
    let rows = "return document.querySelectorAll('.chart:nth-of-type(1) tbody tr').length;";
    expect("rows behind the first plot", number(&window, rows).await?, 5)?;
    visit.press(".chart summary").await?;
    visit.text_with(".chart table", "99.9").await?;

    let ground = "return getComputedStyle(document.querySelector('.chart')).backgroundColor;";
    let light = window.run(ground).await?;
    visit.press("#theme").await?;
    visit.press("#theme").await?;
    visit.text("#theme", "Dark").await?;
    if window.run(ground).await? == light {
        return Err("dark is no darker than light".into());
    }
    picture(&window, "load-dark.png").await?;
    visit.resize(500, 900).await?;
    let wider = "return document.documentElement.scrollWidth - document.documentElement.clientWidth;";
    expect("pixels beyond a phone's edge", number(&window, wider).await?, 0)?;
    visit.has_no_complaints().await?;

    let stored = (0..20).map(|day| {
        let mut run = Run::sample();
        run.started = format!("2026-01-{:02}T03:04:05Z", day + 1);
        run.measures.insert(Measure::P99, if day < 12 { 11.0 } else { 15.0 } + f64::from(day % 3));
        Stored { name: format!("{day}.json"), run }
    });
    fs::write(&file, page::history(&History::new(stored.collect())))?;
    let visit = Visit::open(&window, &format!("file://{}", file.display())).await?;
    visit.resize(1240, 1500).await?;
    visit.text("h1", "1 change").await?;
    expect("marks", number(&window, "return document.querySelectorAll('.mark-line.bad').length;").await?, 1)?;
    expect("labels beyond their plot's edge", number(&window, outside).await?, 0)?;
    expect("plots whose labels overlap", number(&window, ticks).await?, 0)?;
    picture(&window, "load-history.png").await?;
    visit.has_no_complaints().await?;
    match window.log().await? {
        Value::Array(entries) if entries.is_empty() => Ok(()),
        entries => Err(format!("the browser complains: {entries}").into()),
    }
}
