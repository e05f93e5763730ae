//! `/dev`: development mode over HTTP, for the gateway's own page and for tools. Other origins are refused.

use std::io;
use std::net::IpAddr;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::Answer;
use super::body::{self, BodyError};
use super::context::ServerContext;
use crate::dev::{self, DevError};
use reference_gateway::Head;

/// Answers a request for a path under `/dev`.
pub(super) async fn answer(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    head: &Head,
    shared: &ServerContext,
) -> io::Result<Answer> {
    let allowed = if head.path == "/dev" { "GET" } else { "POST" };
    if head.method != allowed {
        return Ok(Answer::plain(405, "Method Not Allowed").with("Allow", allowed));
    }
    if head.path == "/dev" {
        return Ok(Answer::json(200, "OK", &dev::offer(&shared.config)));
    }
    if !is_of_this_site(head) {
        return Ok(refusal(
            403,
            "Forbidden",
            &"this is for pages of the gateway itself, at localhost or an address",
        ));
    }
    if !is_json(head) {
        return Ok(refusal(415, "Unsupported Media Type", &"write Content-Type: application/json"));
    }
    let body = match body::read(stream, head).await {
        Ok(body) => body,
        Err(error @ BodyError::Unmeasured) => return Ok(refusal(411, "Length Required", &error)),
        Err(error @ BodyError::TooLarge) => return Ok(refusal(413, "Content Too Large", &error)),
        Err(BodyError::Io(error)) => return Err(error),
    };
    let now = (shared.wall)();
    let done = match head.path.as_str() {
        "/dev/token" => dev::token(&shared.config, &body, now),
        _ => dev::publish(&shared.config, &body, now).await,
    };
    Ok(done.map_or_else(|error| refused(&error), |answer| Answer::json(200, "OK", &answer)))
}

fn refused(error: &DevError) -> Answer {
    let (status, reason) = match error {
        DevError::Shape(_) => (400, "Bad Request"),
        DevError::Mint(_) | DevError::NoBroker => (404, "Not Found"),
        DevError::Publish(_) => (502, "Bad Gateway"),
    };
    refusal(status, reason, error)
}

fn refusal(status: u16, reason: &'static str, error: &dyn std::fmt::Display) -> Answer {
    Answer::json(status, reason, &json!({ "error": error.to_string() }))
}

/// Whether the request comes from a page of this gateway, or from no page at all. Browsers always send `Origin`, and a
/// page cannot forge it. DNS rebinding can make a foreign name resolve to this machine, so that `Host` and `Origin`
/// agree; therefore only addresses and `localhost` are trusted, which a third party cannot register.
fn is_of_this_site(head: &Head) -> bool {
    let Some(origin) = head.field("origin") else { return true };
    let Some((_, authority)) = origin.split_once("://") else { return false };
    head.field("host").is_some_and(|host| host.eq_ignore_ascii_case(authority)) && is_local_name(authority)
}

fn is_local_name(authority: &str) -> bool {
    let (host, port) = authority.rsplit_once(':').unwrap_or((authority, ""));
    let host = if port.ends_with(']') { authority } else { host };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let name = address.to_ascii_lowercase();
    name == "localhost" || name.ends_with(".localhost") || address.parse::<IpAddr>().is_ok()
}

/// A form of another site can send other types without asking; this one makes its browser ask first.
fn is_json(head: &Head) -> bool {
    let media_type = head.field("content-type").and_then(|value| value.split(';').next());
    media_type.is_some_and(|value| value.trim().eq_ignore_ascii_case("application/json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Addresses and `localhost` are local names; all other names may belong to a third party.
    #[test]
    fn only_addresses_and_localhost_are_local() {
        for name in [
            "127.0.0.1",
            "127.0.0.1:3000",
            "[::1]",
            "[::1]:3000",
            "localhost:3000",
            "Gate.Localhost",
            "10.0.0.7",
        ] {
            assert!(is_local_name(name), "{name}");
        }
        for name in
            ["", "evil.example", "evil.example:3000", "127.0.0.1.evil.example", "notlocalhost", "[evil]"]
        {
            assert!(!is_local_name(name), "{name}");
        }
    }
}
