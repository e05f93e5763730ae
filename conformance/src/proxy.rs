//! A TCP proxy that can go wrong: what stands between a gateway and its broker where a scenario disturbs the two. Towards
//! clients there is no proxy; the harness's own ends of WebSocket connections pass the same [`Network`].

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use scenarios::network::Cut;
use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::task::AbortOnDropHandle;
use wire::link::Network;

use crate::limits::Refusals;

/// How long to wait after the system refused to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Connections that wait to be noted. Those beyond are not noted: so many at once are too many for any expectation.
const DIALS: usize = 1024;

/// A running proxy. Dropping it ends it and everything that passes through it.
pub struct Proxy {
    addr: SocketAddr,
    open: Arc<AtomicBool>,
    network: Network,
    /// One message for each incoming connection.
    dials: Option<mpsc::Receiver<()>>,
    _task: AbortOnDropHandle<()>,
}

impl Proxy {
    /// Starts at `listen`, for connections to `host` and `port`.
    ///
    /// # Errors
    /// When the target has no address, or the port cannot be bound.
    pub async fn between(listen: SocketAddr, host: &str, port: u16) -> io::Result<Self> {
        Self::start_at(listen, host, port, true, Refusals::none()).await
    }

    /// Starts on a free port of the loopback interface, for connections to `host` and `port`.
    ///
    /// # Errors
    /// When the target has no address, or no port can be bound.
    pub(crate) async fn start(host: &str, port: u16, open: bool, refusals: Refusals) -> io::Result<Self> {
        Self::start_at((Ipv4Addr::LOCALHOST, 0).into(), host, port, open, refusals).await
    }

    async fn start_at(
        listen: SocketAddr,
        host: &str,
        port: u16,
        open: bool,
        refusals: Refusals,
    ) -> io::Result<Self> {
        let nowhere = || io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
        let target = lookup_host((host, port)).await?.next().ok_or_else(nowhere)?;
        let listener = TcpListener::bind(listen).await?;
        let addr = listener.local_addr()?;
        let (open, network) = (Arc::new(AtomicBool::new(open)), Network::new());
        let (note, dials) = mpsc::channel(DIALS);
        let far = Far { target, open: Arc::clone(&open), network: network.clone(), refusals };
        let task = AbortOnDropHandle::new(tokio::spawn(serve(listener, far, note)));
        Ok(Self { addr, open, network, dials: Some(dials), _task: task })
    }

    /// Where it takes connections.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Lets connections through, or ends all that there are and every new one at once.
    pub fn set_open(&self, open: bool) {
        self.open.store(open, Ordering::SeqCst);
        if !open {
            self.network.cut(Cut::End);
        }
    }

    /// Says of each connection from now on that it has come; once.
    pub(crate) fn dials(&mut self) -> Option<mpsc::Receiver<()>> {
        let mut dials = self.dials.take()?;
        while dials.try_recv().is_ok() {}
        Some(dials)
    }

    /// The network that connections pass. The dialling side is the subject.
    pub fn network(&self) -> &Network {
        &self.network
    }
}

/// Ends a connection by a reset (RFC 9293 section 3.10.5).
pub(crate) fn reset(stream: TcpStream) {
    // Without lingering, closing resets. Where the system refuses, the connection ends all the same.
    let _ = stream.set_zero_linger();
    drop(stream);
}

/// Where connections go, and what they pass.
#[derive(Clone)]
struct Far {
    target: SocketAddr,
    open: Arc<AtomicBool>,
    network: Network,
    refusals: Refusals,
}

async fn serve(listener: TcpListener, far: Far, note: mpsc::Sender<()>) {
    // Connections end with the task that holds them.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => {
                match far.refusals.look("cannot accept a connection to the broker", accepted) {
                    Ok((near, _)) => {
                        // Either there are enough, or no one listens any more.
                        let _ = note.try_send(());
                        connections.spawn(far.clone().pass(near));
                    }
                    // What is refused now is refused until something has ended.
                    Err(_) => tokio::time::sleep(ACCEPT_PAUSE).await,
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

impl Far {
    async fn pass(self, near: TcpStream) -> io::Result<()> {
        let dialled = TcpStream::connect(self.target).await;
        let far = self.refusals.look("cannot dial the broker", dialled)?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        let passing = self.network.join(near, far, reset);
        // From here on a cut reaches it; before, it would not have passed.
        if self.open.load(Ordering::SeqCst) {
            passing.await;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Bytes pass both ways until it is cut; then no connection gets through until it is open again.
    #[tokio::test]
    async fn it_can_be_cut() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Proxy::start("127.0.0.1", port, true, Refusals::none()).await.unwrap();
        let dial = || TcpStream::connect(proxy.addr());

        let (mut near, accepted) = (dial().await.unwrap(), listener.accept().await);
        let (mut far, _) = accepted.unwrap();
        let mut byte = [0];
        near.write_all(b"a").await.unwrap();
        far.read_exact(&mut byte).await.unwrap();
        far.write_all(b"b").await.unwrap();
        near.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"b");

        proxy.set_open(false);
        assert_eq!(near.read(&mut byte).await.unwrap_or_default(), 0);
        assert_eq!(far.read(&mut byte).await.unwrap_or_default(), 0);
        assert_eq!(dial().await.unwrap().read(&mut byte).await.unwrap_or_default(), 0);

        proxy.set_open(true);
        let _near = dial().await.unwrap();
        assert!(listener.accept().await.is_ok());
    }

    /// Each connection is noted, also one that comes while it is cut; those before it is asked are not.
    #[tokio::test]
    async fn dials_are_noted() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let mut proxy = Proxy::start("127.0.0.1", port, false, Refusals::none()).await.unwrap();
        let address = proxy.addr();
        let dial = || async move {
            let mut dialled = TcpStream::connect(address).await.unwrap();
            dialled.read(&mut [0]).await.unwrap_or_default()
        };
        dial().await;
        let mut dials = proxy.dials().unwrap();
        assert!(dials.try_recv().is_err());
        dial().await;
        dial().await;
        assert_eq!(
            (dials.recv().await, dials.recv().await, dials.try_recv().is_err()),
            (Some(()), Some(()), true)
        );
    }

    /// The dialling side sees a reset, and nothing else.
    #[tokio::test]
    async fn it_can_be_reset() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Proxy::start("127.0.0.1", port, true, Refusals::none()).await.unwrap();
        let mut near = TcpStream::connect(proxy.addr()).await.unwrap();
        let (mut far, _) = listener.accept().await.unwrap();
        far.write_all(b"a").await.unwrap();
        near.read_exact(&mut [0]).await.unwrap();
        proxy.network().cut(Cut::Reset);
        assert_eq!(near.read(&mut [0]).await.unwrap_err().kind(), io::ErrorKind::ConnectionReset);
    }
}
