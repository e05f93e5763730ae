//! The reference gateway on its real path: bodies are read, routed and encoded, shards fan out, outboxes write.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use protocol::Timestamp;
use reference_server::broker::{EventSource, SourceEvent, Tag};
use reference_server::net::WallClock;
use reference_server::{Config, Server, TcpListen};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{follow, report_address};
use crate::fanout::event::body;
use crate::fanout::subscribers::SECRET;

/// Longer than any run: subscribers count frames and answer no pings.
const NO_PINGS: Duration = Duration::from_secs(24 * 60 * 60);
/// Commands that wait for the source; when the channel is full the sender waits.
const ORDERS: usize = 16;

pub(super) fn run() -> io::Result<()> {
    let (emit, orders) = mpsc::channel(ORDERS);
    follow(move |count| {
        // The server's end is the process's.
        let _ = emit.blocking_send(count);
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        report_address(listener.local_addr()?)?;
        let mut config = Config::with_secret(SECRET);
        config.gateway.ping_interval = NO_PINGS;
        let source = Backlog { orders, is_up: false, next: 0, end: 0 };
        let server = Server::new(config, TcpListen(listener), source, system_clock());
        server.run(std::future::pending()).await.map_err(io::Error::other)
    })
}

/// A broker that has as many events ready as it was ordered.
struct Backlog {
    orders: mpsc::Receiver<usize>,
    is_up: bool,
    next: usize,
    end: usize,
}

impl EventSource for Backlog {
    async fn next(&mut self) -> SourceEvent {
        if !self.is_up {
            self.is_up = true;
            return SourceEvent::Up;
        }
        while self.next == self.end {
            match self.orders.recv().await {
                Some(count) => self.end += count,
                None => std::future::pending().await,
            }
        }
        let number = self.next;
        self.next += 1;
        SourceEvent::Delivery { tag: Tag { epoch: 1, number: number as u64 }, body: body(number) }
    }

    async fn acknowledge_up_to(&mut self, _: Tag) {}

    async fn reject(&mut self, _: Tag) {}
}

/// The clock that the gateway's own program gives it.
#[expect(
    clippy::disallowed_methods,
    reason = "a program's clock; what it costs is part of the gateway's figures"
)]
fn system_clock() -> WallClock {
    Arc::new(|| {
        let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        Timestamp::from_unix_ms(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    })
}
