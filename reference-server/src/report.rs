//! Error reports: what is logged as an error goes to Sentry where that is configured, with the user whom it happened to
//! (OBS-1). Only built with the feature `sentry`; without it, a configured DSN is refused.

#[cfg(feature = "sentry")]
#[path = "report/sentry.rs"]
mod backend;
#[cfg(not(feature = "sentry"))]
#[path = "report/none.rs"]
mod backend;

pub use backend::Reporting;
pub(crate) use backend::for_user;
#[cfg(feature = "cli")]
pub(crate) use backend::layer;

/// Why errors cannot be reported.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ReportError {
    /// The DSN is none. It holds a key, so it is not repeated here.
    #[error("`sentry_dsn` is no DSN; it looks like https://KEY@HOST/PROJECT")]
    Dsn,
    /// The program cannot report.
    #[error("`sentry_dsn` is set, but this gateway is built without the feature `sentry`")]
    NotBuilt,
}
