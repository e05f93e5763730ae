//! `soak`: the reference gateway under everything at once, for a long time.

use std::io::{self, IsTerminal, Write};
use std::time::Duration;

use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use miette::miette;

use super::judge::interrupted;
use super::{Failure, ended};
use conformance::exit::Exit;
use gatecheck_lab::soak::{self, Progress, SoakConfig, SoakError, Summary};

const HELP: &str = "Each healthy client keeps a ledger: every event of its rooms that was published while it was there \
must come once, in order, and none of others. The broker is taken away at a quiet moment, with nothing unacknowledged: AMQP \
promises at least once, and what is cut off in the middle would rightly come twice. Once the broker is back, events wait in its durable \
queue until the gateway has redialled.\n\n\
Exit codes: 0 nothing found, 1 problems, 2 wrong usage, 4 the gateway died, 5 the harness failed, 130 \
interrupted before every client was connected; later, the run is summed up early";

/// How much of what was asked for counts as all of it.
const KEPT_PACE: f64 = 0.95;

#[derive(Args)]
#[command(after_help = HELP)]
pub(super) struct SoakArgs {
    /// Duration, in minutes
    #[arg(long, value_name = "N", default_value = "10", value_parser = minutes)]
    minutes: f64,
    /// Healthy clients at any time
    #[arg(long, value_name = "N", default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..))]
    connections: u32,
    /// Clients that leave each second, each followed by another
    #[arg(long, value_name = "N", default_value_t = 50)]
    churn: u32,
    /// Events each second
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..=1000))]
    events: u32,
    /// Hostile clients of each kind: stalled, flooding, sending garbage or empty fragments, silent
    #[arg(long, value_name = "N", default_value_t = 10)]
    adversaries: usize,
    /// Seconds between two restarts of the broker
    #[arg(long, value_name = "N", default_value_t = 60, value_parser = clap::value_parser!(u64).range(5..))]
    restart_every: u64,
    /// The seed of the random number generator
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// Runs to the end, or until Ctrl-C, and sums up.
pub(super) fn run(args: &SoakArgs) -> Result<Exit, Failure> {
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(Exit::Harness, miette!("cannot tell where this program is: {error}"))
    })?;
    let config = SoakConfig {
        program,
        duration: Duration::from_secs_f64(args.minutes * 60.0),
        connections: args.connections as usize,
        churn: args.churn,
        events: args.events,
        adversaries: args.adversaries,
        restart_every: Duration::from_secs(args.restart_every),
        seed: args.seed,
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    let mut printer = ProgressPrinter::new(config.duration);
    let soaking = async { soak::run(config, interrupted(), |progress| printer.print(progress)).await };
    let summary = runtime.block_on(soaking);
    printer.end();
    let summary = summary.map_err(failure)?;
    let exit = if summary.problem_count == 0 { Exit::Conformant } else { Exit::NotConformant };
    ended(show(args, &summary, &mut anstream::stdout()), exit)
}

/// Time between two plain lines.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// A bar on a terminal, plain lines now and then elsewhere.
enum ProgressPrinter {
    Bar(ProgressBar),
    Lines { due: Duration },
}

impl ProgressPrinter {
    fn new(duration: Duration) -> Self {
        if !io::stderr().is_terminal() {
            return Self::Lines { due: LINE_EVERY };
        }
        let style = ProgressStyle::with_template("{elapsed_precise} {wide_bar} {msg}");
        let bar = ProgressBar::new(duration.as_secs()).with_style(style.expect("the template is sound"));
        bar.set_message("everybody comes");
        bar.enable_steady_tick(Duration::from_secs(1));
        Self::Bar(bar)
    }

