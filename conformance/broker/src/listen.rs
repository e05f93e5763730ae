//! Where connections come from: this host's sockets, or those of a simulation.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// Accepts connections.
pub trait Listen: Send + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Waits for a connection, and says whose it is. Cancel safe.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Stream, SocketAddr)>> + Send;

    /// Ends a connection with a reset (RST), as a crash or an outage does, where the network can do that.
    fn reset(stream: Self::Stream);
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let (stream, peer) = Self::accept(self).await?;
        // Small frames follow each other at once; Nagle's delay would hold back every second one. On a connection that is
        // gone already it changes nothing.
        let _ = stream.set_nodelay(true);
        Ok((stream, peer))
    }

    fn reset(stream: TcpStream) {
        // On a socket that is closed already it changes nothing.
        let _ = stream.set_zero_linger();
    }
}
