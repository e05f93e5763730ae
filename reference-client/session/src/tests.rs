//! The machine, one behaviour at a time. Jitter is off, so that every delay is known.

mod backoff;
mod bench;
mod heartbeat;
mod messages;
mod queue;
mod sign_in;
mod state;
mod subscriptions;
mod token;

use std::time::Duration;

use protocol::CloseCode;

const ABNORMAL: Option<CloseCode> = None;
const EVENT: &str = r#"{"type":"a:b"}"#;
const PING: &str = r#"{"type":"ping"}"#;
const PONG: &str = r#"{"type":"pong"}"#;

const fn s(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}
