//! turmoil's sockets behind the traits that drivers and players ask for.

use std::io;
use std::net::IpAddr;

use reference_client::Dial;
use reference_server::Listen;
use scenarios::player::Accept;
use turmoil::net::{TcpListener, TcpStream};

/// The port of every gateway, scripted or not.
pub(crate) const PORT: u16 = 3000;

/// Dials by host name.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SimDial;

impl Dial for SimDial {
    type Stream = TcpStream;

    async fn dial(&self, host: &str, port: u16) -> io::Result<TcpStream> {
        TcpStream::connect((host, port)).await
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

impl Listen for SimListener {
    type Incoming = TcpStream;
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, IpAddr)> {
        let (stream, peer) = self.0.accept().await?;
        Ok((stream, peer.ip()))
    }

    async fn open(incoming: TcpStream) -> io::Result<TcpStream> {
        Ok(incoming)
    }
}

impl Accept for SimListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<TcpStream> {
        Ok(self.0.accept().await?.0)
    }
}
