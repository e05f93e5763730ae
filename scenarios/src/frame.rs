//! One frame of WebSocket, whether or not RFC 6455 allows it (section 5).

use protocol::CloseCode;
use tungstenite::protocol::frame::FrameHeader;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

/// Most bytes of a control frame.
const MAX_CONTROL_BYTES: usize = 125;

/// One frame, unmasked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RawFrame {
    /// Whether it is the last of its message.
    pub fin: bool,
    /// The three reserved bits as a number: RSV1 is 4, RSV2 is 2, RSV3 is 1.
    pub rsv: u8,
    /// What it is.
    pub opcode: OpCode,
    /// What it carries.
    pub payload: Vec<u8>,
}

impl RawFrame {
    /// A whole message or control frame.
    pub fn whole(opcode: OpCode, payload: impl Into<Vec<u8>>) -> Self {
        Self { fin: true, rsv: 0, opcode, payload: payload.into() }
    }

    /// A text message.
    pub fn text(text: impl Into<String>) -> Self {
        Self::whole(OpCode::Data(Data::Text), text.into())
    }

    /// A control frame.
    pub fn control(control: Control, payload: impl Into<Vec<u8>>) -> Self {
        Self::whole(OpCode::Control(control), payload)
    }

    /// A close with this code, or without one.
    pub fn close(code: CloseCode) -> Self {
        let payload = if code == CloseCode::NO_STATUS { Vec::new() } else { code.0.to_be_bytes().to_vec() };
        Self::control(Control::Close, payload)
    }

    /// The code of a close (section 7.1.5); none where it is broken.
    pub fn close_code(&self) -> Option<CloseCode> {
        match &self.payload[..] {
            [] => Some(CloseCode::NO_STATUS),
            [_] => None,
            [high, low, ..] => Some(CloseCode(u16::from_be_bytes([*high, *low]))),
        }
    }

    /// What RFC 6455 does not allow in it, apart from its mask; `continues` says whether a message has begun and not ended.
    pub fn fault(&self, continues: bool) -> Option<&'static str> {
        match self.opcode {
            _ if self.rsv != 0 => Some("reserved bits (section 5.2)"),
            OpCode::Data(Data::Reserved(_)) | OpCode::Control(Control::Reserved(_)) => {
                Some("a reserved opcode (section 5.2)")
            }
            OpCode::Control(_) if !self.fin => Some("a control frame in fragments (section 5.5)"),
            OpCode::Control(_) if self.payload.len() > MAX_CONTROL_BYTES => {
                Some("a control frame of more than 125 bytes (section 5.5)")
            }
            OpCode::Control(Control::Close) => self.close_fault(),
            OpCode::Data(Data::Continue) if !continues => Some("a continuation of no message (section 5.4)"),
            OpCode::Data(Data::Text | Data::Binary) if continues => {
                Some("a message within a message (section 5.4)")
            }
            _ => None,
        }
    }

    /// What a close must not carry (section 7.4).
    fn close_fault(&self) -> Option<&'static str> {
        match &self.payload[..] {
            [] => None,
            [_] => Some("a close with one byte (section 5.5.1)"),
            [high, low, reason @ ..] => match u16::from_be_bytes([*high, *low]) {
                0..1000 | 1004..=1006 | 1015..3000 | 5000.. => {
                    Some("a close code that must not be sent (section 7.4)")
                }
                _ if std::str::from_utf8(reason).is_err() => {
                    Some("a close reason that is not UTF-8 (section 5.5.1)")
                }
                _ => None,
            },
        }
    }

    /// The frame cut into so many, as even as they can be (RFC 6455 section 5.4). More than it has bytes makes empty ones.
    pub fn cut(self, fragments: usize) -> Vec<Self> {
        let length = self.payload.len();
        let fragment = |number: usize| Self {
            fin: self.fin && number + 1 == fragments,
            opcode: if number == 0 { self.opcode } else { OpCode::Data(Data::Continue) },
            payload: self.payload[number * length / fragments..(number + 1) * length / fragments].to_vec(),
            ..self
        };
        (0..fragments).map(fragment).collect()
    }

    /// The frame's bytes; a client's frames are masked, a gateway's are not.
    pub fn encode(mut self, mask: Option<[u8; 4]>) -> Vec<u8> {
        let header = FrameHeader {
            is_final: self.fin,
            rsv1: self.rsv & 4 != 0,
            rsv2: self.rsv & 2 != 0,
            rsv3: self.rsv & 1 != 0,
            opcode: self.opcode,
            mask,
        };
        let mut bytes = Vec::with_capacity(self.payload.len() + 14);
        header.format(self.payload.len() as u64, &mut bytes).expect("a vector takes every byte");
        if let Some(mask) = mask {
            apply_mask(&mut self.payload, mask);
        }
        bytes.append(&mut self.payload);
        bytes
    }
}

