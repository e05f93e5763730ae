//! `[[step]]` of a scenario about a gateway.

use std::num::{NonZeroU32, NonZeroUsize};

use protocol::CloseCode;
use serde::{Deserialize, Serialize};

use super::event::RawPublish;
use super::frame::{RawFrameForm, frames};
use super::hex::Hex;
use super::message::RawMessage;
use super::target::RawTarget;
use super::{Keys, RawStep, label, labelled};
use crate::label::Label;
use crate::pattern::Pattern;
use crate::requirement::RequirementId;
use crate::scenario::step::{
    BrokenSignIn, BrokerAct, GatewayAction, Inspection, NetworkAct, OddPing, Publication, ScriptedClientAct,
    Step, Wait, Waits,
};
use crate::times::Expr;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGatewayStep {
    client: Option<String>,
    #[serde(rename = "do")]
    act: Option<Simple>,
    code: Option<CloseCode>,
    send: Option<RawMessage>,
    send_text: Option<String>,
    send_binary: Option<Hex>,
    send_bytes: Option<Hex>,
    send_frame: Option<RawFrameForm>,
    send_frames: Option<Vec<RawFrameForm>>,
    send_ping: Option<OddPing>,
    /// Bytes of each write.
    chop: Option<NonZeroUsize>,
    subscribe: Option<RawTarget>,
    unsubscribe: Option<RawTarget>,
    sign_in_as: Option<String>,
    sign_in: Option<BrokenSignIn>,
    network: Option<NetworkAct>,
    send_compressed: Option<usize>,
    churn: Option<NonZeroU32>,
    rounds: Option<NonZeroU32>,
    get: Option<String>,
    publish: Option<RawPublish>,
    publish_body: Option<RawBody>,
    until: Option<Vec<Pattern>>,
    inspect: Option<Inspection>,
    broker: Option<BrokerAct>,
    wait: Option<Pattern>,
    times: Option<Expr>,
    within: Option<Expr>,
    quiet: Option<Expr>,
    requires: Option<RequirementId>,
    shows: Option<RequirementId>,
}

/// Acts that need no details.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Simple {
    Connect,
    Close,
    Drop,
    HalfClose,
    Stall,
    Resume,
    Mute,
    Ping,
    SignIn,
    Shutdown,
    Kill,
    Start,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawBody {
    body: String,
    routing_key: String,
}

impl RawStep for RawGatewayStep {
    type Action = GatewayAction;

    fn step(mut self) -> Result<Step<GatewayAction>, String> {
        let label = label(self.requires.take(), self.shows.take())?;
        let keys = Keys::of(&self);
        let action = self.action()?;
        keys.check_used(&Keys::of(&self))?;
        let patterns = action.patterns();
        if let Some(wrong) = patterns.iter().find_map(|pattern| pattern.misaddressed()) {
            return Err(wrong.to_owned());
        }
        // What such a wait rests on follows from what the event is.
        let is_addressed = patterns.iter().any(|pattern| pattern.is_addressed());
        if is_addressed && matches!(label, Some(Label::Requires(_))) {
            return Err(
                "leave `requires` out: what such an event rests on follows from whom the gateway's is for"
                    .to_owned(),
            );
        }
        let waits = !patterns.is_empty() && !is_addressed;
        let can_fail = !patterns.is_empty()
            || matches!(action, GatewayAction::Publish { .. } | GatewayAction::Inspect(_))
            || matches!(action, GatewayAction::ScriptedClient(_, ScriptedClientAct::Connect));
        labelled(action, label, waits, can_fail)
    }
}

