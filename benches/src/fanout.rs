//! Fan-out: one event to many subscribers.
//!
//! ```text
//!   measuring process                              arm: this program again, as a child
//!  ┌─────────────────────────────┐                ┌──────────────────────────────────────────────┐
//!  │ measure ──── Child ─────────┼── emit 1000 ──►│ gatecheck  reference_server::Server, its own │
//!  │    │                        │◄── cpu 123456 ─│            shards, an EventSource            │
//!  │    │ /proc/PID/smaps_rollup─┼───────────────►│ floor      one send(2) for each delivery     │
//!  │    ▼                        │                │ plain      tokio-tungstenite, a task for     │
//!  │ Subscribers, two threads    │◄═══ frames ════│            each socket, broadcast channel    │
//!  └─────────────────────────────┘                └──────────────────────────────────────────────┘
//! ```
//!
//! Every arm sends the very same bytes after the very same handshake, and every byte that arrives is compared, so an arm
//! cannot be fast by leaving something out. An arm's CPU time is its own process's, user and system; the subscribers'
//! is not in it. What the kernel does for the subscribers' end of a loopback connection within an arm's `send` is.

mod arm;
mod bridge;
mod child;
mod event;
mod measure;
mod report;
mod subscribers;

use std::time::Duration;

pub use arm::{Arm, become_arm};
pub use bridge::{Publisher, bridged_burst, bridged_paced};
pub use child::Child;
pub use event::EventSize;
pub use measure::{Burst, Idle, MeasureError, Paced, burst, idle, paced, raise_descriptor_limit};
pub use report::{Report, Spread, Targets};
pub use subscribers::{LoadError, Subscribers};

/// How much is asked of every arm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// All events at once.
    pub burst: BurstShape,
    /// Events at a rate.
    pub paced: PacedShape,
    /// Connections that nothing is sent to.
    pub idle_connections: usize,
}

/// All events at once: what a gateway does when a backlog arrives.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BurstShape {
    /// How long events are.
    pub size: EventSize,
    /// Connections that get every event.
    pub subscribers: usize,
    /// Events.
    pub events: usize,
    /// Events of the floor. What a `send` costs does not depend on how many there are, and all of them would take it most
    /// of the benchmark's time.
    pub floor_events: usize,
    /// How often it is measured; criterion takes no fewer than ten.
    pub rounds: usize,
}

/// Events at a rate that every arm can sustain: what a gateway does all day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PacedShape {
    /// How long events are.
    pub size: EventSize,
    /// Connections that get every event.
    pub subscribers: usize,
    /// Events in all.
    pub events: usize,
    /// Time between two events.
    pub interval: Duration,
    /// How often it is measured.
    pub rounds: usize,
}

impl BurstShape {
    /// How many events each subscriber of this arm gets.
    pub fn events_of(&self, arm: Arm) -> usize {
        match arm {
            Arm::Floor => self.floor_events,
            _ => self.events,
        }
    }
}

impl Shape {
    /// What figures are made with.
    pub const FULL: Self = Self {
        burst: BurstShape {
            size: EventSize::USUAL,
            subscribers: 1000,
            events: 1000,
            floor_events: 200,
            rounds: 10,
        },
        paced: PacedShape {
            size: EventSize::USUAL,
            subscribers: 500,
            events: 200,
            interval: Duration::from_millis(10),
            rounds: 5,
        },
        idle_connections: 5000,
    };

    /// Every path once; its figures mean nothing.
    pub const SMOKE: Self = Self {
        burst: BurstShape { size: EventSize::USUAL, subscribers: 10, events: 10, floor_events: 5, rounds: 1 },
        paced: PacedShape {
            size: EventSize::USUAL,
            subscribers: 10,
            events: 10,
            interval: Duration::from_millis(1),
            rounds: 1,
        },
        idle_connections: 10,
    };
}
