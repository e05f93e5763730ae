//! What was observed of a gateway, as data.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use super::events::Events;
use super::heartbeat::Heartbeat;
use super::sign_in::SignIn;
use super::talk::Talk;
use super::topology::Topology;
use super::unfinished::Unfinished;
use crate::profile::CommandProfile;

/// How the gateway was reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// It was started.
    Started {
        /// By this command; its environment is what it was given.
        command: CommandProfile,
        /// In this folder.
        folder: PathBuf,
        /// From its start until its port was open.
        took: Duration,
        /// The port that it took though it was given another.
        ignored_port: Option<u16>,
    },
    /// It ran already: host and port.
    Attached(String),
}

/// Everything that was observed.
#[derive(Debug, Clone, PartialEq)]
pub struct ObservedGateway {
    /// How it was reached.
    pub reach: Reach,
    /// The path that answers 200.
    pub ready_path: Option<&'static str>,
    /// What its pages are called, by the key of a profile, where that is not what they are called usually.
    pub pages: BTreeMap<&'static str, &'static str>,
    /// What it has at the broker; none where the broker could not be watched.
    pub topology: Option<Topology>,
    /// How it is signed in to.
    pub sign_in: SignIn,
    /// The room that was asked for.
    pub room: String,
    /// What it says.
    pub talk: Talk,
    /// Its answer to an unsubscription.
    pub left: Option<String>,
    /// How long it waits for what does not come.
    pub unfinished: Unfinished,
    /// Which events reach whom.
    pub events: Events,
    /// How it pings.
    pub heartbeat: Heartbeat,
    /// How long the observation took.
    pub took: Duration,
}
