//! A listening socket behind a network that can go wrong.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite, DuplexStream};

use super::stage::Accept;
use wire::link::Network;

/// A listening socket behind a network.
pub(super) struct FaultyListener<L> {
    listener: L,
    network: Network,
}

impl<L> FaultyListener<L> {
    /// Whatever the listener takes passes the network.
    pub(super) fn new(listener: L, network: Network) -> Self {
        Self { listener, network }
    }
}

impl<L> Accept for FaultyListener<L>
where
    L: Accept + Send,
    L::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = DuplexStream;

    async fn accept(&mut self) -> io::Result<DuplexStream> {
        Ok(self.network.pass(self.listener.accept().await?, L::reset))
    }

    fn reset(stream: DuplexStream) {
        drop(stream);
    }
}
