//! `[client]`: how a client under test is started.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use scenarios::{ClientDesign, Times};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{CommandProfile, ProfileError, ValueError, command, words};
use crate::in_process::ClientStarter;

/// A client under test.
#[derive(Debug, Clone)]
pub struct ClientProfile {
    /// Its adapter, started for each case.
    pub access: ClientAccess,
    /// How many of it are started where a case is about a fleet (BACKOFF-5).
    pub fleet: u32,
    /// How it is designed where that may differ.
    pub design: ClientDesign,
}

/// How a client is reached.
#[derive(Debug, Clone)]
pub enum ClientAccess {
    /// Its adapter is a process.
    Spawn(CommandProfile),
    /// Its adapter runs in this process.
    InProcess(ClientStarter),
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table, such as `[client]` with a `command`")]
pub(super) struct RawClient {
    /// Its adapter.
    #[serde(deserialize_with = "words::required")]
    command: Vec<String>,
    /// How many are started where many are needed, 20 to 200.
    fleet: Option<u32>,
    /// Environment variables.
    #[serde(default)]
    env: BTreeMap<String, String>,
    /// How it is designed where that may differ.
    #[serde(default)]
    design: ClientDesign,
}

/// Sizes of a fleet: chance alone can make a smaller one look like none that spreads, and a larger one wears out the host.
const FLEETS: RangeInclusive<u32> = 20..=200;

impl ClientProfile {
    /// The client that a profile describes, where it does, reached in this way.
    pub fn reached_by(access: ClientAccess, described: Option<Self>) -> Self {
        match described {
            Some(described) => Self { access, ..described },
            None => Self { access, fleet: Times::FLEET, design: ClientDesign::default() },
        }
    }
}

impl RawClient {
    pub(super) fn check(self, value: ValueError<'_>) -> Result<ClientProfile, ProfileError> {
        let fleet = self.fleet.unwrap_or(Times::FLEET);
        if !FLEETS.contains(&fleet) {
            let message = format!("`client.fleet` lies between {} and {}", FLEETS.start(), FLEETS.end());
            return Err(value(message, Some("twenty processes still show whether they spread")));
        }
        let command = command("client.command", self.command, self.env, value)?;
        Ok(ClientProfile { access: ClientAccess::Spawn(command), fleet, design: self.design })
    }
}
