//! A plan, as a file has it.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{Timing, format_duration, parse_duration};
use serde::{Deserialize, Serialize};
use toml::Spanned;

use super::event::RawEvent;
use super::message::RawMessage;
use super::pair::RawNetwork;
use super::target::RawTarget;
use super::{Keys, VERSION, parse};
use crate::plan::{Act, Entry, GatewayFault, MAX_CLIENTS, MAX_GATEWAYS, MAX_TIME, Participant, Plan};
use crate::plan::{ProcessFault, ProviderFault};
use crate::scenario::step::{BrokerAct, ClientAct, Publication};
use crate::scenario::{BrokerState, Forgets, ScenarioError, ScenarioId, is_default};
use crate::token::TokenSpec;

/// What plans have for `subject`.
pub(crate) const SYSTEM: &str = "system";

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawPlan {
    version: u32,
    title: String,
    #[serde(default, skip_serializing_if = "is_default")]
    about: String,
    subject: System,
    expect: Rules,
    #[serde(default, skip_serializing_if = "is_default")]
    seed: u64,
    #[serde(default = "one")]
    gateways: usize,
    #[serde(default)]
    latency: Time,
    #[serde(default, skip_serializing_if = "is_default")]
    timing: Timing,
    clients: BTreeMap<String, Participant>,
    #[serde(default)]
    at: Vec<RawEntry>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum System {
    System,
}

/// Every rule and invariant that applies.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Rules {
    Rules,
}

/// A duration with its unit.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
struct Time(Duration);

/// `[[at]]`.
#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawEntry {
    time: Option<Time>,
    lasts: Option<Time>,
    client: Option<String>,
    #[serde(rename = "do")]
    act: Option<Simple>,
    send: Option<RawMessage>,
    subscribe: Option<RawTarget>,
    unsubscribe: Option<RawTarget>,
    set_token: Option<TokenSpec>,
    network: Option<RawNetwork>,
    process: Option<ProcessFault>,
    provider: Option<ProviderFault>,
    publish: Option<RawEvent>,
    broker: Option<BrokerAct>,
    gateway: Option<GatewayFault>,
    number: Option<usize>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Simple {
    Connect,
    Disconnect,
}

fn one() -> usize {
    1
}

impl Default for Time {
    fn default() -> Self {
        Self(Duration::from_millis(5))
    }
}

impl TryFrom<String> for Time {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let time = parse_duration(&text).map_err(|error| error.to_string())?;
        if time > MAX_TIME {
            return Err(format!("times of a plan are at most {}", format_duration(MAX_TIME)));
        }
        Ok(Self(time))
    }
}

impl From<Time> for String {
    fn from(time: Time) -> Self {
        format_duration(time.0)
    }
}

/// Where entries stand in the text.
#[derive(Deserialize)]
struct Places {
    #[serde(default)]
    at: Vec<Spanned<toml::Value>>,
}

/// Reads and checks a plan.
pub(crate) fn read_plan(id: ScenarioId, text: &str) -> Result<Plan, ScenarioError> {
    let file = format!("{id}.toml");
    let raw: RawPlan = parse(&file, text)?;
    let places: Places = parse(&file, text)?;
    let error = |span, message: String| ScenarioError::at(&file, text, span, message);
    if raw.version != VERSION {
        return Err(error(Some(0..0), format!("this build reads version {VERSION}")));
    }
    if !(1..=MAX_GATEWAYS).contains(&raw.gateways) {
        return Err(error(Some(0..0), format!("`gateways` lies between 1 and {MAX_GATEWAYS}")));
    }
    if raw.clients.is_empty() || raw.clients.len() > MAX_CLIENTS {
        return Err(error(Some(0..0), format!("a plan has 1 to {MAX_CLIENTS} clients")));
    }
    raw.timing.check().map_err(|wrong| error(Some(0..0), wrong.to_string()))?;
    for (name, client) in &raw.clients {
        if !(1..=raw.gateways).contains(&client.gateway) {
            return Err(error(Some(0..0), format!("`{name}` dials a gateway that there is not")));
        }
    }
    let mut entries = Vec::new();
    for (raw_entry, place) in raw.at.into_iter().zip(places.at) {
        let entry = raw_entry.entry(&raw.clients, raw.gateways);
        entries.push(entry.map_err(|message| error(Some(place.span()), message))?);
    }
    if !entries.is_sorted_by_key(|entry| entry.at) {
        return Err(error(Some(0..0), "the entries stand in the order of their times".to_owned()));
    }
    Ok(Plan {
        id,
        title: raw.title,
        about: raw.about,
        seed: raw.seed,
        gateways: raw.gateways,
        latency: raw.latency.0,
        timing: raw.timing,
        clients: raw.clients,
        entries,
    })
}

/// The plan as a file has it.
pub(crate) fn write_plan(plan: &Plan) -> String {
    let raw = RawPlan {
        version: VERSION,
        title: plan.title.clone(),
        about: plan.about.clone(),
        subject: System::System,
        expect: Rules::Rules,
        seed: plan.seed,
        gateways: plan.gateways,
        latency: Time(plan.latency),
        timing: plan.timing.clone(),
        clients: plan.clients.clone(),
        at: plan.entries.iter().map(Into::into).collect(),
    };
    toml::to_string(&raw).expect("what was read from TOML has no value that TOML has not")
}

