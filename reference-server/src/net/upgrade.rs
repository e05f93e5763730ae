//! What an HTTP request gets: an upgrade, a health page, or a refusal (AUTH-2, AUTH-9).

use std::io;
use std::sync::atomic::Ordering;

use protocol::{Claims, CloseCode, Refusal, TokenPlace};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::head::{Head, answer};
use super::shard::Shared;
use crate::auth::{AuthError, token_in};
use crate::gateway::close_frame;

/// What becomes of a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// The connection is a WebSocket now, signed in as this.
    Upgraded(Box<Claims>),
    /// It was answered, and is over.
    Answered,
}

/// Answers a request.
pub(super) async fn serve(
    stream: &mut (impl AsyncWrite + Unpin),
    head: &Head,
    shared: &Shared,
) -> io::Result<Outcome> {
    let (status, reason, fields) = match (head.path.as_str(), head.method.as_str()) {
        ("/healthz", "GET") => (200, "OK", ""),
        ("/readyz", "GET") if shared.ready.load(Ordering::Relaxed) => (200, "OK", ""),
        ("/readyz", "GET") => (503, "No Broker", ""),
        (path, "GET") if path == shared.config.path => return upgrade(stream, head, shared).await,
        (path, _) if path == shared.config.path || path == "/healthz" || path == "/readyz" => {
            (405, "Method Not Allowed", "Allow: GET\r\n")
        }
        _ => (404, "Not Found", ""),
    };
    answer(stream, status, reason, fields).await?;
    Ok(Outcome::Answered)
}

async fn upgrade(
    stream: &mut (impl AsyncWrite + Unpin),
    head: &Head,
    shared: &Shared,
) -> io::Result<Outcome> {
    let asks = head.lists("connection", "upgrade") && head.lists("upgrade", "websocket");
    let key = head.field("sec-websocket-key").filter(|_| asks);
    let Some(key) = key else {
        answer(stream, 426, "Upgrade Required", "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n")
            .await?;
        return Ok(Outcome::Answered);
    };
    if head.field("sec-websocket-version") != Some("13") {
        answer(stream, 426, "Upgrade Required", "Sec-WebSocket-Version: 13\r\n").await?;
        return Ok(Outcome::Answered);
    }
    let dialect = &shared.config.gateway.dialect;
    let unix_s = u64::try_from((shared.wall)().unix_ms() / 1000).unwrap_or_default();
    let signed_in = token_in(dialect.token, &head.query, |name| head.field(name))
        .and_then(|token| shared.verifier.verify(token, unix_s));
    let subprotocol = match (dialect.token, head.field("sec-websocket-protocol")) {
        (TokenPlace::Subprotocol, Some(offered)) => Some(offered),
        _ => None,
    };
    match (signed_in, dialect.refusal) {
        (Ok(claims), _) => {
            accept(stream, key, subprotocol).await?;
            Ok(Outcome::Upgraded(Box::new(claims)))
        }
        (Err(error), Refusal::Http401) => {
            note(error);
            answer(stream, 401, "Unauthorized", "").await?;
            Ok(Outcome::Answered)
        }
        (Err(error), refusal @ (Refusal::Close1008 | Refusal::Close4401)) => {
            note(error);
            accept(stream, key, subprotocol).await?;
            let code = refusal.close_code().unwrap_or(CloseCode::UNAUTHORIZED);
            stream.write_all(&close_frame(code)).await?;
            stream.shutdown().await?;
            Ok(Outcome::Answered)
        }
    }
}

async fn accept(
    stream: &mut (impl AsyncWrite + Unpin),
    key: &str,
    subprotocol: Option<&str>,
) -> io::Result<()> {
    let accept = derive_accept_key(key.as_bytes());
    let mut head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    );
    if let Some(subprotocol) = subprotocol {
        head += &format!("Sec-WebSocket-Protocol: {subprotocol}\r\n");
    }
    stream.write_all((head + "\r\n").as_bytes()).await
}

fn note(error: AuthError) {
    tracing::info!("a connection was refused: {error}");
}
