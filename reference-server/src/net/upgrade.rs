//! From a request to a WebSocket (RFC 6455 section 4.2), for whom a token signs in (AUTH-2, AUTH-10, CONN-7).

use std::io;
use std::net::IpAddr;

use protocol::{Claims, CloseCode, TokenPlace};
use tokio::io::{AsyncWrite, AsyncWriteExt};

use super::admission::Place;
use super::answer::Answer;
use super::context::ServerContext;
use super::handshake::Handshake;
use super::head::Head;
use crate::auth::token_in;
use crate::metrics::Refusal;
use reference_gateway::close_frame;

/// A WebSocket, and whose it is.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) claims: Claims,
    /// Held while the connection lives.
    pub(super) place: Place,
}

/// Upgrades, or refuses.
pub(super) async fn upgrade(
    stream: &mut (impl AsyncWrite + Unpin),
    head: &Head,
    peer: IpAddr,
    shared: &ServerContext,
) -> io::Result<Option<SignedIn>> {
    let refuse = |cause, answer: Answer| {
        shared.metrics.refuse(cause);
        answer
    };
    let handshake = match Handshake::read(head) {
        Ok(handshake) => handshake,
        Err(answer) => {
            refuse(Refusal::Request, answer).send(stream).await?;
            return Ok(None);
        }
    };
    let origins = &shared.config.allowed_origins;
    if let Some(origin) = head.field("origin")
        && !origins.is_empty()
        && !origins.iter().any(|allowed| allowed.eq_ignore_ascii_case(origin))
    {
        tracing::info!("a connection was refused: its origin is not allowed");
        refuse(Refusal::Origin, Answer::plain(403, "Forbidden")).send(stream).await?;
        return Ok(None);
    }
    let dialect = &shared.config.gateway.dialect;
    let unix_s = u64::try_from((shared.wall)().unix_ms() / 1000).unwrap_or_default();
    let signed_in = token_in(dialect.token, &head.query, |name| head.field(name))
        .and_then(|token| shared.config.verification.verify(token, unix_s));
    let subprotocol =
        head.field("sec-websocket-protocol").filter(|_| dialect.token == TokenPlace::Subprotocol);
    let claims = match signed_in {
        Ok(claims) => claims,
        Err(error) => {
            shared.metrics.refuse(Refusal::Token);
            tracing::info!("a connection was refused: {error}");
            match dialect.refusal {
                protocol::Refusal::Http(status) => {
                    let reason = if status == 401 { "Unauthorized" } else { "Refused" };
                    Answer::plain(status, reason).send(stream).await?;
                }
                protocol::Refusal::Close(code) => {
                    refuse_by_close(stream, handshake, subprotocol, code).await?;
                }
            }
            return Ok(None);
        }
    };
    match shared.admission.admit(&claims.user_id, peer) {
        Ok(place) => {
            stream.write_all(handshake.switching_protocols(subprotocol).as_bytes()).await?;
            stream.flush().await?;
            shared.metrics.opened.inc();
            Ok(Some(SignedIn { claims, place }))
        }
        Err(full) => {
            tracing::info!(user = ?claims.user_id.as_str(), "a connection was refused: {full}");
            let answer = Answer::plain(503, "Too Many Connections").with("Retry-After", "5");
            refuse(Refusal::Capacity, answer).send(stream).await?;
            Ok(None)
        }
    }
}

/// What some dialects do with a bad token, since browsers do not see the status of a failed upgrade.
async fn refuse_by_close(
    stream: &mut (impl AsyncWrite + Unpin),
    handshake: Handshake<'_>,
    subprotocol: Option<&str>,
    code: CloseCode,
) -> io::Result<()> {
    stream.write_all(handshake.switching_protocols(subprotocol).as_bytes()).await?;
    stream.write_all(&close_frame(code)).await?;
    stream.shutdown().await
}
