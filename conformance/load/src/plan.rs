//! Which events fall due when, and for whom: drawn from a seed before anything runs, so that every process of a divided load, and
//! both builds of a comparison, have the same.

use std::ops::Range;
use std::time::Duration;

use crate::workload::{Audience, Load, Ramp, Workload};

/// Most events of a run: their times are kept.
pub(crate) const MAX_EVENTS: u64 = 10_000_000;
const SECOND_US: u64 = 1_000_000;

/// The events of a run, in the order in which they fall due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    events: Vec<PlannedEvent>,
    /// When the events of each channel fall due, in microseconds.
    channels: Vec<Vec<u64>>,
    kinds: Vec<Channel>,
}

/// An event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PlannedEvent {
    /// When, in microseconds since the begin.
    pub due_us: u64,
    /// In which channel.
    pub channel: u32,
    /// Which of that channel, from 0.
    pub number: u64,
}

/// Clients that get the same events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Channel {
    /// Whom its events are for.
    pub to: Audience,
    /// The user, where they are for an owner.
    pub user: Option<usize>,
    /// How many clients.
    pub members: usize,
}

impl Channel {
    /// Whether a client of this user gets its events.
    fn has(&self, client: usize, user: usize) -> bool {
        match self.to {
            Audience::Owner => self.user == Some(user),
            Audience::Everybody | Audience::Role | Audience::Subscribers => client < self.members,
        }
    }
}

impl Load {
    /// How many events there are.
    pub(crate) fn events(&self) -> f64 {
        match self {
            Self::Burst { events } => *events as f64,
            Self::Paced(pace) => (pace.rate * pace.duration.as_secs_f64()).floor(),
            Self::Ramp(ramp) => ramp.steps().map(|rate| (rate * ramp.hold.as_secs_f64()).floor()).sum(),
            Self::Idle { .. } | Self::Connect { .. } => 0.0,
        }
    }
}

impl Ramp {
    /// The rates, ascending.
    pub fn steps(&self) -> impl Iterator<Item = f64> + use<> {
        let (to, factor) = (self.to, self.factor);
        // What is multiplied is not exact.
        std::iter::successors(Some(self.from), move |rate| Some(rate * factor))
            .take_while(move |rate| *rate <= to * 1.000_001)
    }
}

impl Plan {
    /// Draws the events of a workload.
    pub fn new(workload: &Workload, seed: u64) -> Self {
        let kinds = channels(workload);
        let mut plan = Self { events: Vec::new(), channels: vec![Vec::new(); kinds.len()], kinds };
        let mut random = fastrand::Rng::with_seed(seed);
        for due_us in dues(&workload.load) {
            let channel = plan.draw(workload, &mut random);
            let number = plan.channels[channel].len() as u64;
            plan.channels[channel].push(due_us);
            plan.events.push(PlannedEvent { due_us, channel: channel as u32, number });
        }
        plan
    }

    fn draw(&self, workload: &Workload, random: &mut fastrand::Rng) -> usize {
        let total: u32 = workload.audiences.iter().map(|share| share.weight).sum();
        let mut at = random.u32(..total.max(1));
        let mut first = 0;
        for share in &workload.audiences {
            let of_share = self.kinds[first..].iter().take_while(|channel| channel.to == share.to).count();
            if at < share.weight {
                return first + random.usize(..of_share);
            }
            at -= share.weight;
            first += of_share;
        }
        0
    }

    /// Every event.
    pub fn events(&self) -> &[PlannedEvent] {
        &self.events
    }

    /// The channels.
    pub fn channels(&self) -> &[Channel] {
        &self.kinds
    }

    /// Those whose events a client of this user gets.
    pub fn channels_of(&self, client: usize, user: usize) -> impl Iterator<Item = u32> + '_ {
        let of_client = self.kinds.iter().enumerate().filter(move |(_, channel)| channel.has(client, user));
        of_client.map(|(index, _)| index as u32)
    }

    /// How many events a channel has.
    pub fn count(&self, channel: u32) -> u64 {
        self.channels[channel as usize].len() as u64
    }

    /// When an event falls due; none where there is no such event.
    pub fn due_us(&self, channel: u32, number: u64) -> Option<u64> {
        self.channels.get(channel as usize)?.get(usize::try_from(number).ok()?).copied()
    }

    /// The first event of a channel that falls due after this time. It is published later still, so a client that is there by then
    /// must get it.
    pub fn first_after(&self, channel: u32, at_us: u64) -> u64 {
        self.channels[channel as usize].partition_point(|due| *due <= at_us) as u64
    }

    /// How many of these events of a channel fall due in each second.
    pub fn by_second(&self, channel: u32, numbers: Range<u64>) -> impl Iterator<Item = (usize, u64)> + '_ {
        let dues = &self.channels[channel as usize];
        let end = (numbers.end as usize).min(dues.len());
        let mut at = (numbers.start as usize).min(end);
        std::iter::from_fn(move || {
            let second = dues[at..end].first()? / SECOND_US;
            let count = dues[at..end].partition_point(|due| due / SECOND_US == second);
            at += count;
            Some((second as usize, count as u64))
        })
    }

    /// From the begin until the last event is due.
    pub fn length(&self) -> Duration {
        Duration::from_micros(self.events.last().map_or(0, |event| event.due_us))
    }
}

