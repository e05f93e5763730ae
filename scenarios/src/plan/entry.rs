//! What a plan's entries do: the verbs of steps, each with its time.

use std::fmt;
use std::time::Duration;

use protocol::format_duration;
use serde::{Deserialize, Serialize};

use crate::scenario::{BrokerAct, BrokerState, ClientAct, Forgets, NetworkAct, Publication};
use crate::token::TokenSpec;

/// One thing that happens, or goes wrong for a while.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// When, since the beginning.
    pub at: Duration,
    /// For how long; what happens at once has none.
    pub lasts: Option<Duration>,
    /// What.
    pub act: Act,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// A client's application asks for something.
    Client(String, ClientAct),
    /// A client is given another token, made by this recipe.
    SetToken(String, TokenSpec),
    /// The network between a client and its gateway.
    Network(String, NetworkFault),
    /// A client's process.
    Process(String, ProcessFault),
    /// A client's token provider.
    Provider(String, ProviderFault),
    /// Messages are published.
    Publish(Publication),
    /// The broker, or what is between it and all gateways.
    Broker(BrokerAct),
    /// A gateway, counted from 1.
    Gateway(usize, GatewayFault),
}

/// What the network does. What begins and ends is whole again afterwards.
pub type NetworkFault = NetworkAct;

/// What becomes of a client's process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProcessFault {
    /// It does nothing and learns of nothing, as a laptop whose lid is closed (LIFE-1).
    Sleeps,
    /// It reads nothing from its socket (BRIDGE-12).
    DoesNotRead,
}

/// What becomes of a client's token provider.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ProviderFault {
    /// It has no token.
    Fails,
    /// It does not answer.
    Hangs,
}

/// What becomes of a gateway. When the time is over, a gateway is started in its place.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum GatewayFault {
    /// It is killed: the kernel ends its connections.
    Killed,
    /// Its host loses power: no peer is told.
    PowerLost,
    /// It is asked to end (CONN-6).
    Drained,
}

impl Act {
    /// Whether it makes something go wrong; otherwise it is what users and services do.
    pub fn is_fault(&self) -> bool {
        self.fault().is_some()
    }

    /// Whether what it does goes on until it is over.
    pub fn lasts(&self) -> bool {
        match self {
            Self::Network(_, act) => matches!(act, NetworkAct::Shape(_)),
            Self::Broker(act) => {
                matches!(act, BrokerAct::State(_) | BrokerAct::Network(NetworkAct::Shape(_)))
            }
            Self::Process(..) | Self::Provider(..) | Self::Gateway(..) => true,
            Self::Client(..) | Self::SetToken(..) | Self::Publish(_) => false,
        }
    }

