//! `bench WORKLOAD`: runs a workload.

use std::path::Path;

use clap::Args;
use jiff::Timestamp;
use miette::miette;

use super::super::judge::{BrokerArg, GatewaySubject, interrupted};
use super::super::{Failure, warn};
use super::progress::{ProgressPrinter, last_words};
use super::{OutputArgs, print};
use conformance::executor::BrokerChoice;
use conformance::exit::Exit;
use conformance::profile::{DEFAULT_FILE, Profile};
use gatecheck_load::bench::{self, BenchConfig, BenchError};
use gatecheck_load::quantity::{Rate, Size, Time};
use gatecheck_load::run::Shard;
use gatecheck_load::workload::{BuiltinWorkload, Overrides};
use gatecheck_load::{Threshold, Workload};

#[derive(Args)]
pub(super) struct PlayArgs {
    /// A workload below, or the path of a file
    workload: Option<String>,
    #[command(flatten)]
    subject: GatewaySubject,
    /// Load the reference gateway [default where this folder has no gatecheck.toml]
    #[arg(long, conflicts_with_all = ["config", "attach", "command"])]
    reference: bool,
    #[command(flatten)]
    broker: BrokerArg,
    /// How many clients, instead of the workload's number
    #[arg(long, value_name = "N")]
    clients: Option<usize>,
    /// How many events a burst has
    #[arg(long, value_name = "N")]
    events: Option<u64>,
    /// How many events there are in each second, such as 100/s
    #[arg(long, value_name = "RATE")]
    rate: Option<Rate>,
    /// How long it takes, such as 30s
    #[arg(long, value_name = "TIME")]
    duration: Option<Time>,
    /// About how large an event's data is, such as 200B
    #[arg(long, value_name = "SIZE")]
    payload: Option<Size>,
    /// A bound that must hold, such as 'p99 < 50ms', instead of the workload's; as often as needed
    #[arg(long, value_name = "BOUND")]
    threshold: Vec<Threshold>,
    /// The seed of the random number generator
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads that read the clients' sockets [default: one for each core but one]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// Make one part of the load, such as 2/3, and leave the others to other machines: part 1 publishes
    #[arg(long, value_name = "I/N", value_parser = shard, requires = "start_at")]
    shard: Option<Shard>,
    /// When the measured time begins, such as 2026-05-01T12:00:00Z: late enough for every client to be in, the same for each part
    #[arg(long, value_name = "TIME", value_parser = start, requires = "shard")]
    start_at: Option<i64>,
    /// The process id of an attached gateway on this host: its processor time and memory are measured
    #[arg(long, value_name = "PID", requires = "attach")]
    pid: Option<u32>,
    /// Print a built-in workload's file
    #[arg(long, value_name = "WORKLOAD", exclusive = true)]
    print: Option<String>,
    #[command(flatten)]
    output: OutputArgs,
}

/// Runs to the end, or until Ctrl-C.
pub(super) fn run(args: PlayArgs) -> Result<Exit, Failure> {
    if let Some(name) = &args.print {
        return print(name);
    }
    let Some(name) = &args.workload else {
        let help = format!("built in are {}; `gatecheck help bench` explains them", BuiltinWorkload::names());
        return Err(Failure::usage(miette!(
            help = help,
            "which workload? `gatecheck bench paced`, for example"
        )));
    };
    let overrides = Overrides {
        clients: args.clients,
        payload: args.payload,
        events: args.events,
        rate: args.rate,
        duration: args.duration,
        thresholds: args.threshold,
    };
    let workload = Workload::find(name, &overrides).map_err(Failure::usage)?;
    if args.start_at.is_some_and(|start| start <= unix_ms()) {
        return Err(Failure::usage(miette!("`--start-at` is over: name a time to come")));
    }
    args.output.check()?;
    let (profile, subject) = profile(args.subject, args.reference)?;
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(Exit::Harness, miette!("cannot tell where this program is: {error}"))
    })?;
    let config = BenchConfig {
        subject,
        broker: BrokerChoice::from(args.broker.broker.as_str()),
        program,
        seed: args.seed,
        shard: args.shard,
        start_at_ms: args.start_at,
        threads: args.threads.map(usize::from),
        process: args.pid,
        ..BenchConfig::new(workload, profile)
    };
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    let mut printer = ProgressPrinter::new();
    let playing = async { bench::run(config, interrupted(), |progress| printer.print(progress)).await };
    let found = runtime.block_on(playing);
    printer.end();
    args.output.show(&found.map_err(failure)?)
}

/// The gateway that was named; the reference gateway, with a name, where none was.
fn profile(subject: GatewaySubject, is_reference: bool) -> Result<(Profile, Option<String>), Failure> {
    let reference = || (bench::reference(), Some("the reference gateway".to_owned()));
    let names_none = subject.config.is_none() && subject.attach.is_none() && subject.command.is_empty();
    if is_reference {
        return Ok(reference());
    }
    if names_none && !Path::new(DEFAULT_FILE).exists() {
        warn(format_args!(
            "no {DEFAULT_FILE} in this folder: the reference gateway is loaded (`-c FILE`, `--attach URL` or `-- COMMAND` loads yours)"
        ));
        return Ok(reference());
    }
    Ok((subject.profile()?, None))
}

pub(super) fn failure(error: BenchError) -> Failure {
    let exit = match &error {
        BenchError::Usage { .. } => Exit::Usage,
        BenchError::Subject { output, .. } => {
            last_words(output);
            Exit::Subject
        }
        BenchError::Harness(_) => Exit::Harness,
        BenchError::Interrupted => Exit::Interrupted,
    };
    Failure::new(exit, error)
}

fn shard(text: &str) -> Result<Shard, String> {
    let read = || {
        let (index, count) = text.split_once('/')?;
        let shard = Shard { index: index.parse().ok()?, count: count.parse().ok()? };
        (1..=shard.count).contains(&shard.index).then_some(shard)
    };
    read().ok_or_else(|| {
        "write the part and the number of parts, such as 2/3; parts are counted from 1".to_owned()
    })
}

fn start(text: &str) -> Result<i64, String> {
    let time: Result<Timestamp, _> = text.parse();
    time.map(Timestamp::as_millisecond).map_err(|_| "write a time such as 2026-05-01T12:00:00Z".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "the time to begin is told by the clock on the wall")]
fn unix_ms() -> i64 {
    Timestamp::now().as_millisecond()
}
