//! A TCP proxy that can be cut: what stands between a gateway and its broker where a scenario takes the broker away.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::net::{TcpListener, TcpStream, lookup_host};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// A running proxy. Dropping it ends it and everything that passes through it.
pub struct Proxy {
    port: u16,
    open: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Starts on a free port of the loopback interface, for connections to `host` and `port`.
    ///
    /// # Errors
    /// When the target has no address, or no port can be bound.
    pub async fn start(host: &str, port: u16, open: bool) -> io::Result<Self> {
        let nowhere = || io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
        let target = lookup_host((host, port)).await?.next().ok_or_else(nowhere)?;
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let (open, state) = watch::channel(open);
        Ok(Self { port, open, task: tokio::spawn(serve(listener, target, state)) })
    }

    /// Where it takes connections.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Lets connections through, or ends all that there are and every new one at once.
    pub fn set_open(&self, open: bool) {
        self.open.send_replace(open);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, target: SocketAddr, open: watch::Receiver<bool>) {
    // Connections end with the task that holds them.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            biased;
            accepted = listener.accept() => {
                let Ok((near, _)) = accepted else { continue };
                if *open.borrow() {
                    connections.spawn(pass(near, target, open.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

/// Carries bytes both ways until one end closes or the proxy is cut.
async fn pass(mut near: TcpStream, target: SocketAddr, mut open: watch::Receiver<bool>) {
    let carry = async {
        let mut far = TcpStream::connect(target).await?;
        near.set_nodelay(true)?;
        far.set_nodelay(true)?;
        tokio::io::copy_bidirectional(&mut near, &mut far).await
    };
    tokio::select! {
        biased;
        _ = open.wait_for(|open| !open) => {}
        // However it ends, both ends are dropped.
        _ = carry => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    /// Bytes pass both ways until it is cut; then nobody gets through until it is open again.
    #[tokio::test]
    async fn it_can_be_cut() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let proxy = Proxy::start("127.0.0.1", port, true).await.unwrap();
        let dial = || TcpStream::connect((Ipv4Addr::LOCALHOST, proxy.port()));

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
}