    /// The kind of what it does, where that is a fault: what tables count.
    pub fn fault(&self) -> Option<&'static str> {
        match self {
            Self::Client(..) | Self::Publish(_) => None,
            Self::SetToken(_, spec) => spec.wrong_secret.then_some("bad token"),
            Self::Network(_, act) => Some(act.kind()),
            Self::Process(_, ProcessFault::Sleeps) => Some("client sleeps"),
            Self::Process(_, ProcessFault::DoesNotRead) => Some("slow reader"),
            Self::Provider(_, ProviderFault::Fails) => Some("provider fails"),
            Self::Provider(_, ProviderFault::Hangs) => Some("provider hangs"),
            Self::Broker(BrokerAct::State(_)) => Some("broker outage"),
            Self::Broker(BrokerAct::Forgets(Forgets::Forgets)) => Some("broker forgets"),
            Self::Broker(BrokerAct::Forgets(Forgets::DeletesQueues | Forgets::DeletesOtherQueues)) => {
                Some("consumer cancelled")
            }
            Self::Broker(BrokerAct::Forgets(Forgets::ClosesChannels | Forgets::ClosesOtherChannels)) => {
                Some("channel closed")
            }
            Self::Broker(BrokerAct::Network(_)) => Some("broker silent"),
            Self::Gateway(_, GatewayFault::Killed) => Some("gateway killed"),
            Self::Gateway(_, GatewayFault::PowerLost) => Some("power lost"),
            Self::Gateway(_, GatewayFault::Drained) => Some("gateway drained"),
        }
    }

    /// The kind of what it does, where that is no fault.
    pub fn operation(&self) -> Option<&'static str> {
        match self {
            Self::Client(_, ClientAct::Connect) => Some("connect"),
            Self::Client(_, ClientAct::Disconnect) => Some("disconnect"),
            Self::Client(_, ClientAct::Send { .. }) => Some("send"),
            Self::Client(_, ClientAct::Subscribe(_)) => Some("subscribe"),
            Self::Client(_, ClientAct::Unsubscribe(_)) => Some("unsubscribe"),
            Self::Client(..) => Some("other"),
            Self::SetToken(_, spec) => (!spec.wrong_secret).then_some("new token"),
            Self::Publish(_) => Some("publish"),
            _ => None,
        }
    }

    /// The client that it is about.
    pub fn client(&self) -> Option<&str> {
        match self {
            Self::Client(client, _)
            | Self::SetToken(client, _)
            | Self::Network(client, _)
            | Self::Process(client, _)
            | Self::Provider(client, _) => Some(client),
            Self::Publish(_) | Self::Broker(_) | Self::Gateway(..) => None,
        }
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", format_duration(self.at))?;
        if let Some(lasts) = self.lasts {
            write!(f, " for {}", format_duration(lasts))?;
        }
        write!(f, ": {}", self.act)
    }
}

impl fmt::Display for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Client(client, act) => write!(f, "{client}: {act}"),
            Self::SetToken(client, spec) if spec.wrong_secret => write!(f, "{client}: take a bad token"),
            Self::SetToken(client, _) => write!(f, "{client}: take a new token"),
            Self::Network(client, act) => {
                write!(f, "the network of {client} {}", act.between("to the gateway", "to the client"))
            }
            Self::Process(client, ProcessFault::Sleeps) => write!(f, "{client} sleeps"),
            Self::Process(client, ProcessFault::DoesNotRead) => write!(f, "{client} does not read"),
            Self::Provider(client, ProviderFault::Fails) => write!(f, "the token provider of {client} fails"),
            Self::Provider(client, ProviderFault::Hangs) => write!(f, "the token provider of {client} hangs"),
            Self::Publish(Publication::Events { kind, data, count }) => {
                write!(f, "publish {kind} {data}")?;
                if *count > 1 { write!(f, " ({count})") } else { Ok(()) }
            }
            Self::Publish(publication) => write!(f, "publish {}", publication.routing_key()),
            Self::Broker(BrokerAct::State(BrokerState::Down)) => f.write_str("the broker is down"),
            Self::Broker(BrokerAct::State(BrokerState::Up)) => f.write_str("the broker is up"),
            Self::Broker(BrokerAct::Forgets(Forgets::Forgets)) => f.write_str("the broker forgets all"),
            Self::Broker(BrokerAct::Forgets(Forgets::DeletesQueues | Forgets::DeletesOtherQueues)) => {
                f.write_str("the broker deletes the queues that are consumed")
            }
            Self::Broker(BrokerAct::Forgets(Forgets::ClosesChannels | Forgets::ClosesOtherChannels)) => {
                f.write_str("the broker closes the channels that consume")
            }
            Self::Broker(BrokerAct::Network(_)) => f.write_str("the broker's network carries nothing"),
            Self::Gateway(number, GatewayFault::Killed) => write!(f, "gateway {number} is killed"),
            Self::Gateway(number, GatewayFault::PowerLost) => write!(f, "gateway {number} loses power"),
            Self::Gateway(number, GatewayFault::Drained) => write!(f, "gateway {number} is asked to end"),
        }
    }
}
