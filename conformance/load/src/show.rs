//! A result for people: a table on a terminal, and Markdown for a job's page.

use std::fmt::Write;

use crate::measure::Measure;
use crate::run::{Ending, LedgerTotals, Run, ThresholdOutcome};
use conformance::exit::Exit;

/// How a run ends the program: a bound that broke is a failure, unless the load generator could have broken it.
pub fn exit(run: &Run) -> Exit {
    match run.ending {
        Ending::Interrupted => Exit::Interrupted,
        Ending::Died => Exit::Subject,
        Ending::Complete if run.broken().next().is_none() => Exit::Conformant,
        Ending::Complete
            if run.generator.limited.is_some() && run.broken().all(|broken| is_pace(broken.measure)) =>
        {
            Exit::Inconclusive
        }
        Ending::Complete => Exit::NotConformant,
    }
}

/// Whether a busy load generator makes it worse.
fn is_pace(measure: Measure) -> bool {
    let is_rate = matches!(
        measure,
        Measure::DeliveriesPerSecond
            | Measure::EventsPerSecond
            | Measure::SignInsPerSecond
            | Measure::ReturnTime
    );
    is_rate || measure.is_latency()
}

/// A figure with its unit, to three significant digits; counts in full.
pub fn figure(measure: Measure, value: f64) -> String {
    let digits = match measure {
        Measure::Lost | Measure::Duplicated => 0,
        _ if value == 0.0 => 0,
        _ => (2.0 - value.abs().log10().floor()).clamp(0.0, 3.0) as usize,
    };
    let number = format!("{value:.digits$}");
    let (whole, fraction) =
        number.split_once('.').map_or((number.as_str(), ""), |(whole, part)| (whole, part));
    let point = if fraction.is_empty() { "" } else { "." };
    let unit = measure.unit();
    let space = if unit.is_empty() || unit.starts_with('/') { "" } else { " " };
    format!("{}{point}{fraction}{space}{unit}", grouped(whole))
}

/// A whole number with commas.
pub fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// The table for a terminal.
pub fn console(run: &Run) -> String {
    let mut text = String::new();
    // A text takes all that is written to it.
    let _ = writeln!(text, "{} on {}", run.workload, run.subject);
    let settings = run.settings.iter().map(|(name, value)| format!("{name} {value}"));
    let _ = writeln!(text, "  {}", settings.collect::<Vec<_>>().join(", "));
    let _ = writeln!(text);
    for (measure, value) in &run.measures {
        let _ = writeln!(text, "  {:<24} {:>14}", measure.name(), figure(*measure, *value));
    }
    let _ = writeln!(text);
    if run.measures.contains_key(&Measure::Lost) {
        let _ = writeln!(text, "  ledger     {}", ledger(&run.ledger));
    } else if run.ledger.cut > 0 {
        let _ = writeln!(
            text,
            "  clients    connections that the gateway ended: {}",
            grouped(&run.ledger.cut.to_string())
        );
    }
    let _ = writeln!(text, "  generator  {}", generator(run));
    if let Some(note) = note(run) {
        let _ = writeln!(text, "  note       {note}");
    }
    for outcome in &run.thresholds {
        let sign = if outcome.holds { "✔" } else { "✘" };
        let _ = writeln!(text, "  {sign} {:<32} {}", outcome.threshold, actual(outcome));
    }
    let _ = writeln!(text, "{}", sentence(run));
    text
}

/// The same for a job's page.
pub fn markdown(run: &Run) -> String {
    let mut text =
        format!("### `{}` on `{}`\n\n| measure | figure |\n| --- | ---: |\n", run.workload, run.subject);
    for (measure, value) in &run.measures {
        let _ = writeln!(text, "| {} | {} |", measure.name(), figure(*measure, *value));
    }
    if !run.thresholds.is_empty() {
        text += "\n| threshold | measured | |\n| --- | ---: | --- |\n";
        for outcome in &run.thresholds {
            let sign = if outcome.holds { "✅" } else { "❌" };
            let _ = writeln!(text, "| `{}` | {} | {sign} |", outcome.threshold, actual(outcome));
        }
    }
    let settings = run.settings.iter().map(|(name, value)| format!("{name} {value}"));
    let _ = writeln!(text, "\n{}. {}.", sentence(run), settings.collect::<Vec<_>>().join(", "));
    let _ = writeln!(text, "Load generator: {}.", generator(run));
    if let Some(note) = note(run) {
        let _ = writeln!(text, "{note}.");
    }
    text
}

