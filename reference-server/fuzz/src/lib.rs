//! Fuzz targets for every parser of untrusted input; each is a test in `tests/`, with its corpus beside it.
//!
//! `cargo test` plays the corpora and a second of random inputs. The README says how to look longer.

// A fuzzing engine is part of every test that cargo builds for it, this crate's own empty one included.
#[cfg(test)]
use bolero as _;
