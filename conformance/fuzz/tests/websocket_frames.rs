//! Frames of WebSocket: from gateways under test, masked where they come from clients.

use gatecheck_fuzz::edited;
use scenarios::frame::RawFrame;
use wire::frame::{FrameReader, MAX_MESSAGE_BYTES};

/// A text, a fragment and its end, a ping, a close with a reason; masked, a text of more than 125 bytes; a frame that is too long.
const SAMPLES: [&[u8]; 4] = [
    b"\x81\x04{\"\":\x01\x01a\x80\x01b",
    b"\x89\x02hi\x88\x05\x03\xe8bye",
    b"\x81\xfe\x00\x80\x01\x02\x03\x04x23456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789",
    b"\x82\x7f\x00\x00\x00\x00\x00\x20\x00\x01",
];

/// Frames are the same however the bytes come, none is longer than its limit, and each can be written again.
#[test]
fn websocket_frames() {
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = edited(&SAMPLES, input);
        let cut = input.first().map_or(0, |&first| usize::from(first).min(bytes.len()));
        let (first, second) = bytes.split_at(cut);
        let whole = frames(&[&bytes]);
        assert_eq!(frames(&[first, second]), whole);
        let mut continues = false;
        for (frame, mask) in whole.0 {
            assert!(frame.payload.len() <= MAX_MESSAGE_BYTES);
            let _ = (frame.fault(continues), frame.close_code());
            continues = !frame.fin;
            let again = frame.clone().encode(mask);
            let (read, broken) = frames(&[&again]);
            assert!(!broken && read == [(frame, mask)]);
        }
    });
}

/// A frame with its mask.
type Masked = (RawFrame, Option<[u8; 4]>);

/// The frames in bytes that come in such pieces, each with its mask, and whether what follows is no frame.
fn frames(pieces: &[&[u8]]) -> (Vec<Masked>, bool) {
    let mut reader = FrameReader::default();
    let mut frames = Vec::new();
    for piece in pieces {
        reader.feed(piece);
        loop {
            match reader.take() {
                Ok(Some(frame)) => frames.push((frame, reader.mask())),
                Ok(None) => break,
                Err(_) => return (frames, true),
            }
        }
    }
    (frames, false)
}
