//! Whether frames are masked as they must be (RFC 6455 sections 5.1 and 5.3).

use scenarios::trace::Side;

/// Frames in a row under one key that are no chance any more: one in 2⁹⁶ is.
const FRAMES: u32 = 4;

/// The masks of one end's frames.
#[derive(Debug, Default)]
pub(super) struct Masks {
    last: Option<[u8; 4]>,
    /// How many frames in a row had that one.
    in_a_row: u32,
}

impl Masks {
    /// What is wrong with the mask of the next frame.
    pub(super) fn fault(&mut self, by: Side, mask: Option<[u8; 4]>) -> Option<&'static str> {
        match (by, mask) {
            (Side::Gateway, None) => None,
            (Side::Gateway, Some(_)) => Some("a masked frame from a gateway (section 5.1)"),
            (Side::Client, None) => Some("an unmasked frame from a client (section 5.1)"),
            (Side::Client, Some(key)) => {
                let is_same = self.last.replace(key) == Some(key);
                self.in_a_row = if is_same { self.in_a_row + 1 } else { 1 };
                (self.in_a_row == FRAMES).then_some("one masking key for four frames in a row (section 5.3)")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client masks with fresh keys, a gateway does not mask; a key that stays is named once.
    #[test]
    fn masks_are_fresh_or_none() {
        let mut masks = Masks::default();
        let mut client = |key: u8| masks.fault(Side::Client, Some([key; 4])).is_some();
        assert_eq!(
            [1, 1, 1, 2, 2, 2, 2, 2].map(&mut client),
            [false, false, false, false, false, false, true, false]
        );
        assert!(masks.fault(Side::Client, None).unwrap().contains("unmasked"));
        assert_eq!(masks.fault(Side::Gateway, None), None);
        assert!(masks.fault(Side::Gateway, Some([1; 4])).unwrap().contains("a masked frame"));
    }
}
