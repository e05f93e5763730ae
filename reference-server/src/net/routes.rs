//! What an HTTP request gets: an upgrade, a page about the gateway, or a refusal (AUTH-9, CONN-9).

use std::io;
use std::net::IpAddr;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::Answer;
use super::context::{ServerContext, ShardReport};
use super::dev;
use super::upgrade::{SignedIn, upgrade};
use crate::metrics::Refusal;
use crate::page;
use reference_gateway::{Head, Resource, Site};

/// The content type of the metrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What became of a request.
pub(super) enum Served {
    /// A WebSocket, and whose it is, where the request says that.
    Upgraded(Option<SignedIn>),
    /// It was answered, and another may follow.
    Answered,
    /// It was answered, and the connection ends.
    Ended,
}

/// Answers a request; `may_stay` says whether another may follow it.
pub(super) async fn serve(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    head: &Head,
    peer: IpAddr,
    shared: &ServerContext,
    may_stay: impl FnOnce() -> bool,
) -> io::Result<Served> {
    let config = &shared.config;
    let token = &config.gateway.dialect.token;
    let site = Site { path: &config.path, token, page: config.page, dev: config.dev };
    let resource = Resource::of(head, &site);
    let answer = match resource {
        Resource::Upgrade => {
            let upgraded = upgrade(stream, head, peer, shared).await?;
            return Ok(upgraded.map_or(Served::Ended, Served::Upgraded));
        }
        // Where they have a listener of their own, they are there alone.
        Resource::Stats | Resource::Metrics if config.admin_listen.is_some() => missing(shared),
        Resource::Health | Resource::Ready | Resource::Stats | Resource::Metrics => {
            status_page(resource, shared).await
        }
        Resource::Page => page(shared),
        Resource::Development => dev::answer(stream, head, shared).await?,
        Resource::NotAllowed(allowed) => Answer::plain(405, "Method Not Allowed").with("Allow", allowed),
        Resource::Missing => missing(shared),
    };
    let answer = if head.method == "HEAD" { answer.without_content() } else { answer };
    if resource.is_polled() && head.is_persistent() && may_stay() {
        answer.send_and_stay(stream).await?;
        return Ok(Served::Answered);
    }
    answer.send(stream).await?;
    Ok(Served::Ended)
}

/// A status page.
pub(super) async fn status_page(page: Resource, shared: &ServerContext) -> Answer {
    match page {
        Resource::Health => Answer::plain(200, "OK"),
        Resource::Ready if shared.is_ready() => Answer::plain(200, "OK"),
        Resource::Ready => Answer::plain(503, "No Broker"),
        Resource::Stats => Answer::ok("application/json", stats(shared).await),
        Resource::Metrics => Answer::ok(OPEN_METRICS, metrics(shared).await),
        _ => missing(shared),
    }
}

fn missing(shared: &ServerContext) -> Answer {
    shared.metrics.refuse(Refusal::Request);
    Answer::plain(404, "Not Found")
}

fn page(shared: &ServerContext) -> Answer {
    let answer = Answer::ok("text/html; charset=utf-8", page::html(&shared.config));
    page::HEADERS.iter().fold(answer, |answer, (name, value)| answer.with(name, value))
}

async fn stats(shared: &ServerContext) -> String {
    let ShardReport { stats, .. } = shared.report().await;
    let metrics = &shared.metrics;
    let body = json!({
        "connections": stats.connections,
        "rooms": stats.rooms,
        "messages": { "in": metrics.messages_in.get(), "out": metrics.messages_out.get() },
        "ready": shared.is_ready(),
    });
    body.to_string() + "\n"
}

async fn metrics(shared: &ServerContext) -> String {
    let ShardReport { stats, outbox_bytes, room_count } = shared.report().await;
    let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    shared.metrics.connections.set(gauge(stats.connections.total));
    shared.metrics.rooms.set(gauge(room_count));
    shared.metrics.outbox_bytes.set(gauge(outbox_bytes));
    shared.metrics.held_bytes.set(gauge(shared.budget.bytes()));
    shared.metrics.encode()
}
