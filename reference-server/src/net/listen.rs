//! Where connections come from: the network, or a simulated one.

use std::io;
use std::net::IpAddr;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A listening socket. What it accepts is carried to a shard and opened there, on the runtime that will serve it.
pub trait Listen: Send + 'static {
    /// An accepted connection on its way to a shard.
    type Incoming: Send + 'static;
    /// A connection that is served.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// Waits for a connection, and returns it with its remote address.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Incoming, IpAddr)>>;

    /// Makes a stream of it, which may take a handshake of its own (TLS); called on the shard's runtime. On a timeout the
    /// caller drops this future.
    ///
    /// # Errors
    /// When the connection is broken already, or its handshake fails.
    fn open(incoming: Self::Incoming) -> impl Future<Output = io::Result<Self::Stream>>;
}

/// TCP, without delay for small frames.
#[derive(Debug)]
pub struct TcpListen(pub TcpListener);

impl Listen for TcpListen {
    type Incoming = std::net::TcpStream;
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(std::net::TcpStream, IpAddr)> {
        let (stream, peer) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream.into_std()?, peer.ip()))
    }

    async fn open(incoming: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(incoming)
    }
}
