//! `bench compare`: whether a new build costs more than the base.

mod builds;
mod revision;

use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use miette::miette;

use super::super::judge::BrokerArg;
use super::super::{Failure, ended};
use super::{Format, append, cannot_write, check_writable};
use builds::{BuildError, Loaded, Pair};
use conformance::exit::{ComparisonExit, Exit};
use conformance::interruption::Interruption;
use gatecheck_load::Workload;
use gatecheck_load::compare::{
    Comparison, DriveError, ERROR_RATE, Losses, MAX_QUADS, REPORT_VERSION, Report, Settings, Verdict, drive,
};
use gatecheck_load::measure::Measure;
use gatecheck_load::quantity::{Rate, Size, Time};
use gatecheck_load::workload::{Load, Overrides};

const HELP: &str = "Both builds are loaded in turn, A B B A or B A A B by a coin, in short blocks with equal seeds, on one host: what \
disturbs one disturbs the other. Each block starts its gateway anew, so that the accident of where a process's memory lies is noise and \
no difference. After 9, 12, 16, 24 … times four blocks it is looked whether the ratio can be told; a fixed share of the promised error \
is kept for each look.\n\n\
The promise: equal builds are called slower in at most 1 of 100 comparisons, whatever the host does, and builds that differ by more than \
`--within` are called the same in at most 1. What a noisy host costs is time, and then the verdict `too noisy to say`.\n\n\
Of all measures, `cpu_per_delivery` is the one that the noise of a shared host moves least.\n\n\
Examples:\n  \
    gatecheck bench compare --base './gateway-1.4 --port {port}' --new './gateway --port {port}'\n  \
    gatecheck bench compare --base-rev main --build 'cargo build --release'\n\n";

/// How long a block is where the workload has a duration: many short blocks tell more than few long ones.
const BLOCK: Duration = Duration::from_secs(2);