impl RawGatewayStep {
    /// Takes out what one action is made of.
    fn action(&mut self) -> Result<GatewayAction, String> {
        if let Some(pattern) = self.wait.take() {
            let (times, within) = (self.times.take(), self.within.take());
            return Ok(GatewayAction::Wait(Wait { pattern, times, within }));
        }
        if let Some(time) = self.quiet.take() {
            return Ok(GatewayAction::Quiet(time));
        }
        if let Some(event) = self.publish.take() {
            let until = self.until.take().unwrap_or_default();
            return event.action(until, self.within.take());
        }
        if let Some(RawBody { body, routing_key }) = self.publish_body.take() {
            let publication = Publication::Body { body, routing_key };
            return Ok(GatewayAction::Publish {
                publication,
                until: Vec::new(),
                within: None,
                optional: false,
            });
        }
        if let Some(inspection) = self.inspect.take() {
            return Ok(GatewayAction::Inspect(inspection));
        }
        if let Some(act) = self.broker.take() {
            return Ok(GatewayAction::Broker(act));
        }
        match self.act {
            Some(Simple::Shutdown) => {
                self.act = None;
                return Ok(GatewayAction::ShutDown);
            }
            Some(Simple::Kill) => {
                self.act = None;
                return Ok(GatewayAction::Kill);
            }
            Some(Simple::Start) => {
                self.act = None;
                return Ok(GatewayAction::Start);
            }
            _ => {}
        }
        if let Some(path) = self.get.take() {
            let client = self.client.take().ok_or("say which `client` asks")?;
            return Ok(GatewayAction::Get { client, path });
        }
        let act = self.probe_act()?.ok_or("the step does nothing")?;
        let client = self.client.take().ok_or("say which `client` does that")?;
        Ok(GatewayAction::ScriptedClient(client, act))
    }

    fn probe_act(&mut self) -> Result<Option<ScriptedClientAct>, String> {
        if let Some(act) = self.act.take() {
            return Ok(Some(match act {
                Simple::Connect => ScriptedClientAct::Connect,
                Simple::Close => ScriptedClientAct::Close(self.code.take().unwrap_or(CloseCode::NORMAL)),
                Simple::Drop => ScriptedClientAct::Drop,
                Simple::HalfClose => ScriptedClientAct::HalfClose,
                Simple::Stall => ScriptedClientAct::Stall,
                Simple::Resume => ScriptedClientAct::Resume,
                Simple::Mute => ScriptedClientAct::Mute,
                Simple::Ping => ScriptedClientAct::Ping,
                Simple::SignIn => ScriptedClientAct::SignIn(None),
                Simple::Shutdown | Simple::Kill | Simple::Start => return Ok(None),
            }));
        }
        if let Some(message) = self.send.take() {
            let (kind, count) = (message.kind.clone(), message.count);
            return Ok(Some(ScriptedClientAct::Send { kind, payload: message.padded()?, count }));
        }
        if let Some(form) = self.send_frame.take() {
            return Ok(Some(ScriptedClientAct::SendFrames {
                frames: frames(vec![form], true)?,
                chop: self.chop.take(),
            }));
        }
        if let Some(forms) = self.send_frames.take() {
            return Ok(Some(ScriptedClientAct::SendFrames {
                frames: frames(forms, true)?,
                chop: self.chop.take(),
            }));
        }
        if let Some(ping) = self.send_ping.take() {
            return Ok(Some(ScriptedClientAct::SendPing(OddPing { chop: self.chop.take(), ..ping })));
        }
        let simple = (self.send_text.take().map(ScriptedClientAct::SendText))
            .or_else(|| self.send_binary.take().map(|Hex(bytes)| ScriptedClientAct::SendBinary(bytes)))
            .or_else(|| self.send_bytes.take().map(|Hex(bytes)| ScriptedClientAct::SendBytes(bytes)))
            .or_else(|| self.subscribe.take().map(|target| ScriptedClientAct::Subscribe(target.into())))
            .or_else(|| self.unsubscribe.take().map(|target| ScriptedClientAct::Unsubscribe(target.into())))
            .or_else(|| self.sign_in_as.take().map(|other| ScriptedClientAct::SignIn(Some(other))))
            .or_else(|| self.sign_in.take().map(ScriptedClientAct::BreakSignIn))
            .or_else(|| self.send_compressed.take().map(ScriptedClientAct::SendCompressed))
            .or_else(|| {
                let count = self.churn.take()?.get();
                let rounds = self.rounds.take().map_or(1, NonZeroU32::get);
                Some(ScriptedClientAct::Churn { count, rounds })
            })
            .or_else(|| self.network.take().map(ScriptedClientAct::Network));
        Ok(simple)
    }
}

