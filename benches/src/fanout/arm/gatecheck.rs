//! The reference gateway on its real path: bodies are read, routed and encoded, shards fan out, outboxes write.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use protocol::Timestamp;
use reference_server::broker::{EventSource, QueueKind, RabbitMq, RabbitMqConfig, SourceEvent, Tag};
use reference_server::net::WallClock;
use reference_server::{Config, Server, TcpListen};
use tokio::net::TcpListener;
use tokio::sync::mpsc;

use super::{follow, report_address};
use crate::fanout::bridge::{EXCHANGE, PREFETCH};
use crate::fanout::event::EventSize;

/// Longer than any run: subscribers count frames and answer no pings.
const NO_PINGS: Duration = Duration::from_secs(24 * 60 * 60);
/// Commands that wait for the source; when the channel is full the sender waits.
const ORDERS: usize = 16;

pub(super) fn run(mut config: Config, size: EventSize) -> io::Result<()> {
    let (emit, orders) = mpsc::channel(ORDERS);
    follow(move |count| {
        // The server's end is the process's.
        let _ = emit.blocking_send(count);
    })?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        report_address(listener.local_addr()?)?;
        config.gateway.ping_interval = NO_PINGS;
        let source = Backlog { size, orders, is_up: false, next: 0, end: 0 };
        let server = Server::new(config, TcpListen(listener), source, system_clock());
        server.run(std::future::pending()).await.map_err(io::Error::other)
    })
}

/// On a broker, as in its own program.
pub(super) fn run_on(mut config: Config, url: &str) -> io::Result<()> {
    follow(drop)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        report_address(listener.local_addr()?)?;
        config.gateway.ping_interval = NO_PINGS;
        let broker = RabbitMqConfig {
            url: url.to_owned(),
            exchange: EXCHANGE.to_owned(),
            queue: EXCHANGE.to_owned(),
            queue_kind: QueueKind::PerInstance,
            binding: "#".to_owned(),
            prefetch: PREFETCH,
            max_event_bytes: config.max_event_bytes,
            dead_letter_exchange: None,
        };
        let source = RabbitMq::new(broker, std::process::id().into());
        let server = Server::new(config, TcpListen(listener), source, system_clock());
        server.run(std::future::pending()).await.map_err(io::Error::other)
    })
}

/// A broker that has as many events ready as it was ordered.
struct Backlog {
    size: EventSize,
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
        SourceEvent::Delivery { tag: Tag { epoch: 1, number: number as u64 }, body: self.size.body(number) }
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
