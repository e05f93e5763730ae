//! The gateway's machine without sockets: what it is given, and what it is asked.

use std::sync::Arc;
use std::time::Duration;

use protocol::{Claims, Dialect, Role, Timestamp, UserId};
use reference_gateway::{
    ConnectionId, Deliveries, Delivery, Event, Gateway, GatewayConfig, Input, Now, RateLimit, RoutingTable,
};

/// The moment at which everything happens.
pub const NOW: Now = Now { monotonic: Duration::ZERO, wall: Timestamp::EPOCH };

/// A gateway machine with so many connections, each of another user.
pub fn gateway(connections: u64) -> Gateway {
    let mut gateway = Gateway::new(GatewayConfig {
        dialect: Dialect::default(),
        ping_interval: Duration::from_secs(30),
        pong_timeout: Duration::from_secs(10),
        max_rooms: 100,
        message_rate: RateLimit { per_second: u32::MAX },
        leeway_s: 0,
    });
    for number in 0..connections {
        let claims = Claims {
            user_id: UserId::new(number.to_string()),
            email: format!("{number}@example.org"),
            role: Role::Customer,
            expires_at: u64::MAX,
            not_before: None,
        };
        gateway.handle(NOW, Input::Opened(ConnectionId(number), claims));
        while gateway.poll().is_some() {}
    }
    gateway
}

/// The body of a payment event of about 200 bytes.
pub fn payment(user: u64) -> Vec<u8> {
    let note = "x".repeat(100);
    serde_json::json!({
        "type": "payment:updated",
        "data": { "userId": user.to_string(), "paymentId": "p-1", "amount": 12.5, "note": note },
    })
    .to_string()
    .into_bytes()
}

/// Reads, routes and encodes an event, as the bridge does once for all receivers.
///
/// # Panics
/// When the body is not an event.
pub fn route(body: &[u8]) -> Arc<Delivery> {
    let event = Event::parse(body).expect("the workload's bodies are events");
    let mut deliveries = Deliveries::default();
    deliveries.push(RoutingTable::default().route(&event, &Dialect::default(), NOW.wall));
    Arc::new(deliveries.finish().pop().expect("the workload's events have rooms"))
}
