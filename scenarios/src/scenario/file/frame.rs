//! Frames as a file writes them, right or wrong.

use std::num::NonZeroUsize;

use serde::{Deserialize, Serialize};
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::hex::Hex;
use crate::frame::RawFrame;
use crate::scenario::step::FrameSpec;

/// Largest opcode and reserved bits that a header has room for.
const MAX_OPCODE: u8 = 15;
const MAX_RSV: u8 = 7;

/// `send_frame = { … }`, and each of `send_frames`. A `fill` of 3 is the payload `xxx`, and with a `text` that text three
/// times; `code` stands before the rest.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawFrameForm {
    opcode: RawOpcode,
    #[serde(default = "yes")]
    fin: bool,
    #[serde(default)]
    rsv: u8,
    /// Missing: as its sender should.
    masked: Option<bool>,
    code: Option<u16>,
    text: Option<String>,
    hex: Option<Hex>,
    fill: Option<usize>,
    /// Cuts it into so many frames.
    fragments: Option<NonZeroUsize>,
}

#[derive(Serialize, Deserialize)]
#[serde(
    untagged,
    expecting = "expected `text`, `binary`, `continuation`, `ping`, `pong`, `close` or a number"
)]
enum RawOpcode {
    Named(Named),
    Number(u8),
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Named {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

/// The frames that these forms are; `masks` says whether their sender should mask them.
pub(super) fn frames(forms: Vec<RawFrameForm>, masks: bool) -> Result<Vec<FrameSpec>, String> {
    let frames = forms.into_iter().map(|form| form.frames(masks)).collect::<Result<Vec<_>, _>>()?.concat();
    if frames.is_empty() { Err("`send_frames` is an empty list".to_owned()) } else { Ok(frames) }
}

impl RawFrameForm {
    fn frames(self, masks: bool) -> Result<Vec<FrameSpec>, String> {
        let payload = match (self.text, self.hex, self.fill) {
            (text, None, Some(count)) => text.as_deref().unwrap_or("x").repeat(count).into_bytes(),
            (Some(text), None, None) => text.into_bytes(),
            (None, Some(Hex(bytes)), None) => bytes,
            (None, None, None) => Vec::new(),
            (_, Some(_), _) => return Err("a frame carries `hex`, or `text` and `fill`".to_owned()),
        };
        if self.rsv > MAX_RSV {
            return Err(format!("`rsv` is three bits, so at most {MAX_RSV}"));
        }
        let code = self.code.map(|code| code.to_be_bytes().to_vec()).unwrap_or_default();
        let frame = RawFrame {
            fin: self.fin,
            rsv: self.rsv,
            opcode: self.opcode.opcode()?,
            payload: [code, payload].concat(),
        };
        let frames = frame.cut(self.fragments.map_or(1, NonZeroUsize::get));
        Ok(frames
            .into_iter()
            .map(|frame| FrameSpec { frame, masked: self.masked.unwrap_or(masks) })
            .collect())
    }
}

impl RawOpcode {
    fn opcode(&self) -> Result<OpCode, String> {
        match self {
            Self::Number(number) if *number > MAX_OPCODE => Err(format!("an opcode is at most {MAX_OPCODE}")),
            Self::Number(number) => Ok(OpCode::from(*number)),
            Self::Named(named) => Ok(match named {
                Named::Continuation => OpCode::Data(Data::Continue),
                Named::Text => OpCode::Data(Data::Text),
                Named::Binary => OpCode::Data(Data::Binary),
                Named::Close => OpCode::Control(Control::Close),
                Named::Ping => OpCode::Control(Control::Ping),
                Named::Pong => OpCode::Control(Control::Pong),
            }),
        }
    }
}

impl From<&FrameSpec> for RawFrameForm {
    fn from(odd: &FrameSpec) -> Self {
        let RawFrame { fin, rsv, opcode, payload } = &odd.frame;
        Self {
            opcode: RawOpcode::Number(u8::from(*opcode)),
            fin: *fin,
            rsv: *rsv,
            masked: Some(odd.masked),
            code: None,
            text: None,
            hex: Some(Hex(payload.clone())),
            fill: None,
            fragments: None,
        }
    }
}

fn yes() -> bool {
    true
}
