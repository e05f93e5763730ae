//! Bytes in hexadecimal.

use data_encoding::{HEXLOWER, HEXLOWER_PERMISSIVE};
use serde::{Deserialize, Serialize};

#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(super) struct Hex(pub(super) Vec<u8>);

impl TryFrom<String> for Hex {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let bytes = HEXLOWER_PERMISSIVE.decode(text.as_bytes());
        bytes.map(Hex).map_err(|_| format!("`{text}` is not hexadecimal"))
    }
}

impl From<Hex> for String {
    fn from(Hex(bytes): Hex) -> Self {
        HEXLOWER.encode(&bytes)
    }
}
