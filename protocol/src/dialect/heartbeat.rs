//! What the gateway's heartbeat is, and what it is called.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dialect, DialectError, RequestNames};

/// How the gateway pings its clients (HB-1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(from = "RawHeartbeat", into = "RawHeartbeat")]
#[schemars(with = "RawHeartbeat")]
pub enum Heartbeat {
    /// By WebSocket control frames.
    Control,
    /// By messages of the dialect's ping type.
    Message,
    /// By messages that are called otherwise than a client's ping and its answer.
    Named(HeartbeatNames),
}

/// As it is written.
#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(untagged, expecting = "expected `control`, `message`, or a table with `ping` and `pong`")]
enum RawHeartbeat {
    Kind(HeartbeatKind),
    Named(HeartbeatNames),
}

#[derive(Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
enum HeartbeatKind {
    /// By WebSocket control frames.
    Control,
    /// By messages of the dialect's ping type.
    Message,
}

impl From<RawHeartbeat> for Heartbeat {
    fn from(raw: RawHeartbeat) -> Self {
        match raw {
            RawHeartbeat::Kind(HeartbeatKind::Control) => Self::Control,
            RawHeartbeat::Kind(HeartbeatKind::Message) => Self::Message,
            RawHeartbeat::Named(names) => Self::Named(names),
        }
    }
}

impl From<Heartbeat> for RawHeartbeat {
    fn from(heartbeat: Heartbeat) -> Self {
        match heartbeat {
            Heartbeat::Control => Self::Kind(HeartbeatKind::Control),
            Heartbeat::Message => Self::Kind(HeartbeatKind::Message),
            Heartbeat::Named(names) => Self::Named(names),
        }
    }
}

/// What a gateway's ping and a client's answer to it are called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatNames {
    /// What the gateway sends.
    pub ping: String,
    /// What the client answers.
    pub pong: String,
}

impl Dialect {
    /// What is said one way is told apart; the other way the same names may mean something else.
    pub(super) fn check_heartbeat(&self) -> Result<(), DialectError> {
        let Heartbeat::Named(HeartbeatNames { ping, pong }) = &self.heartbeat else { return Ok(()) };
        let RequestNames { subscribe, unsubscribe, subscribed, unsubscribed } = &self.requests;
        let by_clients = [subscribe, unsubscribe, &self.ping];
        let by_gateways = [subscribed, unsubscribed, &self.pong, &self.error];
        let is_welcome = self.welcome_type() == Some(ping);
        match (ping, pong) {
            _ if ping.is_empty() => Err(DialectError::Empty { key: "heartbeat.ping" }),
            _ if pong.is_empty() => Err(DialectError::Empty { key: "heartbeat.pong" }),
            _ if is_welcome || by_gateways.contains(&ping) => {
                Err(DialectError::Ambiguous { name: ping.clone() })
            }
            _ if by_clients.contains(&pong) => Err(DialectError::Ambiguous { name: pong.clone() }),
            _ => Ok(()),
        }
    }

    /// Whether the gateway pings by messages.
    pub fn beats_by_message(&self) -> bool {
        self.heartbeat != Heartbeat::Control
    }

    /// What a gateway's ping is called, where it is a message.
    pub(super) fn heartbeat_ping(&self) -> &str {
        match &self.heartbeat {
            Heartbeat::Named(names) => &names.ping,
            Heartbeat::Control | Heartbeat::Message => &self.ping,
        }
    }

    /// What a client's answer to it is called.
    pub(super) fn heartbeat_pong(&self) -> &str {
        match &self.heartbeat {
            Heartbeat::Named(names) => &names.pong,
            Heartbeat::Control | Heartbeat::Message => &self.pong,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{ClientMessage, ServerMessage, Timestamp};

    const FRAMES: &str = r#","frames":{"message":"{\"do\":\"{type}\",\"body\":\"{payload}\"}","ping":"{\"do\":\"{type}\",\"n\":1}","heartbeat_ping":"{\"do\":\"{type}\",\"at\":\"{timestamp}\"}","heartbeat_pong":"{\"do\":\"{type}\"}"}"#;

    fn dialect(heartbeat: &str, frames: &str) -> Result<Dialect, String> {
        let text = format!(r#"{{"ping":"probe","pong":"probe.ok","heartbeat":{heartbeat}{frames}}}"#);
        text.parse::<Dialect>().map_err(|error| error.to_string())
    }

    /// A gateway's ping and a client's have names, and forms, of their own; so have the answers.
    #[test]
    fn both_pings_are_told_apart() {
        let (ping, pong) = (ServerMessage::Ping, ServerMessage::Pong);
        for frames in ["", FRAMES] {
            let dialect = dialect(r#"{"ping":"beat","pong":"alive"}"#, frames).unwrap();
            assert!(dialect.beats_by_message());
            let server = |message| dialect.encode_server(message, Timestamp::EPOCH, None);
            let client = |message| dialect.encode_client(message, Timestamp::EPOCH);
            for (message, name) in [(&ping, "beat"), (&pong, "probe.ok")] {
                let text = server(message);
                assert!(text.contains(&format!("\"{name}\"")), "{text}");
                assert_eq!(dialect.decode_server(&text).unwrap().message, *message);
            }
            for (message, name) in [(&ClientMessage::Ping, "probe"), (&ClientMessage::Pong, "alive")] {
                let text = client(message);
                assert!(text.contains(&format!("\"{name}\"")), "{text}");
                assert_eq!(dialect.decode_client(&text).unwrap().message, *message);
            }
        }
    }

    /// One name serves both ways; one that means two things the same way is refused.
    #[test]
    fn names_are_told_apart_one_way() {
        assert!(dialect(r#"{"ping":"beat","pong":"beat"}"#, "").is_ok());
        assert!(dialect(r#"{"ping":"probe","pong":"probe.ok"}"#, "").is_ok());
        for (heartbeat, says) in [
            (r#"{"ping":"probe.ok","pong":"a"}"#, "probe.ok"),
            (r#"{"ping":"connection:established","pong":"a"}"#, "connection:established"),
            (r#"{"ping":"a","pong":"probe"}"#, "probe"),
            (r#"{"ping":"","pong":"a"}"#, "heartbeat.ping is empty"),
            (r#"{"ping":"a"}"#, "a table with `ping` and `pong`"),
            (r#""frame""#, "`message`"),
        ] {
            let error = dialect(heartbeat, "").unwrap_err();
            assert!(error.contains(says), "{heartbeat}: {error}");
        }
    }
}
