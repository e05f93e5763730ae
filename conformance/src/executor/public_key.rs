//! The public key that gateways under test verify tokens with, in a file whose path can be passed to them.

use std::io::{self, Write};
use std::sync::OnceLock;

use tempfile::NamedTempFile;

/// Written on first use, and deleted with its owner.
#[derive(Default)]
pub(crate) struct PublicKeyFile(OnceLock<NamedTempFile>);

impl PublicKeyFile {
    /// The path of the file. A run has one key, so every call returns the same path.
    pub(crate) fn holding(&self, pem: &str) -> io::Result<String> {
        let file = match self.0.get() {
            Some(file) => file,
            None => {
                let mut file = tempfile::Builder::new().prefix("gatecheck-").suffix(".pub.pem").tempfile()?;
                file.write_all(pem.as_bytes())?;
                self.0.get_or_init(|| file)
            }
        };
        Ok(file.path().display().to_string())
    }
}
