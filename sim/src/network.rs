//! turmoil's sockets behind the traits that drivers and players ask for.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::task::{Context, Poll};

use reference_client::Dial;
use reference_server::Listen;
use scenarios::player::Accept;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use turmoil::net::{TcpListener, TcpStream};

/// The port of every gateway, scripted or not.
pub(crate) const PORT: u16 = 3000;

/// Dials by host name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SimDial;

impl Dial for SimDial {
    type Stream = Segmented;

    async fn dial(&self, host: &str, port: u16) -> io::Result<Segmented> {
        TcpStream::connect((host, port)).await.map(Segmented)
    }
}

/// A listening socket of the host that binds it.
pub(crate) struct SimListener(TcpListener);

impl SimListener {
    /// Binds on the current host.
    pub(crate) async fn bind() -> io::Result<Self> {
        TcpListener::bind(("0.0.0.0", PORT)).await.map(Self)
    }
}

/// A stream that takes a segment at a time. turmoil counts segments, of whatever size, so without this a socket would hold
/// any amount and nobody would ever read too slowly.
pub(crate) struct Segmented(TcpStream);

/// Most bytes of one segment.
const SEGMENT_BYTES: usize = 8 * 1024;

impl AsyncRead for Segmented {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl AsyncWrite for Segmented {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let segment = &bytes[..bytes.len().min(SEGMENT_BYTES)];
        Pin::new(&mut self.0).poll_write(context, segment)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

impl Listen for SimListener {
    type Incoming = TcpStream;
    type Stream = Segmented;

    async fn accept(&mut self) -> io::Result<(TcpStream, IpAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((stream, peer.ip()))
    }

    async fn open(incoming: TcpStream) -> io::Result<Segmented> {
        Ok(Segmented(incoming))
    }
}

impl Accept for SimListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        Ok(self.0.accept().await?.0)
    }
}
