//! Answers to requests that do not become WebSockets.

use std::io;

use reference_gateway::Status;
use serde_json::Value;
use tokio::io::{AsyncWrite, AsyncWriteExt};

/// A status, a few fields, and a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Answer {
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

    /// The response that was decided on.
    pub(super) fn of(status: Status) -> Self {
        let answer = Self::plain(status.code, status.reason);
        status.fields.iter().fold(answer, |answer, (name, value)| answer.with(name, value))
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
        let text = self.with("Connection", "close").text();
        stream.write_all(text.as_bytes()).await?;
        stream.shutdown().await
    }

    /// Sends it on a connection on which another request may follow.
    pub(super) async fn send_and_stay(self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        stream.write_all(self.text().as_bytes()).await?;
        stream.flush().await
    }

    fn text(self) -> String {
        let Self { status, reason, content_type, fields, body, is_head_only } = self;
        let length = body.len();
        let content = if is_head_only { "" } else { body.as_str() };
        format!(
            "HTTP/1.1 {status} {reason}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n{fields}\r\n{content}"
        )
    }
}
