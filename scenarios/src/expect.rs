//! What is expected of a trace. Expectations read traces and nothing else; none knows which executor ran.

mod broker;
mod connections;
mod counts;
mod file;
mod growth;
mod intervals;
pub(crate) mod redials;
mod scope;
pub(crate) mod secrecy;
mod sequence;
mod spread;
pub(crate) mod statuses;
pub(crate) mod wire;

use std::ops::Range;
use std::time::Duration;

use protocol::Dialect;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use self::broker::{HandedOn, Kept, Settled};
use self::growth::Growth;
use self::redials::Redial;
use self::scope::Scope;
use self::sequence::Sequence;
use self::spread::Spread;
use crate::design::Statuses;
use crate::foreign::Foreign;
use crate::pattern::{EVENT, Pattern, merge};
use crate::requirement::{RequirementId, SubjectKind};
use crate::times::{Expr, Times};
use crate::trace::Trace;

/// One thing that a scenario expects, in the name of one requirement.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "file::RawExpectation", into = "file::RawExpectation")]
pub struct Expectation {
    /// What it shows.
    pub requirement: RequirementId,
    scope: Scope,
    kind: Kind,
}

/// What is expected.
#[derive(Debug, Clone, PartialEq)]
enum Kind {
    /// At least one of these signs.
    AnyOf(Vec<Kind>),
    /// A match.
    Some(Pattern),
    /// No match.
    Never(Pattern),
    /// So many matches.
    Count { pattern: Pattern, times: Bounds },
    /// A match of each, one after the other.
    Order(Vec<Pattern>),
    /// After each `from`, or the oldest of those that one `to` follows, the first `to` comes within these bounds.
    Interval { from: Pattern, to: Pattern, min: Option<Expr>, max: Option<Expr>, oldest: bool },
    /// Matches come at this distance from each other.
    Every { pattern: Pattern, period: Expr },
    /// The pauses before redials are those that are declared.
    Backoff,
    /// One redial counts as it must.
    Redial(Redial),
    /// These statuses, one after the other, and no others.
    Statuses(Vec<String>),
    /// Only the transitions that exist.
    LegalTransitions,
    /// Never two connections at once.
    OneConnection,
    /// Every message to this client is a JSON text frame with a type and a time.
    WellFormed { client: String },
    /// This client sees events of these types in the order in which they were published, all of them.
    PublishedOrder { client: String, types: Vec<String> },
    EachPublished {
        client: String,
        types: Vec<String>,
        once: bool,
        /// What those that count have in their data.
        with: Option<Value>,
    },
    /// Every ping frame is answered by a pong frame with the same payload.
    PongsMatch,
    /// Exchange and queue stand as specified.
    Topology,
    /// No token turns up in what the subject says, prints or shows.
    NoTokens,
    /// Numbered messages of this type come in order, each once, up to the last.
    Sequence(Sequence),
    /// Clients that were cut off at one instant return once each, spread over the jitter window.
    Spread(Spread),
    /// Between the first and the last reading the processes have taken no more than this.
    Growth(Growth),
    /// At the last count the queue held so many messages.
    QueueReady(u32),
    /// So many of the events that were published have reached a client, or wait at the broker.
    Kept(Kept),
    /// At the last count deliveries had been settled so.
    Settled(Settled),
    /// What is published reaches a client that reads before it is acknowledged.
    HandedOnFirst(HandedOn),
    /// Each consumer has a limit on what it has unsettled.
    PrefetchLimited,
    /// At the last count messages waited at the broker.
    BacklogWaits,
    /// At the last look there are no queues that there were not at the first.
    NoMoreQueues,
}

/// How many.
#[derive(Debug, Clone, PartialEq)]
enum Bounds {
    Exactly(Expr),
    AtLeast(Expr),
    AtMost(Expr),
}

/// What a finding needs of its trace.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Property {
    /// Something forbidden occurred, too often, too early, too late or in the wrong order: any prefix of a trace proves it.
    Safety,
    /// Something owed did not come: only a trace that was awaited to the end of its window, with the subject alive, proves it.
    Liveness,
}

/// What was expected and what was seen instead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// What it needs of the trace.
    pub property: Property,
    /// What was expected.
    pub expected: Foreign,
    /// What was seen.
    pub seen: Foreign,
    /// The observations that show it, as indices into the trace.
    pub at: Vec<usize>,
    /// By how many microseconds something was too early or too late, where it is about that: a stall of the host explains
    /// what is missed by little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub missed_by_us: Option<u64>,
    /// The scripted client that it is about, where it is about one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub client: Option<String>,
    /// Which half of a pair it is about, where a pair is judged: `pair` where it is about both.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub half: Option<SubjectKind>,
}

