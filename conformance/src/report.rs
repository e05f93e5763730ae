//! What people and programs read of a run.

mod console;
mod json;
mod repeat;

pub use console::Console;
pub use json::{BrokerUsed, Document, REPORT_VERSION, RequirementLine, Summary};
pub use repeat::Repeat;
