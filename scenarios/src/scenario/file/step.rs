//! `[[step]]`

use std::num::NonZeroUsize;

use protocol::{CloseCode, Target};
use serde::Deserialize;
use serde_json::Value;

use super::client::{RawListener, RawMount, RawQuery, RawUser};
use super::event::RawEvent;
use super::frame::{RawFrameForm, RawPing, send_frames};
use super::gateway::RawGateway;
use super::hex::Hex;
use super::message::RawMessage;
use crate::pattern::Pattern;
use crate::requirement::{RequirementId, SubjectKind};
use crate::scenario::step::{Action, BrokerAct, ClientAct, Inspection, NetworkAct, ProbeAct, Publication};
use crate::times::Expr;
use crate::trace::Reading;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawStep {
    pub(super) client: Option<String>,
    #[serde(rename = "do")]
    pub(super) act: Option<Simple>,
    pub(super) code: Option<CloseCode>,
    send: Option<RawMessage>,
    get: Option<String>,
    broker: Option<BrokerAct>,
    network: Option<NetworkAct>,
    send_text: Option<String>,
    send_binary: Option<Hex>,
    send_bytes: Option<Hex>,
    send_frame: Option<RawFrameForm>,
    send_frames: Option<Vec<RawFrameForm>>,
    send_ping: Option<RawPing>,
    /// Bytes of each write.
    chop: Option<NonZeroUsize>,
    subscribe: Option<RawTarget>,
    unsubscribe: Option<RawTarget>,
    publish: Option<RawEvent>,
    until: Option<Vec<Pattern>>,
    publish_body: Option<RawBody>,
    inspect: Option<RawInspection>,
    gateway: Option<RawGateway>,
    listen: Option<RawListener>,
    unlisten: Option<RawListener>,
    set_token: Option<String>,
    give_token: Option<String>,
    set_user: Option<RawUser>,
    mount: Option<RawMount>,
    unmount: Option<String>,
    observe: Option<Vec<Value>>,
    set_query: Option<RawQuery>,
    get_query: Option<Vec<Value>>,
    read: Option<String>,
    pub(super) wait: Option<Pattern>,
    pub(super) times: Option<Expr>,
    pub(super) within: Option<Expr>,
    pub(super) quiet: Option<Expr>,
    pub(super) requires: Option<RequirementId>,
}

/// Acts that need no details.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Simple {
    Connect,
    Disconnect,
    Close,
    Drop,
    Stall,
    Resume,
    Mute,
    Ping,
    Shutdown,
    Kill,
    SignOut,
    ClearUser,
    ReadConfig,
}

