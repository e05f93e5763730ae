//! `sim audit`: whether plays repeat, in another thread and in another process.

use std::io::Write;
use std::process::Command;

use clap::Args;
use conformance::exit::Exit;
use miette::miette;
use swarm::{Options, draw, play};

use super::super::{Failure, closed, ended};
use super::replay::line_of_seed;

/// FNV-1a, 64 bits: what does not change from build to build, which the standard library's hashes may.
const FNV_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
const FNV_PRIME: u64 = 0x0100_0000_01b3;

#[derive(Args)]
pub(super) struct AuditArgs {
    /// How many seeds are played
    #[arg(long, value_name = "N", default_value_t = 1000)]
    seeds: u64,
    /// The first seed
    #[arg(long, value_name = "SEED", default_value_t = 0)]
    first: u64,
    /// Print a digest of each trace, as the second process does
    #[arg(long, hide = true)]
    digests: bool,
}

/// A play, in short.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Digest {
    seed: u64,
    observations: usize,
    hash: u64,
}

impl std::fmt::Display for Digest {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} {} {:016x}", self.seed, self.observations, self.hash)
    }
}

pub(super) fn run(args: &AuditArgs) -> Result<Exit, Failure> {
    let seeds = args.first..args.first.saturating_add(args.seeds);
    let mut out = anstream::stdout().lock();
    if args.digests {
        for seed in seeds {
            writeln!(out, "{}", digest(seed)).map_err(closed)?;
        }
        return Ok(Exit::Conformant);
    }
    let (here, there) = std::thread::scope(|scope| {
        let there = scope.spawn(|| of_another_process(args));
        (seeds.map(digest).collect::<Vec<_>>(), there.join())
    });
    let there = there.map_err(|_| harness("the second process could not be read"))??;
    let lines: Vec<_> = here.iter().map(ToString::to_string).collect();
    let differs = lines.iter().zip(&there).position(|(here, there)| here != there);
    let Some(at) = differs.or((lines.len() != there.len()).then_some(lines.len().min(there.len()))) else {
        let observations: usize = here.iter().map(|digest| digest.observations).sum();
        let said = writeln!(
            out,
            "{} seeds in two processes: {observations} observations, byte for byte the same",
            here.len()
        );
        return ended(said, Exit::Conformant);
    };
    let seed = here.get(at).map_or(args.first, |digest| digest.seed);
    let said = writeln!(
        out,
        "seed {seed} differs{}\n  gatecheck sim replay '{}'",
        first_difference(seed)?,
        line_of_seed(seed)
    );
    ended(said, Exit::NotConformant)
}

fn lines(seed: u64) -> String {
    let played = play(&draw(seed), Options { keeps_trace: true, goes_on: true, ..Options::default() });
    played.trace.map(|trace| trace.to_json_lines()).unwrap_or_default()
}

fn digest(seed: u64) -> Digest {
    let lines = lines(seed);
    let hash = lines.bytes().fold(FNV_BASIS, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(FNV_PRIME));
    Digest { seed, observations: lines.lines().count(), hash }
}

fn this_program(args: &[String]) -> Result<String, Failure> {
    let program = std::env::current_exe()
        .map_err(|error| harness(&format!("cannot tell where this program is: {error}")))?;
    let output = Command::new(program).args(args).output();
    let output = output.map_err(|error| harness(&format!("cannot start a second process: {error}")))?;
    String::from_utf8(output.stdout).map_err(|_| harness("the second process printed no text"))
}

fn of_another_process(args: &AuditArgs) -> Result<Vec<String>, Failure> {
    let args =
        ["sim", "audit", "--digests", "--seeds", &args.seeds.to_string(), "--first", &args.first.to_string()]
            .map(str::to_owned);
    Ok(this_program(&args)?.lines().map(str::to_owned).collect())
}

/// The first observation of a seed that is another one in another process.
fn first_difference(seed: u64) -> Result<String, Failure> {
    let there = this_program(&["sim", "replay", "--trace", &format!("seed={seed}")].map(str::to_owned))?;
    let here = lines(seed);
    let mut pairs = here.lines().zip(there.lines());
    Ok(pairs
        .find(|(here, there)| here != there)
        .map_or(String::new(), |(here, there)| format!(":\n  {here}\n  {there}")))
}

fn harness(what: &str) -> Failure {
    Failure::new(Exit::Harness, miette!("{what}"))
}
