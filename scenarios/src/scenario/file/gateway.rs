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
    event: Option<RawEvent>,
    send_text: Option<String>,
    ping: Option<Hex>,
}

impl RawGateway {
    pub(super) fn acts(self) -> Result<Vec<GatewayAct>, String> {
        if matches!(&self.on_dial, Some(OnDials::InTurn(answers)) if answers.is_empty()) {
            return Err("`on_dial` is an empty list".to_owned());
        }
        if self.drop == Some(false) {
            return Err("`drop = false` does nothing".to_owned());
        }
        let mut acts = Vec::new();
        acts.extend(self.on_dial.map(GatewayAct::OnDial));
        acts.extend(self.pong.map(GatewayAct::Pong));
        acts.extend(self.close.map(GatewayAct::Close));
        acts.extend(self.drop.map(|_| GatewayAct::Drop));
        acts.extend(self.event.map(|RawEvent { kind, data, .. }| GatewayAct::Event { name: kind, data }));
        acts.extend(self.send_text.map(GatewayAct::SendText));
        acts.extend(self.ping.map(|Hex(bytes)| GatewayAct::Ping(bytes)));
        Ok(acts)
    }
}
