//! `adapter check`: whether an adapter keeps its protocol.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::PathBuf;

use anstyle::{AnsiColor, Style};
use clap::{Args, Subcommand};
use miette::miette;

use super::judge::{interrupted, missing, profile_for};
use super::{Failure, ended};
use conformance::adapter_check::{CheckError, Finding, RequestStatus, check};
use conformance::exit::Exit;
use conformance::profile::{ClientAccess, ClientProfile, CommandProfile};
use conformance::template::Values;

#[derive(Args)]
pub(super) struct AdapterArgs {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Try each request once, and the rules that every adapter keeps
    Check(CheckArgs),
}

#[derive(Args)]
struct CheckArgs {
    /// The profile [default: gatecheck.toml in this folder, where no command is given]
    #[arg(long, short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    /// The adapter's command
    #[arg(last = true, value_name = "COMMAND")]
    command: Vec<String>,
}

pub(super) fn run(args: AdapterArgs) -> Result<Exit, Failure> {
    let Command::Check(args) = args.command;
    let profile = profile_for(args.config.as_deref(), !args.command.is_empty())?;
    let command = match (&profile.client, args.command.is_empty()) {
        (_, false) => CommandProfile { words: args.command, env: BTreeMap::new() },
        (Some(ClientProfile { access: ClientAccess::Spawn(command), .. }), true) => command.clone(),
        (Some(ClientProfile { access: ClientAccess::InProcess(_), .. }) | None, true) => {
            return Err(missing(scenarios::SubjectKind::Client));
        }
    };
    let program = std::env::current_exe().map_err(|error| {
        Failure::new(Exit::Harness, miette!("cannot tell where this program is: {error}"))
    })?;
    let mut values = Values::of_timing(&profile.timing);
    values.set("gatecheck", program.display().to_string());
    values.set("dialect", serde_json::to_string(&profile.dialect).expect("a dialect has string keys"));
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    let findings = runtime.block_on(async {
        tokio::select! {
            biased;
            () = interrupted() => Err(Failure { exit: Exit::Interrupted, report: None }),
            checked = check(&profile, &command, &values) => checked.map_err(failure),
        }
    })?;
    let is_broken = |finding: &Finding| matches!(finding.standing, RequestStatus::Broken { .. });
    let broken = findings.iter().filter(|finding| is_broken(finding)).count();
    let exit = if broken == 0 { Exit::Conformant } else { Exit::NotConformant };
    ended(print(&findings, broken, &mut anstream::stdout()), exit)
}

fn failure(error: CheckError) -> Failure {
    let exit = match &error {
        CheckError::Spawn(error) if error.limit().is_some() => Exit::Harness,
        CheckError::Spawn(_) | CheckError::Died { .. } => Exit::Subject,
        CheckError::Listen(_) => Exit::Harness,
    };
    Failure::new(exit, error)
}

/// Prints the table, and how many are broken.
fn print(findings: &[Finding], broken: usize, out: &mut impl Write) -> io::Result<()> {
    for Finding { what, standing } in findings {
        let (style, word) = match standing {
            RequestStatus::Supported => (AnsiColor::Green.on_default(), "supported"),
            RequestStatus::Unsupported => (Style::new().dimmed(), "unsupported"),
            RequestStatus::Broken { .. } => (AnsiColor::Red.on_default().bold(), "broken"),
        };
        writeln!(out, "  {style}{word:>11}{style:#}  {what}")?;
        if let RequestStatus::Broken { seen, help } = standing {
            let (seen, help) = (seen.terminal(), help.terminal());
            writeln!(out, "               seen  {seen}\n               try   {help}")?;
        }
    }
    if broken == 0 {
        writeln!(out, "\nthe adapter keeps the protocol; `gatecheck client` judges the client behind it")?;
    } else {
        writeln!(out, "\n{broken} broken: fix the adapter before its client is judged")?;
    }
    Ok(())
}
