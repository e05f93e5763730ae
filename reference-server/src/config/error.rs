//! Why a configuration cannot be used.

use std::path::PathBuf;

use protocol::{DialectError, DurationError};

use super::place::Place;
use crate::auth::{AlgorithmError, KeyError};
use reference_gateway::RouteError;

/// The first thing that is wrong.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a configuration.
    #[error("{}: {place}: {message}", path.display())]
    Syntax {
        /// The file.
        path: PathBuf,
        /// Where.
        place: Place,
        /// What is wrong.
        message: String,
    },
    /// A setting of the file cannot be used.
    #[error("{}: {place}: {source}", path.display())]
    Located {
        /// The file.
        path: PathBuf,
        /// Where its value stands.
        place: Place,
        /// What is wrong.
        source: Box<Self>,
    },
    /// There is nothing to verify tokens with.
    #[error(
        "no secret to verify tokens with: set JWT_SECRET, or give --jwt-secret-file FILE or --jwt-public-keys FILES"
    )]
    NoKey,
    /// Development mode could not generate a secret.
    #[error("no development secret can be made up: {0}; set JWT_SECRET")]
    NoSecretMade(getrandom::Error),
    /// A key cannot be used.
    #[error("{}: {source}", path.display())]
    Key {
        /// Its file.
        path: PathBuf,
        /// What is wrong.
        source: KeyError,
    },
    /// A time cannot be read.
    #[error("`{name}`: {source}")]
    Duration {
        /// The setting.
        name: &'static str,
        /// What is wrong.
        source: DurationError,
    },
    /// A value makes no sense.
    #[error("`{name}` is {value}; {hint}")]
    Value {
        /// The setting.
        name: &'static str,
        /// What was given.
        value: String,
        /// What it should be.
        hint: &'static str,
    },
    /// An algorithm is unknown.
    #[error("`algorithms`: {0}")]
    Algorithm(#[from] AlgorithmError),
    /// An algorithm has no key.
    #[error("`algorithms` names {0}, and there is no key for it")]
    Keyless(crate::auth::Algorithm),
    /// The dialect cannot be spoken.
    #[error(transparent)]
    Dialect(#[from] DialectError),
    /// The dialect asks for another frame for each connection.
    #[error(
        "dialect.frames has `{{subscription}}`, and this gateway writes each event once, for all its connections: leave it out"
    )]
    NamesSubscriptions,
    /// A row of the routing table cannot be used.
    #[error(transparent)]
    Route(#[from] RouteError),
}

impl ConfigError {
    /// The setting that it is about, where it is about one.
    pub(super) fn setting(&self) -> Option<&'static str> {
        match self {
            Self::Duration { name, .. } | Self::Value { name, .. } => Some(name),
            Self::Algorithm(_) | Self::Keyless(_) => Some("algorithms"),
            Self::Dialect(_) | Self::NamesSubscriptions => Some("dialect"),
            Self::Route(_) => Some("route"),
            Self::Read { .. }
            | Self::Syntax { .. }
            | Self::Located { .. }
            | Self::NoKey
            | Self::NoSecretMade(_)
            | Self::Key { .. } => None,
        }
    }
}
