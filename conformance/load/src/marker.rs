//! The mark by which an event is found in whatever a gateway makes of its body: plain letters that no encoding of JSON changes.
//!
//! ```text
//!  {"mark":"gk~0000c0de~00017~0000004711~","padding":"…"}
//!              run       channel  number
//! ```

use memchr::memmem::Finder;

/// What every mark begins with.
const SIGN: &[u8] = b"gk~";
const RUN_DIGITS: usize = 8;
const CHANNEL_DIGITS: usize = 6;
const NUMBER_DIGITS: usize = 10;
const CHANNEL_AT: usize = SIGN.len() + RUN_DIGITS + 1;
const NUMBER_AT: usize = CHANNEL_AT + CHANNEL_DIGITS + 1;
/// Bytes of a mark.
pub const MARK_BYTES: usize = NUMBER_AT + NUMBER_DIGITS + 1;
/// Channels that marks can have.
pub const MAX_CHANNELS: usize = 10_usize.pow(CHANNEL_DIGITS as u32);

/// The mark of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Mark {
    /// Which channel.
    pub channel: u32,
    /// Which event of it.
    pub number: u64,
}

/// The number of an event that only finds out whether events come through; it is in no ledger.
pub const PROBE: u64 = 9_999_999_999;

impl Mark {
    /// Its text.
    pub fn write(self, run: u32) -> String {
        let Self { channel, number } = self;
        format!("gk~{run:08x}~{channel:06}~{number:010}~")
    }
}

/// Finds the marks of one run.
#[derive(Debug, Clone)]
pub struct MarkFinder {
    finder: Finder<'static>,
}

impl MarkFinder {
    /// For the marks of this run; those of others are not found.
    pub fn new(run: u32) -> Self {
        Self { finder: Finder::new(format!("gk~{run:08x}~").as_bytes()).into_owned() }
    }

    /// The first mark in a text, and where what follows it begins.
    pub fn find(&self, text: &[u8]) -> Option<(Mark, usize)> {
        let start = self.finder.find(text)?;
        let mark = text.get(start..start + MARK_BYTES)?;
        let channel = digits(&mark[CHANNEL_AT..CHANNEL_AT + CHANNEL_DIGITS])?;
        let number = digits(&mark[NUMBER_AT..NUMBER_AT + NUMBER_DIGITS])?;
        Some((Mark { channel: channel as u32, number }, start + MARK_BYTES))
    }
}

/// Overwrites the number of a mark that stands at this place.
pub fn renumber(body: &mut [u8], at: usize, number: u64) {
    let mut rest = number;
    for digit in body[at + NUMBER_AT..at + NUMBER_AT + NUMBER_DIGITS].iter_mut().rev() {
        *digit = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
}

fn digits(text: &[u8]) -> Option<u64> {
    text.iter()
        .try_fold(0, |number, digit| digit.is_ascii_digit().then(|| number * 10 + u64::from(digit - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A mark is found wherever it stands, several in one text, and no other run's.
    #[test]
    fn marks_are_found() {
        let finder = MarkFinder::new(0xc0de);
        let first = Mark { channel: 17, number: 4711 };
        let second = Mark { channel: 0, number: PROBE };
        let text = format!("[{{\"mark\":\"{}\"}},\"{}\"]", first.write(0xc0de), second.write(0xc0de));
        let (found, rest) = finder.find(text.as_bytes()).unwrap();
        assert_eq!(found, first);
        assert_eq!(finder.find(&text.as_bytes()[rest..]).unwrap().0, second);
        assert_eq!(MarkFinder::new(1).find(text.as_bytes()), None);
        assert_eq!(first.write(1).len(), MARK_BYTES);
    }

    /// What is cut off, or no number, is no mark.
    #[test]
    fn what_is_no_mark_is_not_read() {
        let finder = MarkFinder::new(7);
        let text = Mark { channel: 1, number: 2 }.write(7);
        assert_eq!(finder.find(&text.as_bytes()[..MARK_BYTES - 1]), None);
        assert_eq!(finder.find(text.replace("0000000002", "000000000x").as_bytes()), None);
        assert_eq!(finder.find(b""), None);
    }

    /// A body is numbered anew in its place.
    #[test]
    fn a_body_is_renumbered() {
        let mut body = format!("--{}--", Mark { channel: 3, number: 0 }.write(7)).into_bytes();
        renumber(&mut body, 2, 1_234_567);
        let found = MarkFinder::new(7).find(&body).unwrap().0;
        assert_eq!(found, Mark { channel: 3, number: 1_234_567 });
    }
}