/// By how much what passed is wider than it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Margin {
    /// What was expected, and came.
    pub expected: String,
    /// In microseconds.
    pub beyond_us: u64,
    /// The observations that noise must have moved to make it so, as indices into the trace.
    pub at: Vec<usize>,
}

impl Expectation {
    /// Reads a trace, which ends with its steps. Where a pass is about a width or a distance that noise can produce, it
    /// says by how much more than enough that was.
    ///
    /// # Errors
    /// When what was expected is not there.
    pub fn check(&self, trace: &Trace, times: &Times) -> Result<Option<Margin>, Finding> {
        self.check_from(0, trace, times)
    }

    /// As [`Self::check`], from the index on at which the case begins.
    pub(crate) fn check_from(
        &self,
        begins: usize,
        trace: &Trace,
        times: &Times,
    ) -> Result<Option<Margin>, Finding> {
        let named = self.patterns().iter().find_map(|pattern| pattern.client());
        let client = self.client().or(named).map(str::to_owned);
        self.look(trace, begins, times).map_err(|finding| Finding { client, ..finding })
    }

    fn look(&self, trace: &Trace, begins: usize, times: &Times) -> Result<Option<Margin>, Finding> {
        let range = self.scope.range(trace, begins)?;
        self.kind.look(trace, range.clone(), times).map_err(|finding| {
            match self.kind.surplus(&finding, times) {
                Some(surplus) => self.scope.judge(trace, &range, finding, surplus),
                None => finding,
            }
        })
    }

    /// What a dialect lacks, where it cannot be expected in it. That something never comes can be expected of any.
    pub(crate) fn lacks(&self, dialect: &Dialect) -> Option<&'static str> {
        let scope = || self.scope.after.iter().chain(&self.scope.before);
        match &self.kind {
            Kind::Never(_) => scope().find_map(|pattern| pattern.lacks(dialect)),
            // One sign that can come is enough.
            Kind::AnyOf(kinds) => {
                let mut lacking = kinds
                    .iter()
                    .map(|kind| kind.patterns().iter().find_map(|pattern| pattern.lacks(dialect)));
                let all = lacking.clone().all(|lack| lack.is_some());
                if all { lacking.next().flatten() } else { None }
            }
            _ => self.patterns().into_iter().find_map(|pattern| pattern.lacks(dialect)),
        }
    }

    /// Why no trace of a client with this design can show it, where none can.
    pub(crate) fn cannot_tell(&self, times: &Times) -> Option<String> {
        match &self.kind {
            Kind::Redial(redial) => redial.cannot_tell(times),
            Kind::Spread(spread) => spread.cannot_tell(times),
            _ => None,
        }
    }

    /// Whether it looks at a status.
    pub(crate) fn looks_at(&self, status: &str) -> bool {
        let named = match &self.kind {
            Kind::Statuses(wanted) => wanted.iter().any(|wanted| wanted == status),
            Kind::LegalTransitions => true,
            _ => false,
        };
        named || self.patterns().iter().any(|pattern| pattern.status() == Some(status))
    }

    /// Takes what a client lacks out of a sequence, in which one status then is announced once, not twice in a row (STATE-1). Answers
    /// whether something is left to expect.
    pub(crate) fn forget(&mut self, statuses: &Statuses) -> bool {
        let lacks = |status: Option<&str>| status.is_some_and(|status| statuses.lacks(status));
        match &mut self.kind {
            Kind::Statuses(wanted) => {
                wanted.retain(|status| !statuses.lacks(status));
                wanted.dedup();
                return !wanted.is_empty();
            }
            // Between what is left all that leads through the missing ones is one transition.
            Kind::LegalTransitions => return statuses.lacking().count() < 4,
            Kind::Order(patterns) => {
                patterns.retain(|pattern| !lacks(pattern.status()));
                patterns.dedup_by(|next, pattern| next.status().is_some() && next == pattern);
                if patterns.len() < 2 {
                    return false;
                }
            }
            _ => {}
        }
        !self.patterns().iter().any(|pattern| lacks(pattern.status()))
    }

    /// Says what a refusal looks like that is as declared, and what error codes are called.
    pub(crate) fn declare(&mut self, dialect: &Dialect) {
        self.patterns_mut().for_each(|pattern| pattern.declare(dialect));
    }

    /// Whether it is about events that are for certain clients, apart from its patterns.
    pub(crate) fn is_addressed(&self) -> bool {
        match &self.kind {
            Kind::PublishedOrder { types, .. } | Kind::EachPublished { types, .. } => {
                types.iter().any(|kind| kind == EVENT)
            }
            Kind::HandedOnFirst(handed_on) => handed_on.kind == EVENT,
            Kind::Kept(kept) => kept.kind == EVENT,
            _ => false,
        }
    }

    /// Has it look for events of this type, with this in their data, where it is about such events.
    pub(crate) fn address(&mut self, kind: &str, marks: &Value) {
        if let Kind::HandedOnFirst(HandedOn { kind: own, .. }) | Kind::Kept(Kept { kind: own, .. }) =
            &mut self.kind
        {
            return kind.clone_into(own);
        }
        let (Kind::PublishedOrder { types, .. } | Kind::EachPublished { types, .. }) = &mut self.kind else {
            return;
        };
        types.iter_mut().filter(|name| *name == EVENT).for_each(|name| kind.clone_into(name));
        if let Kind::EachPublished { with, .. } = &mut self.kind {
            merge(with.get_or_insert_with(|| Value::Object(Default::default())), marks);
        }
    }

    /// Every pattern in it, to be changed.
    pub(crate) fn patterns_mut(&mut self) -> impl Iterator<Item = &mut Pattern> {
        self.scope.after.iter_mut().chain(&mut self.scope.before).chain(self.kind.patterns_mut())
    }

    /// Every pattern in it.
    pub(crate) fn patterns(&self) -> Vec<&Pattern> {
        let scope = self.scope.after.iter().chain(&self.scope.before);
        scope.chain(self.kind.patterns()).collect()
    }

    /// What it forbids, where it forbids that a pattern matches at all.
    pub fn forbidden(&self) -> Option<&Pattern> {
        match &self.kind {
            Kind::Never(pattern) => Some(pattern),
            _ => None,
        }
    }

    /// As [`Self::forbidden`], to be changed.
    pub(crate) fn forbidden_mut(&mut self) -> Option<&mut Pattern> {
        match &mut self.kind {
            Kind::Never(pattern) => Some(pattern),
            _ => None,
        }
    }

    /// Has events name their owner by another key.
    pub(crate) fn rename_owner(&mut self, rename: &impl Fn(Option<&str>, &mut Value)) {
        self.patterns_mut().for_each(|pattern| pattern.rename_owner(rename));
        if let Kind::EachPublished { types, with: Some(with), .. } = &mut self.kind {
            rename(types.first().map(String::as_str), with);
        }
    }

    /// The client that it names apart from its patterns.
    pub(crate) fn client(&self) -> Option<&str> {
        match &self.kind {
            Kind::WellFormed { client }
            | Kind::PublishedOrder { client, .. }
            | Kind::EachPublished { client, .. } => Some(client),
            Kind::HandedOnFirst(handed_on) => Some(&handed_on.client),
            Kind::Kept(kept) => Some(&kept.client),
            _ => None,
        }
    }
}

