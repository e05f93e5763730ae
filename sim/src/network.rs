//! turmoil's sockets behind the traits that drivers and players ask for.

use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll};

use player::Accept;
use reference_client::Dial;
use reference_server::{Arrival, Listen};
use tokio::io::{AsyncRead, AsyncWrite, DuplexStream, ReadBuf, duplex};
use turmoil::net::{TcpListener, TcpStream};

use crate::boundary::{Sensed, Sockets, Wire, WireMaker, join};

/// The port of every gateway, scripted or not.
pub(crate) const PORT: u16 = 3000;

/// Dials by host name.
#[derive(Clone)]
pub(crate) struct SimDial {
    pub(crate) wires: Wires,
    pub(crate) sockets: Sockets,
}

/// Who changes connections, and how many there have been.
#[derive(Clone, Default)]
pub(crate) struct Wires {
    maker: Option<WireMaker>,
    count: Arc<AtomicUsize>,
}

impl Dial for SimDial {
    type Stream = Sensed<SimStream>;

    async fn dial(&self, host: &str, port: u16) -> io::Result<Sensed<SimStream>> {
        let senses = self.sockets.senses();
        let can_dial = || senses.hears() && senses.speaks();
        if !can_dial() {
            std::future::pending::<()>().await;
        }
        let stream = TcpStream::connect((host, port)).await?;
        if !can_dial() {
            self.sockets.hold(stream);
            return std::future::pending().await;
        }
        let stream = Segmented(stream);
        Ok(self.sockets.sense(match self.wires.next() {
            None => SimStream::Plain(stream),
            Some(wire) => {
                let (near, far) = duplex(SEGMENT_BYTES);
                tokio::spawn(join(wire, far, stream));
                SimStream::Through(near)
            }
        }))
    }
}

impl Wires {
    pub(crate) fn new(maker: Option<WireMaker>) -> Self {
        Self { maker, count: Arc::default() }
    }

    /// The interceptor of the next connection, if any.
    fn next(&self) -> Option<Box<dyn Wire>> {
        self.maker.as_ref().and_then(|make| make(self.count.fetch_add(1, Ordering::Relaxed)))
    }
}

/// A listening socket of the host that binds it.
pub(crate) struct SimListener {
    listener: TcpListener,
    wires: Wires,
    sockets: Sockets,
}

impl SimListener {
    /// Binds on the current host.
    pub(crate) async fn bind(wires: Wires, sockets: Sockets) -> io::Result<Self> {
        Ok(Self { listener: TcpListener::bind(("0.0.0.0", PORT)).await?, wires, sockets })
    }
}

/// One end of a connection, which may have passed a [`Wire`].
pub(crate) enum SimStream {
    Plain(Segmented),
    Through(DuplexStream),
}

/// A stream that takes a segment at a time. turmoil counts segments, of whatever size, so without this a socket would hold
/// any amount and no reader would ever be too slow.
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

impl AsyncRead for SimStream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(context, buffer),
            Self::Through(stream) => Pin::new(stream).poll_read(context, buffer),
        }
    }
}

impl AsyncWrite for SimStream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(context, bytes),
            Self::Through(stream) => Pin::new(stream).poll_write(context, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(context),
            Self::Through(stream) => Pin::new(stream).poll_flush(context),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(context),
            Self::Through(stream) => Pin::new(stream).poll_shutdown(context),
        }
    }
}

impl Listen for SimListener {
    type Incoming = (TcpStream, Option<Box<dyn Wire>>, Sockets);
    type Stream = Sensed<SimStream>;

    async fn accept(&mut self) -> io::Result<(Self::Incoming, IpAddr)> {
        loop {
            let (stream, peer) = self.listener.accept().await?;
            if self.sockets.senses().hears() {
                return Ok(((stream, self.wires.next(), self.sockets.clone()), peer.ip()));
            }
            // The kernel takes connections for a process that does not.
            self.sockets.hold(stream);
        }
    }

    async fn open((stream, wire, sockets): Self::Incoming, _: &Rc<Arrival>) -> io::Result<Sensed<SimStream>> {
        let stream = Segmented(stream);
        Ok(sockets.sense(match wire {
            None => SimStream::Plain(stream),
            Some(wire) => {
                let (near, far) = duplex(SEGMENT_BYTES);
                tokio::spawn(join(wire, stream, far));
                SimStream::Through(near)
            }
        }))
    }
}

impl Accept for SimListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        Ok(self.listener.accept().await?.0)
    }

    fn reset(stream: TcpStream) {
        // No scenario that is simulated asks for it: turmoil resets what is dropped with bytes unread, and nothing else.
        drop(stream);
    }
}
