//! `pair`: judges a client and its gateway against each other.

use std::path::PathBuf;

use clap::Args;
use miette::miette;
use protocol::Dialect;
use scenarios::SubjectKind;

use super::Failure;
use super::judge::{BrokerArg, Common, NONE, judge_suite};
use conformance::exit::Exit;
use conformance::profile::Profile;
use conformance::suite::Suite;

#[derive(Args)]
pub(super) struct PairArgs {
    /// A profile that describes both halves, by `[gateway]` and `[client]` [default: the reference pair's]
    #[arg(long, short = 'c', value_name = "FILE", conflicts_with_all = ["gateway", "client"])]
    config: Option<PathBuf>,
    /// The gateway's profile, where the client has another
    #[arg(long, value_name = "FILE", requires = "client")]
    gateway: Option<PathBuf>,
    /// The client's profile
    #[arg(long, value_name = "FILE", requires = "gateway")]
    client: Option<PathBuf>,
    /// What the reference pair speaks: seed, enveloped, channels, bearer, subprotocol or another built-in dialect, or a JSON object
    #[arg(
        long,
        value_name = "DIALECT",
        default_value = "seed",
        hide_default_value = true,
        conflicts_with_all = ["config", "gateway", "client"]
    )]
    dialect: Dialect,
    #[command(flatten)]
    common: Common,
    #[command(flatten)]
    broker: BrokerArg,
}

pub(super) fn run(args: &PairArgs) -> Result<Exit, Failure> {
    if args.broker.broker == NONE {
        let help = "events come from the embedded broker, or from the one that an `amqp://` URL names";
        return Err(Failure::usage(miette!(help = help, "a pair is not judged without a broker")));
    }
    let read = |path: &PathBuf| Profile::read(path).map_err(Failure::usage);
    let (profile, client) = match (&args.config, &args.gateway, &args.client) {
        (Some(both), _, _) => (read(both)?, None),
        (None, Some(gateway), Some(client)) => (read(gateway)?, Some(read(client)?)),
        _ => (Profile { dialect: args.dialect.clone(), ..Profile::reference() }, None),
    };
    let partner = client.as_ref().unwrap_or(&profile);
    let lacking = [("gateway", profile.gateway.is_none()), ("client", partner.client.is_none())];
    if let Some((half, _)) = lacking.into_iter().find(|(_, lacks)| *lacks) {
        let help = "`-c FILE` names a profile that has `[gateway]` and `[client]`; `--gateway FILE` and `--client FILE` name two";
        return Err(Failure::usage(miette!(help = help, "the {half}'s profile has no [{half}]")));
    }
    let beside = args.config.as_ref().map(|_| profile.folder.clone());
    let suite = Suite::new(profile).pair(client);
    judge_suite(suite, &[SubjectKind::Pair], &args.common, &args.broker.broker, beside.as_deref())
}