impl From<&Step<GatewayAction>> for RawGatewayStep {
    fn from(step: &Step<GatewayAction>) -> Self {
        let (requires, shows) = super::unlabel(step.label.as_ref());
        let none = Self { requires, shows, ..Self::default() };
        match &step.action {
            GatewayAction::Wait(Wait { pattern, times, within }) => {
                Self { wait: Some(pattern.clone()), times: times.clone(), within: within.clone(), ..none }
            }
            GatewayAction::Quiet(time) => Self { quiet: Some(time.clone()), ..none },
            GatewayAction::ScriptedClient(client, act) => {
                Self { client: Some(client.clone()), ..none.with(act) }
            }
            GatewayAction::Publish { publication, until, within, optional } => {
                let until = (!until.is_empty()).then(|| until.clone());
                let publish_body = match publication {
                    Publication::Events { .. } | Publication::Addressed { .. } => None,
                    Publication::Body { body, routing_key } => {
                        Some(RawBody { body: body.clone(), routing_key: routing_key.clone() })
                    }
                };
                let (publish, within) = (RawPublish::of(publication, *optional), within.clone());
                Self { publish, publish_body, until, within, ..none }
            }
            GatewayAction::Inspect(inspection) => Self { inspect: Some(*inspection), ..none },
            GatewayAction::Get { client, path } => {
                Self { client: Some(client.clone()), get: Some(path.clone()), ..none }
            }
            GatewayAction::Broker(act) => Self { broker: Some(act.clone()), ..none },
            GatewayAction::ShutDown => Self { act: Some(Simple::Shutdown), ..none },
            GatewayAction::Kill => Self { act: Some(Simple::Kill), ..none },
            GatewayAction::Start => Self { act: Some(Simple::Start), ..none },
        }
    }
}

impl RawGatewayStep {
    fn with(self, act: &ScriptedClientAct) -> Self {
        let does = |act| Some(act);
        match act {
            ScriptedClientAct::Connect => Self { act: does(Simple::Connect), ..self },
            ScriptedClientAct::Close(code) => Self { act: does(Simple::Close), code: Some(*code), ..self },
            ScriptedClientAct::Drop => Self { act: does(Simple::Drop), ..self },
            ScriptedClientAct::HalfClose => Self { act: does(Simple::HalfClose), ..self },
            ScriptedClientAct::Churn { count, rounds } => {
                let rounds = NonZeroU32::new(*rounds).filter(|rounds| rounds.get() > 1);
                Self { churn: NonZeroU32::new(*count), rounds, ..self }
            }
            ScriptedClientAct::SendCompressed(bytes) => Self { send_compressed: Some(*bytes), ..self },
            ScriptedClientAct::Stall => Self { act: does(Simple::Stall), ..self },
            ScriptedClientAct::Resume => Self { act: does(Simple::Resume), ..self },
            ScriptedClientAct::Mute => Self { act: does(Simple::Mute), ..self },
            ScriptedClientAct::Ping => Self { act: does(Simple::Ping), ..self },
            ScriptedClientAct::Send { kind, payload, count } => {
                Self { send: Some(RawMessage::of(kind, payload, *count)), ..self }
            }
            ScriptedClientAct::SendText(text) => Self { send_text: Some(text.clone()), ..self },
            ScriptedClientAct::SendBinary(bytes) => Self { send_binary: Some(Hex(bytes.clone())), ..self },
            ScriptedClientAct::SendBytes(bytes) => Self { send_bytes: Some(Hex(bytes.clone())), ..self },
            ScriptedClientAct::SendFrames { frames, chop } => {
                Self { send_frames: Some(frames.iter().map(Into::into).collect()), chop: *chop, ..self }
            }
            ScriptedClientAct::SendPing(ping) => {
                Self { send_ping: Some(ping.clone()), chop: ping.chop, ..self }
            }
            ScriptedClientAct::Subscribe(target) => Self { subscribe: Some(target.into()), ..self },
            ScriptedClientAct::Unsubscribe(target) => Self { unsubscribe: Some(target.into()), ..self },
            ScriptedClientAct::SignIn(None) => Self { act: does(Simple::SignIn), ..self },
            ScriptedClientAct::SignIn(Some(other)) => Self { sign_in_as: Some(other.clone()), ..self },
            ScriptedClientAct::BreakSignIn(how) => Self { sign_in: Some(*how), ..self },
            ScriptedClientAct::Network(act) => Self { network: Some(act.clone()), ..self },
        }
    }
}
