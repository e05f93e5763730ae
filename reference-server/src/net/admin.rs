//! Health, numbers and metrics on a listener of their own, apart from everything that clients can fill: neither a flood of handshakes nor a
//! busy shard keeps a probe waiting at the door (CONN-9).

use std::convert::Infallible;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use super::answer::Answer;
use super::connection::request;
use super::context::ServerContext;
use super::routes::{misdirected, status_page};
use super::server::ACCEPT_AGAIN;
use reference_gateway::Resource;

/// Connections at once; further ones wait in the listen queue.
const MAX_CONNECTIONS: usize = 64;
/// Longest time for a request and its answer, and between two requests: scrapers ask every minute or more often.
const IDLE: Duration = Duration::from_secs(75);
/// Requests of one connection at most.
const MAX_PAGES: usize = 1000;

/// Serves until it is dropped; nothing without a listener.
pub(super) async fn serve(listener: Option<TcpListener>, shared: &ServerContext) -> Infallible {
    let Some(listener) = listener else { return std::future::pending().await };
    let mut connections = FuturesUnordered::new();
    loop {
        tokio::select! {
            biased;
            Some(()) = connections.next() => {}
            accepted = listener.accept(), if connections.len() < MAX_CONNECTIONS => match accepted {
                Ok((stream, _)) => connections.push(answer(stream, shared)),
                Err(_) => tokio::time::sleep(ACCEPT_AGAIN).await,
            },
        }
    }
}

/// Answers the requests of one connection. How it ends is between the two of them.
async fn answer(mut stream: TcpStream, shared: &ServerContext) {
    let mut read = Vec::new();
    for left in (0..MAX_PAGES).rev() {
        let one = async {
            let head = request(&mut stream, std::mem::take(&mut read)).await.ok()??;
            let answer = match Resource::status_page(&head.path) {
                Some(Resource::Stats) if !head.is_for_this_host(&shared.config.allowed_hosts) => {
                    misdirected()
                }
                Some(page) if matches!(head.method.as_str(), "GET" | "HEAD") => {
                    status_page(page, shared).await
                }
                Some(_) => Answer::plain(405, "Method Not Allowed").with("Allow", "GET, HEAD"),
                None => Answer::plain(404, "Not Found"),
            };
            let answer = if head.method == "HEAD" { answer.without_content() } else { answer };
            if left == 0 || !head.is_persistent() {
                answer.send(&mut stream).await.ok()?;
                return None;
            }
            answer.send_and_stay(&mut stream).await.ok()?;
            Some(head.leftover)
        };
        match timeout(IDLE, one).await {
            Ok(Some(leftover)) => read = leftover,
            Ok(None) | Err(_) => return,
        }
    }
}
