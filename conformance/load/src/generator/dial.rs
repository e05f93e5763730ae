//! Opens sockets without waiting for them.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use mio::net::TcpStream;
use rustix::net::sockopt;

/// Clients that share a source address: fewer than there are ports for outgoing connections.
const CLIENTS_OF_ADDRESS: usize = 20_000;

/// Begins to connect. Where the gateway is on this host, many clients get several source addresses, since one has too few ports.
pub(super) fn dial(address: SocketAddr, client: usize) -> io::Result<TcpStream> {
    let stream = match source(address, client) {
        None => TcpStream::connect(address)?,
        Some(source) => connect_from(source, address)?,
    };
    stream.set_nodelay(true)?;
    Ok(stream)
}

/// Cuts a connection, as when a network goes away: it is reset, and its port is free at once.
pub(super) fn cut(stream: TcpStream) {
    // A socket that has failed already is gone.
    let _ = sockopt::set_socket_linger(&stream, Some(Duration::ZERO));
    drop(stream);
}

/// The address that a client comes from, where it is not the usual.
fn source(address: SocketAddr, client: usize) -> Option<Ipv4Addr> {
    let is_local = matches!(address, SocketAddr::V4(v4) if v4.ip().is_loopback());
    let block = client / CLIENTS_OF_ADDRESS;
    (cfg!(target_os = "linux") && is_local && block > 0)
        .then(|| Ipv4Addr::new(127, 0, 1 + (block / 250) as u8, 1 + (block % 250) as u8))
}

#[cfg(target_os = "linux")]
fn connect_from(source: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    use rustix::io::Errno;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, connect, socket_with};

    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    let socket = socket_with(AddressFamily::INET, SocketType::STREAM, flags, None)?;
    bind(&socket, &SocketAddr::from((source, 0)))?;
    match connect(&socket, &address) {
        Ok(()) | Err(Errno::INPROGRESS) => {}
        Err(error) => return Err(error.into()),
    }
    Ok(TcpStream::from_std(std::net::TcpStream::from(socket)))
}

#[cfg(not(target_os = "linux"))]
fn connect_from(_source: Ipv4Addr, address: SocketAddr) -> io::Result<TcpStream> {
    TcpStream::connect(address)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The first clients come from the usual address, further ones from others; to a gateway elsewhere all from one.
    #[test]
    #[cfg(target_os = "linux")]
    fn many_clients_have_several_addresses() {
        let here = SocketAddr::from(([127, 0, 0, 1], 1));
        assert_eq!(source(here, CLIENTS_OF_ADDRESS - 1), None);
        assert_eq!(source(here, CLIENTS_OF_ADDRESS), Some(Ipv4Addr::new(127, 0, 1, 2)));
        assert_eq!(source(SocketAddr::from(([192, 0, 2, 1], 1)), CLIENTS_OF_ADDRESS), None);
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let stream = dial(listener.local_addr().unwrap(), CLIENTS_OF_ADDRESS).unwrap();
        let (_accepted, from) = listener.accept().unwrap();
        assert_eq!(from.ip(), Ipv4Addr::new(127, 0, 1, 2));
        cut(stream);
    }
}
