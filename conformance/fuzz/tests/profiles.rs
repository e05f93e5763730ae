//! What users write about their design.

use std::fs;
use std::path::Path;

use conformance::profile::Profile;
use gatecheck_fuzz::edited;

/// The profiles of examples.
fn samples() -> Vec<String> {
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples");
    let folders = fs::read_dir(examples).expect("the examples are in the checkout").filter_map(Result::ok);
    let profiles: Vec<_> =
        folders.filter_map(|folder| fs::read_to_string(folder.path().join("gatecheck.toml")).ok()).collect();
    assert!(profiles.len() > 5, "{} profiles", profiles.len());
    profiles
}

/// A profile is read, or its error says something.
#[test]
fn profiles() {
    let samples = samples();
    bolero::check!().for_each(|input: &[u8]| {
        let bytes = edited(&samples, input);
        let Ok(text) = std::str::from_utf8(&bytes) else { return };
        if let Err(error) = Profile::parse("profile", text, Path::new(".")) {
            assert!(!error.to_string().is_empty());
        }
    });
}
