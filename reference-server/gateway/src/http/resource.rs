//! What a request asks for, by its path and its method (AUTH-9, CONN-9).

use protocol::TokenPlace;

use super::head::Head;

/// What a gateway offers.
#[derive(Debug, Clone, Copy)]
pub struct Site<'a> {
    /// The path that upgrades.
    pub path: &'a str,
    /// Where the token stands: it may be behind that path.
    pub token: &'a TokenPlace,
    /// Whether the live page is served.
    pub page: bool,
    /// Whether development mode is on.
    pub dev: bool,
}

/// What a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resource {
    /// A WebSocket.
    Upgrade,
    /// Whether the gateway runs.
    Health,
    /// Whether events are consumed.
    Ready,
    /// Connections and rooms, in JSON.
    Stats,
    /// The metrics, for Prometheus.
    Metrics,
    /// The live page.
    Page,
    /// Development mode, which checks the method itself.
    Development,
    /// One of the above, by a method that it does not have; these are those that it has.
    NotAllowed(&'static str),
    /// Nothing that there is.
    Missing,
}

impl Resource {
    /// What this request asks for.
    pub fn of(head: &Head, site: &Site<'_>) -> Self {
        let is_get = head.method == "GET";
        if head.path == site.path || site.token.of_path(site.path, &head.path).is_some() {
            // Nothing upgrades by HEAD.
            return if is_get { Self::Upgrade } else { Self::NotAllowed("GET") };
        }
        // HEAD is GET without the content (RFC 9110 section 9.3.2).
        let reads = is_get || head.method == "HEAD";
        match (Self::status_page(&head.path), head.path.as_str()) {
            (Some(page), _) if reads => page,
            (Some(_), _) => Self::NotAllowed("GET, HEAD"),
            (None, "/dev" | "/dev/token" | "/dev/publish") if site.dev => Self::Development,
            (None, "/") if reads && site.page && !head.lists("upgrade", "websocket") => Self::Page,
            (None, _) => Self::Missing,
        }
    }

    /// The status page at a path.
    pub fn status_page(path: &str) -> Option<Self> {
        match path {
            "/healthz" => Some(Self::Health),
            "/readyz" => Some(Self::Ready),
            "/stats" => Some(Self::Stats),
            "/metrics" => Some(Self::Metrics),
            _ => None,
        }
    }

    /// Whether those who ask for it ask again and again, so that it is worth keeping their connection.
    pub fn is_polled(self) -> bool {
        matches!(self, Self::Health | Self::Ready | Self::Stats | Self::Metrics)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resource(line: &str, dev: bool) -> Resource {
        let head = Head::parse(format!("{line} HTTP/1.1\r\n\r\n").as_bytes()).unwrap().unwrap();
        Resource::of(&head, &Site { path: "/ws", token: &TokenPlace::Query, page: true, dev })
    }

    /// Only the exact path upgrades, only by GET; pages have GET and HEAD.
    #[test]
    fn paths_and_methods() {
        for (line, expected) in [
            ("GET /ws?token=t", Resource::Upgrade),
            ("HEAD /ws", Resource::NotAllowed("GET")),
            ("POST /ws", Resource::NotAllowed("GET")),
            ("GET /WS", Resource::Missing),
            ("GET /ws/", Resource::Missing),
            ("GET /healthz", Resource::Health),
            ("HEAD /readyz", Resource::Ready),
            ("GET /stats", Resource::Stats),
            ("GET /metrics?x", Resource::Metrics),
            ("POST /metrics", Resource::NotAllowed("GET, HEAD")),
            ("GET /", Resource::Page),
            ("POST /", Resource::Missing),
            ("GET /dev", Resource::Missing),
        ] {
            assert_eq!(resource(line, false), expected, "{line}");
        }
        assert_eq!(resource("POST /dev/token", true), Resource::Development);
    }

    /// A token in the path is one segment behind it.
    #[test]
    fn a_token_may_stand_behind_the_path() {
        let site = Site { path: "/ws", token: &TokenPlace::Path, page: true, dev: false };
        for (path, expected) in [
            ("/ws/a.b.c", Resource::Upgrade),
            ("/ws", Resource::Upgrade),
            ("/ws/x/a.b.c", Resource::Missing),
            ("/wsx/a.b.c", Resource::Missing),
            ("/healthz", Resource::Health),
        ] {
            let head = Head::parse(format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()).unwrap().unwrap();
            assert_eq!(Resource::of(&head, &site), expected, "{path}");
        }
    }

    /// A WebSocket that is asked for at the page's path is not there; without the page, the path is nothing.
    #[test]
    fn the_page_is_no_socket() {
        let head = Head::parse(b"GET / HTTP/1.1\r\nUpgrade: websocket\r\n\r\n").unwrap().unwrap();
        assert_eq!(
            Resource::of(&head, &Site { token: &TokenPlace::Query, path: "/ws", page: true, dev: false }),
            Resource::Missing
        );
        let head = Head::parse(b"GET / HTTP/1.1\r\n\r\n").unwrap().unwrap();
        assert_eq!(
            Resource::of(&head, &Site { token: &TokenPlace::Query, path: "/ws", page: false, dev: false }),
            Resource::Missing
        );
    }
}