impl Kind {
    fn look(&self, trace: &Trace, range: Range<usize>, times: &Times) -> Result<Option<Margin>, Finding> {
        let looked = match self {
            Self::AnyOf(kinds) => {
                let failed: Result<Vec<Finding>, ()> =
                    kinds.iter().map(|kind| kind.look(trace, range.clone(), times).err().ok_or(())).collect();
                let Ok(findings) = failed else { return Ok(None) };
                // Where each of them was forbidden and has happened, that stands whatever comes later.
                let is_safety = findings.iter().all(|finding| finding.property == Property::Safety);
                let at: Vec<_> = findings.iter().flat_map(|finding| finding.at.clone()).collect();
                let expected: Vec<_> =
                    findings.into_iter().map(|finding| finding.expected.into_raw()).collect();
                let expected = expected.join(", or ");
                Err(match is_safety {
                    true => Finding::forbidden(expected, "each of that happened", at),
                    false => Finding::owed(expected, "none of this is so", []),
                })
            }
            Self::Some(pattern) => counts::some(trace, range, pattern),
            Self::Never(pattern) => counts::never(trace, range, pattern),
            Self::Count { pattern, times: bounds } => counts::count(trace, range, pattern, bounds, times),
            Self::Order(patterns) => counts::order(trace, range, patterns),
            Self::Interval { from, to, min, max, oldest } => {
                let bounds = [min.as_ref(), max.as_ref()];
                return intervals::interval(trace, range, [from, to], bounds, *oldest, times);
            }
            Self::Every { pattern, period } => intervals::every(trace, range, pattern, period, times),
            Self::Backoff => return redials::backoff(trace, times),
            Self::Redial(redial) => return redial.check(trace, range, times),
            Self::Statuses(wanted) => statuses::sequence(trace, wanted),
            Self::LegalTransitions => statuses::legal(trace, &times.design.statuses),
            Self::OneConnection => connections::one_at_a_time(trace),
            Self::WellFormed { client } => wire::well_formed(trace, client),
            Self::PublishedOrder { client, types } => wire::published_order(trace, client, types),
            Self::EachPublished { client, types, once, with } => {
                wire::each_published(trace, client, (types, with.as_ref()), *once)
            }
            Self::PongsMatch => wire::pongs_match(trace, times),
            Self::Topology => broker::topology(trace),
            Self::NoTokens => secrecy::no_tokens(trace),
            Self::Sequence(sequence) => sequence.check(trace, times),
            Self::Spread(spread) => return spread.check(trace, times).map(Some),
            Self::Growth(growth) => growth.check(trace),
            Self::QueueReady(wanted) => broker::queue_ready(trace, *wanted),
            Self::Kept(kept) => kept.check(trace),
            Self::Settled(settled) => settled.check(trace),
            Self::HandedOnFirst(handed_on) => handed_on.check(trace),
            Self::PrefetchLimited => broker::prefetch_limited(trace),
            Self::BacklogWaits => broker::backlog_waits(trace),
            Self::NoMoreQueues => broker::no_more_queues(trace),
        };
        looked.map(|()| None)
    }

