//! A gateway's frames, read where they lie (RFC 6455 section 5.2).

/// Largest payload that is read.
const MAX_PAYLOAD_BYTES: u64 = 16 * 1024 * 1024;

/// A frame in a buffer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Frame<'a> {
    /// Whether it is the last of its message.
    pub(super) fin: bool,
    pub(super) opcode: u8,
    pub(super) payload: &'a [u8],
    /// Bytes of the whole frame.
    pub(super) length: usize,
}

pub(super) const CONTINUATION: u8 = 0;
pub(super) const CLOSE: u8 = 8;
pub(super) const PING: u8 = 9;
pub(super) const PONG: u8 = 10;

impl<'a> Frame<'a> {
    /// The frame at the begin of these bytes, where it is whole.
    ///
    /// # Errors
    /// When no gateway may send it.
    pub(super) fn parse(bytes: &'a [u8]) -> Result<Option<Self>, String> {
        let [first, second, rest @ ..] = bytes else { return Ok(None) };
        if first & 0x70 != 0 {
            return Err("a frame with reserved bits, though no extension was asked for".to_owned());
        }
        if second & 0x80 != 0 {
            return Err("a masked frame".to_owned());
        }
        let (length, head) = match second & 0x7f {
            126 => match rest {
                [a, b, ..] => (u64::from(u16::from_be_bytes([*a, *b])), 4),
                _ => return Ok(None),
            },
            127 => match rest.first_chunk::<8>() {
                Some(length) => (u64::from_be_bytes(*length), 10),
                None => return Ok(None),
            },
            short => (u64::from(short), 2),
        };
        if length > MAX_PAYLOAD_BYTES {
            return Err(format!("a frame of {length} bytes"));
        }
        let end = head + length as usize;
        let payload = bytes.get(head..end);
        Ok(payload.map(|payload| Self { fin: first & 0x80 != 0, opcode: first & 0x0f, payload, length: end }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use scenarios::frame::RawFrame;

    /// Frames of each length are read where they lie, and not before they are whole.
    #[test]
    fn frames_are_read() {
        for length in [0, 1, 125, 126, 65_535, 65_536] {
            let mut bytes = RawFrame::text("x".repeat(length)).encode(None);
            let whole = bytes.len();
            bytes.extend(b"next");
            let frame = Frame::parse(&bytes).unwrap().unwrap();
            assert_eq!(
                (frame.length, frame.payload.len(), frame.fin, frame.opcode),
                (whole, length, true, 1)
            );
            for cut in [0, 1, 2, 3, 9, whole - 1] {
                if cut < whole {
                    assert_eq!(Frame::parse(&bytes[..cut]), Ok(None), "{cut} of {whole}");
                }
            }
        }
    }

    /// What no gateway may send is refused before it is read.
    #[test]
    fn wrong_frames_are_refused() {
        assert!(Frame::parse(&RawFrame::text("x").encode(Some([1, 2, 3, 4]))).is_err());
        assert!(Frame::parse(&[0xc1, 0]).is_err());
        let mut huge = vec![0x82, 127];
        huge.extend(u64::MAX.to_be_bytes());
        assert!(Frame::parse(&huge).unwrap_err().contains("bytes"));
    }
}
