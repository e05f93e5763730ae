//! The embedded broker of a case. What the host refuses it, it refuses the harness.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::time::Duration;

use embedded_broker::{Broker, BrokerConfig, Limits, Listen};
use tokio::net::{TcpListener, TcpStream};

use crate::limits::Refusals;

/// Accepts connections to the embedded broker, and notices what the host refuses.
struct BrokerListener(TcpListener, Refusals);

impl Listen for BrokerListener {
    type Stream = TcpStream;

    async fn accept(&mut self) -> io::Result<(TcpStream, SocketAddr)> {
        let accepted = Listen::accept(&mut self.0).await;
        self.1.look("the embedded broker cannot accept a connection", accepted)
    }

    fn reset(stream: TcpStream) {
        <TcpListener as Listen>::reset(stream);
    }
}

/// Bytes in all queues. The largest case has 20 MiB published.
const HELD_BYTES: usize = 40 << 20;

/// What a gateway may have a broker hold that is in this process: more than any case needs.
pub(crate) fn limits_of_cases() -> Limits {
    Limits {
        connections: 512,
        message_bytes: 8 << 20,
        exchanges: 1000,
        queues: 2000,
        bindings: 10_000,
        consumers: 10_000,
        queue_messages: 100_000,
        queue_bytes: HELD_BYTES,
        held_bytes: HELD_BYTES,
        unfinished_bytes: 8 << 20,
        outbox_max_bytes: 16 << 20,
        ..Limits::default()
    }
}

/// Starts one on a free port, with these limits, which proposes this heartbeat where it is not the usual one.
///
/// # Errors
/// When it cannot listen.
pub(super) async fn start(
    refusals: Refusals,
    limits: Limits,
    heartbeat: Option<NonZeroU16>,
) -> io::Result<Broker> {
    let mut config = BrokerConfig { limits, ..BrokerConfig::default() };
    if let Some(seconds) = heartbeat {
        config.heartbeat = Duration::from_secs(seconds.get().into());
    }
    let listener = TcpListener::bind(config.listen).await?;
    let addr = listener.local_addr()?;
    Ok(Broker::serve(BrokerListener(listener, refusals), addr, config))
}
