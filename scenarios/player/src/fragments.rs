//! Messages that come in pieces.

use scenarios::frame::RawFrame;
use tungstenite::protocol::frame::coding::{Data, OpCode};

/// A message whose last frame has not come, where there is one.
#[derive(Debug, Default)]
pub(super) struct Fragments(Option<RawFrame>);

impl Fragments {
    /// Whether more of a message is to come.
    pub(super) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Puts fragments together; control frames may come in between (RFC 6455 section 5.4).
    pub(super) fn take(&mut self, frame: RawFrame) -> Option<RawFrame> {
        match (frame.opcode, self.0.take()) {
            (OpCode::Control(_), partial) => {
                self.0 = partial;
                Some(frame)
            }
            (OpCode::Data(Data::Continue), Some(mut whole)) => {
                whole.payload.extend(frame.payload);
                whole.fin = frame.fin;
                self.finished(whole)
            }
            _ => self.finished(frame),
        }
    }

    fn finished(&mut self, frame: RawFrame) -> Option<RawFrame> {
        if frame.fin {
            return Some(frame);
        }
        self.0 = Some(frame);
        None
    }
}
