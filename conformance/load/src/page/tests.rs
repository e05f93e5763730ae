//! What holds for every page, whatever is on it.

use super::*;
use crate::history::{History, Stored};
use crate::measure::Measure;
use crate::run::{Percentile, Run};

const HOSTILE: &str = "</title><script>alert(1)</script>\" \u{202e}";

fn pages() -> [String; 2] {
    let mut sample = Run::sample();
    sample.subject = HOSTILE.to_owned();
    sample.settings.insert("name".to_owned(), HOSTILE.to_owned());
    let stored = (0..20).map(|day| {
        let mut run = sample.clone();
        run.started = format!("2026-01-{:02}T03:04:05Z", day + 1);
        if day >= 10 {
            run.measures.insert(Measure::P99, 20.0 + f64::from(day));
        }
        Stored { name: HOSTILE.to_owned(), run }
    });
    [run(&sample), history(&History::new(stored.collect()))]
}

/// What a gateway's command, a file's name or a setting says is text; no address is fetched.
#[test]
fn data_never_becomes_markup() {
    for page in pages() {
        assert_eq!(page.matches("<script>").count(), 1, "the page's own");
        assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains('\u{202e}'));
        for address in page.split("href=\"").skip(1).chain(page.split("src=\"").skip(1)) {
            assert!(address.starts_with('#') || address.starts_with("data:"), "{}", &address[..40]);
        }
    }
    assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
}

/// Each plot has its figures as a table, and no place on it is no number.
#[test]
fn plots_have_their_numbers() {
    for page in pages() {
        let plots = page.matches("<svg viewBox=\"0 0 600 240\"").count();
        assert!(plots >= 4, "{plots}");
        assert_eq!(page.matches("<details class=\"numbers\">").count(), plots);
        assert!(!page.contains("NaN") && !page.contains("inf"), "{page}");
    }
}

/// What broke, what was lost and what the generator limited stands on top.
#[test]
fn the_verdict_stands_on_top() {
    let mut sample = Run::sample();
    assert!(run(&sample).contains("<h1>Thresholds broke</h1>"));
    sample.thresholds.clear();
    sample.generator.limited = Some("a core was full".to_owned());
    let page = run(&sample);
    assert!(page.contains("<h1>Limited by the load generator</h1>") && page.contains("a core was full"));
}

/// A run that was cut short at once still has a page; a long one is thinned out, and the table says so.
#[test]
fn short_and_long_runs_have_a_page() {
    let mut sample = Run::sample();
    sample.latency = vec![Percentile { percentile: 100.0, ms: 0.0 }];
    sample.series.truncate(1);
    sample.measures.clear();
    assert!(!run(&sample).contains("NaN"));
    let second = sample.series[0].clone();
    sample.series =
        (0..3600).map(|at| crate::run::Second { at, clients: u64::from(at) * 3, ..second.clone() }).collect();
    let page = run(&sample);
    assert!(page.contains("each row of 30 is shown") && page.len() < 1_000_000, "{}", page.len());
    assert!(page.contains("Memory against clients"));
}

/// A change has a mark in its plot and a row in the table.
#[test]
fn changes_are_marked() {
    let [_, page] = pages();
    assert!(page.contains("<h1>1 change</h1>"));
    assert_eq!(page.matches("<g class=\"mark-line bad\">").count(), 1);
    assert!(page.contains("2026-01-11T03:04:05Z"));
}