fn actual(outcome: &ThresholdOutcome) -> String {
    outcome.actual.map_or_else(|| "not measured".to_owned(), |value| figure(outcome.measure, value))
}

fn ledger(ledger: &LedgerTotals) -> String {
    let count = |count: u64| grouped(&count.to_string());
    let LedgerTotals { events, owed, delivered, lost, duplicated, disordered, misdirected, cut, .. } = ledger;
    let mut text = format!(
        "{} events, {} deliveries owed: {} came, {} lost",
        count(*events),
        count(*owed),
        count(*delivered),
        count(*lost)
    );
    let others = [
        (duplicated, "came again"),
        (disordered, "came after a later one"),
        (misdirected, "reached clients that they were not for"),
    ];
    for (number, what) in others.into_iter().filter(|(number, _)| **number > 0) {
        let _ = write!(text, ", {} {what}", count(*number));
    }
    if *cut > 0 {
        let _ = write!(
            text,
            "; connections that the gateway ended, whose later events are lost: {}",
            count(*cut)
        );
    }
    text
}

fn generator(run: &Run) -> String {
    let threads = run.generator.threads;
    let plural = if threads == 1 { "" } else { "s" };
    let mut text = format!("{threads} thread{plural}, {:.0} % busy", run.generator.busy * 100.0);
    if run.generator.late > 0.0 {
        let _ = write!(text, ", the latest event {:.1} ms after it was due", run.generator.late);
    }
    text
}

fn note(run: &Run) -> Option<String> {
    let limited = run.generator.limited.as_ref()?;
    Some(format!(
        "the load generator limited this run ({limited}): rates and latencies say little about the gateway"
    ))
}

/// What came of the run, in a sentence.
pub fn sentence(run: &Run) -> String {
    let broken: Vec<_> = run.broken().map(|outcome| format!("`{}`", outcome.threshold)).collect();
    match (exit(run), broken.as_slice()) {
        (Exit::Interrupted, _) => "interrupted: this is what was measured until then".to_owned(),
        (Exit::Subject, _) => "the gateway ended, or closed every connection".to_owned(),
        (Exit::Inconclusive, broken) => {
            format!("inconclusive: {} broke, and the load generator limited the run", broken.join(", "))
        }
        (_, []) if run.thresholds.is_empty() => "measured; there are no thresholds".to_owned(),
        (_, []) => "every threshold holds".to_owned(),
        (_, broken) => format!("broken: {}", broken.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Figures are short, and never wrong by more than they show.
    #[test]
    fn figures_are_short() {
        for (measure, value, text) in [
            (Measure::DeliveriesPerSecond, 1_234_567.8, "1,234,568/s"),
            (Measure::P99, 11.26, "11.3 ms"),
            (Measure::P50, 0.1234, "0.123 ms"),
            (Measure::Lost, 1000.0, "1,000"),
            (Measure::Cpu, 0.0, "0"),
            (Measure::MemoryPerConnection, 7.904, "7.90 KiB"),
        ] {
            assert_eq!(figure(measure, value), text);
        }
    }

    /// A bound that broke is a failure, but not where the load generator may have broken it; a loss is never its fault.
    #[test]
    fn endings_have_their_codes() {
        let mut run = Run::sample();
        assert_eq!(exit(&run), Exit::NotConformant);
        assert_eq!(sentence(&run), "broken: `lost == 0`");
        run.generator.limited = Some("it was busy".to_owned());
        assert_eq!(exit(&run), Exit::NotConformant);
        run.thresholds[1].holds = true;
        assert_eq!(exit(&run), Exit::Conformant);
        run.thresholds[0].holds = false;
        assert_eq!(exit(&run), Exit::Inconclusive);
        run.ending = Ending::Interrupted;
        assert_eq!(exit(&run), Exit::Interrupted);
        run.ending = Ending::Died;
        assert_eq!(exit(&run), Exit::Subject);
    }

    /// Both forms have every measure and every bound with its figure.
    #[test]
    fn nothing_is_left_out() {
        let run = Run::sample();
        for text in [console(&run), markdown(&run)] {
            assert!(run.measures.keys().all(|measure| text.contains(measure.name())), "{text}");
            assert!(text.contains("p99 < 50ms") && text.contains("11.2 ms"), "{text}");
            assert!(text.contains("broken: `lost == 0`") && text.contains("42 % busy"), "{text}");
        }
        assert!(console(&run).contains("3,000,000 deliveries owed: 2,999,996 came, 4 lost"));
    }
}
