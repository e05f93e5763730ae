//! What the gateway counts (CONN-9). One set for all shards; a batch costs one addition, not one for each delivery.

use std::fmt;
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

/// Upper bounds of the latency histogram, in seconds.
const LATENCY_BOUNDS_S: [f64; 14] =
    [0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5];

/// All of them.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    /// WebSocket connections that are open.
    pub connections: Gauge,
    /// Rooms that have members, in all shards together; a room counts once for each shard.
    pub rooms: Gauge,
    /// Bytes that wait in outboxes.
    pub outbox_bytes: Gauge,
    /// Bytes that all outboxes hold; frames that several share count once.
    pub held_bytes: Gauge,
    /// Connections that were closed because too much waited in all outboxes together (BRIDGE-12).
    pub budget_sheds: Counter,
    /// Whether events are consumed from a broker.
    pub broker_up: Gauge,
    /// Upgrades that succeeded.
    pub opened: Counter,
    /// Requests that were refused.
    pub refused: Family<RefusalLabel, Counter>,
    /// Connections that the gateway ended.
    pub ended: Family<EndLabel, Counter>,
    /// Messages from clients.
    pub messages_in: Counter,
    /// Messages to clients, events among them.
    pub messages_out: Counter,
    /// Events from the broker.
    pub events: Counter,
    /// Events, each counted for each connection that it was written to.
    pub deliveries: Counter,
    /// Writes to sockets that were made together with others, by one system call (io_uring).
    pub batched_writes: Counter,
    /// Messages from the broker that were no events (BRIDGE-8).
    pub poison: Counter,
    /// Rooms left out because an event's data does not say which they are.
    pub skipped_rooms: Counter,
    /// From the broker's delivery until a shard has offered the event to all its sockets.
    pub event_to_socket: Histogram,
}

/// Why a request was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// No good token (AUTH-2).
    Token,
    /// Another origin than the configured ones (AUTH-10).
    Origin,
    /// Too many connections (CONN-7).
    Capacity,
    /// No HTTP, no upgrade where one was due, or an unknown path.
    Request,
    /// Its handshake took too long (CONN-8).
    Timeout,
    /// It sent nothing while others waited for its place.
    Silent,
}

/// Why the gateway ended a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum End {
    /// Its token expired (AUTH-6).
    Expired,
    /// It did not answer pings (HB-2).
    Dead,
    /// It read too slowly (BRIDGE-12).
    Slow,
    /// It sent too much (MSG-6).
    Flood,
    /// It broke the protocol (MSG-5, MSG-7).
    Broken,
    /// The gateway shut down (CONN-6).
    Shutdown,
}

impl EncodeLabelValue for Refusal {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let cause = match self {
            Self::Token => "token",
            Self::Origin => "origin",
            Self::Capacity => "capacity",
            Self::Request => "request",
            Self::Timeout => "timeout",
            Self::Silent => "silent",
        };
        cause.encode(encoder)
    }
}

impl EncodeLabelValue for End {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> fmt::Result {
        let cause = match self {
            Self::Expired => "expired",
            Self::Dead => "dead",
            Self::Slow => "slow",
            Self::Flood => "flood",
            Self::Broken => "broken",
            Self::Shutdown => "shutdown",
        };
        cause.encode(encoder)
    }
}

/// The label of [`Metrics::refused`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RefusalLabel {
    cause: Refusal,
}

/// The label of [`Metrics::ended`].
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct EndLabel {
    cause: End,
}

impl Metrics {
    /// Counts one refused request.
    pub fn refuse(&self, cause: Refusal) {
        self.refused.get_or_create(&RefusalLabel { cause }).inc();
    }

    /// Counts one connection that the gateway ended.
    pub fn end(&self, cause: End) {
        self.ended.get_or_create(&EndLabel { cause }).inc();
    }

    /// Notes how long an event took to its sockets.
    pub fn took(&self, time: Duration) {
        self.event_to_socket.observe(time.as_secs_f64());
    }

