//! lapin's connection to a broker, with a limit on what is read from it.

use std::future::Future;
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_rs::traits::Reactor;
use async_rs::util::RuntimeParts;
use async_rs::{Runtime, Tokio};
use futures_util::Stream;
use futures_util::io::{AsyncRead, AsyncWrite};

use super::body_limit::BodyLimit;

/// Bytes that are read at once: as many as a frame has at most.
const READ_BYTES: usize = 128 * 1024;

/// tokio, whose TCP connections pass no body over the limit.
#[derive(Debug, Clone)]
pub(super) struct Limited {
    tokio: Tokio,
    body_bytes: usize,
}

/// One such connection.
#[derive(Debug)]
pub(super) struct LimitedStream<S> {
    inner: S,
    limit: BodyLimit,
    read: Box<[u8]>,
    /// What has been read and may be passed on, from `taken` on.
    passed: Vec<u8>,
    taken: usize,
}

/// A runtime for lapin whose connections pass no body of more than so many bytes. It is that of the caller.
pub(super) fn limited(body_bytes: usize) -> Runtime<RuntimeParts<Tokio, Limited>> {
    let tokio = Tokio::current();
    Runtime::new(RuntimeParts::new(tokio.clone(), Limited { tokio, body_bytes }))
}

impl Reactor for Limited {
    type TcpStream = LimitedStream<<Tokio as Reactor>::TcpStream>;
    type Sleep = <Tokio as Reactor>::Sleep;

    fn register<H: Read + Write + Send + 'static>(
        &self,
        _: H,
    ) -> io::Result<impl AsyncRead + AsyncWrite + Send + Unpin + 'static> {
        // lapin registers nothing but what it connects.
        Err::<<Tokio as Reactor>::TcpStream, _>(io::ErrorKind::Unsupported.into())
    }

    fn sleep(&self, time: Duration) -> Self::Sleep {
        self.tokio.sleep(time)
    }

    fn interval(&self, time: Duration) -> impl Stream<Item = Instant> + Send + 'static {
        self.tokio.interval(time)
    }

    fn tcp_connect_addr(
        &self,
        address: SocketAddr,
    ) -> impl Future<Output = io::Result<Self::TcpStream>> + Send + 'static {
        let (connecting, body_bytes) = (self.tokio.tcp_connect_addr(address), self.body_bytes);
        async move { Ok(LimitedStream::new(connecting.await?, body_bytes)) }
    }
}

impl<S> LimitedStream<S> {
    fn new(inner: S, body_bytes: usize) -> Self {
        let read = vec![0; READ_BYTES].into_boxed_slice();
        Self { inner, limit: BodyLimit::new(body_bytes), read, passed: Vec::new(), taken: 0 }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LimitedStream<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        while this.taken == this.passed.len() {
            let count = ready!(Pin::new(&mut this.inner).poll_read(context, &mut this.read))?;
            if count == 0 {
                return Poll::Ready(Ok(0));
            }
            this.passed.clear();
            this.taken = 0;
            this.limit.filter(&this.read[..count], &mut this.passed);
        }
        let ready = &this.passed[this.taken..];
        let count = ready.len().min(buffer.len());
        buffer[..count].copy_from_slice(&ready[..count]);
        this.taken += count;
        Poll::Ready(Ok(count))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for LimitedStream<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.inner).poll_write_vectored(context, slices)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_close(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_close(context)
    }
}