#[derive(Args)]
#[command(after_help = format!("{HELP}{}", ComparisonExit::MEANINGS))]
pub(super) struct CompareArgs {
    /// The base's command; the rest of the profile holds for both
    #[arg(long, value_name = "COMMAND", requires = "new")]
    base: Option<String>,
    /// The new build's command
    #[arg(long, value_name = "COMMAND", requires = "base")]
    new: Option<String>,
    /// The base's profile
    #[arg(long, value_name = "FILE", requires = "new_profile", conflicts_with_all = ["base", "config"])]
    base_profile: Option<PathBuf>,
    /// The new build's profile
    #[arg(long, value_name = "FILE", requires = "base_profile")]
    new_profile: Option<PathBuf>,
    /// The base's git revision: checked out beside this working tree, built with `--build`, started by the profile's command
    #[arg(long, value_name = "REV", requires = "build", conflicts_with_all = ["base", "base_profile"])]
    base_rev: Option<String>,
    /// The new build's git revision
    #[arg(long, value_name = "REV", default_value = "HEAD", requires = "base_rev")]
    new_rev: String,
    /// What builds a revision, in the folder of the profile (by `sh -c`)
    #[arg(long, value_name = "COMMAND", requires = "base_rev")]
    build: Option<String>,
    /// The profile of both [default: gatecheck.toml in this folder, where there is one]
    #[arg(long, short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    broker: BrokerArg,
    /// The load, as for `gatecheck bench`; a duration becomes 2 s
    #[arg(long, value_name = "WORKLOAD", default_value = "paced")]
    workload: String,
    /// How many clients, instead of the workload's number
    #[arg(long, value_name = "N")]
    clients: Option<usize>,
    /// How many events a burst has
    #[arg(long, value_name = "N")]
    events: Option<u64>,
    /// How many events there are in each second, such as 100/s
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
    /// About how large an event's data is, such as 200B
    #[arg(long, value_name = "SIZE")]
    payload: Option<Size>,
    /// How long the load of a block is, such as 2s
    #[arg(long, value_name = "TIME")]
    duration: Option<Time>,
    /// What is compared, as often as needed; all share the promised error
    #[arg(long, value_name = "MEASURE", default_value = "cpu_per_delivery", value_parser = measure)]
    measure: Vec<Measure>,
    /// The difference that does not matter
    #[arg(long, value_name = "SHARE", default_value = "3%", value_parser = share)]
    within: f64,
    /// When to give up, at the latest
    #[arg(long, value_name = "TIME", default_value = "10m")]
    time: Time,
    /// Where the order of the blocks and their loads begin
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Exit with 0 on this verdict, too; as often as needed
    #[arg(long, value_enum, value_name = "VERDICT")]
    allow: Vec<Allowed>,
    /// What is printed on standard output
    #[arg(long, value_enum, default_value_t = Format::Console)]
    format: Format,
    /// Write the report as JSON to a file, too
    #[arg(long, value_name = "FILE")]
    save: Option<PathBuf>,
    /// A file to append the Markdown summary to, such as $GITHUB_STEP_SUMMARY
    #[arg(long, value_name = "FILE")]
    summary: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Allowed {
    /// The new build is better
    Faster,
    /// It cannot be told
    TooNoisy,
}

/// Compares until everything is decided, the time is over, or Ctrl-C.
pub(super) fn run(args: &CompareArgs) -> Result<ComparisonExit, Failure> {
    let workload = workload(args)?;
    check_writable(args.save.iter().chain(&args.summary))?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    let report = runtime.block_on(async {
        let interruption = Interruption::listen()
            .map_err(|error| Failure::new(Exit::Harness, miette!("cannot listen for signals: {error}")))?;
        let pair = Pair::ready(args, &interruption).await?;
        compare(args, workload, &pair, &interruption).await
    })?;
    print(args, &report)?;
    Ok(exit(args, &report))
}

fn workload(args: &CompareArgs) -> Result<Workload, Failure> {
    let overrides = |duration| Overrides {
        clients: args.clients,
        payload: args.payload,
        events: args.events,
        rate: args.rate,
        duration,
        thresholds: Vec::new(),
    };
    let found = Workload::find(&args.workload, &overrides(args.duration)).map_err(Failure::usage)?;
    match found.load {
        Load::Ramp(_) => {
            let help = "compare at a fixed rate: `--workload paced --rate 500/s`";
            Err(Failure::usage(miette!(help = help, "a ramp is too long for a block")))
        }
        Load::Paced(_) | Load::Idle { .. } if args.duration.is_none() => {
            Workload::find(&args.workload, &overrides(Some(Time(BLOCK)))).map_err(Failure::usage)
        }
        Load::Paced(_) | Load::Idle { .. } | Load::Burst { .. } | Load::Connect { .. } => Ok(found),
    }
}

#[expect(clippy::disallowed_methods, reason = "the time that a comparison may take is real time")]
async fn compare(
    args: &CompareArgs,
    workload: Workload,
    pair: &Pair,
    interruption: &Interruption,
) -> Result<Report, Failure> {
    let begun = Instant::now();
    let name = workload.name.clone();
    let mut comparison =
        Comparison::new(Settings { measures: args.measure.clone(), within: args.within, seed: args.seed });
    let mut loaded = Loaded::new(pair, workload, &args.broker.broker, interruption)?;
    let mut progress = Progress::new(args.time.0);
    let is_over = |so_far: &Comparison| {
        progress.print(so_far, begun.elapsed());
        interruption.signal().is_some() || begun.elapsed() >= args.time.0
    };
    let driven = drive(&mut comparison, &mut loaded, is_over).await;
    progress.end();
    let interrupted = driven.map_err(|error| match error {
        DriveError::Run(BuildError(failure)) => failure,
        DriveError::Block(error) => {
            let help = "choose another `--measure`, or another `--workload`";
            Failure::usage(miette!(help = help, "{error}"))
        }
    })?;
    let limited_blocks = loaded.limited();
    let (findings, blocks) = comparison.finish();
    Ok(Report {
        version: REPORT_VERSION,
        gatecheck: env!("CARGO_PKG_VERSION").to_owned(),
        workload: name,
        base: pair.base.name.clone(),
        new: pair.new.name.clone(),
        within: args.within,
        error_rate: ERROR_RATE,
        seed: args.seed,
        duration: begun.elapsed().as_secs_f64(),
        interrupted: interrupted || interruption.signal().is_some(),
        limited_blocks,
        verdict: Verdict::overall(findings.iter().map(|found| found.verdict)),
        findings,
        losses: Losses::of(&blocks),
        blocks,
    })
}

fn print(args: &CompareArgs, report: &Report) -> Result<Exit, Failure> {
    if let Some(file) = &args.save {
        std::fs::write(file, report.to_json()).map_err(|error| cannot_write(file, &error))?;
    }
    if let Some(file) = &args.summary {
        append(file, &report.markdown())?;
    }
    let text = match args.format {
        Format::Console => report.text(),
        Format::Json => report.to_json(),
        Format::Markdown => report.markdown(),
    };
    ended(anstream::stdout().write_all(text.as_bytes()), Exit::Conformant)
}

fn exit(args: &CompareArgs, report: &Report) -> ComparisonExit {
    let allowed = |verdict, exit| if args.allow.contains(&verdict) { ComparisonExit::Same } else { exit };
    match report.verdict {
        _ if report.interrupted => ComparisonExit::Interrupted,
        _ if report.loses_more() => ComparisonExit::Slower,
        Verdict::Same => ComparisonExit::Same,
        Verdict::Slower => ComparisonExit::Slower,
        Verdict::TooNoisy => allowed(Allowed::TooNoisy, ComparisonExit::TooNoisy),
        Verdict::Faster => allowed(Allowed::Faster, ComparisonExit::Faster),
    }
}

/// How far it is: a line that changes on a terminal, a line for every four blocks elsewhere.
struct Progress {
    bar: Option<ProgressBar>,
    quads: usize,
}

impl Progress {
    fn new(time: Duration) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let style = ProgressStyle::with_template("{elapsed_precise} {bar:20} {msg}");
            let bar = ProgressBar::new(time.as_secs()).with_style(style.expect("the template is sound"));
            bar.enable_steady_tick(Duration::from_millis(500));
            bar
        });
        Self { bar, quads: 0 }
    }

    fn print(&mut self, so_far: &Comparison, elapsed: Duration) {
        let quads = so_far.blocks_run() / 4;
        let mut line = format!("{} blocks of {} at most", so_far.blocks_run(), MAX_QUADS * 4);
        for (measure, verdict, interval) in so_far.standing() {
            line += &match (verdict, interval) {
                (Some(verdict), _) => format!(", {measure} {verdict}"),
                (None, Some(interval)) => {
                    let percent = |log: f64| log.exp_m1() * 100.0;
                    let (low, high) = (percent(interval.low), percent(interval.high));
                    format!(", {measure} {:+.1} % ({low:+.1} to {high:+.1})", percent(interval.middle))
                }
                (None, None) => String::new(),
            };
        }
        match &self.bar {
            Some(bar) => {
                bar.set_position(elapsed.as_secs());
                bar.set_message(line);
            }
            None if quads == self.quads => {}
            None => {
                // Standard error may be closed; the report is printed all the same.
                let _ = writeln!(io::stderr(), "{:>5} s  {line}", elapsed.as_secs());
            }
        }
        self.quads = quads;
    }

    fn end(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

fn measure(text: &str) -> Result<Measure, String> {
    let names = || Measure::ALL.map(Measure::name).join(", ");
    match Measure::ALL.into_iter().find(|measure| measure.name() == text) {
        None => Err(format!("there is no measure `{text}`; there are {}", names())),
        Some(Measure::Lost | Measure::Duplicated) => {
            Err(format!("`{text}` has no ratio: a build that loses more than the base fails anyway"))
        }
        Some(measure) => Ok(measure),
    }
}

fn share(text: &str) -> Result<f64, String> {
    let percent = text.strip_suffix('%').and_then(|number| number.trim().parse::<f64>().ok());
    let share = percent.map(|percent| percent / 100.0).filter(|share| (0.001..=1.0).contains(share));
    share.ok_or_else(|| format!("`{text}` is no difference: write per cent from 0.1% to 100%, such as 3%"))
}
