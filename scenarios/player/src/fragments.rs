//! Messages that come in pieces.

use scenarios::frame::RawFrame;
use scenarios::scenario::FrameSpec;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use wire::frame::MAX_MESSAGE_BYTES;

/// How a message is cut.
#[derive(Debug)]
pub(super) struct Fragmentation {
    /// Into so many frames.
    pub(super) fragments: usize,
    /// What a ping frame behind each but the last carries; nothing for no ping.
    pub(super) between: Vec<u8>,
}

impl Fragmentation {
    /// The frames of a gateway's message, and the pings between them.
    pub(super) fn frames(&self, whole: &RawFrame) -> Vec<FrameSpec> {
        let odd = |frame| FrameSpec { frame, masked: false };
        let mut frames = Vec::new();
        for fragment in whole.clone().cut(self.fragments) {
            let is_last = fragment.fin;
            frames.push(odd(fragment));
            if !is_last && !self.between.is_empty() {
                frames.push(odd(RawFrame::control(Control::Ping, self.between.as_slice())));
            }
        }
        frames
    }
}

/// A message whose last frame has not come, where there is one.
#[derive(Debug, Default)]
pub(super) struct Fragments(Option<RawFrame>);

/// A message in fragments that is longer than is read.
#[derive(Debug, thiserror::Error)]
#[error("a message in fragments of more than {MAX_MESSAGE_BYTES} bytes")]
pub(super) struct TooLong;

impl Fragments {
    /// Whether more of a message is to come.
    pub(super) fn is_open(&self) -> bool {
        self.0.is_some()
    }

    /// Puts fragments together; control frames may come in between (RFC 6455 section 5.4).
    ///
    /// # Errors
    /// When they are longer together than a message may be; what has come of it is forgotten.
    pub(super) fn take(&mut self, frame: RawFrame) -> Result<Option<RawFrame>, TooLong> {
        let so_far = self.0.as_ref().map_or(0, |partial| partial.payload.len());
        if frame.opcode == OpCode::Data(Data::Continue) && so_far + frame.payload.len() > MAX_MESSAGE_BYTES {
            self.0 = None;
            return Err(TooLong);
        }
        Ok(self.put(frame))
    }

    fn put(&mut self, frame: RawFrame) -> Option<RawFrame> {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn fragment(opcode: Data, bytes: usize, fin: bool) -> RawFrame {
        RawFrame { fin, rsv: 0, opcode: OpCode::Data(opcode), payload: vec![b'x'; bytes] }
    }

    /// Fragments count together: one byte too many ends the message, and what follows is a message of its own.
    #[test]
    fn fragments_are_summed() {
        let mut fragments = Fragments::default();
        let half = MAX_MESSAGE_BYTES / 2;
        assert!(matches!(fragments.take(fragment(Data::Text, half, false)), Ok(None)));
        assert!(matches!(fragments.take(fragment(Data::Continue, half, false)), Ok(None)));
        assert!(fragments.take(fragment(Data::Continue, 1, true)).is_err());
        assert!(matches!(fragments.take(fragment(Data::Text, 1, true)), Ok(Some(_))));
    }
}
