//! The figures as a table, and the ratios beside their targets.

use std::fmt;

use super::Shape;
use super::arm::Arm;
use super::measure::{Burst, Idle, Paced};

/// What was measured. The figures of one round stand at the same place for every arm, since arms took turns.
#[derive(Debug)]
pub struct Report {
    /// What was asked.
    pub shape: Shape,
    /// For each round, each of [`Report::ARMS`].
    pub bursts: Vec<[Burst; 4]>,
    /// For each round, each of [`Report::ARMS`].
    pub paced: Vec<[Paced; 4]>,
    /// Each of [`Report::ARMS`]; rounds of it do not differ.
    pub idle: [Idle; 4],
}

/// What the gateway is meant to reach, in ratios to its comparators where machines differ.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Targets {
    /// CPU time of a delivery in a burst, at most, as a part of the floor's.
    pub burst_cpu_of_floor: f64,
    /// Deliveries a second in a burst, at least, as a multiple of the plain program's.
    pub burst_rate_of_plain: f64,
    /// CPU time of a paced delivery, at most, as a multiple of the floor's: with io_uring, and without.
    pub paced_cpu_of_floor: [f64; 2],
    /// Resident memory of an idle connection, at most, in KiB.
    pub idle_kib: f64,
}

impl Targets {
    /// The targets of this project.
    pub const GATEWAY: Self = Self {
        burst_cpu_of_floor: 0.3,
        burst_rate_of_plain: 4.0,
        paced_cpu_of_floor: [0.85, 1.1],
        idle_kib: 10.0,
    };
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Shape { burst, paced, idle_connections, .. } = &self.shape;
        writeln!(f, "median (least to most) of the rounds; arms took turns in each\n")?;
        writeln!(
            f,
            "burst, {} subscribers × {} events of {} bytes (floor: {}), {} rounds",
            burst.subscribers,
            burst.events,
            burst.size.message_bytes(),
            burst.floor_events,
            self.bursts.len()
        )?;
        for (arm, figures) in by_arm(&self.bursts) {
            let rate = Spread::of(figures.iter().map(|figure| figure.per_second() / 1e3));
            let cpu = Spread::of(figures.iter().map(Burst::cpu_us));
            writeln!(f, "  {arm:<10} {rate:>26.0} thousand deliveries/s {cpu:>26.2} µs CPU each")?;
        }
        let per_second = paced.interval.as_secs_f64().recip();
        writeln!(
            f,
            "paced, {} subscribers, {per_second:.0} events/s, {} rounds",
            paced.subscribers,
            self.paced.len()
        )?;
        for (arm, figures) in by_arm(&self.paced) {
            let cpu = Spread::of(figures.iter().map(Paced::cpu_us));
            let half = Spread::of(figures.iter().map(|figure| figure.latency_p50.as_secs_f64() * 1e3));
            let most = Spread::of(figures.iter().map(|figure| figure.latency_p99.as_secs_f64() * 1e3));
            writeln!(
                f,
                "  {arm:<10} {cpu:>26.2} µs CPU each   event to socket: p50 {half:.2} ms, p99 {most:.2} ms"
            )?;
        }
        writeln!(f, "idle, {idle_connections} connections, once")?;
        for (arm, idle) in Report::ARMS.into_iter().zip(self.idle) {
            writeln!(f, "  {:<10} {:>26.1} KiB resident each", arm.name(), idle.kib())?;
        }
        self.ratios(f, &Targets::GATEWAY)
    }
}

impl Report {
    /// What is compared, in the order in which arms take turns.
    pub const ARMS: [Arm; 4] = [Arm::Gatecheck, Arm::Sends, Arm::Floor, Arm::Plain];

    /// Each ratio is made within a round, whose arms met the same noise.
    fn ratios(&self, f: &mut fmt::Formatter<'_>, targets: &Targets) -> fmt::Result {
        let ratio =
            Spread::of(self.bursts.iter().map(|[gateway, _, floor, _]| gateway.cpu_us() / floor.cpu_us()));
        writeln!(f, "\ngatecheck beside its comparators")?;
        let at_most = targets.burst_cpu_of_floor;
        writeln!(f, "  burst CPU of a delivery / floor   {ratio:>22.2}   target: at most {at_most}")?;
        let ratio = Spread::of(
            self.bursts.iter().map(|[gateway, _, _, plain]| gateway.per_second() / plain.per_second()),
        );
        let at_least = targets.burst_rate_of_plain;
        writeln!(f, "  burst deliveries/s / plain        {ratio:>22.2}   target: at least {at_least}")?;
        let [with, without] = targets.paced_cpu_of_floor;
        let of_floor = |arm: usize| {
            let ratios = self.paced.iter().map(|round| round[arm].cpu_us() / round[2].cpu_us());
            Spread::of(ratios)
        };
        writeln!(f, "  paced CPU of a delivery / floor   {:>22.2}   target: at most {with}", of_floor(0))?;
        writeln!(f, "  … with io_uring off               {:>22.2}   target: at most {without}", of_floor(1))?;
        let kib = self.idle[0].kib();
        let at_most = targets.idle_kib;
        writeln!(f, "  KiB of an idle connection         {kib:>22.1}   target: at most {at_most}")
    }
}

/// A figure over the rounds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Spread {
    /// The one in the middle, or between the two in the middle.
    pub median: f64,
    /// The least.
    pub least: f64,
    /// The most.
    pub most: f64,
}

impl Spread {
    /// Of these; of none it is not a number.
    pub fn of(figures: impl Iterator<Item = f64>) -> Self {
        let mut figures: Vec<f64> = figures.collect();
        figures.sort_unstable_by(f64::total_cmp);
        match figures[..] {
            [] => Self { median: f64::NAN, least: f64::NAN, most: f64::NAN },
            [least, .., most] if figures.len().is_multiple_of(2) => {
                let half = figures.len() / 2;
                Self { median: f64::midpoint(figures[half - 1], figures[half]), least, most }
            }
            [least, ..] => {
                Self { median: figures[figures.len() / 2], least, most: figures[figures.len() - 1] }
            }
        }
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let precision = f.precision().unwrap_or(2);
        let Self { median, least, most } = self;
        let text = format!("{median:.precision$} ({least:.precision$} to {most:.precision$})");
        // `pad` would take the precision for a length.
        write!(f, "{text:>width$}", width = f.width().unwrap_or(0))
    }
}

fn by_arm<T: Copy>(rounds: &[[T; 4]]) -> impl Iterator<Item = (&'static str, Vec<T>)> {
    Report::ARMS
        .into_iter()
        .enumerate()
        .map(|(at, arm)| (arm.name(), rounds.iter().map(|round| round[at]).collect()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The median is the one in the middle, or between the two in the middle.
    #[test]
    fn a_spread_is_of_its_figures() {
        let spread = Spread::of([4.0, 1.0, 2.0].into_iter());
        assert_eq!(spread, Spread { median: 2.0, least: 1.0, most: 4.0 });
        assert_eq!(Spread::of([4.0, 1.0, 2.0, 3.0].into_iter()).median, 2.5);
        assert_eq!(Spread::of([4.0].into_iter()), Spread { median: 4.0, least: 4.0, most: 4.0 });
        assert_eq!(format!("{spread:>20.1}|"), "    2.0 (1.0 to 4.0)|");
    }
}