#[derive(Deserialize)]
#[serde(untagged, expecting = "expected an event's type, `{ eventType = … }` or `{ room = … }`")]
enum RawTarget {
    EventType(String),
    Named(Target),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBody {
    body: String,
    routing_key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum RawInspection {
    Topology,
    Queue,
    Log,
}

impl RawStep {
    /// Everything that the step asks for; a good one asks for one thing.
    pub(super) fn actions(self, subject: SubjectKind) -> Result<Vec<Action>, String> {
        let mut actions = Vec::new();
        if let Some(pattern) = self.wait {
            let times = self.times.unwrap_or_else(|| Expr::parse("1").expect("a number"));
            actions.push(Action::Wait { pattern, times, within: self.within });
        }
        actions.extend(self.quiet.map(Action::Quiet));
        match subject {
            SubjectKind::Gateway => {
                let mut acts = Vec::new();
                match self.act {
                    Some(Simple::Kill) => actions.push(Action::KillGateway),
                    Some(Simple::Shutdown) => actions.push(Action::ShutDown),
                    Some(Simple::Disconnect | Simple::SignOut | Simple::ClearUser | Simple::ReadConfig) => {
                        return Err("a scripted client does `close` or `drop`".to_owned());
                    }
                    Some(Simple::Connect) => acts.push(ProbeAct::Connect),
                    Some(Simple::Close) => acts.push(ProbeAct::Close(self.code.unwrap_or(CloseCode::NORMAL))),
                    Some(Simple::Drop) => acts.push(ProbeAct::Drop),
                    Some(Simple::Stall) => acts.push(ProbeAct::Stall),
                    Some(Simple::Resume) => acts.push(ProbeAct::Resume),
                    Some(Simple::Mute) => acts.push(ProbeAct::Mute),
                    Some(Simple::Ping) => acts.push(ProbeAct::Ping),
                    None => {}
                }
                if let Some(message) = self.send {
                    let RawMessage { kind, count, .. } = &message;
                    let (kind, count) = (kind.clone(), *count);
                    acts.push(ProbeAct::Send { kind, payload: message.padded()?, count });
                }
                acts.extend(self.send_text.map(ProbeAct::SendText));
                acts.extend(self.send_binary.map(|Hex(bytes)| ProbeAct::SendBinary(bytes)));
                acts.extend(self.send_bytes.map(|Hex(bytes)| ProbeAct::SendBytes(bytes)));
                let lists = self.send_frame.map(|form| vec![form]).into_iter().chain(self.send_frames);
                for forms in lists {
                    acts.push(send_frames(forms, self.chop)?);
                }
                acts.extend(self.send_ping.map(|ping| ping.act(self.chop)));
                if self.chop.is_some() && !acts.iter().any(ProbeAct::can_be_chopped) {
                    return Err("`chop` belongs to `send_frame`, `send_frames` and `send_ping`".to_owned());
                }
                acts.extend(self.subscribe.map(|target| ProbeAct::Subscribe(target.into())));
                acts.extend(self.unsubscribe.map(|target| ProbeAct::Unsubscribe(target.into())));
                acts.extend(self.network.map(ProbeAct::Network));
                match (&self.client, self.get) {
                    (Some(client), Some(path)) => actions.push(Action::Get { client: client.clone(), path }),
                    (None, Some(_)) => return Err("say which `client` asks".to_owned()),
                    (_, None) => {}
                }
                match (self.client, acts.is_empty()) {
                    (Some(client), _) => {
                        actions.extend(acts.into_iter().map(|act| Action::Probe(client.clone(), act)));
                    }
                    (None, true) => {}
                    (None, false) => return Err("say which `client` does that".to_owned()),
                }
                let publication = self.publish.map(RawEvent::publication).transpose()?;
                actions.extend(match (publication, self.until) {
                    (Some(publication), until) => {
                        let until = until.unwrap_or_default();
                        Some(Action::Publish(Publication { until, ..publication }))
                    }
                    (None, Some(_)) => return Err("`until` goes with `publish`".to_owned()),
                    (None, None) => None,
                });
                actions.extend(self.publish_body.map(|raw| {
                    let (bodies, routing_key) = (vec![raw.body], raw.routing_key);
                    Action::Publish(Publication { bodies, until: Vec::new(), routing_key })
                }));
                actions.extend(self.inspect.map(|inspect| {
                    Action::Inspect(match inspect {
                        RawInspection::Topology => Inspection::Topology,
                        RawInspection::Queue => Inspection::Queue,
                        RawInspection::Log => Inspection::Log,
                    })
                }));
                actions.extend(self.broker.map(Action::Broker));
                let foreign = self.gateway.is_some()
                    || self.listen.is_some()
                    || self.unlisten.is_some()
                    || self.set_token.is_some()
                    || self.give_token.is_some()
                    || self.set_user.is_some()
                    || self.mount.is_some()
                    || self.unmount.is_some()
                    || self.observe.is_some()
                    || self.set_query.is_some()
                    || self.get_query.is_some()
                    || self.read.is_some();
                if foreign {
                    return Err("`gateway`, `listen`, `unlisten`, `set_token`, `give_token`, `set_user`, `mount`, \
                                `unmount`, `observe`, `set_query`, `get_query` and `read` are for scenarios about a \
                                client"
                        .into());
                }
            }
            SubjectKind::Client => {
                let mut acts = Vec::new();
                match self.act {
                    Some(Simple::Connect) => acts.push(ClientAct::Connect),
                    Some(Simple::Disconnect) => acts.push(ClientAct::Disconnect),
                    Some(Simple::SignOut) => acts.push(ClientAct::SetToken(None)),
                    Some(Simple::ClearUser) => acts.push(ClientAct::SetUser(None)),
                    Some(Simple::ReadConfig) => acts.push(ClientAct::Read(Reading::Configuration)),
                    Some(_) => {
                        return Err(
                            "a client under test can `connect`, `disconnect`, `sign_out`, `clear_user` and \
                                    `read_config`"
                                .to_owned(),
                        );
                    }
                    None => {}
                }
                acts.extend(self.send.map(RawMessage::numbered).transpose()?);
                acts.extend(self.subscribe.map(|target| ClientAct::Subscribe(target.into())));
                acts.extend(self.unsubscribe.map(|target| ClientAct::Unsubscribe(target.into())));
                acts.extend(self.listen.map(RawListener::on));
                acts.extend(self.unlisten.map(RawListener::off));
                acts.extend(self.set_token.map(|token| ClientAct::SetToken(Some(token))));
                acts.extend(self.give_token.map(ClientAct::GiveToken));
                acts.extend(self.set_user.map(RawUser::act));
                acts.extend(self.mount.map(RawMount::act).transpose()?);
                acts.extend(self.unmount.map(ClientAct::Unmount));
                acts.extend(self.observe.map(ClientAct::Observe));
                acts.extend(self.set_query.map(RawQuery::act));
                acts.extend(self.get_query.map(|key| ClientAct::Read(Reading::Query(key))));
                acts.extend(self.read.map(|name| ClientAct::Read(Reading::Consumer(name))));
                actions.extend(acts.into_iter().map(Action::Client));
                actions.extend(self.network.map(Action::Network));
                match self.inspect {
                    Some(RawInspection::Log) => actions.push(Action::Inspect(Inspection::Log)),
                    Some(RawInspection::Topology | RawInspection::Queue) => {
                        return Err("of a client, the `log` can be inspected".to_owned());
                    }
                    None => {}
                }
                if let Some(gateway) = self.gateway {
                    actions.extend(gateway.acts()?.into_iter().map(Action::Gateway));
                }
                let foreign = self.client.is_some()
                    || self.send_text.is_some()
                    || self.send_binary.is_some()
                    || self.send_bytes.is_some()
                    || self.send_frame.is_some()
                    || self.send_frames.is_some()
                    || self.send_ping.is_some()
                    || self.chop.is_some()
                    || self.publish.is_some()
                    || self.publish_body.is_some()
                    || self.get.is_some()
                    || self.broker.is_some();
                if foreign {
                    return Err(
                        "`client`, `send_text`, `send_binary`, `send_bytes`, `publish`, `publish_body` and \
                                `broker` are for scenarios about a gateway"
                            .into(),
                    );
                }
            }
        }
        Ok(actions)
    }
}

impl From<RawTarget> for Target {
    fn from(raw: RawTarget) -> Self {
        match raw {
            RawTarget::EventType(name) => Self::EventType(name),
            RawTarget::Named(target) => target,
        }
    }
}
