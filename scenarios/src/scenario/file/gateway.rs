//! What the scripted gateway does.

use protocol::CloseCode;
use serde::Deserialize;

use super::event::RawEvent;
use super::hex::Hex;
use crate::scenario::OnDials;
use crate::scenario::step::GatewayAct;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawGateway {
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

impl RawGateway {
    pub(super) fn acts(self) -> Result<Vec<GatewayAct>, String> {
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
        Ok(acts)
    }
}
