//! Bytes in hexadecimal.

use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Hex(pub(super) Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let error = || format!("`{text}` is not hexadecimal");
        if !text.len().is_multiple_of(2) || !text.is_ascii() {
            return Err(error());
        }
        let byte = |at| u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| error());
        (0..text.len()).step_by(2).map(byte).collect::<Result<_, _>>().map(Hex)
    }
}

impl From<Hex> for String {
    fn from(Hex(bytes): Hex) -> Self {
        bytes.iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
