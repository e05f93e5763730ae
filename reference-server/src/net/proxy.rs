//! Proxies that are trusted to say whom they speak for: by a PROXY protocol header before everything else, or in the request.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use tokio::io::{AsyncRead, AsyncReadExt};

/// What a PROXY protocol header of version 2 begins with (section 2.2 of its specification).
pub(super) const SIGNATURE: [u8; 12] = *b"\r\n\r\n\0\r\nQUIT\n";
/// Bytes of a header up to its length.
const HEAD_BYTES: usize = 16;
/// Most bytes behind that: addresses, and what else a proxy may tell.
const MAX_TAIL_BYTES: usize = 2048;
/// Version 2, and the proxy speaks for somebody.
const PROXY: u8 = 0x21;
/// Version 2, and the proxy speaks for itself, as for a health check.
const LOCAL: u8 = 0x20;

/// Addresses of trusted proxies. Those who can reach the gateway from one of them are believed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TrustedProxies(Arc<[IpNet]>);

/// A text is neither an address nor a range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("neither an address nor a range of addresses")]
pub struct RangeError;

impl TrustedProxies {
    /// Of addresses, such as `10.0.0.7`, and ranges, such as `10.0.0.0/8`.
    ///
    /// # Errors
    /// When a text is neither.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, RangeError> {
        let range = |text: &str| {
            let address = || IpAddr::from_str(text).map(IpNet::from);
            IpNet::from_str(text).or_else(|_| address()).map_err(|_| RangeError)
        };
        texts.into_iter().map(range).collect::<Result<Arc<_>, _>>().map(Self)
    }

    /// Whether this is one of them.
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.0.iter().any(|range| range.contains(&address))
    }
}

/// Reads a header, and returns the client's address, where the proxy speaks for one. Version 2 is all that is read: it says how long it is.
/// (The crate `ppp` would bring a second `thiserror`.)
pub(super) async fn read_header(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Option<IpAddr>> {
    let invalid = |reason| io::Error::new(io::ErrorKind::InvalidData, reason);
    let mut head = [0; HEAD_BYTES];
    stream.read_exact(&mut head).await?;
    let length = usize::from(u16::from_be_bytes([head[14], head[15]]));
    if head[..12] != SIGNATURE || length > MAX_TAIL_BYTES {
        return Err(invalid("no PROXY protocol header of version 2, or too long a one"));
    }
    let mut tail = vec![0; length];
    stream.read_exact(&mut tail).await?;
    // The family in the upper half: 1 is IPv4, 2 is IPv6; the source comes first.
    match (head[12], head[13] >> 4) {
        (PROXY, 1) if length >= 12 => Ok(tail.first_chunk::<4>().map(|bytes| Ipv4Addr::from(*bytes).into())),
        (PROXY, 2) if length >= 36 => Ok(tail.first_chunk::<16>().map(|bytes| Ipv6Addr::from(*bytes).into())),
        (PROXY, 1 | 2) => Err(invalid("a PROXY protocol header without the addresses that it announces")),
        (PROXY | LOCAL, _) => Ok(None),
        _ => Err(invalid("a PROXY protocol header of another version")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses and ranges, of both families; an IPv4 address is the same where IPv6 carries it.
    #[test]
    fn proxies_are_addresses_and_ranges() {
        let proxies = TrustedProxies::parse(["10.0.0.0/8", "192.0.2.7", "2001:db8::/32"]).unwrap();
        for (address, trusted) in [
            ("10.9.9.9", true),
            ("192.0.2.7", true),
            ("192.0.2.8", false),
            ("::ffff:10.1.1.1", true),
            ("2001:db8:1::1", true),
            ("2001:db9::1", false),
        ] {
            assert_eq!(proxies.trust(address.parse().unwrap()), trusted, "{address}");
        }
        assert_eq!(TrustedProxies::parse(["10.0.0.0/33"]), Err(RangeError));
        assert!(!TrustedProxies::default().trust("127.0.0.1".parse().unwrap()));
    }

    /// A header names the client, or nobody; what is no header, or too long a one, is an error before it is read.
    #[tokio::test]
    async fn a_header_names_the_client() {
        let header = |command: u8, family: u8, length: u16, tail: &[u8]| {
            [&SIGNATURE[..], &[command, family], &length.to_be_bytes(), tail].concat()
        };
        let v4 = [192, 0, 2, 1, 10, 0, 0, 1, 0x12, 0x34, 0, 80, 0xee];
        let v6 = [&Ipv6Addr::LOCALHOST.octets()[..], &[0; 20]].concat();
        for (bytes, expected) in [
            (header(PROXY, 0x11, 13, &v4), Some(Some(IpAddr::from([192, 0, 2, 1])))),
            (header(PROXY, 0x21, 36, &v6), Some(Some(Ipv6Addr::LOCALHOST.into()))),
            (header(LOCAL, 0, 0, &[]), Some(None)),
            (header(PROXY, 0x11, 4, &v4), None),
            (header(PROXY, 0x11, 65_535, &v4), None),
            (header(0x11, 0x11, 12, &v4), None),
            (b"GET / HTTP/1.1\r\n\r\n".to_vec(), None),
        ] {
            let read = read_header(&mut &bytes[..]).await;
            assert_eq!(read.as_ref().ok(), expected.as_ref(), "{bytes:?}: {read:?}");
        }
    }
}
