//! Lines of a stranger: what is longer than its limit is cut before it is kept.

use std::io;

use bytes::BytesMut;
use tokio_util::codec::{AnyDelimiterCodec, AnyDelimiterCodecError, Decoder};

/// Decodes lines. What is not UTF-8 in them is replaced.
pub struct LineDecoder(AnyDelimiterCodec);

/// A line, without its line break.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// All of it.
    Whole(String),
    /// As much as the limit allows. The rest is dropped as it comes.
    TooLong(String),
}

impl LineDecoder {
    /// Lines of at most `max_bytes`.
    pub fn new(max_bytes: usize) -> Self {
        Self(AnyDelimiterCodec::new_with_max_length(b"\n".to_vec(), Vec::new(), max_bytes))
    }

    /// A line that is too long is no error: after one, a stream would wait for more bytes before it looked at those that it has.
    fn line(
        &self,
        decoded: Result<Option<impl AsRef<[u8]>>, AnyDelimiterCodecError>,
        kept: &BytesMut,
    ) -> io::Result<Option<Line>> {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        match decoded {
            Ok(line) => Ok(line.map(|line| Line::Whole(text(line.as_ref())))),
            Err(AnyDelimiterCodecError::MaxChunkLengthExceeded) => {
                Ok(Some(Line::TooLong(text(&kept[..self.0.max_length()]))))
            }
            Err(AnyDelimiterCodecError::Io(error)) => Err(error),
        }
    }
}

impl Decoder for LineDecoder {
    type Item = Line;
    type Error = io::Error;

    fn decode(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Line>> {
        let decoded = self.0.decode(buffer);
        self.line(decoded, buffer)
    }

    fn decode_eof(&mut self, buffer: &mut BytesMut) -> io::Result<Option<Line>> {
        let decoded = self.0.decode_eof(buffer);
        self.line(decoded, buffer)
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use tokio_util::codec::FramedRead;

    use super::*;

    /// A line that is too long is cut, and the next line is read whole, also where both came at once.
    #[tokio::test]
    async fn a_long_line_is_cut() {
        let text = b"four\nfiver and more\n\xffx\n\nend".as_slice();
        let lines: Vec<_> = FramedRead::new(text, LineDecoder::new(4)).map(Result::unwrap).collect().await;
        let whole = |text: &str| Line::Whole(text.to_owned());
        let expected =
            [whole("four"), Line::TooLong("five".to_owned()), whole("\u{fffd}x"), whole(""), whole("end")];
        assert_eq!(lines, expected);
    }

    /// However much comes without a line break, only the limit is kept.
    #[tokio::test]
    async fn memory_is_bounded() {
        let mut lines = FramedRead::new(tokio::io::repeat(b'x'), LineDecoder::new(4));
        assert_eq!(lines.next().await.unwrap().unwrap(), Line::TooLong("xxxx".to_owned()));
        let mut buffer = BytesMut::zeroed(64 * 1024);
        assert_eq!(lines.decoder_mut().decode(&mut buffer).unwrap(), None);
        assert!(buffer.is_empty());
    }
}
