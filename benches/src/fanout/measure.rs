//! The three workloads, each on an arm that was started for it.

use std::io;
use std::ops::Range;
use std::thread;
use std::time::Duration;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use super::arm::Arm;
use super::child::Child;
use super::event::EventSize;
use super::subscribers::{LoadError, Subscribers, now};
use super::{BurstShape, PacedShape};

/// Events before the first that is measured: buffers have grown by then, and code has been paged in.
pub(super) const WARMING: usize = 20;
/// Descriptors that a process needs beside its connections.
const OTHER_DESCRIPTORS: u64 = 100;

/// Why there is no figure.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// The arm failed.
    #[error("the arm {}: {source}", arm.name())]
    Arm {
        /// Which one.
        arm: Arm,
        /// How.
        source: io::Error,
    },
    /// A delivery was missing or broken.
    #[error("the arm {}: {source}", arm.name())]
    Delivery {
        /// Which one.
        arm: Arm,
        /// What was wrong.
        source: LoadError,
    },
}

/// What a burst took.
#[derive(Debug, Clone, Copy)]
pub struct Burst {
    /// Events times subscribers.
    pub deliveries: usize,
    /// From the order to the last byte at the last subscriber.
    pub elapsed: Duration,
    /// What the arm used.
    pub cpu: Duration,
}

/// What a steady stream took.
#[derive(Debug, Clone, Copy)]
pub struct Paced {
    /// Events times subscribers.
    pub deliveries: usize,
    /// What the arm used.
    pub cpu: Duration,
    /// From the order to the subscriber's read; half of the deliveries took no longer.
    pub latency_p50: Duration,
    /// …and 99 of 100 took no longer than this.
    pub latency_p99: Duration,
}

/// What idle connections hold.
#[derive(Debug, Clone, Copy)]
pub struct Idle {
    /// Connections.
    pub connections: usize,
    /// What became resident while they were made.
    pub bytes: u64,
}

impl Burst {
    /// Deliveries in a second.
    pub fn per_second(&self) -> f64 {
        self.deliveries as f64 / self.elapsed.as_secs_f64()
    }

    /// CPU time of one delivery, in microseconds.
    pub fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.deliveries as f64
    }
}

impl Paced {
    /// CPU time of one delivery, in microseconds.
    pub fn cpu_us(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.deliveries as f64
    }
}

impl Idle {
    /// Resident memory of one connection, in KiB.
    pub fn kib(&self) -> f64 {
        self.bytes as f64 / 1024.0 / self.connections as f64
    }
}

/// All events at once.
///
/// # Errors
/// When the arm fails, or a single byte of a delivery is missing or wrong.
pub fn burst(arm: Arm, shape: &BurstShape) -> Result<Burst, MeasureError> {
    let warm = warm(arm, shape.size, shape.subscribers)?;
    emit_burst(arm, warm, shape, |child, events| child.emit(events.len()))
}

/// The same, from whatever emits these events.
pub(super) fn emit_burst(
    arm: Arm,
    (mut child, subscribers): (Child, Subscribers),
    shape: &BurstShape,
    emit: impl FnOnce(&mut Child, Range<usize>) -> io::Result<()>,
) -> Result<Burst, MeasureError> {
    let of_arm = |source| MeasureError::Arm { arm, source };
    let of_load = |source| MeasureError::Delivery { arm, source };
    let events = WARMING..WARMING + shape.events_of(arm);
    let receiving = subscribers.receive(shape.size, events.clone());
    let before = child.cpu().map_err(of_arm)?;
    let begun = now();
    emit(&mut child, events.clone()).map_err(of_arm)?;
    let (subscribers, received) = receiving.finish().map_err(of_load)?;
    let cpu = child.cpu().map_err(of_arm)? - before;
    subscribers.expect_silence().map_err(of_load)?;
    Ok(Burst { deliveries: shape.subscribers * events.len(), elapsed: received.finished - begun, cpu })
}

/// Events at a rate.
///
/// # Errors
/// As [`burst`].
pub fn paced(arm: Arm, shape: &PacedShape) -> Result<Paced, MeasureError> {
    let warm = warm(arm, shape.size, shape.subscribers)?;
    emit_paced(arm, warm, shape, |child, _| child.emit(1))
}

/// The same, from whatever emits an event.
pub(super) fn emit_paced(
    arm: Arm,
    (mut child, subscribers): (Child, Subscribers),
    shape: &PacedShape,
    mut emit: impl FnMut(&mut Child, usize) -> io::Result<()>,
) -> Result<Paced, MeasureError> {
    let of_arm = |source| MeasureError::Arm { arm, source };
    let of_load = |source| MeasureError::Delivery { arm, source };
    let receiving = subscribers.receive(shape.size, WARMING..WARMING + shape.events);
    let before = child.cpu().map_err(of_arm)?;
    let mut due = now();
    let mut emitted = Vec::with_capacity(shape.events);
    for number in WARMING..WARMING + shape.events {
        rest(due.saturating_duration_since(now()));
        emitted.push(now());
        emit(&mut child, number).map_err(of_arm)?;
        due += shape.interval;
    }
    let (subscribers, received) = receiving.finish().map_err(of_load)?;
    let cpu = child.cpu().map_err(of_arm)? - before;
    subscribers.expect_silence().map_err(of_load)?;
    let mut latencies: Vec<Duration> = received
        .arrivals
        .iter()
        .map(|arrival| arrival.at.saturating_duration_since(emitted[arrival.event - WARMING]))
        .collect();
    latencies.sort_unstable();
    Ok(Paced {
        deliveries: shape.subscribers * shape.events,
        cpu,
        latency_p50: latencies[latencies.len() / 2],
        latency_p99: latencies[latencies.len() * 99 / 100],
    })
}

/// Connections that nothing is sent to.
///
/// # Errors
/// When the arm fails, or refuses one.
pub fn idle(arm: Arm, connections: usize) -> Result<Idle, MeasureError> {
    let (child, _warm) = warm(arm, EventSize::USUAL, 1)?;
    let of_arm = |source| MeasureError::Arm { arm, source };
    let before = child.resident_bytes().map_err(of_arm)?;
    let held = Subscribers::connect(child.address(), connections)
        .map_err(|source| MeasureError::Delivery { arm, source })?;
    let after = child.resident_bytes().map_err(of_arm)?;
    drop(held);
    Ok(Idle { connections, bytes: after.saturating_sub(before) })
}

/// Has this process and its children open as many connections as this.
///
/// # Errors
/// When the system does not allow so many.
pub fn raise_descriptor_limit(connections: usize) -> io::Result<()> {
    let needed = connections as u64 + OTHER_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    setrlimit(Resource::Nofile, Rlimit { current: Some(needed), maximum: limit.maximum })?;
    Ok(())
}

/// An arm that has sent its first events to so many subscribers.
fn warm(arm: Arm, size: EventSize, subscribers: usize) -> Result<(Child, Subscribers), MeasureError> {
    let of_arm = |source| MeasureError::Arm { arm, source };
    let of_load = |source| MeasureError::Delivery { arm, source };
    let mut child = Child::start(arm, size).map_err(of_arm)?;
    let subscribers = Subscribers::connect(child.address(), subscribers).map_err(of_load)?;
    let receiving = subscribers.receive(size, 0..WARMING);
    child.emit(WARMING).map_err(of_arm)?;
    let (subscribers, _) = receiving.finish().map_err(of_load)?;
    Ok((child, subscribers))
}

#[expect(clippy::disallowed_methods, reason = "the pace of events is real time")]
fn rest(time: Duration) {
    thread::sleep(time);
}
