//! What an adapter prints.

use bytes::BytesMut;
use gatecheck_fuzz::edited;
use player::lines::{Line, LineDecoder};
use protocol::adapter::AdapterOutput;
use tokio_util::codec::Decoder;

/// Longest line that is kept here.
const MAX_BYTES: usize = 100;
const SAMPLES: [&str; 6] = [
    "{\"id\":1,\"ok\":true}\n{\"id\":2,\"unsupported\":true}\n",
    "{\"id\":3,\"ok\":true,\"value\":[1,null,\"x\"],\"config\":{\"url\":\"u\"}}\n",
    "{\"event\":\"status\",\"old\":\"connecting\",\"new\":\"connected\"}\n",
    "{\"event\":\"emitted\",\"listener\":\"main\",\"name\":\"payment:created\",\"payload\":{\"seq\":1}}\n",
    "{\"id\":4,\"error\":\"the queue is full\"}\r\n\n  \n",
    "noise that belongs on stderr, and more of it than a line may have: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\n",
];

/// Lines are the same however the bytes come, none is longer than its limit, and each is an output or an error that says something.
#[test]
fn adapter_lines() {
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = edited(&SAMPLES, input);
        let cut = input.first().map_or(0, |&first| usize::from(first).min(bytes.len()));
        let (first, second) = bytes.split_at(cut);
        let whole = lines(&[&bytes]);
        assert_eq!(lines(&[first, second]), whole);
        for line in whole {
            let (Line::Whole(line) | Line::TooLong(line)) = line;
            // What is not UTF-8 is replaced by a character of three bytes.
            assert!(line.len() <= 3 * MAX_BYTES);
            if let Err(error) = AdapterOutput::parse(&line) {
                assert!(!error.to_string().is_empty());
            }
        }
    });
}

fn lines(pieces: &[&[u8]]) -> Vec<Line> {
    let (mut decoder, mut buffer, mut lines) = (LineDecoder::new(MAX_BYTES), BytesMut::new(), Vec::new());
    for piece in pieces {
        buffer.extend_from_slice(piece);
        while let Some(line) = decoder.decode(&mut buffer).expect("bytes in memory can be read") {
            lines.push(line);
        }
    }
    while let Some(line) = decoder.decode_eof(&mut buffer).expect("bytes in memory can be read") {
        lines.push(line);
    }
    lines
}
