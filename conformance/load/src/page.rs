//! Results as pages: one file each, nothing fetched, light and dark, and behind each plot its numbers as a table.

mod chart;
mod figures;
mod history;
mod run;
mod scale;

pub use history::history;
pub use run::run;

const STYLE: &str = include_str!("page/page.css");

/// Every place is called by its number.
fn numbered(_: f64) -> Option<String> {
    None
}

#[cfg(test)]
mod tests;
