//! From a request to a WebSocket (RFC 6455 section 4.2), as [`decide`] judges it.

use std::io;
use std::net::IpAddr;

use protocol::{Claims, UserId};
use reference_gateway::{
    Full, Handshake, Head, Refused, Reply, Upgrade, UpgradeError, UpgradeRules, close_frame, decide, shake,
};
use tokio::io::{AsyncWrite, AsyncWriteExt};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;

use super::admission::Place;
use super::answer::Answer;
use super::context::ServerContext;
use crate::auth::AuthError;
use crate::metrics::Refusal;

/// A WebSocket, and whose it is.
#[derive(Debug)]
pub(super) struct SignedIn {
    pub(super) claims: Claims,
    /// Held while the connection lives.
    pub(super) place: Place,
}

/// Upgrades, or refuses. Whose the WebSocket is, is not known yet where the token travels in its first message.
pub(super) async fn upgrade(
    stream: &mut (impl AsyncWrite + Unpin),
    head: &Head,
    peer: IpAddr,
    shared: &ServerContext,
) -> io::Result<Option<Option<SignedIn>>> {
    let dialect = &shared.config.gateway.dialect;
    let rules = UpgradeRules {
        allowed_origins: &shared.config.allowed_origins,
        token: &dialect.token,
        subprotocol: dialect.subprotocol.as_deref(),
        refusal: dialect.refusal,
        over_limit: &dialect.over_limit,
    };
    let decided = if dialect.token.is_message() {
        shake(&rules, head).map(|handshake| (handshake, None))
    } else {
        let decided = decide(&rules, head, |token| verify(token, shared), |user| admit(user, peer, shared));
        decided.map(|Upgrade { handshake, claims, place }| (handshake, Some(SignedIn { claims, place })))
    };
    match decided {
        Ok((handshake, signed_in)) => {
            stream.write_all(switching_protocols(&handshake).as_bytes()).await?;
            stream.flush().await?;
            if signed_in.is_some() {
                shared.metrics.opened.inc();
            }
            Ok(Some(signed_in))
        }
        Err(Refused { error, reply }) => {
            let cause = cause(&error);
            shared.metrics.refuse(cause);
            if matches!(cause, Refusal::Origin | Refusal::Token) {
                let line =
                    |left_out| tracing::info!(client = %peer, left_out, "a connection was refused: {error}");
                shared.refusals.log(line);
            }
            match reply {
                Reply::Status(status) => Answer::of(status).send(stream).await?,
                Reply::Close(handshake, code) => {
                    stream.write_all(switching_protocols(&handshake).as_bytes()).await?;
                    stream.write_all(&close_frame(code)).await?;
                    stream.shutdown().await?;
                }
            }
            Ok(None)
        }
    }
}

/// The claims of a token that is good now.
pub(super) fn verify(token: &str, shared: &ServerContext) -> Result<Claims, AuthError> {
    let unix_s = u64::try_from((shared.wall)().unix_ms() / 1000).unwrap_or_default();
    shared.config.verification.verify(token, unix_s)
}

/// A place for a connection, if there is one.
pub(super) fn admit(user: &UserId, peer: IpAddr, shared: &ServerContext) -> Result<Place, Full> {
    let log = |full: &Full| {
        let line = |left_out| {
            tracing::info!(client = %peer, user = ?user.as_str(), left_out, "a connection was refused: {full}");
        };
        shared.refusals.log(line);
    };
    shared.places.admit(user, peer).inspect_err(log)
}

pub(super) fn cause(error: &UpgradeError<AuthError>) -> Refusal {
    match error {
        UpgradeError::Late => Refusal::Timeout,
        UpgradeError::NoUpgrade | UpgradeError::Invalid => Refusal::Request,
        UpgradeError::Origin => Refusal::Origin,
        UpgradeError::NoToken | UpgradeError::Token(_) => Refusal::Token,
        UpgradeError::Full(_) => Refusal::Capacity,
    }
}

/// The response that grants a handshake.
pub fn switching_protocols(handshake: &Handshake<'_>) -> String {
    let accept = derive_accept_key(handshake.key.as_bytes());
    let mut head = format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    );
    if let Some(subprotocol) = handshake.subprotocol {
        head += &format!("Sec-WebSocket-Protocol: {subprotocol}\r\n");
    }
    head + "\r\n"
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The key and its answer of RFC 6455 section 1.3.
    #[test]
    fn the_key_is_answered() {
        let handshake = Handshake { key: "dGhlIHNhbXBsZSBub25jZQ==", subprotocol: None };
        let answer = switching_protocols(&handshake);
        assert!(answer.contains("\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n"), "{answer}");
        assert!(!answer.contains("Protocol:"), "{answer}");
        let agreed = switching_protocols(&Handshake { subprotocol: Some("p"), ..handshake });
        assert!(agreed.ends_with("\r\nSec-WebSocket-Protocol: p\r\n\r\n"), "{agreed}");
    }
}
