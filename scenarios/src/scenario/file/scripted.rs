//! What the scripted gateway does: the value of `gateway`.

use protocol::CloseCode;
use serde::{Deserialize, Serialize};

use super::event::RawEvent;
use super::hex::Hex;
use crate::scenario::OnDials;
use crate::scenario::step::GatewayAct;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScripted {
    on_dial: Option<OnDials>,
    pong: Option<bool>,
    close: Option<CloseCode>,
    drop: Option<bool>,
    drop_all: Option<bool>,
    stall: Option<bool>,
    cut_after: Option<u32>,
    event: Option<RawEvent>,
    send_text: Option<String>,
    send_bytes: Option<Hex>,
    ping: Option<Hex>,
}

impl RawScripted {
    /// The one thing that it does.
    pub(super) fn act(self) -> Result<GatewayAct, String> {
        if matches!(&self.on_dial, Some(OnDials::InTurn(answers)) if answers.is_empty()) {
            return Err("`on_dial` is an empty list".to_owned());
        }
        for (name, on) in [("drop", self.drop), ("drop_all", self.drop_all)] {
            if on == Some(false) {
                return Err(format!("`{name} = false` does nothing"));
            }
        }
        if self.cut_after == Some(0) {
            return Err("`cut_after = 0` is a `drop`".to_owned());
        }
        let mut acts = Vec::new();
        acts.extend(self.on_dial.map(GatewayAct::OnDial));
        acts.extend(self.pong.map(GatewayAct::Pong));
        acts.extend(self.close.map(GatewayAct::Close));
        acts.extend(self.drop.map(|_| GatewayAct::Drop));
        acts.extend(self.drop_all.map(|_| GatewayAct::DropAll));
        acts.extend(self.stall.map(GatewayAct::Stall));
        acts.extend(self.cut_after.map(GatewayAct::CutAfter));
        acts.extend(self.event.map(RawEvent::sent).transpose()?);
        acts.extend(self.send_text.map(GatewayAct::SendText));
        acts.extend(self.send_bytes.map(|Hex(bytes)| GatewayAct::SendBytes(bytes)));
        acts.extend(self.ping.map(|Hex(bytes)| GatewayAct::Ping(bytes)));
        match (acts.pop(), acts.len()) {
            (Some(act), 0) => Ok(act),
            (None, _) => Err("the scripted gateway does nothing".to_owned()),
            (Some(_), others) => {
                Err(format!("the scripted gateway does {} things; split the step", others + 1))
            }
        }
    }
}

impl From<&GatewayAct> for RawScripted {
    fn from(act: &GatewayAct) -> Self {
        let none = Self::default();
        match act {
            GatewayAct::OnDial(on_dial) => Self { on_dial: Some(on_dial.clone()), ..none },
            GatewayAct::Pong(on) => Self { pong: Some(*on), ..none },
            GatewayAct::Close(code) => Self { close: Some(*code), ..none },
            GatewayAct::Drop => Self { drop: Some(true), ..none },
            GatewayAct::DropAll => Self { drop_all: Some(true), ..none },
            GatewayAct::Stall(on) => Self { stall: Some(*on), ..none },
            GatewayAct::CutAfter(count) => Self { cut_after: Some(*count), ..none },
            GatewayAct::Event { name, data, count } => {
                Self { event: Some(RawEvent::of(name, data, *count)), ..none }
            }
            GatewayAct::SendText(text) => Self { send_text: Some(text.clone()), ..none },
            GatewayAct::SendBytes(bytes) => Self { send_bytes: Some(Hex(bytes.clone())), ..none },
            GatewayAct::Ping(bytes) => Self { ping: Some(Hex(bytes.clone())), ..none },
        }
    }
}
