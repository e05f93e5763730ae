//! `reference-server token`

use std::io::{self, Write};

use clap::Args;
use protocol::{Role, parse_duration};

use super::Failure;
use super::serve::system_clock;
use crate::auth::{TokenRequest, mint};
use crate::config::{ConfigError, Flags};

#[derive(Args)]
pub(super) struct TokenArgs {
    /// Whose token it is
    #[arg(long, value_name = "ID", value_parser = clap::builder::NonEmptyStringValueParser::new())]
    user: String,
    /// ADMIN, CUSTOMER or VENDOR
    #[arg(long, value_name = "ROLE", default_value = "CUSTOMER", value_parser = role)]
    role: Role,
    /// The user's address [default: ID@example.org]
    #[arg(long, value_name = "ADDRESS")]
    email: Option<String>,
    /// How long it is good
    #[arg(long, value_name = "TIME", default_value = "1h")]
    lifetime: String,
    #[command(flatten)]
    flags: Flags,
}

/// Prints the token.
pub(super) fn run(args: TokenArgs) -> Result<(), Failure> {
    let lifetime = parse_duration(&args.lifetime)
        .map_err(|source| ConfigError::Duration { name: "lifetime", source })?;
    if lifetime.as_secs() == 0 {
        let hint = "a token lasts at least a second";
        return Err(ConfigError::Value { name: "lifetime", value: args.lifetime, hint }.into());
    }
    let config = args.flags.settings()?.with_known_secrets().check()?;
    let request = TokenRequest {
        email: args.email.unwrap_or_else(|| format!("{}@example.org", args.user)),
        user_id: args.user,
        role: args.role,
        lifetime_s: lifetime.as_secs(),
    };
    let unix_s = u64::try_from(system_clock()().unix_ms() / 1000).unwrap_or_default();
    let token = mint(&config.verification, &request, unix_s)?;
    // Standard output may be closed.
    let _ = writeln!(io::stdout(), "{token}");
    Ok(())
}

fn role(text: &str) -> Result<Role, String> {
    let known = Role::ALL.into_iter().find(|role| role.as_str().eq_ignore_ascii_case(text));
    known.ok_or_else(|| "the roles are ADMIN, CUSTOMER and VENDOR".to_owned())
}
