//! `schema`: the JSON Schemas of what gatecheck reads and writes, and of what adapters say.

use std::io::Write;

use clap::{Args, ValueEnum};

use super::{Failure, closed};
use conformance::exit::Exit;
use conformance::known_failing::KnownFailing;
use conformance::profile::Profile;
use gatecheck_report::Document;

#[derive(Args)]
pub(super) struct SchemaArgs {
    /// What the schema describes
    #[arg(value_enum)]
    of: Kind,
}

#[derive(Clone, Copy, ValueEnum)]
enum Kind {
    /// `report.json`, and what `--format json` prints
    Report,
    /// A line of the adapter protocol
    Adapter,
    /// `gatecheck.toml`, for editors
    Profile,
    /// `known-failing.toml`, for editors
    KnownFailing,
    /// What `gatecheck bench` writes
    Bench,
    /// What `gatecheck bench compare` writes
    Compare,
}

pub(super) fn print(args: &SchemaArgs) -> Result<Exit, Failure> {
    let text = match args.of {
        Kind::Report => Document::schema(),
        Kind::Adapter => pretty(protocol::adapter::Line::schema().as_value()),
        Kind::Profile => pretty(&Profile::schema()),
        Kind::KnownFailing => pretty(&KnownFailing::schema()),
        Kind::Bench => pretty(&gatecheck_load::Run::schema()),
        Kind::Compare => pretty(&gatecheck_load::compare::Report::schema()),
    };
    std::io::stdout().write_all(text.as_bytes()).map_err(closed)?;
    Ok(Exit::Conformant)
}

fn pretty(schema: &serde_json::Value) -> String {
    serde_json::to_string_pretty(schema).expect("schemas have string keys") + "\n"
}
