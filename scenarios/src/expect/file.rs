//! The file's form of an expectation: one requirement, one kind, and where in the trace to look.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::broker::{HandedOn, Kept, Settled};
use super::growth::Growth;
use super::redials::Redial;
use super::scope::Scope;
use super::sequence::Sequence;
use super::spread::Spread;
use super::{Bounds, Expectation, Kind};
use crate::pattern::Pattern;
use crate::requirement::RequirementId;
use crate::times::Expr;

/// `[[expect]]`
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RawExpectation {
    requirement: RequirementId,
    after: Option<Pattern>,
    before: Option<Pattern>,
    any_of: Option<Vec<RawAlternative>>,
    some: Option<Pattern>,
    never: Option<Pattern>,
    count: Option<Pattern>,
    times: Option<Expr>,
    at_least: Option<Expr>,
    at_most: Option<Expr>,
    order: Option<Vec<Pattern>>,
    interval: Option<RawInterval>,
    every: Option<Pattern>,
    period: Option<Expr>,
    backoff: Option<bool>,
    redial: Option<Redial>,
    statuses: Option<Vec<String>>,
    legal_transitions: Option<bool>,
    one_connection: Option<bool>,
    well_formed: Option<RawClient>,
    published_order: Option<RawOrder>,
    each_published: Option<RawEach>,
    pongs_match: Option<bool>,
    topology: Option<bool>,
    no_tokens: Option<bool>,
    queue_ready: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    kept: Option<Kept>,
    settled: Option<Settled>,
    handed_on_first: Option<HandedOn>,
    prefetch_limited: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    backlog_waits: Option<bool>,
    no_more_queues: Option<bool>,
    sequence: Option<Sequence>,
    spread: Option<Spread>,
    growth: Option<Growth>,
}

