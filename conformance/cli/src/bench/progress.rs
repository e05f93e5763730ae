//! How far a run is: a line that changes on a terminal, plain lines elsewhere.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use gatecheck_load::bench::{Phase, Progress};
use gatecheck_load::show::grouped;
use indicatif::{ProgressBar, ProgressStyle};

use super::super::warn;

/// Time between two plain lines of one phase.
const LINE_EVERY: Duration = Duration::from_secs(5);

pub(super) enum ProgressPrinter {
    Bar(ProgressBar),
    Lines { phase: Option<Phase>, due: Duration },
}

/// Lines of a gateway's last words that are shown.
const LAST_WORDS: usize = 20;

/// Shows what a gateway printed last.
pub(super) fn last_words(output: &[String]) {
    if !output.is_empty() {
        let last = output.iter().skip(output.len().saturating_sub(LAST_WORDS));
        let last: String = last.map(|line| format!("\n  | {line}")).collect();
        warn(format_args!("the gateway printed last:{last}"));
    }
}

impl ProgressPrinter {
    pub(super) fn new() -> Self {
        if !io::stderr().is_terminal() {
            return Self::Lines { phase: None, due: Duration::ZERO };
        }
        let style = ProgressStyle::with_template("{elapsed_precise} {bar:20} {msg}");
        let bar = ProgressBar::new(1).with_style(style.expect("the template is sound"));
        bar.enable_steady_tick(Duration::from_millis(500));
        Self::Bar(bar)
    }

    pub(super) fn print(&mut self, progress: &Progress) {
        if progress.phase == Phase::Died {
            self.end();
            last_words(&progress.output);
            return;
        }
        match self {
            Self::Bar(bar) => {
                bar.set_length(progress.length.unwrap_or_default().as_secs().max(1));
                bar.set_position(progress.elapsed.as_secs());
                bar.set_message(line(progress));
            }
            Self::Lines { phase, due } => {
                if *phase == Some(progress.phase) && progress.elapsed < *due {
                    return;
                }
                if *phase == Some(progress.phase) && progress.elapsed.is_zero() {
                    return;
                }
                *phase = Some(progress.phase);
                *due = progress.elapsed + LINE_EVERY;
                // Standard error may be closed; the result is printed all the same.
                let _ = writeln!(io::stderr(), "{:>5} s  {}", progress.elapsed.as_secs(), line(progress));
            }
        }
    }

    pub(super) fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn line(progress: &Progress) -> String {
    let Progress { phase, clients, wanted, delivered, p50, p99, missing, .. } = progress;
    match phase {
        Phase::Starting => "the gateway starts".to_owned(),
        Phase::Died => "the gateway has ended".to_owned(),
        Phase::Connecting => format!("{clients} of {wanted} clients are in"),
        Phase::Probing => format!("{clients} clients are in; do events reach them?"),
        Phase::Waiting => format!("{clients} clients are in, and wait for the time to begin"),
        Phase::Running | Phase::Finishing => {
            let mut text = format!("{clients} clients");
            if let (Some(p50), Some(p99)) = (p50, p99) {
                let delivered = grouped(&delivered.to_string());
                text += &format!(", {delivered} deliveries/s, p50 {p50:.1} ms, p99 {p99:.1} ms");
            }
            match (phase, missing) {
                (Phase::Finishing, missing) => text += &format!("; {missing} still owed"),
                (_, 0) => {}
                (_, missing) => text += &format!(", {missing} missing"),
            }
            text
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line says what there is, and nothing that there is not.
    #[test]
    fn a_line_says_what_there_is() {
        let mut progress =
            Progress { phase: Phase::Running, clients: 10, delivered: 12_345, ..Progress::default() };
        assert_eq!(line(&progress), "10 clients");
        progress = Progress { p50: Some(1.24), p99: Some(9.0), missing: 2, ..progress };
        assert_eq!(line(&progress), "10 clients, 12,345 deliveries/s, p50 1.2 ms, p99 9.0 ms, 2 missing");
        progress.phase = Phase::Finishing;
        assert!(line(&progress).ends_with("; 2 still owed"));
    }
}