fn channels(workload: &Workload) -> Vec<Channel> {
    let mut channels = Vec::new();
    for share in &workload.audiences {
        match share.to {
            Audience::Owner => {
                let each = workload.clients_of_user();
                channels.extend((0..workload.users()).map(|user| Channel {
                    to: share.to,
                    user: Some(user),
                    members: each.min(workload.clients - user * each),
                }));
            }
            Audience::Everybody => {
                channels.push(Channel { to: share.to, user: None, members: workload.clients });
            }
            Audience::Role | Audience::Subscribers => {
                channels.push(Channel { to: share.to, user: None, members: share.members });
            }
        }
    }
    channels
}

fn dues(load: &Load) -> Vec<u64> {
    let at_rate = |begin_us: u64, rate: f64, duration: Duration| {
        let count = (rate * duration.as_secs_f64()).floor() as u64;
        (0..count).map(move |number| begin_us + (number as f64 * SECOND_US as f64 / rate) as u64)
    };
    match load {
        Load::Burst { events } => vec![0; *events as usize],
        Load::Paced(pace) => at_rate(0, pace.rate, pace.duration).collect(),
        Load::Ramp(ramp) => {
            let hold_us = ramp.hold.as_micros() as u64;
            let steps = ramp.steps().enumerate();
            steps.flat_map(|(step, rate)| at_rate(step as u64 * hold_us, rate, ramp.hold)).collect()
        }
        Load::Idle { .. } | Load::Connect { .. } => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::Overrides;

    fn plan(text: &str) -> Plan {
        Plan::new(&Workload::parse("w", "w", text, &Overrides::default()).unwrap(), 1)
    }

    const ROOMS: &str = "clients = 10\n[paced]\nrate = \"100/s\"\nduration = \"10s\"\n\
         [[audience]]\nto = \"owner\"\nmembers = 4\nweight = 9\n[[audience]]\nto = \"everybody\"";

    /// The events of one seed are always the same, are numbered without gaps in each channel, and fall due in order.
    #[test]
    fn a_seed_is_a_plan() {
        let rooms = plan(ROOMS);
        assert_eq!(rooms, plan(ROOMS));
        assert_eq!(rooms.events().len(), 1000);
        assert!(rooms.events().is_sorted_by_key(|event| event.due_us));
        let mut next = vec![0; rooms.channels().len()];
        for event in rooms.events() {
            let expected = &mut next[event.channel as usize];
            assert_eq!(event.number, *expected);
            assert_eq!(rooms.due_us(event.channel, event.number), Some(event.due_us));
            *expected += 1;
        }
        // Three users have a channel each; the fourth is everybody's, with a tenth of the events.
        assert_eq!(next.len(), 4);
        assert!((50..200).contains(&next[3]), "{next:?}");
    }

    /// A client gets its user's events, and everybody's.
    #[test]
    fn clients_are_in_their_channels() {
        let rooms = plan(ROOMS);
        let members: Vec<_> = rooms.channels().iter().map(|channel| channel.members).collect();
        assert_eq!(members, [4, 4, 2, 10]);
        assert_eq!(rooms.channels_of(9, 2).collect::<Vec<_>>(), [2, 3]);
    }

    /// What falls due by second adds up, and what falls due after a time is found.
    #[test]
    fn events_are_counted_by_second() {
        let paced = plan(
            "clients = 1\n[paced]\nrate = \"10/s\"\nduration = \"3s\"\n[[audience]]\nto = \"everybody\"",
        );
        assert_eq!(paced.by_second(0, 5..25).collect::<Vec<_>>(), [(0, 5), (1, 10), (2, 5)]);
        assert_eq!(paced.by_second(0, 25..99).map(|(_, count)| count).sum::<u64>(), 5);
        assert_eq!((paced.first_after(0, 0), paced.first_after(0, 2_900_000)), (1, 30));
    }

    /// A ramp's rates rise by its factor, up to its end.
    #[test]
    fn a_ramp_rises() {
        let ramp = plan(
            "clients = 1\n[ramp]\nfrom = \"10/s\"\nto = \"40/s\"\nfactor = 2.0\nhold = \"2s\"\nbound = \"p99 < 1s\"\n\
             [[audience]]\nto = \"everybody\"",
        );
        assert_eq!(
            ramp.by_second(0, 0..999).map(|(_, count)| count).collect::<Vec<_>>(),
            [10, 10, 20, 20, 40, 40]
        );
    }
}
