//! The bounds of `bounds.toml`.

use std::collections::BTreeMap;

use gungraun::{Callgrind, EventKind, LibraryBenchmarkConfig};

/// The counts that were measured last.
const BOUNDS: &str = include_str!("../bounds.toml");

/// How much more than that fails: hash maps are seeded anew by each process, which moves a count by less than this.
pub const TOLERANCE: f64 = 0.03;

/// Where it is set, nothing is held against the bounds, so that they can be renewed.
const RENEW: &str = "GATECHECK_RENEW_BOUNDS";

/// A benchmark that fails where it takes more instructions than its bound allows.
///
/// # Panics
/// When the file has no bound of this name: `benches/instructions/renew` adds it.
pub fn bounded(name: &str) -> LibraryBenchmarkConfig {
    let mut config = LibraryBenchmarkConfig::default();
    if std::env::var_os(RENEW).is_none() {
        let bounds: BTreeMap<String, u64> =
            toml::from_str(BOUNDS).expect("the bounds are a table of numbers");
        let measured = bounds.get(name);
        let measured =
            measured.unwrap_or_else(|| panic!("no bound for `{name}`: run benches/instructions/renew"));
        let most = (*measured as f64 * (1.0 + TOLERANCE)) as u64;
        config.tool(Callgrind::default().hard_limits([(EventKind::Ir, most)]));
    }
    config
}
