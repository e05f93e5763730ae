//! `bench history`: stored results over time, and where a measure changed.

use std::fmt::Write;
use std::path::PathBuf;

use clap::Args;

use super::super::{Failure, ended};
use super::{cannot_write, check_writable, merge};
use conformance::exit::Exit;
use gatecheck_load::history::{FALSE_ALARM_RATE, History, MIN_SEGMENT, Stored};
use gatecheck_load::{page, show};

#[derive(Args)]
#[command(
    after_help = "Results of one workload with the same settings are compared; those that say little about the gateway \
(interrupted, limited by the load generator, a part of a divided load) are left out.\n\n\
A change is marked where the ranks of the results before and after it differ more than in random orders of the same results: where \
nothing changed, 1 of 100 workloads has a mark. It is seen once at least 4 results lie behind it.\n\n\
Exit codes:\n  0    the page is written, whatever is on it\n  2    a file is no result of `gatecheck bench`, or the page cannot be written"
)]
pub(super) struct HistoryArgs {
    /// Stored results, as `gatecheck bench --save` writes them, in any order
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
    /// Where the page is written
    #[arg(long, value_name = "FILE", default_value = "bench-history.html")]
    html: PathBuf,
}

pub(super) fn run(args: &HistoryArgs) -> Result<Exit, Failure> {
    check_writable([&args.html])?;
    let stored = args.files.iter().map(|file| {
        let name = file.display().to_string();
        merge::read(file).map(|run| Stored { name, run })
    });
    let history = History::new(stored.collect::<Result<_, _>>()?);
    std::fs::write(&args.html, page::history(&history)).map_err(|error| cannot_write(&args.html, &error))?;
    let text = text(&history) + &format!("{}\n", args.html.display());
    ended(std::io::Write::write_all(&mut anstream::stdout(), text.as_bytes()), Exit::Conformant)
}

fn text(history: &History) -> String {
    let mut text = String::new();
    for group in &history.groups {
        let settings: Vec<_> =
            group.settings.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        let _ = writeln!(text, "{} ({}): {} results", group.workload, settings.join(", "), group.runs.len());
        let mut is_still = true;
        for series in &group.measures {
            for change in &series.changes {
                is_still = false;
                let _ = writeln!(
                    text,
                    "  {} {}, {}: {} → {} since {} ({})",
                    series.measure,
                    change.difference(),
                    if change.is_worse { "worse" } else { "better" },
                    show::figure(series.measure, change.before),
                    show::figure(series.measure, change.after),
                    group.runs[change.at].run.started,
                    group.runs[change.at].name,
                );
            }
        }
        if is_still {
            let few = group.runs.len() < 2 * MIN_SEGMENT;
            let why = if few {
                format!("fewer than {} results say nothing", 2 * MIN_SEGMENT)
            } else {
                format!("at a false-alarm rate of {} %", FALSE_ALARM_RATE * 100.0)
            };
            let _ = writeln!(text, "  no change ({why})");
        }
    }
    for (name, reason) in &history.left_out {
        let _ = writeln!(text, "left out: {name}: {reason}");
    }
    text
}