    /// All of them as OpenMetrics text, which Prometheus reads.
    pub fn encode(&self) -> String {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry)
            .expect("a string takes every text");
        text
    }
}

impl Default for Metrics {
    fn default() -> Self {
        let mut metrics = Self {
            registry: Registry::with_prefix("gateway"),
            connections: Gauge::default(),
            rooms: Gauge::default(),
            outbox_bytes: Gauge::default(),
            held_bytes: Gauge::default(),
            budget_sheds: Counter::default(),
            broker_up: Gauge::default(),
            opened: Counter::default(),
            refused: Family::default(),
            ended: Family::default(),
            messages_in: Counter::default(),
            messages_out: Counter::default(),
            events: Counter::default(),
            deliveries: Counter::default(),
            batched_writes: Counter::default(),
            poison: Counter::default(),
            skipped_rooms: Counter::default(),
            event_to_socket: Histogram::new(LATENCY_BOUNDS_S),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    fn register(&mut self) {
        let Self { registry, .. } = self;
        registry.register("connections", "Open WebSocket connections", self.connections.clone());
        registry.register("rooms", "Rooms with members, counted for each shard", self.rooms.clone());
        registry.register_with_unit(
            "outbox",
            "Waiting to be written",
            Unit::Bytes,
            self.outbox_bytes.clone(),
        );
        let held = "What all outboxes hold; frames that several share count once";
        registry.register_with_unit("outbox_held", held, Unit::Bytes, self.held_bytes.clone());
        let sheds = "Connections closed because too much waited in all outboxes together";
        registry.register("outbox_budget_sheds", sheds, self.budget_sheds.clone());
        registry.register("broker_up", "1 while events are consumed from a broker", self.broker_up.clone());
        registry.register("opened", "Upgrades that succeeded", self.opened.clone());
        registry.register("refused", "Requests that were refused, by cause", self.refused.clone());
        registry.register("ended", "Connections that the gateway ended, by cause", self.ended.clone());
        registry.register("messages_in", "Messages from clients", self.messages_in.clone());
        registry.register(
            "messages_out",
            "Messages to clients, events among them",
            self.messages_out.clone(),
        );
        registry.register("events", "Events from the broker", self.events.clone());
        registry.register("deliveries", "Events times their receivers", self.deliveries.clone());
        let batched = "Writes to sockets made together with others, by one system call (io_uring)";
        registry.register("batched_writes", batched, self.batched_writes.clone());
        registry.register("poison", "Messages from the broker that were no events", self.poison.clone());
        let skipped = "Rooms that an event's data did not name";
        registry.register("skipped_rooms", skipped, self.skipped_rooms.clone());
        let latency = "From the broker's delivery until all sockets of a shard were offered the event";
        registry.register_with_unit("event_to_socket", latency, Unit::Seconds, self.event_to_socket.clone());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The page has every name once, with its unit, and causes as labels.
    #[test]
    fn the_text_is_for_prometheus() {
        let metrics = Metrics::default();
        metrics.connections.set(3);
        metrics.refuse(Refusal::Token);
        metrics.end(End::Slow);
        metrics.took(Duration::from_millis(3));
        let text = metrics.encode();
        let is_lower = |name: &str| !name.contains(|c: char| c.is_ascii_uppercase());
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            // The infinite bound of a histogram is spelled by the format.
            assert!(is_lower(&line.replace("+Inf", "")), "{line}");
        }
        for line in [
            "gateway_connections 3",
            "gateway_refused_total{cause=\"token\"} 1",
            "gateway_ended_total{cause=\"slow\"} 1",
            "gateway_event_to_socket_seconds_bucket{le=\"0.005\"} 1",
            "gateway_outbox_bytes 0",
            "# EOF",
        ] {
            assert!(text.lines().any(|found| found == line), "{line} in\n{text}");
        }
    }
}
