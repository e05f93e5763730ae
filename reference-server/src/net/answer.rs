//! Answers to requests that do not become WebSockets.

use std::io;

use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// A status, a few fields, a body, and the end of the connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    status: u16,
    reason: &'static str,
    content_type: &'static str,
    fields: String,
    body: String,
    /// Whether its head alone is sent.
    is_head_only: bool,
}

impl Answer {
    /// Says nothing but its status.
    pub(super) fn plain(status: u16, reason: &'static str) -> Self {
        let body = format!("{reason}\n");
        Self {
            status,
            reason,
            content_type: "text/plain; charset=utf-8",
            fields: String::new(),
            body,
            is_head_only: false,
        }
    }

    /// A page.
    pub(super) fn ok(content_type: &'static str, body: String) -> Self {
        // Status pages change from one request to the next.
        let fields = "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n".to_owned();
        Self { status: 200, reason: "OK", content_type, fields, body, is_head_only: false }
    }

    /// Data, or what was wrong.
    pub(super) fn json(status: u16, reason: &'static str, body: &Value) -> Self {
        Self { status, reason, ..Self::ok("application/json", body.to_string() + "\n") }
    }

    /// One more field.
    pub(super) fn with(mut self, name: &str, value: &str) -> Self {
        self.fields += &format!("{name}: {value}\r\n");
        self
    }

    /// The same head, and no content.
    pub(super) fn without_content(self) -> Self {
        Self { is_head_only: true, ..self }
    }

    /// Sends it and ends the sending side.
    pub(super) async fn send(self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let Self { status, reason, content_type, fields, body, is_head_only } = self;
        let head = format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n{fields}\
             Connection: close\r\n\r\n",
            body.len()
        );
        let content = if is_head_only { "" } else { body.as_str() };
        stream.write_all((head + content).as_bytes()).await?;
        stream.shutdown().await
    }
}
