//! What an HTTP request gets: an upgrade, a page about the gateway, or a refusal (AUTH-9, CONN-9).

use std::io;
use std::net::IpAddr;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::Answer;
use super::context::{ServerContext, ShardReport};
use super::dev;
use super::head::Head;
use super::upgrade::{SignedIn, upgrade};
use crate::metrics::Refusal;
use crate::page;

/// The content type of the metrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Answers a request; where that is an upgrade, says who is signed in.
pub(super) async fn serve(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    head: &Head,
    peer: IpAddr,
    shared: &ServerContext,
) -> io::Result<Option<SignedIn>> {
    let own = head.path == shared.config.path;
    // HEAD is GET without the content (RFC 9110 section 9.3.2); nothing upgrades by it.
    let is_head = head.method == "HEAD";
    let method = if is_head && !own { "GET" } else { head.method.as_str() };
    let answer = match (head.path.as_str(), method) {
        (_, "GET") if own => return upgrade(stream, head, peer, shared).await,
        ("/healthz", "GET") => Answer::plain(200, "OK"),
        ("/readyz", "GET") if shared.is_ready() => Answer::plain(200, "OK"),
        ("/readyz", "GET") => Answer::plain(503, "No Broker"),
        ("/stats", "GET") => Answer::ok("application/json", stats(shared).await),
        ("/metrics", "GET") => Answer::ok(OPEN_METRICS, metrics(shared).await),
        ("/", "GET") if shared.config.page && !head.lists("upgrade", "websocket") => page(shared),
        ("/dev" | "/dev/token" | "/dev/publish", _) if shared.config.dev => {
            dev::answer(stream, head, shared).await?
        }
        (path, _) if own || matches!(path, "/healthz" | "/readyz" | "/stats" | "/metrics") => {
            let allowed = if own { "GET" } else { "GET, HEAD" };
            Answer::plain(405, "Method Not Allowed").with("Allow", allowed)
        }
        _ => {
            shared.metrics.refuse(Refusal::Request);
            Answer::plain(404, "Not Found")
        }
    };
    let answer = if is_head { answer.without_content() } else { answer };
    answer.send(stream).await?;
    Ok(None)
}

fn page(shared: &ServerContext) -> Answer {
    let answer = Answer::ok("text/html; charset=utf-8", page::html(&shared.config));
    page::HEADERS.iter().fold(answer, |answer, (name, value)| answer.with(name, value))
}

async fn stats(shared: &ServerContext) -> String {
    let ShardReport { census, .. } = shared.report().await;
    let metrics = &shared.metrics;
    let body = json!({
        "connections": census.connections,
        "rooms": census.rooms,
        "messages": { "in": metrics.messages_in.get(), "out": metrics.messages_out.get() },
        "ready": shared.is_ready(),
    });
    body.to_string() + "\n"
}

async fn metrics(shared: &ServerContext) -> String {
    let ShardReport { census, outbox_bytes, room_count } = shared.report().await;
    let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    shared.metrics.connections.set(gauge(census.connections.total));
    shared.metrics.rooms.set(gauge(room_count));
    shared.metrics.outbox_bytes.set(gauge(outbox_bytes));
    shared.metrics.encode()
}
