//! Noise, measured where it acts: how long this host kept the harness, and how long it kept the subject.
//!
//! ```text
//!  this process        threads and tasks that only wake up ──► StallProbe ───┐
//!                                                                            ├─► CaseNoise ──► Noise in a span of the case
//!  subject's processes /proc/PID/task/TID/schedstat ──► SubjectProbe ─► Waits ┘
//! ```
//!
//! The second is Linux's: elsewhere, and for a gateway that the harness did not start, there is the first alone.

mod host;
mod meter;
mod process_tree;
mod resources;
mod sampler;
mod subject;
mod waits;

use std::time::{Duration, Instant};

use serde::{Serialize, Serializer};

pub use host::StallProbe;
pub use meter::{TreeMeter, TreeUsage};
pub(crate) use process_tree::processes;
pub(crate) use resources::resources;
pub use subject::{SubjectProbe, Watch};
pub use waits::Waits;

/// What was waited for a processor in a span of time.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Noise {
    /// The worst single stall of the harness's own threads and tasks.
    #[serde(rename = "stall_ms", serialize_with = "milliseconds")]
    pub host: Duration,
    /// How long threads of the subject were runnable without a processor: their sum, but at most the span. With several
    /// processes, the one that waited longest. `None` where it is not measured.
    #[serde(
        rename = "subject_wait_ms",
        serialize_with = "milliseconds_if_any",
        skip_serializing_if = "Option::is_none"
    )]
    pub subject: Option<Duration>,
}

/// A part of a case's time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Span {
    /// Between two times of the trace.
    Between(Duration, Duration),
    /// What can have delayed something that happened at each of these times, and so the time between them. The harness delays what
    /// it sees while it sees it; the subject may be delayed at any time in between.
    Around {
        /// When.
        times: Vec<Duration>,
        /// How long before something happened what delayed it may have begun.
        lookback: Duration,
    },
    /// The stretch of this length that has most noise.
    WorstOf(Duration),
    /// From the first thing that happened to the last.
    Whole,
}

/// What was measured during one case.
pub struct CaseNoise<'a> {
    /// The harness's.
    pub host: &'a StallProbe,
    /// The subject's: of each process that the harness started, with its children.
    pub subject: &'a [Waits],
    /// When the trace's time began.
    pub began: Instant,
    /// When the first thing happened: a stall while the subject started has moved nothing that is judged.
    pub first: Duration,
    /// When the last thing happened.
    pub last: Duration,
}

impl Noise {
    /// The greater of the two, in milliseconds.
    pub fn longest_ms(&self) -> u64 {
        whole_ms(self.host.max(self.subject.unwrap_or_default()))
    }

    /// The stall of the host, in milliseconds.
    pub fn stall_ms(&self) -> u64 {
        whole_ms(self.host)
    }

    /// The wait of the subject, in milliseconds.
    pub fn subject_wait_ms(&self) -> Option<u64> {
        self.subject.map(whole_ms)
    }
}

impl CaseNoise<'_> {
    /// The noise in a part of the case.
    pub fn during(&self, span: &Span) -> Noise {
        // Nothing before counts, however far a span reaches back.
        let since = |from: Duration| self.began + from.max(self.first);
        let host = |from, to| self.host.worst_between(since(from), self.began + to);
        let subject = |from, to| {
            let waited = |waits: &Waits| waits.between(since(from), self.began + to);
            self.subject.iter().map(waited).max()
        };
        let (first, last) = (self.first, self.last);
        match span {
            Span::Between(from, to) => Noise { host: host(*from, *to), subject: subject(*from, *to) },
            Span::Around { times, lookback } => {
                let before = |time: &Duration| time.saturating_sub(*lookback);
                let from = times.iter().min().map_or(first, before);
                let to = times.iter().max().copied().unwrap_or(last);
                let host = times.iter().map(|time| host(before(time), *time)).max().unwrap_or_default();
                Noise { host, subject: subject(from, to) }
            }
            Span::WorstOf(stretch) => {
                let (from, to) = (self.began + first, self.began + last);
                let waited = |waits: &Waits| waits.worst(from, to, *stretch);
                Noise { host: host(first, last), subject: self.subject.iter().map(waited).max() }
            }
            Span::Whole => Noise { host: host(first, last), subject: subject(first, last) },
        }
    }
}

fn whole_ms(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn milliseconds<S: Serializer>(duration: &Duration, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_u64(whole_ms(*duration))
}

fn milliseconds_if_any<S: Serializer>(duration: &Option<Duration>, to: S) -> Result<S::Ok, S::Error> {
    duration.map(whole_ms).serialize(to)
}

#[cfg(test)]
mod tests {
    use super::*;
    use waits::Reading;

    /// A stall of the harness matters where something was seen, a wait of the subject wherever it was in between; of a fleet,
    /// the client counts that waited longest.
    #[test]
    #[expect(clippy::disallowed_methods, reason = "there is no other instant to begin at")]
    fn noise_is_looked_for_where_it_acts() {
        let (began, ms) = (Instant::now(), Duration::from_millis);
        let host = StallProbe::of(began, &[(ms(1900), ms(40)), (ms(3000), ms(90))]);
        let waited = |at, long| {
            let mut waits = Waits::new(began);
            waits.book(began + ms(at), Reading { elapsed: ms(20), sum: ms(long), longest: ms(long) });
            waits
        };
        // As it started, the second waited too.
        let mut second = waited(3500, 50);
        second.book(began + ms(400), Reading { elapsed: ms(20), sum: ms(200), longest: ms(200) });
        let subject = [waited(3000, 70), second];
        let noise = CaseNoise { host: &host, subject: &subject, began, first: ms(500), last: ms(8000) };
        let noise_of = |span| {
            let Noise { host, subject } = noise.during(&span);
            (host, subject.unwrap())
        };
        let around = |times: [u64; 2]| Span::Around { times: times.map(ms).into(), lookback: ms(250) };
        assert_eq!(noise_of(around([2000, 4000])), (ms(40), ms(70)));
        assert_eq!(noise_of(around([2000, 3050])), (ms(90), ms(70)));
        assert_eq!(noise_of(around([5000, 6000])), (ms(0), ms(0)));
        assert_eq!(noise_of(around([510, 600])), (ms(0), ms(0)), "the start is not looked back to");
        assert_eq!(noise_of(Span::Between(ms(2500), ms(4000))), (ms(90), ms(70)));
        assert_eq!(noise_of(Span::Between(ms(3300), ms(4000))), (ms(0), ms(50)));
        assert_eq!(noise_of(Span::WorstOf(ms(30))), (ms(90), ms(30)));
        assert_eq!(noise_of(Span::Whole), (ms(90), ms(70)));
        let attached = CaseNoise { subject: &[], ..noise };
        assert_eq!(attached.during(&Span::Whole), Noise { host: ms(90), subject: None });
    }

    /// Reports say milliseconds, and nothing of a subject that is not measured.
    #[test]
    fn noise_is_serialised_in_milliseconds() {
        let host = Duration::from_micros(16_900);
        let json = |noise: &Noise| serde_json::to_string(noise).unwrap();
        let both = Noise { host, subject: Some(Duration::from_millis(177)) };
        assert_eq!(json(&both), r#"{"stall_ms":16,"subject_wait_ms":177}"#);
        assert_eq!(json(&Noise { host, subject: None }), r#"{"stall_ms":16}"#);
        assert_eq!((both.longest_ms(), both.stall_ms(), both.subject_wait_ms()), (177, 16, Some(177)));
    }
}
