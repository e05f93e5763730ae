//! Whether a request means this gateway, by the name that it calls it by.

use std::net::IpAddr;

use super::head::Head;

/// Endings of names that no one can register (RFC 6761, RFC 6762, RFC 8375, and ICANN's `internal`).
const PRIVATE: [&str; 4] = [".localhost", ".local", ".internal", ".home.arpa"];

impl Head {
    /// Whether a page of another site cannot have sent this. By DNS rebinding a foreign name comes to mean this machine, and a browser then
    /// lets that name's pages read what it serves. So a name must be one that no stranger can have: an address, a name of the local
    /// network, or one that is allowed. A request without `Host` comes from no browser.
    pub fn is_for_this_host(&self, allowed: &[String]) -> bool {
        let Some(authority) = self.field("host") else { return true };
        let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
        // The colons of an IPv6 address stand in brackets.
        let host = if port.ends_with(']') { authority } else { host };
        let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let name = address.trim_end_matches('.').to_ascii_lowercase();
        let is_private =
            !name.is_empty() && !name.contains('.') || PRIVATE.iter().any(|ending| name.ends_with(ending));
        is_private
            || address.parse::<IpAddr>().is_ok()
            || allowed.iter().any(|allowed| allowed.eq_ignore_ascii_case(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names that a stranger can have are refused, unless they are allowed.
    #[test]
    fn only_names_of_ones_own_are_trusted() {
        let is_trusted = |host: &str| {
            let text = format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n");
            let head = Head::parse(text.as_bytes()).unwrap().unwrap();
            head.is_for_this_host(&["gate.example.org".to_owned()])
        };
        for host in [
            "127.0.0.1:3000",
            "[::1]",
            "[::1]:3000",
            "localhost",
            "gateway:3000",
            "gate.local",
            "a.b.internal",
            "Gate.Example.org:443",
            "gate.example.org.",
        ] {
            assert!(is_trusted(host), "{host}");
        }
        for host in ["", "evil.example", "evil.example:3000", "127.0.0.1.evil.example", "x.gate.example.org"]
        {
            assert!(!is_trusted(host), "{host}");
        }
        let head = Head::parse(b"GET / HTTP/1.0\r\n\r\n").unwrap().unwrap();
        assert!(head.is_for_this_host(&[]));
    }
}
