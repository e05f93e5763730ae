//! `gatecheck`: the command line.

mod adapter;
mod bench;
#[cfg(test)]
mod book;
mod broker;
mod catalogue;
mod complaint;
mod control;
mod demo;
mod diff;
mod init;
mod judge;
mod mutant_client;
mod pair;
mod proxy;
mod schema;
mod selftest;
mod shell;
mod simulate;
mod soak;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use miette::Report;
use scenarios::{Foreign, Level};

use conformance::exit::Exit;
use conformance::process::guard::{Role, guard};
use conformance::secrets::redacted;
use conformance::{SuiteError, limits};

/// Judges real-time WebSocket gateways and their clients, in any language, by what they do on the wire.
#[derive(Parser)]
#[command(name = "gatecheck", version, after_help = Exit::MEANINGS)]
struct Cli {
    /// When to use colours
    #[arg(long, global = true, value_enum, default_value_t = Color::Auto)]
    color: Color,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Judge the reference gateway and client: everything, over real sockets
    Run(judge::RunArgs),
    /// Judge a gateway: the one in `gatecheck.toml`, or a command behind `--`
    Gateway(judge::GatewayArgs),
    /// Judge a client: the one in `gatecheck.toml`, or its adapter's command behind `--`
    Client(judge::ClientArgs),
    /// Judge a client and its gateway against each other: the reference pair, or those of your profiles
    Pair(pair::PairArgs),
    /// Write the profile of a gateway or client by watching it, or create an adapter in a client's language
    Init(init::InitArgs),
    /// Check that a client's adapter keeps the adapter protocol
    Adapter(adapter::AdapterArgs),
    /// Play scenarios in a deterministic simulation of the reference pair
    Sim(simulate::SimArgs),
    /// Judge the scenarios: each mutant of the reference pair must fail one
    Selftest(selftest::SelftestArgs),
    /// Soak the reference gateway: thousands of clients, some hostile, and a broker that restarts
    Soak(soak::SoakArgs),
    /// Load a gateway: what it carries, what it loses, what that costs
    Bench(bench::BenchArgs),
    /// Say what changed between two reports: 1 where something is worse
    Diff(diff::DiffArgs),
    /// List the scenarios
    List(catalogue::ListArgs),
    /// Explain a requirement or a scenario
    Explain(catalogue::ExplainArgs),
    /// List the requirements, with how many scenarios show and how many mutants break each
    Requirements(catalogue::RequirementsArgs),
    /// Print a JSON Schema of what gatecheck writes
    Schema(schema::SchemaArgs),
    /// Print a script by which a shell completes gatecheck's commands and options
    Completions(shell::CompletionsArgs),
    /// Print the manual page, or write one for each command
    Man(shell::ManArgs),
    /// Show the reference gateway at work: its live page, its broker, and made-up payments
    Demo(demo::DemoArgs),
    /// Run the embedded broker alone
    Broker(broker::BrokerArgs),
    /// Run a TCP proxy that delays, cuts, corrupts and swallows when it is told to
    Proxy(proxy::ProxyArgs),
    /// Run the reference gateway
    #[command(disable_help_flag = true)]
    ReferenceServer(Passed),
    /// Run the reference client
    #[command(disable_help_flag = true)]
    ReferenceClient(Passed),
    /// Run a mutant of the reference client, as `selftest` does
    #[command(hide = true)]
    MutantClient(mutant_client::MutantClientArgs),
}

impl Command {
    /// Whether it starts processes, which must not outlive it.
    fn starts_processes(&self) -> bool {
        match self {
            Self::Run(_)
            | Self::Gateway(_)
            | Self::Client(_)
            | Self::Pair(_)
            | Self::Init(_)
            | Self::Adapter(_)
            | Self::Selftest(_)
            | Self::Soak(_)
            | Self::Bench(_) => true,
            Self::Sim(_)
            | Self::Diff(_)
            | Self::List(_)
            | Self::Explain(_)
            | Self::Requirements(_)
            | Self::Schema(_)
            | Self::Completions(_)
            | Self::Man(_)
            | Self::Demo(_)
            | Self::Broker(_)
            | Self::Proxy(_)
            | Self::ReferenceServer(_)
            | Self::ReferenceClient(_)
            | Self::MutantClient(_) => false,
        }
    }
}

