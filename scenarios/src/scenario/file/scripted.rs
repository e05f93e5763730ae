//! What the scripted gateway does: the value of `gateway`.

use protocol::CloseCode;
use serde::{Deserialize, Serialize};

use super::event::RawEvent;
use super::frame::{RawFrameForm, frames};
use super::hex::Hex;
use crate::scenario::OnDials;
use crate::scenario::step::GatewayAct;

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawScripted {
    on_dial: Option<OnDials>,
    pong: Option<bool>,
    close: Option<RawCode>,
    close_and_linger: Option<RawCode>,
    drop: Option<bool>,
    drop_all: Option<bool>,
    stall: Option<bool>,
    cut_after: Option<u32>,
    event: Option<RawEvent>,
    send_frame: Option<RawFrameForm>,
    send_frames: Option<Vec<RawFrameForm>>,
    send_text: Option<String>,
    send_bytes: Option<Hex>,
    ping: Option<Hex>,
}

/// The code of a close frame, or that it has none.
#[derive(Serialize, Deserialize)]
#[serde(untagged, expecting = "expected a close code, or `\"none\"`")]
enum RawCode {
    Code(CloseCode),
    Word(NoCode),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum NoCode {
    None,
}

impl RawCode {
    fn close(self, lingers: bool) -> GatewayAct {
        let code = match self {
            Self::Code(code) => Some(code),
            Self::Word(NoCode::None) => None,
        };
        GatewayAct::Close { code, lingers }
    }
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
        acts.extend(self.close.map(|code| code.close(false)));
        acts.extend(self.close_and_linger.map(|code| code.close(true)));
        acts.extend(self.drop.map(|_| GatewayAct::Drop));
        acts.extend(self.drop_all.map(|_| GatewayAct::DropAll));
        acts.extend(self.stall.map(GatewayAct::Stall));
        acts.extend(self.cut_after.map(GatewayAct::CutAfter));
        acts.extend(self.event.map(RawEvent::sent).transpose()?);
        let forms = self.send_frame.map(|form| vec![form]).or(self.send_frames);
        acts.extend(forms.map(|forms| frames(forms, false)).transpose()?.map(GatewayAct::SendFrames));
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
            GatewayAct::Close { code, lingers } => {
                let code = code.map_or(RawCode::Word(NoCode::None), RawCode::Code);
                match lingers {
                    false => Self { close: Some(code), ..none },
                    true => Self { close_and_linger: Some(code), ..none },
                }
            }
            GatewayAct::Drop => Self { drop: Some(true), ..none },
            GatewayAct::DropAll => Self { drop_all: Some(true), ..none },
            GatewayAct::Stall(on) => Self { stall: Some(*on), ..none },
            GatewayAct::CutAfter(count) => Self { cut_after: Some(*count), ..none },
            GatewayAct::Event { name, data, count } => {
                Self { event: Some(RawEvent::of(name, data, *count)), ..none }
            }
            GatewayAct::Fragmented { name, data, fragments, between } => {
                Self { event: Some(RawEvent::fragmented(name, data, *fragments, between)), ..none }
            }
            GatewayAct::SendFrames(frames) => {
                Self { send_frames: Some(frames.iter().map(RawFrameForm::from).collect()), ..none }
            }
            GatewayAct::SendText(text) => Self { send_text: Some(text.clone()), ..none },
            GatewayAct::SendBytes(bytes) => Self { send_bytes: Some(Hex(bytes.clone())), ..none },
            GatewayAct::Ping(bytes) => Self { ping: Some(Hex(bytes.clone())), ..none },
        }
    }
}
