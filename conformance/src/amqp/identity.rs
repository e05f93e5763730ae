//! Identifies the broker from the first frame of a connection (AMQP 0-9-1, `connection.start`).

use std::time::Duration;

use amq_protocol::frame::{AMQPFrame, parse_frame};
use amq_protocol::protocol::{AMQPClass, connection};
use amq_protocol::types::AMQPValue;
use schemars::JsonSchema;
use serde::Serialize;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

/// What a broker says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Identity {
    /// `RabbitMQ`, for example.
    pub product: String,
    /// Its version.
    pub version: String,
}

impl Identity {
    /// What the embedded broker is.
    pub fn embedded() -> Self {
        Self { product: "Gatecheck".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() }
    }
}

/// Why a broker could not be asked.
#[derive(Debug, miette::Diagnostic, thiserror::Error)]
pub enum IdentityError {
    /// The URL is invalid.
    #[error("`{url}` is not an AMQP URL: {reason}")]
    #[diagnostic(help("write `amqp://USER:PASSWORD@HOST:5672/%2f`"))]
    Url {
        /// What was given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The broker cannot be reached.
    #[error("no broker answers at {authority}: {source}")]
    #[diagnostic(help("is it running, and is the port right? `gatecheck broker` starts an embedded one"))]
    Connect {
        /// Host and port.
        authority: String,
        /// Why.
        source: std::io::Error,
    },
    /// The server does not speak AMQP 0-9-1.
    #[error("what answers at {authority} is no AMQP 0-9-1 broker")]
    #[diagnostic(help("is the port right? AMQP's is 5672, RabbitMQ's web page is on another"))]
    Foreign {
        /// Host and port.
        authority: String,
    },
}

const DEFAULT_PORT: u16 = 5672;
const PATIENCE: Duration = Duration::from_secs(5);
/// Longest first frame that a broker may send.
const MAX_FRAME_BYTES: usize = 64 * 1024;
/// Longest name of a user or a virtual host (AMQP 0-9-1 section 4.2.5.3).
const MAX_NAME_BYTES: usize = 255;
/// Bytes of a name that is too long that are shown: percent-encoded, so that they are characters.
const MAX_SHOWN: usize = 40;
const PROTOCOL_HEADER: &[u8] = b"AMQP\x00\x00\x09\x01";

/// Asks a broker who it is.
///
/// # Errors
/// When the URL is wrong, or no broker answers there.
pub async fn identify(url: &str) -> Result<Identity, IdentityError> {
    let wrong = |reason: &dyn ToString| IdentityError::Url { url: redacted(url), reason: reason.to_string() };
    let parsed = Url::parse(url).map_err(|error| wrong(&error))?;
    if parsed.scheme() != "amqp" {
        return Err(wrong(&format!("the scheme is `{}`, not `amqp`", parsed.scheme())));
    }
    if let Some(part) =
        [parsed.username(), parsed.path()].into_iter().find(|part| part.len() > MAX_NAME_BYTES)
    {
        return Err(wrong(&format!("`{}…` is too long for a name", &part[..MAX_SHOWN])));
    }
    let host = parsed.host_str().ok_or_else(|| wrong(&"it names no host"))?;
    let authority = format!("{host}:{}", parsed.port().unwrap_or(DEFAULT_PORT));
    match tokio::time::timeout(PATIENCE, ask(&authority)).await {
        Ok(Ok(Some(identity))) => Ok(identity),
        Ok(Ok(None)) => Err(IdentityError::Foreign { authority }),
        Ok(Err(source)) => Err(IdentityError::Connect { authority, source }),
        Err(_) => Err(IdentityError::Foreign { authority }),
    }
}

/// The URL with its password hidden.
pub fn redacted(url: &str) -> String {
    match Url::parse(url) {
        Ok(mut parsed) if parsed.password().is_some() => {
            // A URL that cannot have a password has none.
            let _ = parsed.set_password(Some("***"));
            parsed.to_string()
        }
        _ => url.to_owned(),
    }
}

async fn ask(authority: &str) -> std::io::Result<Option<Identity>> {
    let mut stream = TcpStream::connect(authority).await?;
    stream.write_all(PROTOCOL_HEADER).await?;
    let mut bytes = Vec::new();
    loop {
        if let Ok((_, frame)) = parse_frame(bytes.as_slice()) {
            return Ok(identity(frame));
        }
        if bytes.len() > MAX_FRAME_BYTES || stream.read_buf(&mut bytes).await? == 0 {
            return Ok(None);
        }
    }
}

fn identity(frame: AMQPFrame) -> Option<Identity> {
    let AMQPFrame::Method(0, AMQPClass::Connection(connection::AMQPMethod::Start(start))) = frame else {
        return None;
    };
    let text = |key: &str| match start.server_properties.inner().get(key) {
        Some(AMQPValue::LongString(text)) => text.to_string(),
        _ => "unknown".to_owned(),
    };
    Some(Identity { product: text("product"), version: text("version") })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Passwords do not reach a report.
    #[test]
    fn passwords_are_hidden() {
        assert_eq!(redacted("amqp://u:secret@h:1/%2f"), "amqp://u:***@h:1/%2f");
        assert_eq!(redacted("amqp://h:1"), "amqp://h:1");
    }

    /// A malformed URL and a closed port are different errors.
    #[tokio::test]
    async fn wrong_urls_are_distinguished() {
        assert!(matches!(identify("nonsense").await, Err(IdentityError::Url { .. })));
        assert!(matches!(identify("http://127.0.0.1:1").await, Err(IdentityError::Url { .. })));
        assert!(matches!(identify("amqp://127.0.0.1:1").await, Err(IdentityError::Connect { .. })));
    }
}