    /// How many of the matches that a finding lists are too many, where that is what it says.
    fn surplus(&self, finding: &Finding, times: &Times) -> Option<usize> {
        let allowed = match self {
            Self::Never(_) => 0,
            Self::Count { times: Bounds::Exactly(most) | Bounds::AtMost(most), .. } => most.count(times),
            _ => return None,
        };
        finding.at.len().checked_sub(allowed).filter(|_| finding.property == Property::Safety)
    }

    /// Every pattern in it.
    fn patterns(&self) -> Vec<&Pattern> {
        match self {
            Self::AnyOf(kinds) => kinds.iter().flat_map(Self::patterns).collect(),
            Self::Some(pattern)
            | Self::Never(pattern)
            | Self::Count { pattern, .. }
            | Self::Every { pattern, .. } => vec![pattern],
            Self::Order(inner) => inner.iter().collect(),
            Self::Interval { from, to, .. } => vec![from, to],
            Self::Redial(redial) => vec![&redial.from],
            Self::Backoff
            | Self::Statuses(_)
            | Self::LegalTransitions
            | Self::OneConnection
            | Self::WellFormed { .. }
            | Self::PublishedOrder { .. }
            | Self::EachPublished { .. }
            | Self::PongsMatch
            | Self::Topology
            | Self::NoTokens
            | Self::Sequence(_)
            | Self::Spread(_)
            | Self::Growth(_)
            | Self::QueueReady(_)
            | Self::Kept(_)
            | Self::Settled(_)
            | Self::HandedOnFirst(_)
            | Self::PrefetchLimited
            | Self::BacklogWaits
            | Self::NoMoreQueues => Vec::new(),
        }
    }
}

impl Kind {
    fn patterns_mut(&mut self) -> Vec<&mut Pattern> {
        match self {
            Self::AnyOf(kinds) => kinds.iter_mut().flat_map(Self::patterns_mut).collect(),
            Self::Some(pattern)
            | Self::Never(pattern)
            | Self::Count { pattern, .. }
            | Self::Every { pattern, .. } => vec![pattern],
            Self::Order(inner) => inner.iter_mut().collect(),
            Self::Interval { from, to, .. } => vec![from, to],
            Self::Redial(redial) => vec![&mut redial.from],
            _ => Vec::new(),
        }
    }
}

impl Finding {
    /// Something forbidden occurred.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over what they have: patterns, errors, texts"
    )]
    pub(crate) fn forbidden(
        expected: impl ToString,
        seen: impl ToString,
        at: impl IntoIterator<Item = usize>,
    ) -> Self {
        Self::of(Property::Safety, &expected, &seen, at)
    }

    /// Something owed did not come.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over what they have: patterns, errors, texts"
    )]
    pub(crate) fn owed(
        expected: impl ToString,
        seen: impl ToString,
        at: impl IntoIterator<Item = usize>,
    ) -> Self {
        Self::of(Property::Liveness, &expected, &seen, at)
    }

    fn of(
        property: Property,
        expected: &dyn ToString,
        seen: &dyn ToString,
        at: impl IntoIterator<Item = usize>,
    ) -> Self {
        Self {
            property,
            expected: expected.to_string().into(),
            seen: seen.to_string().into(),
            at: at.into_iter().collect(),
            missed_by_us: None,
            client: None,
            half: None,
        }
    }

    /// The finding as one about this half of a pair.
    pub(crate) fn of_half(self, half: SubjectKind) -> Self {
        Self { half: Some(half), ..self }
    }

    pub(crate) fn missed_by(self, time: Duration) -> Self {
        Self { missed_by_us: Some(u64::try_from(time.as_micros()).unwrap_or(u64::MAX)), ..self }
    }
}

#[cfg(test)]
mod tests;
