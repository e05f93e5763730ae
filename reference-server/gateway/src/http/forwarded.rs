//! Whom a trusted proxy speaks for (RFC 7239, and the older `X-Forwarded-For`).

use std::net::{IpAddr, SocketAddr};

use super::head::Head;

impl Head {
    /// The client's own address, as the proxies say that are trusted; none where they do not say it. Each proxy appends the address that
    /// it was called from, so that the last one that is no proxy's is the client's; what stands before it, the client may have made up.
    ///
    /// Proxies that write one of the two fields pass the other one on as it came. Where the two disagree, neither is believed.
    pub fn forwarded_for(&self, is_proxy: impl Fn(IpAddr) -> bool) -> Option<IpAddr> {
        let client = |addresses: Vec<Option<IpAddr>>| {
            let from_the_last = addresses.iter().rev().map_while(|address| *address);
            let beyond = from_the_last.clone().find(|address| !is_proxy(*address));
            beyond.or_else(|| from_the_last.last())
        };
        let elements = self.values("forwarded").flat_map(|value| value.split(','));
        let forwarded = client(elements.map(node_of).collect());
        let x_forwarded =
            client(self.values("x-forwarded-for").flat_map(|value| value.split(',')).map(node).collect());
        match (forwarded, x_forwarded) {
            (Some(one), Some(other)) => Some(one).filter(|one| *one == other),
            (one, other) => one.or(other),
        }
    }
}

/// The `for` of an element such as `for="[2001:db8::1]:4711";proto=https`.
fn node_of(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.split_once('='));
    let mut named = pairs.filter(|(name, _)| name.trim().eq_ignore_ascii_case("for"));
    named.next().and_then(|(_, value)| node(value))
}

/// An address, with or without a port, brackets and quotes. Others, such as `unknown`, are none.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|text| text.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|address| address.ip()));
    address.map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The last address that is no proxy's; what a client made up stands before it, and what is no address ends the search.
    #[test]
    fn the_client_is_behind_the_proxies() {
        for (fields, expected) in [
            ("", None),
            ("X-Forwarded-For: 192.0.2.1", Some("192.0.2.1")),
            ("X-Forwarded-For: 6.6.6.6, 192.0.2.1, 10.0.0.2", Some("192.0.2.1")),
            ("X-Forwarded-For: 6.6.6.6\r\nX-Forwarded-For: 192.0.2.1", Some("192.0.2.1")),
            ("X-Forwarded-For: 6.6.6.6, unknown, 10.0.0.2", Some("10.0.0.2")),
            ("X-Forwarded-For: 10.0.0.3, 10.0.0.2", Some("10.0.0.3")),
            ("X-Forwarded-For: unknown", None),
            ("X-Forwarded-For: 192.0.2.1:4711", Some("192.0.2.1")),
            ("Forwarded: for=192.0.2.1;proto=https, For=\"10.0.0.2:80\"", Some("192.0.2.1")),
            ("Forwarded: proto=https;for=\"[2001:db8::1]:4711\"", Some("2001:db8::1")),
            ("Forwarded: for=\"[2001:db8::1]\"", Some("2001:db8::1")),
            ("Forwarded: for=192.0.2.1\r\nX-Forwarded-For: 192.0.2.1", Some("192.0.2.1")),
            ("Forwarded: for=6.6.6.6\r\nX-Forwarded-For: 192.0.2.1", None),
        ] {
            let text = format!(
                "GET / HTTP/1.1\r\nHost: h\r\n{fields}{}\r\n",
                if fields.is_empty() { "" } else { "\r\n" }
            );
            let head = Head::parse(text.as_bytes()).unwrap().unwrap();
            let is_proxy = |address: IpAddr| address.to_string().starts_with("10.");
            let expected = expected.map(|text| text.parse().unwrap());
            assert_eq!(head.forwarded_for(is_proxy), expected, "{fields}");
        }
    }
}