impl RawEntry {
    fn entry(mut self, clients: &BTreeMap<String, Participant>, gateways: usize) -> Result<Entry, String> {
        let at = self.time.take().ok_or("an entry says when: write `time = \"12.4s\"`")?.0;
        let lasts = self.lasts.take().map(|Time(lasts)| lasts);
        let keys = Keys::of(&self);
        let act = self.act(clients, gateways)?;
        keys.check_used(&Keys::of(&self))?;
        match (act.lasts(), lasts) {
            (true, None) => Err("what goes wrong has an end: write `lasts = \"8s\"`".to_owned()),
            (false, Some(_)) => Err("what happens at once does not last".to_owned()),
            _ => Ok(Entry { at, lasts, act }),
        }
    }

    /// Takes out what one act is made of.
    fn act(&mut self, clients: &BTreeMap<String, Participant>, gateways: usize) -> Result<Act, String> {
        if let Some(event) = self.publish.take() {
            return Ok(Act::Publish(event.publication()?));
        }
        if let Some(act) = self.broker.take() {
            return match &act {
                BrokerAct::State(BrokerState::Up) => {
                    Err("the broker is up again when `down` is over".to_owned())
                }
                BrokerAct::Network(network) if network.holds_back() != Some(true) => Err(
                    "the network of the broker carries nothing from it, or all: `{ to_subject = { black_hole = true } }`"
                        .to_owned(),
                ),
                BrokerAct::Forgets(Forgets::DeletesOtherQueues | Forgets::ClosesOtherChannels) => Err(
                    "a gateway of a plan has one queue and one channel: write `deletes_queues` or `closes_channels`".to_owned(),
                ),
                _ => Ok(Act::Broker(act)),
            };
        }
        if let Some(fate) = self.gateway.take() {
            let number = self.number.take().unwrap_or(1);
            return match (1..=gateways).contains(&number) {
                true => Ok(Act::Gateway(number, fate)),
                false => Err(format!("there is no gateway {number}")),
            };
        }
        let client = self.client.take().ok_or("the entry says whom it is about: a `client`, …")?;
        if !clients.contains_key(&client) {
            return Err(format!("there is no client `{client}`"));
        }
        if let Some(message) = self.send.take() {
            return Ok(Act::Client(client, message.numbered()?));
        }
        if let Some(token) = self.set_token.take() {
            return Ok(Act::SetToken(client, token));
        }
        if let Some(network) = self.network.take() {
            return Ok(Act::Network(client, network.into()));
        }
        if let Some(fault) = self.process.take() {
            return Ok(Act::Process(client, fault));
        }
        if let Some(fault) = self.provider.take() {
            return match clients[&client].provider {
                true => Ok(Act::Provider(client, fault)),
                false => Err(format!("`{client}` has no token provider: say `provider = true`")),
            };
        }
        let act = self.act.take().map(|act| match act {
            Simple::Connect => ClientAct::Connect,
            Simple::Disconnect => ClientAct::Disconnect,
        });
        act.or_else(|| self.subscribe.take().map(|target| ClientAct::Subscribe(target.into())))
            .or_else(|| self.unsubscribe.take().map(|target| ClientAct::Unsubscribe(target.into())))
            .map(|act| Act::Client(client, act))
            .ok_or_else(|| "the entry does nothing".to_owned())
    }
}

impl From<&Entry> for RawEntry {
    fn from(entry: &Entry) -> Self {
        let none = Self { time: Some(Time(entry.at)), lasts: entry.lasts.map(Time), ..Self::default() };
        let of = |client: &String| Some(client.clone());
        match &entry.act {
            Act::Client(client, act) => Self { client: of(client), ..none.with(act) },
            Act::SetToken(client, token) => {
                Self { client: of(client), set_token: Some(token.clone()), ..none }
            }
            Act::Network(client, act) => Self { client: of(client), network: Some(act.into()), ..none },
            Act::Process(client, fault) => Self { client: of(client), process: Some(*fault), ..none },
            Act::Provider(client, fault) => Self { client: of(client), provider: Some(*fault), ..none },
            Act::Publish(publication) => {
                let publish = match publication {
                    Publication::Events { kind, data, count } => Some(RawEvent::of(kind, data, *count)),
                    // No entry publishes anything else.
                    Publication::Body { .. } | Publication::Addressed { .. } => None,
                };
                Self { publish, ..none }
            }
            Act::Broker(act) => Self { broker: Some(act.clone()), ..none },
            Act::Gateway(number, fate) => {
                Self { gateway: Some(*fate), number: (*number > 1).then_some(*number), ..none }
            }
        }
    }
}

impl RawEntry {
    fn with(self, act: &ClientAct) -> Self {
        match act {
            ClientAct::Connect => Self { act: Some(Simple::Connect), ..self },
            ClientAct::Disconnect => Self { act: Some(Simple::Disconnect), ..self },
            ClientAct::Send { kind, payload, count } => {
                Self { send: Some(RawMessage::of(kind, payload, *count)), ..self }
            }
            ClientAct::Subscribe(target) => Self { subscribe: Some(target.into()), ..self },
            ClientAct::Unsubscribe(target) => Self { unsubscribe: Some(target.into()), ..self },
            // No entry asks for anything else.
            _ => self,
        }
    }
}
