//! Fuzz targets for what the harness reads of others: profiles, scenarios, lines of adapters, AMQP frames at the embedded broker, HTTP heads.
//! Each is a test in `tests/`.
//!
//! Random bytes seldom get beyond the first character of a file or a frame, so most inputs are edits of well-formed text: [`edited`].
//! `cargo test` plays a second of random inputs. The README says how to look longer.

// A fuzzing engine is part of every test that cargo builds for it, this crate's own empty one included.
#[cfg(test)]
use bolero as _;

/// Bytes of an edit: what it does, where, and with what.
const EDIT_BYTES: usize = 4;
/// Longest part that an edit removes or repeats.
const LONGEST: usize = 64;

/// One of the samples, as an input edits it: bytes replaced, inserted, removed or repeated, a part of another sample put in.
///
/// # Panics
/// When there is no sample.
pub fn edited(samples: &[impl AsRef<[u8]>], input: &[u8]) -> Vec<u8> {
    let (&which, edits) = input.split_first().unwrap_or((&0, &[]));
    let sample = |which: u8| samples[usize::from(which) % samples.len()].as_ref();
    let mut bytes = sample(which).to_vec();
    for edit in edits.chunks_exact(EDIT_BYTES) {
        let [what, high, low, with] = *edit else { continue };
        let at = usize::from(u16::from_be_bytes([high, low])) % (bytes.len() + 1);
        let end = (at + 1 + usize::from(with) % LONGEST).min(bytes.len());
        match what % 6 {
            0 if at < bytes.len() => bytes[at] = with,
            1 => bytes.insert(at, with),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let repeated = bytes[at..end].to_vec();
                bytes.splice(at..at, repeated);
            }
            4 => bytes.truncate(at),
            _ => {
                let other = sample(with);
                let from = usize::from(u16::from_be_bytes([low, high])) % (other.len() + 1);
                let to = (from + LONGEST).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
        }
    }
    bytes
}
