//! Reads frames, one at a time (RFC 6455 section 5).

use std::error::Error;
use std::io::{self, Cursor};

use bytes::{Buf, Bytes, BytesMut};
use scenarios::frame::{RawFrame, apply_mask};
use tokio::io::{AsyncRead, AsyncReadExt};
use tungstenite::protocol::frame::FrameHeader;

/// Largest message that a scripted end reads, in one frame or in fragments: twice what a scenario can have anyone send.
pub const MAX_MESSAGE_BYTES: usize = 2 * 1024 * 1024;
/// Bytes that are read at once.
const CHUNK_BYTES: usize = 16 * 1024;

/// A frame that is longer than is read, as the header says. It is well-formed, so it breaks no rule of RFC 6455.
#[derive(Debug, thiserror::Error)]
#[error("a frame of {bytes} bytes; no more than {MAX_MESSAGE_BYTES} are read")]
pub struct FrameTooLong {
    bytes: u64,
}

impl FrameTooLong {
    /// Whether that is why a read failed.
    pub fn caused(error: &io::Error) -> bool {
        error.get_ref().is_some_and(<dyn Error + Send + Sync>::is::<Self>)
    }
}

/// Reads frames from a stream.
#[derive(Debug, Default)]
pub struct FrameReader {
    buffer: BytesMut,
    /// The mask of the frame that was read last, where it was masked.
    mask: Option<[u8; 4]>,
}

impl FrameReader {
    /// A reader that begins with bytes which were read already, after a handshake for example.
    pub fn after(leftover: Vec<u8>) -> Self {
        Self { buffer: BytesMut::from(Bytes::from(leftover)), mask: None }
    }

    /// The mask of the frame that was read last, where it was masked.
    pub fn mask(&self) -> Option<[u8; 4]> {
        self.mask
    }

    /// What was read behind the frame that was read last.
    pub fn into_unread(self) -> Vec<u8> {
        self.buffer.into()
    }

    /// The next frame, or nothing at the end of the stream. Cancel safe: what was read is kept.
    ///
    /// # Errors
    /// When the stream fails. [`io::ErrorKind::InvalidData`] where its bytes are no frames, or a frame is longer than
    /// [`MAX_MESSAGE_BYTES`] ([`FrameTooLong::caused`]), which is known before the frame is read.
    pub async fn next(&mut self, stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<RawFrame>> {
        loop {
            if let Some(frame) = self.take()? {
                return Ok(Some(frame));
            }
            self.buffer.reserve(CHUNK_BYTES);
            if stream.read_buf(&mut self.buffer).await? == 0 {
                return if self.buffer.is_empty() {
                    Ok(None)
                } else {
                    Err(io::ErrorKind::UnexpectedEof.into())
                };
            }
        }
    }

    /// Takes bytes that were read elsewhere; [`FrameReader::take`] gives the frames that are whole by then.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next frame of what has been read, where it is whole.
    ///
    /// # Errors
    /// When the bytes are no frames, or a frame is too long.
    pub fn take(&mut self) -> io::Result<Option<RawFrame>> {
        let mut cursor = Cursor::new(self.buffer.as_ref());
        let invalid = |error: &dyn ToString| io::Error::new(io::ErrorKind::InvalidData, error.to_string());
        let Some((header, length)) = FrameHeader::parse(&mut cursor).map_err(|error| invalid(&error))? else {
            return Ok(None);
        };
        if length > i64::MAX as u64 {
            return Err(invalid(&"a length of more than 63 bits (section 5.2)"));
        }
        if length > MAX_MESSAGE_BYTES as u64 {
            return Err(io::Error::new(io::ErrorKind::InvalidData, FrameTooLong { bytes: length }));
        }
        let start = cursor.position() as usize;
        let end = start + length as usize;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let mut payload = self.buffer[start..end].to_vec();
        self.buffer.advance(end);
        if self.buffer.is_empty() {
            // What a long frame took is not held while nothing is said.
            self.buffer = BytesMut::new();
        }
        self.mask = header.mask;
        if let Some(mask) = header.mask {
            apply_mask(&mut payload, mask);
        }
        let rsv = u8::from(header.rsv1) << 2 | u8::from(header.rsv2) << 1 | u8::from(header.rsv3);
        Ok(Some(RawFrame { fin: header.is_final, rsv, opcode: header.opcode, payload }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use tungstenite::protocol::frame::coding::{Data, OpCode};

    proptest! {
        /// What is written reads back, masked or not, however the bytes are cut.
        #[test]
        fn frames_round_trip(
            payload in proptest::collection::vec(any::<u8>(), 0..300),
            mask in any::<Option<[u8; 4]>>(),
            fin in any::<bool>(),
            rsv in 0_u8..8,
            cut in 0_usize..300,
        ) {
            let frame = RawFrame { fin, rsv, opcode: OpCode::Data(Data::Binary), payload };
            let bytes = frame.clone().encode(mask);
            let cut = cut.min(bytes.len());
            let mut reader = FrameReader::after(bytes[..cut].to_vec());
            if cut < bytes.len() {
                prop_assert_eq!(reader.take().unwrap(), None);
                reader.feed(&bytes[cut..]);
            }
            prop_assert_eq!(reader.take().unwrap(), Some(frame));
            prop_assert!(reader.buffer.is_empty());
        }
    }

    /// A frame that is too long is refused by its header; nothing of it is waited for.
    #[tokio::test]
    async fn a_long_frame_is_refused_by_its_header() {
        let header = [&[0x81, 127][..], &(MAX_MESSAGE_BYTES as u64 + 1).to_be_bytes()].concat();
        let mut reader = FrameReader::default();
        let refused = reader.next(&mut header.as_slice()).await.unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::InvalidData);
        assert_eq!(refused.to_string(), "a frame of 2097153 bytes; no more than 2097152 are read");
        assert!(FrameTooLong::caused(&refused));
    }

    /// Bytes that are no frame are another error than a frame that is too long (RFC 6455 section 5.2): a reserved opcode, and a length
    /// whose highest bit is set.
    #[test]
    fn what_is_no_frame_is_not_too_long() {
        for bytes in [vec![0x83, 0], [&[0x81, 127][..], &[0xff; 8]].concat()] {
            let refused = FrameReader::after(bytes).take().unwrap_err();
            let is_too_long = FrameTooLong::caused(&refused);
            assert!(refused.kind() == io::ErrorKind::InvalidData && !is_too_long, "{refused}");
        }
    }
}
