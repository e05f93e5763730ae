//! Where connections come from: the network, or a simulated one.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::os::fd::{AsRawFd, RawFd};
use std::rc::Rc;

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

use super::arrival::Arrival;
use super::proxy::{SIGNATURE, read_header};

/// Connections that may wait in the listen queue, as far as the kernel allows (`net.core.somaxconn`).
const LISTEN_QUEUE: u32 = 16 * 1024;

/// A listening socket. What it accepts is carried to a shard and opened there, on the runtime that will serve it.
pub trait Listen: Send + 'static {
    /// An accepted connection on its way to a shard.
    type Incoming: Send + 'static;
    /// A connection that is served.
    type Stream: AsyncRead + AsyncWrite + Unpin + 'static;

    /// The socket of a stream whose bytes go to it as they are; none where they are changed on the way (TLS), or there is no socket. A shard
    /// writes to many of these by one system call, where the kernel has io_uring.
    const SOCKET: Option<fn(&Self::Stream) -> RawFd> = None;

    /// Waits for a connection, and returns it with its remote address.
    fn accept(&mut self) -> impl Future<Output = io::Result<(Self::Incoming, IpAddr)>>;

    /// Makes a stream of it, which may take a handshake of its own (TLS); called on the shard's runtime. On a timeout the
    /// caller drops this future. What it learns of the peer it tells `arrival`.
    ///
    /// # Errors
    /// When the connection is broken already, or its handshake fails.
    fn open(
        incoming: Self::Incoming,
        arrival: &Rc<Arrival>,
    ) -> impl Future<Output = io::Result<Self::Stream>>;
}

/// TCP, without delay for small frames.
#[derive(Debug)]
pub struct TcpListen(pub TcpListener);

impl TcpListen {
    /// Listens on an address, with a queue in which many may wait who dial at once.
    ///
    /// # Errors
    /// When the address cannot be had.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        socket.bind(address)?;
        Ok(Self(socket.listen(LISTEN_QUEUE)?))
    }

    /// The address that is listened on.
    ///
    /// # Errors
    /// As the system says.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
    }
}

impl Listen for TcpListen {
    type Incoming = std::net::TcpStream;
    type Stream = TcpStream;

    const SOCKET: Option<fn(&TcpStream) -> RawFd> = Some(AsRawFd::as_raw_fd);

    async fn accept(&mut self) -> io::Result<(std::net::TcpStream, IpAddr)> {
        let (stream, peer) = self.0.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream.into_std()?, peer.ip()))
    }

    async fn open(incoming: std::net::TcpStream, arrival: &Rc<Arrival>) -> io::Result<TcpStream> {
        let mut stream = TcpStream::from_std(incoming)?;
        let mut first = [0; SIGNATURE.len()];
        // In HTTP and in TLS the client speaks first.
        let length = stream.peek(&mut first).await?;
        if length > 0 {
            arrival.speaks().await;
        }
        // Proxies send their header at once; what begins like one and is none is refused.
        if length > 4
            && SIGNATURE.starts_with(&first[..length])
            && arrival.is_from_proxy()
            && let Some(client) = read_header(&mut stream).await?
        {
            arrival.is_for(client);
        }
        Ok(stream)
    }
}
