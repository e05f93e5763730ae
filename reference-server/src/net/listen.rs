//! Where connections come from: the network, or a simulated one.

use std::io;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};

/// A listening socket. What it accepts is carried to a shard and adopted there, on the runtime that will serve it.
pub trait Listen: Send + 'static {
    /// An accepted connection on its way to a shard.
    type Incoming: Send + 'static;
    /// A connection that is served.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// Waits for a connection.
    fn accept(&mut self) -> impl Future<Output = io::Result<Self::Incoming>>;

    /// Takes a connection over; called on the shard's runtime.
    ///
    /// # Errors
    /// When the connection is broken already.
    fn adopt(incoming: Self::Incoming) -> io::Result<Self::Stream>;
}

/// TCP, without delay for small frames.
#[derive(Debug)]
pub struct TcpListen(pub TcpListener);

impl Listen for TcpListen {
    type Incoming = std::net::TcpStream;
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<std::net::TcpStream> {
        let (stream, _) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        stream.into_std()
    }

    fn adopt(incoming: std::net::TcpStream) -> io::Result<TcpStream> {
        TcpStream::from_std(incoming)
    }
}