    fn print(&mut self, progress: &Progress) {
        let Progress { elapsed, connections, events, checked, resident_bytes, problems } = progress;
        let line = format!(
            "{connections} connections, {events} events, {checked} deliveries checked, {} MiB, {problems} problems",
            resident_bytes / (1024 * 1024)
        );
        match self {
            Self::Bar(bar) => {
                bar.set_position(elapsed.as_secs());
                bar.set_message(line);
            }
            Self::Lines { due } if elapsed < due => {}
            Self::Lines { due } => {
                *due = *elapsed + LINE_EVERY;
                // Standard error may be closed; the summary is printed all the same.
                let _ = writeln!(io::stderr(), "{:>5} s  {line}", elapsed.as_secs());
            }
        }
    }

    fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}

fn show(args: &SoakArgs, summary: &Summary, to: &mut impl Write) -> io::Result<()> {
    let Summary {
        duration,
        connections,
        events,
        checked,
        replaced,
        broke_off,
        outages,
        adversaries,
        memory,
        problems,
        problem_count,
    } = summary;
    writeln!(to, "soaked for {:.0} s", duration.as_secs_f64())?;
    let churn = pace(*replaced, *duration, args.churn);
    writeln!(to, "  healthy clients      {connections} came and went; churn {churn}")?;
    writeln!(to, "  broken handshakes    {broke_off}")?;
    let published = pace(*events, duration.saturating_sub(outages.silence), args.events);
    writeln!(
        to,
        "  events               {events}, {checked} deliveries checked; outages aside, {published}"
    )?;
    writeln!(
        to,
        "  broker restarts      {}; {} events waited for the gateway in the queue",
        outages.restarts, outages.waited
    )?;
    writeln!(
        to,
        "  ended by the gateway {} stalled, {} flooding, {} sending garbage, {} sending empty fragments, {} silent",
        adversaries.stalled,
        adversaries.flooding,
        adversaries.garbage,
        adversaries.fragments,
        adversaries.silent
    )?;
    writeln!(to, "  resident memory      {memory}")?;
    for missing in summary.not_exercised() {
        writeln!(to, "  not exercised        {missing}")?;
    }
    for problem in problems {
        writeln!(to, "  problem              {problem}")?;
    }
    match problem_count {
        0 => writeln!(
            to,
            "every healthy client got every event of its rooms once and in order; nothing was left behind"
        ),
        count => writeln!(to, "{count} problems, of which {} are shown", problems.len()),
    }
}

/// The actual rate: the summary must show where the host or the gateway was too slow for the requested one.
fn pace(count: u64, time: Duration, asked: u32) -> String {
    let each_second = count as f64 / time.as_secs_f64().max(1.0);
    match each_second < f64::from(asked) * KEPT_PACE {
        true => format!("{each_second:.1} a second, not {asked}"),
        false => format!("{each_second:.1} a second"),
    }
}

fn failure(error: SoakError) -> Failure {
    match error {
        error @ SoakError::Gateway(_) => Failure::new(Exit::Subject, error),
        error @ SoakError::Descriptors { .. } => Failure::usage(error),
        error @ SoakError::Interrupted => Failure::new(Exit::Interrupted, error),
        error @ (SoakError::Broker(_)
        | SoakError::BrokerEnded(_)
        | SoakError::Task(_)
        | SoakError::Harness(_)) => Failure::new(Exit::Harness, error),
    }
}

fn minutes(text: &str) -> Result<f64, String> {
    let minutes = text.parse().ok().filter(|minutes| (0.01..=100_000.0).contains(minutes));
    minutes.ok_or_else(|| "write a number of minutes, such as 10 or 0.5".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A rate that was reached is printed alone; one that was not is printed beside the requested one.
    #[test]
    fn a_rate_that_was_not_reached_is_printed() {
        let minute = Duration::from_secs(60);
        assert_eq!(pace(3000, minute, 50), "50.0 a second");
        assert_eq!(pace(2900, minute, 50), "48.3 a second");
        assert_eq!(pace(2070, minute, 50), "34.5 a second, not 50");
        assert_eq!(pace(0, minute, 0), "0.0 a second", "none was asked for");
        assert_eq!(pace(1, Duration::ZERO, 50), "1.0 a second, not 50", "stopped at once");
    }
}
