//! TEMP
pub mod broker;