/// One sign of several.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawAlternative {
    some: Option<Pattern>,
    never: Option<Pattern>,
    count: Option<Pattern>,
    at_least: Option<Expr>,
    at_most: Option<Expr>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawInterval {
    from: Pattern,
    to: Pattern,
    min: Option<Expr>,
    max: Option<Expr>,
    #[serde(default)]
    oldest: bool,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawClient {
    client: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawOrder {
    client: String,
    types: Vec<String>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct RawEach {
    client: String,
    types: Vec<String>,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    once: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    with: Option<Value>,
}

const KINDS: &str = "`any_of`, `some`, `never`, `count`, `order`, `interval`, `every`, `backoff`, `redial`, `statuses`, `legal_transitions`, \
                     `one_connection`, `well_formed`, `published_order`, `each_published`, `pongs_match`, `topology`, `no_tokens`, `queue_ready`, `kept`, \
                     `settled`, `handed_on_first`, `prefetch_limited`, `backlog_waits`, `no_more_queues`, `sequence`, `spread`, `growth`";

impl TryFrom<RawExpectation> for Expectation {
    type Error = String;

    fn try_from(raw: RawExpectation) -> Result<Self, String> {
        let scoped = raw.after.is_some() || raw.before.is_some();
        let mut kinds = Vec::new();
        let bounds = raw
            .times
            .map(Bounds::Exactly)
            .into_iter()
            .chain(raw.at_least.map(Bounds::AtLeast))
            .chain(raw.at_most.map(Bounds::AtMost))
            .collect::<Vec<_>>();
        match (raw.count, <[Bounds; 1]>::try_from(bounds)) {
            (Some(pattern), Ok([times])) => kinds.push(Kind::Count { pattern, times }),
            (Some(_), Err(_)) => {
                return Err("`count` goes with one of `times`, `at_least`, `at_most`".to_owned());
            }
            (None, Ok(_)) => return Err("`times`, `at_least` and `at_most` go with `count`".to_owned()),
            (None, Err(bounds)) if bounds.is_empty() => {}
            (None, Err(_)) => return Err("`times`, `at_least` and `at_most` go with `count`".to_owned()),
        }
        match (raw.every, raw.period) {
            (Some(pattern), Some(period)) if period.is_time() => kinds.push(Kind::Every { pattern, period }),
            (None, None) => {}
            _ => return Err("`every` goes with a `period`, which is a time".to_owned()),
        }
        if let Some(alternatives) = raw.any_of {
            let kinds_of = alternatives.into_iter().map(Kind::try_from).collect::<Result<Vec<_>, _>>()?;
            if kinds_of.len() < 2 {
                return Err("`any_of` has at least two signs".to_owned());
            }
            kinds.push(Kind::AnyOf(kinds_of));
        }
        kinds.extend(raw.some.map(Kind::Some));
        kinds.extend(raw.never.map(Kind::Never));
        if let Some(patterns) = raw.order {
            if patterns.len() < 2 {
                return Err("`order` has at least two patterns".to_owned());
            }
            kinds.push(Kind::Order(patterns));
        }
        if let Some(RawInterval { from, to, min, max, oldest }) = raw.interval {
            let times = [&min, &max].into_iter().flatten().collect::<Vec<_>>();
            if times.is_empty() || !times.iter().all(|expr| expr.is_time()) {
                return Err("`interval` has a `min` or a `max`, which are times".to_owned());
            }
            kinds.push(Kind::Interval { from, to, min, max, oldest });
        }
        for (name, on, kind) in [
            ("backoff", raw.backoff, Kind::Backoff),
            ("legal_transitions", raw.legal_transitions, Kind::LegalTransitions),
            ("one_connection", raw.one_connection, Kind::OneConnection),
            ("pongs_match", raw.pongs_match, Kind::PongsMatch),
            ("topology", raw.topology, Kind::Topology),
            ("no_tokens", raw.no_tokens, Kind::NoTokens),
            ("prefetch_limited", raw.prefetch_limited, Kind::PrefetchLimited),
            ("backlog_waits", raw.backlog_waits, Kind::BacklogWaits),
            ("no_more_queues", raw.no_more_queues, Kind::NoMoreQueues),
        ] {
            match on {
                Some(true) => kinds.push(kind),
                Some(false) => return Err(format!("`{name} = false` expects nothing: leave it out")),
                None => {}
            }
        }
        kinds.extend(raw.redial.map(Kind::Redial));
        kinds.extend(raw.statuses.map(Kind::Statuses));
        kinds.extend(raw.well_formed.map(|RawClient { client }| Kind::WellFormed { client }));
        kinds.extend(
            raw.published_order.map(|RawOrder { client, types }| Kind::PublishedOrder { client, types }),
        );
        let each = |RawEach { client, types, once, with }| Kind::EachPublished { client, types, once, with };
        kinds.extend(raw.each_published.map(each));
        kinds.extend(raw.queue_ready.map(Kind::QueueReady));
        kinds.extend(raw.kept.map(Kind::Kept));
        kinds.extend(raw.settled.map(Kind::Settled));
        kinds.extend(raw.handed_on_first.map(Kind::HandedOnFirst));
        kinds.extend(raw.sequence.map(Kind::Sequence));
        kinds.extend(raw.spread.map(Kind::Spread));
        kinds.extend(raw.growth.map(Kind::Growth));

        let found = kinds.len();
        let Some(kind) = kinds.pop().filter(|_| found == 1) else {
            return Err(format!("an expectation is exactly one of {KINDS}; this one is {found}"));
        };
        let looks_everywhere = !matches!(
            kind,
            Kind::AnyOf(_)
                | Kind::Some(_)
                | Kind::Never(_)
                | Kind::Count { .. }
                | Kind::Order(_)
                | Kind::Interval { .. }
                | Kind::Every { .. }
                | Kind::Redial(_)
        );
        if scoped && looks_everywhere {
            return Err(
                "`after` and `before` go with `any_of`, `some`, `never`, `count`, `order`, `interval`, `every` and `redial`"
                    .into(),
            );
        }
        let scope = Scope { after: raw.after, before: raw.before };
        Ok(Self { requirement: raw.requirement, scope, kind })
    }
}

impl TryFrom<RawAlternative> for Kind {
    type Error = String;

    fn try_from(raw: RawAlternative) -> Result<Self, String> {
        match (raw.some, raw.never, raw.count, raw.at_least, raw.at_most) {
            (Some(pattern), None, None, None, None) => Ok(Self::Some(pattern)),
            (None, Some(pattern), None, None, None) => Ok(Self::Never(pattern)),
            (None, None, Some(pattern), Some(least), None) => {
                Ok(Self::Count { pattern, times: Bounds::AtLeast(least) })
            }
            (None, None, Some(pattern), None, Some(most)) => {
                Ok(Self::Count { pattern, times: Bounds::AtMost(most) })
            }
            _ => {
                Err("a sign in `any_of` is `some`, `never`, or `count` with `at_least` or `at_most`"
                    .to_owned())
            }
        }
    }
}

impl From<Expectation> for RawExpectation {
    fn from(expectation: Expectation) -> Self {
        let Expectation { requirement, scope: Scope { after, before }, kind } = expectation;
        let mut raw = Self::none(requirement);
        (raw.after, raw.before) = (after, before);
        match kind {
            Kind::AnyOf(kinds) => raw.any_of = Some(kinds.into_iter().map(Into::into).collect()),
            Kind::Some(pattern) => raw.some = Some(pattern),
            Kind::Never(pattern) => raw.never = Some(pattern),
            Kind::Count { pattern, times } => {
                raw.count = Some(pattern);
                match times {
                    Bounds::Exactly(times) => raw.times = Some(times),
                    Bounds::AtLeast(least) => raw.at_least = Some(least),
                    Bounds::AtMost(most) => raw.at_most = Some(most),
                }
            }
            Kind::Order(patterns) => raw.order = Some(patterns),
            Kind::Interval { from, to, min, max, oldest } => {
                raw.interval = Some(RawInterval { from, to, min, max, oldest });
            }
            Kind::Every { pattern, period } => (raw.every, raw.period) = (Some(pattern), Some(period)),
            Kind::Backoff => raw.backoff = Some(true),
            Kind::Redial(redial) => raw.redial = Some(redial),
            Kind::Statuses(wanted) => raw.statuses = Some(wanted),
            Kind::LegalTransitions => raw.legal_transitions = Some(true),
            Kind::OneConnection => raw.one_connection = Some(true),
            Kind::WellFormed { client } => raw.well_formed = Some(RawClient { client }),
            Kind::PublishedOrder { client, types } => raw.published_order = Some(RawOrder { client, types }),
            Kind::EachPublished { client, types, once, with } => {
                raw.each_published = Some(RawEach { client, types, once, with });
            }
            Kind::PongsMatch => raw.pongs_match = Some(true),
            Kind::Topology => raw.topology = Some(true),
            Kind::NoTokens => raw.no_tokens = Some(true),
            Kind::PrefetchLimited => raw.prefetch_limited = Some(true),
            Kind::BacklogWaits => raw.backlog_waits = Some(true),
            Kind::NoMoreQueues => raw.no_more_queues = Some(true),
            Kind::Sequence(sequence) => raw.sequence = Some(sequence),
            Kind::Spread(spread) => raw.spread = Some(spread),
            Kind::Growth(growth) => raw.growth = Some(growth),
            Kind::QueueReady(ready) => raw.queue_ready = Some(ready),
            Kind::Kept(kept) => raw.kept = Some(kept),
            Kind::Settled(settled) => raw.settled = Some(settled),
            Kind::HandedOnFirst(handed_on) => raw.handed_on_first = Some(handed_on),
        }
        raw
    }
}

impl From<Kind> for RawAlternative {
    /// A sign in `any_of` is one of these; nothing else can be read.
    fn from(kind: Kind) -> Self {
        let none = Self { some: None, never: None, count: None, at_least: None, at_most: None };
        match kind {
            Kind::Count { pattern, times: Bounds::AtLeast(least) } => {
                Self { count: Some(pattern), at_least: Some(least), ..none }
            }
            Kind::Count { pattern, times: Bounds::AtMost(most) } => {
                Self { count: Some(pattern), at_most: Some(most), ..none }
            }
            Kind::Some(pattern) => Self { some: Some(pattern), ..none },
            Kind::Never(pattern) => Self { never: Some(pattern), ..none },
            _ => none,
        }
    }
}

impl RawExpectation {
    /// What says nothing yet.
    fn none(requirement: RequirementId) -> Self {
        Self {
            requirement,
            after: None,
            before: None,
            any_of: None,
            some: None,
            never: None,
            count: None,
            times: None,
            at_least: None,
            at_most: None,
            order: None,
            interval: None,
            every: None,
            period: None,
            backoff: None,
            redial: None,
            statuses: None,
            legal_transitions: None,
            one_connection: None,
            well_formed: None,
            published_order: None,
            each_published: None,
            pongs_match: None,
            topology: None,
            no_tokens: None,
            queue_ready: None,
            kept: None,
            settled: None,
            handed_on_first: None,
            prefetch_limited: None,
            backlog_waits: None,
            no_more_queues: None,
            sequence: None,
            spread: None,
            growth: None,
        }
    }
}
