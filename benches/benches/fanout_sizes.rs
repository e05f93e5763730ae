//! Fan-out by the size of the room and of the event: rooms of 1 to 10,000, events of 200 bytes to 32 KiB, in a burst and one by one; the
//! gateway with a shard for each core and with one, beside the *floor* and the *plain* program of the `fanout` suite.
//!
//! Arms take turns in each round, and ratios are made within a round. `cargo bench -p benches --bench fanout_sizes` takes some minutes;
//! `-- --quick` measures fewer sizes, once.

use std::error::Error;
use std::process::ExitCode;
use std::time::Duration;

use benches::fanout::{
    Arm, BurstShape, EventSize, MeasureError, PacedShape, Spread, become_arm, burst, paced,
    raise_descriptor_limit,
};

const ARMS: [Arm; 4] = [Arm::Gatecheck, Arm::OneShard, Arm::Floor, Arm::Plain];
/// Deliveries of a burst at most.
const DELIVERIES: usize = 300_000;
/// Deliveries of a burst of the floor at most: what a `send` costs does not depend on how many there are.
const FLOOR_DELIVERIES: usize = 100_000;
/// Bytes of a burst at most, where it has more than [`MIN_EVENTS`].
const BURST_BYTES: usize = 256 << 20;
/// Bytes that one subscriber gets in a burst at most: less than its outbox may hold, so that none is closed as too slow.
const SUBSCRIBER_BYTES: usize = 2 << 20;
const MIN_EVENTS: usize = 5;
/// Events of a burst at most: fewer than the plain program's channel holds.
const MAX_EVENTS: usize = 2_000;
/// Deliveries and bytes of a paced second at most: what every arm can sustain.
const PACED_DELIVERIES: usize = 30_000;
const PACED_BYTES: usize = 150 << 20;
const PACED_EVENTS: usize = 100;

/// What is measured.
struct Sizes {
    rooms: &'static [usize],
    bytes: &'static [u16],
    rounds: usize,
}

const FULL: Sizes = Sizes { rooms: &[1, 100, 1_000, 10_000], bytes: &[200, 2_048, 32_768], rounds: 3 };
const QUICK: Sizes = Sizes { rooms: &[1, 100, 1_000], bytes: &[200, 32_768], rounds: 1 };

fn main() -> ExitCode {
    if let Some(arm) = become_arm() {
        return arm;
    }
    let is_quick = std::env::args().any(|argument| argument == "--quick");
    match measure(if is_quick { &QUICK } else { &FULL }) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(sizes: &Sizes) -> Result<(), Box<dyn Error>> {
    raise_descriptor_limit(sizes.rooms.iter().copied().max().unwrap_or(0))?;
    println!(
        "µs of CPU for a delivery, and thousand deliveries/s in a burst; medians of {} rounds\n",
        sizes.rounds
    );
    println!(
        "| room | bytes | | gatecheck | one shard | floor | plain | CPU / floor | one shard / floor | rate / plain |"
    );
    println!("|---|---|---|---|---|---|---|---|---|---|");
    for bytes in sizes.bytes {
        let size = EventSize::new(*bytes);
        let mut costs = Vec::new();
        for room in sizes.rooms {
            costs.push((*room, burst_row(size, *room, sizes.rounds)?));
            paced_row(size, *room, sizes.rounds)?;
        }
        let of = |room| costs.iter().find(|(found, _)| *found == room).map(|(_, cost)| *cost);
        if let (Some(large), Some(small)) = (of(10_000), of(100)) {
            let ratio = large / small;
            println!(
                "\n10,000 subscribers cost {ratio:.2} times what 100 cost for each delivery (target: at most 1.3)\n"
            );
        }
    }
    Ok(())
}

/// What each arm came to in each round; all arms of a round run one after the other.
fn measured<T>(
    rounds: usize,
    mut measure: impl FnMut(Arm) -> Result<T, MeasureError>,
) -> Result<Vec<Vec<T>>, MeasureError> {
    (0..rounds).map(|_| ARMS.into_iter().map(&mut measure).collect()).collect()
}

/// Prints a row, and returns what a delivery of the gateway costs.
fn burst_row(size: EventSize, room: usize, rounds: usize) -> Result<f64, Box<dyn Error>> {
    let most = |deliveries: usize| {
        let by_bytes = (BURST_BYTES / room).min(SUBSCRIBER_BYTES) / size.message_bytes();
        (deliveries / room).min(by_bytes).clamp(MIN_EVENTS, MAX_EVENTS)
    };
    let shape = BurstShape {
        size,
        subscribers: room,
        events: most(DELIVERIES),
        floor_events: most(FLOOR_DELIVERIES),
        rounds,
    };
    let found = measured(rounds, |arm| burst(arm, &shape))?;
    let each = |arm: usize| {
        let cpu = Spread::of(found.iter().map(|round| round[arm].cpu_us())).median;
        let rate = Spread::of(found.iter().map(|round| round[arm].per_second() / 1e3)).median;
        format!("{cpu:.2} ({rate:.0})")
    };
    let of_floor = |arm: usize| Spread::of(found.iter().map(|round| round[arm].cpu_us() / round[2].cpu_us()));
    let of_plain = Spread::of(found.iter().map(|round| round[0].per_second() / round[3].per_second()));
    println!(
        "| {room} | {} | burst of {} | {} | {} | {} | {} | {:.2} | {:.2} | {of_plain:.1} |",
        size.message_bytes(),
        shape.events,
        each(0),
        each(1),
        each(2),
        each(3),
        of_floor(0),
        of_floor(1),
    );
    Ok(Spread::of(found.iter().map(|round| round[0].cpu_us())).median)
}

fn paced_row(size: EventSize, room: usize, rounds: usize) -> Result<(), Box<dyn Error>> {
    let rate = 100_f64
        .min(PACED_DELIVERIES as f64 / room as f64)
        .min(PACED_BYTES as f64 / (room * size.message_bytes()) as f64);
    let events = PACED_EVENTS.min((2.0 * rate) as usize).max(MIN_EVENTS);
    let interval = Duration::from_secs_f64(rate.recip());
    let shape = PacedShape { size, subscribers: room, events, interval, rounds };
    let found = measured(rounds, |arm| paced(arm, &shape))?;
    let each = |arm: usize| Spread::of(found.iter().map(|round| round[arm].cpu_us())).median;
    let of_floor = |arm: usize| Spread::of(found.iter().map(|round| round[arm].cpu_us() / round[2].cpu_us()));
    println!(
        "| {room} | {} | {rate:.1}/s | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | {:.2} | |",
        size.message_bytes(),
        each(0),
        each(1),
        each(2),
        each(3),
        of_floor(0),
        of_floor(1),
    );
    Ok(())
}
