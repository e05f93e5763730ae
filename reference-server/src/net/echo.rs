//! An echo server on the gateway's own handshake, read and write path, so that suites which judge echoes can judge it.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::Duration;

use protocol::CloseCode;
use tokio::io::AsyncWriteExt;
use tokio::task::{JoinSet, LocalSet};

use super::answer::Answer;
use super::arrival::Arrival;
use super::budget::ShardOutboxes;
use super::connection::request;
use super::listen::Listen;
use super::proxy::TrustedProxies;
use super::server::ACCEPT_AGAIN;
use super::socket::{Received, Socket, SocketLimits};
use super::upgrade::switching_protocols;
use reference_gateway::{Handshake, RateLimit, binary_frame, text_frame};

/// Connections at once; further ones wait.
const MAX_CONNECTIONS: usize = 256;
/// Longest time for a handshake.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// Sends every message back to who sent it, on any path and without a token.
#[derive(Debug)]
pub struct EchoServer<L> {
    listener: L,
    limits: SocketLimits,
}

impl<L: Listen> EchoServer<L> {
    /// An echo server that takes messages of at most so many bytes.
    pub fn new(listener: L, message_bytes: usize) -> Self {
        let frame_rate = RateLimit { per_second: u32::MAX };
        // Room for an echo that waits while the next one is read; who lets more pile up is shed.
        let limits = SocketLimits {
            message_bytes,
            outbox_bytes: 3 * message_bytes,
            frame_rate,
            flood: CloseCode::POLICY,
            slow: CloseCode::TRY_AGAIN_LATER,
        };
        Self { listener, limits }
    }

    /// Serves until it is dropped.
    pub async fn run(self) -> Infallible {
        LocalSet::new().run_until(self.serve()).await
    }

    async fn serve(mut self) -> Infallible {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                biased;
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                    Ok((incoming, peer)) => drop(connections.spawn_local(echo::<L>(incoming, peer, self.limits))),
                    Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
                },
            }
        }
    }
}

/// Serves one connection. How it ends is between the two of them.
async fn echo<L: Listen>(incoming: L::Incoming, peer: IpAddr, limits: SocketLimits) {
    let Ok(Ok(Some((stream, leftover)))) =
        tokio::time::timeout(CONNECT_TIMEOUT, open::<L>(incoming, peer)).await
    else {
        return;
    };
    let mut socket = Socket::new(stream, None, leftover, limits, ShardOutboxes::unlimited()).await;
    while let Ok(said) = socket.next().await {
        let frame = match said {
            Received::Text(text) => text_frame(&text),
            Received::Binary(bytes) => binary_frame(&bytes),
            Received::Ping | Received::Pong => continue,
        };
        if !socket.outbox().append(frame) {
            socket.shed();
            break;
        }
        socket.outbox().flush();
    }
    socket.finish().await;
}

async fn open<L: Listen>(incoming: L::Incoming, peer: IpAddr) -> io::Result<Option<(L::Stream, Vec<u8>)>> {
    let mut stream = L::open(incoming, &Rc::new(Arrival::new(peer, TrustedProxies::default(), None))).await?;
    let Some(head) = request(&mut stream, Vec::new()).await? else { return Ok(None) };
    match Handshake::read(&head) {
        Ok(handshake) => {
            stream.write_all(switching_protocols(&handshake).as_bytes()).await?;
            stream.flush().await?;
            Ok(Some((stream, head.leftover)))
        }
        Err(status) => {
            Answer::of(status).send(&mut stream).await?;
            Ok(None)
        }
    }
}
