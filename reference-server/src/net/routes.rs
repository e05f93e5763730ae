//! What an HTTP request gets: an upgrade, a page about the gateway, or a refusal (AUTH-9, CONN-9).

use std::io;
use std::net::IpAddr;
use std::time::Duration;

use serde_json::json;
use tokio::io::{AsyncRead, AsyncWrite};

use super::answer::Answer;
use super::context::{ServerContext, ShardReport, now};
use super::dev;
use super::upgrade::{SignedIn, upgrade};
use crate::metrics::Refusal;
use crate::page;
use reference_gateway::{ConnectionStats, Head, Resource, Site};

/// The content type of the metrics.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// How many times as long as it took to make the numbers are served.
const STATS_REST: u32 = 10;
/// Longest time that they are.
const MAX_STATS_REST: Duration = Duration::from_millis(250);

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
        Resource::Page | Resource::Stats if !head.is_for_this_host(&config.allowed_hosts) => {
            shared.metrics.refuse(Refusal::Request);
            misdirected()
        }
        Resource::Stats | Resource::Metrics
            if config.stats_token.as_ref().is_some_and(|token| !token.is_held_by(head)) =>
        {
            shared.metrics.refuse(Refusal::Token);
            Answer::plain(401, "Unauthorized").with("WWW-Authenticate", "Bearer")
        }
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

/// What a page of another site gets, which makes a name of its own mean this gateway.
pub(super) fn misdirected() -> Answer {
    Answer::plain(421, "Misdirected Request: this name is not among allowed_hosts")
}

fn missing(shared: &ServerContext) -> Answer {
    shared.metrics.refuse(Refusal::Request);
    Answer::plain(404, "Not Found")
}

fn page(shared: &ServerContext) -> Answer {
    let answer = Answer::ok("text/html; charset=utf-8", page::html(&shared.config));
    page::HEADERS.iter().fold(answer, |answer, (name, value)| answer.with(name, value))
}

/// The numbers for people. What took a moment to make is served again for some moments, so that however many ask, it takes a small part
/// of a shard's time; who asks meanwhile waits for the same page.
async fn stats(shared: &ServerContext) -> String {
    let mut made = shared.stats_page.lock().await;
    if let Some((_, page)) = made.as_ref().filter(|(until, _)| now() < *until) {
        return page.clone();
    }
    let ShardReport { stats, took, .. } = shared.report(true).await;
    let begun = now();
    let page = stats_page(&stats, shared);
    let until = now() + ((took + (now() - begun)) * STATS_REST).min(MAX_STATS_REST);
    *made = Some((until, page.clone()));
    page
}

fn stats_page(stats: &ConnectionStats, shared: &ServerContext) -> String {
    let metrics = &shared.metrics;
    let body = json!({
        "connections": stats.connections,
        "rooms": stats.rooms,
        "names": stats.names,
        "messages": { "in": metrics.messages_in.get(), "out": metrics.messages_out.get() },
        "ready": shared.is_ready(),
    });
    body.to_string() + "\n"
}

async fn metrics(shared: &ServerContext) -> String {
    let ShardReport { connections, outbox_bytes, room_count, .. } = shared.report(false).await;
    let gauge = |value: usize| i64::try_from(value).unwrap_or(i64::MAX);
    shared.metrics.connections.set(gauge(connections));
    shared.metrics.rooms.set(gauge(room_count));
    shared.metrics.outbox_bytes.set(gauge(outbox_bytes));
    shared.metrics.held_bytes.set(gauge(shared.budget.bytes()));
    shared.metrics.encode()
}