/// Arguments that another program reads.
#[derive(Args)]
struct Passed {
    /// Its arguments; `--help` shows them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

#[derive(Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

/// How much is judged.
#[derive(Clone, Copy, ValueEnum)]
enum LevelArg {
    /// What users are promised, security included
    Core,
    /// What production needs, too
    Hardened,
}

impl From<LevelArg> for Level {
    fn from(level: LevelArg) -> Self {
        match level {
            LevelArg::Core => Self::Core,
            LevelArg::Hardened => Self::Hardened,
        }
    }
}

fn main() -> ExitCode {
    run(std::env::args_os())
}

/// Runs the program and says how it ended.
fn run(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    // What is started inherits it: a fleet of clients, a soak's connections and their gateway need more than is usual.
    limits::raise_descriptors();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help goes to standard output, complaints to standard error; clap knows which this is.
            let _ = error.print();
            return if error.use_stderr() { Exit::Usage.into() } else { ExitCode::SUCCESS };
        }
    };
    match cli.color {
        Color::Auto => {}
        Color::Always => anstream::ColorChoice::Always.write_global(),
        Color::Never => anstream::ColorChoice::Never.write_global(),
    }
    complaint::install();
    if cli.command.starts_processes()
        && let Role::Guard { code, complaints } = guard()
    {
        complaints.iter().for_each(|complaint| warn(format_args!("{complaint}")));
        return ExitCode::from(code);
    }
    let ended = match cli.command {
        Command::Run(args) => judge::run(&args),
        Command::Gateway(args) => judge::gateway(args),
        Command::Client(args) => judge::client(args),
        Command::Pair(args) => pair::run(&args),
        Command::Init(args) => init::run(args),
        Command::Adapter(args) => adapter::run(args),
        Command::Sim(args) => simulate::run(&args),
        Command::Selftest(args) => selftest::run(&args),
        Command::Soak(args) => soak::run(&args),
        Command::Bench(args) => return finished(bench::run(args)),
        Command::Diff(args) => diff::run(&args),
        Command::List(args) => catalogue::list(&args),
        Command::Explain(args) => catalogue::explain(&args),
        Command::Requirements(args) => catalogue::requirements(&args),
        Command::Schema(args) => schema::print(&args),
        Command::Completions(args) => shell::completions(&args),
        Command::Man(args) => shell::man(&args),
        Command::Demo(args) => demo::run(&args),
        Command::Broker(args) => broker::run(&args),
        Command::Proxy(args) => proxy::run(&args),
        Command::MutantClient(args) => mutant_client::run(&args),
        Command::ReferenceServer(passed) => {
            return reference_server::cli::run(named("reference-server", passed.args));
        }
        Command::ReferenceClient(passed) => {
            return reference_client::cli::run(named("reference-client", passed.args));
        }
    };
    finished(ended)
}

/// Prints why a command failed, and says how the program ends.
fn finished(ended: Result<impl Into<ExitCode>, Failure>) -> ExitCode {
    match ended {
        Ok(exit) => exit.into(),
        Err(failure) => {
            if let Some(report) = failure.report {
                let shown = std::io::Write::write_fmt(&mut anstream::stderr(), format_args!("{report:?}\n"));
                // A source that cannot be shown with its error must not hide the error.
                if shown.is_err() {
                    let _ = std::io::Write::write_fmt(&mut anstream::stderr(), format_args!("{report}\n"));
                }
            }
            failure.exit.into()
        }
    }
}

/// Why a command failed.
struct Failure {
    exit: Exit,
    /// The message; none where standard output is closed.
    report: Option<Report>,
}

impl Failure {
    fn new(exit: Exit, error: impl Into<Report>) -> Self {
        Self { exit, report: Some(error.into()) }
    }

    /// A suite could not be run.
    fn suite(error: SuiteError) -> Self {
        Self::new(error.exit(), error)
    }

    /// The caller can fix it.
    fn usage(error: impl Into<Report>) -> Self {
        Self::new(Exit::Usage, error)
    }
}

fn named(program: &str, args: Vec<OsString>) -> impl Iterator<Item = OsString> {
    std::iter::once(OsString::from(program)).chain(args)
}

/// Standard output cannot be written to. Where its reader has closed the pipe, a command that only prints has succeeded.
#[expect(clippy::needless_pass_by_value, reason = "made for `map_err`")]
fn closed(error: std::io::Error) -> Failure {
    if error.kind() == std::io::ErrorKind::BrokenPipe {
        return Failure { exit: Exit::Conformant, report: None };
    }
    Failure::new(Exit::Harness, miette::miette!("cannot write to standard output: {error}"))
}

/// The end of a command that has come to a verdict and printed it: whether the reader has seen all of it does not change the verdict.
fn ended(printed: std::io::Result<()>, exit: Exit) -> Result<Exit, Failure> {
    match printed.map_err(closed) {
        Err(failure) if failure.report.is_some() => Err(failure),
        Ok(()) | Err(_) => Ok(exit),
    }
}

/// Prints a warning to standard error, as text and without secrets.
fn warn(text: std::fmt::Arguments<'_>) {
    let text = Foreign::from(redacted(&text.to_string())).terminal_lines();
    // Standard error may be closed; the exit code still reports the outcome.
    let _ = std::io::Write::write_fmt(&mut anstream::stderr(), format_args!("{text}\n"));
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    /// The command line is sound.
    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }
}