/// Masks bytes, or unmasks them (section 5.3).
pub fn apply_mask(payload: &mut [u8], mask: [u8; 4]) {
    for (byte, key) in payload.iter_mut().zip(mask.iter().cycle()) {
        *byte ^= key;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A close without a code is a close, with the code that stands for none (RFC 6455 section 7.1.5).
    #[test]
    fn a_close_need_not_have_a_code() {
        for code in [CloseCode::NORMAL, CloseCode::NO_STATUS, CloseCode::UNAUTHORIZED] {
            let close = RawFrame::close(code);
            assert_eq!((close.close_code(), close.fault(false)), (Some(code), None));
        }
        assert!(RawFrame::close(CloseCode::NO_STATUS).payload.is_empty());
        assert_eq!(RawFrame::control(Control::Close, [3]).close_code(), None);
    }

    proptest! {
        /// Fragments are one message: together they carry what was cut, one begins it and one ends it.
        #[test]
        fn fragments_are_one_message(
            payload in proptest::collection::vec(any::<u8>(), 0..50),
            fragments in 1_usize..20,
        ) {
            let cut = RawFrame::whole(OpCode::Data(Data::Text), payload.clone()).cut(fragments);
            prop_assert_eq!(cut.len(), fragments);
            prop_assert_eq!(cut.iter().flat_map(|frame| frame.payload.clone()).collect::<Vec<_>>(), payload);
            for (number, frame) in (1..).zip(&cut) {
                prop_assert_eq!(frame.fin, number == fragments);
                prop_assert_eq!(frame.opcode == OpCode::Data(Data::Continue), number > 1);
            }
        }
    }

    /// What RFC 6455 forbids in a gateway's frame is named, and nothing else is.
    #[test]
    fn wrong_frames_are_named() {
        let text = OpCode::Data(Data::Text);
        let good = [
            (RawFrame::text("a"), false),
            (RawFrame::whole(OpCode::Data(Data::Continue), "a"), true),
            (RawFrame::control(Control::Ping, vec![0; 125]), true),
            (RawFrame::control(Control::Close, vec![]), false),
            (RawFrame::control(Control::Close, 4401_u16.to_be_bytes()), false),
        ];
        for (frame, continues) in good {
            assert_eq!(frame.fault(continues), None, "{frame:?}");
        }
        let wrong = [
            (RawFrame { rsv: 4, ..RawFrame::text("a") }, false, "reserved bits"),
            (RawFrame::whole(OpCode::from(3), "a"), false, "a reserved opcode"),
            (RawFrame::whole(text, "a"), true, "a message within a message"),
            (RawFrame::whole(OpCode::Data(Data::Continue), "a"), false, "a continuation of no message"),
            (RawFrame { fin: false, ..RawFrame::control(Control::Ping, vec![]) }, false, "in fragments"),
            (RawFrame::control(Control::Pong, vec![0; 126]), false, "more than 125 bytes"),
            (RawFrame::control(Control::Close, vec![3]), false, "one byte"),
            (RawFrame::control(Control::Close, 1005_u16.to_be_bytes()), false, "must not be sent"),
            (RawFrame::control(Control::Close, vec![3, 0xe8, 0xff]), false, "not UTF-8"),
        ];
        for (frame, continues, says) in wrong {
            let fault = frame.fault(continues).unwrap_or_default();
            assert!(fault.contains(says), "{frame:?}: {fault}");
        }
    }
}
