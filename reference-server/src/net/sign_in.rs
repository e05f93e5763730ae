//! Waits for the first message of a connection that has to sign in by it.

use std::net::IpAddr;

use protocol::CloseCode;
use reference_gateway::{Denied, FirstMessage, sign_in as judge};
use tokio::io::{AsyncRead, AsyncWrite};

use super::context::ServerContext;
use super::socket::{Received, Socket};
use super::upgrade::{SignedIn, admit, cause, verify};

/// Whose the connection is; otherwise the code that it is to be closed with, where it has not ended.
pub(super) async fn sign_in<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut Socket<S>,
    peer: IpAddr,
    shared: &ServerContext,
) -> Result<SignedIn, Option<CloseCode>> {
    let dialect = &shared.config.gateway.dialect;
    let first = first_message(socket, dialect.flood());
    let said = match tokio::time::timeout(shared.config.connect_timeout, first).await {
        Ok(None) => return Err(None),
        Ok(Some(said)) => Some(said),
        Err(_) => None,
    };
    let first = match &said {
        Some(Received::Text(text)) => FirstMessage::Text(text.as_str()),
        Some(_) => FirstMessage::Binary,
        None => FirstMessage::Late,
    };
    match judge(dialect, first, |token| verify(token, shared), |user| admit(user, peer, shared)) {
        Ok((claims, place)) => {
            shared.metrics.opened.inc();
            Ok(SignedIn { claims, place })
        }
        Err(Denied { error, code }) => {
            shared.metrics.refuse(cause(&error));
            let line =
                |left_out| tracing::info!(client = %peer, left_out, "a connection was refused: {error}");
            shared.refusals.log(line);
            Err(Some(code))
        }
    }
}

/// Pings and pongs that a peer may send before it signs in.
const MAX_PINGS: usize = 16;

/// The first message, whatever it is; none where the connection ends first, or sends everything else instead.
async fn first_message<S: AsyncRead + AsyncWrite + Unpin>(
    socket: &mut Socket<S>,
    flood: CloseCode,
) -> Option<Received> {
    for _ in 0..=MAX_PINGS {
        match socket.next().await {
            Ok(Received::Ping | Received::Pong) => {}
            Ok(said) => return Some(said),
            Err(_) => return None,
        }
    }
    socket.cut_off(flood);
    None
}
