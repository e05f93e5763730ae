//! Files that somebody wrote by hand: no more is read of one than anybody writes.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Largest file that is read, in bytes.
const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The text of a file.
///
/// # Errors
/// When it cannot be read, is no text, or has more than 4 MiB; no more is read then.
pub fn read(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_string(&mut text)?;
    if text.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "it has more than 4 MiB"));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A file without an end is refused once as much was read as a file may have.
    #[test]
    #[cfg(target_os = "linux")]
    fn an_endless_file_is_refused() {
        let refused = read(Path::new("/dev/zero")).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::FileTooLarge);
        assert!(read(Path::new("Cargo.toml")).unwrap().contains("[package]"));
    }
}
