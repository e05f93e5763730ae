//! What the broker knows of the gateway (BRIDGE-1, BRIDGE-7, BRIDGE-8, BRIDGE-19).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::trace::{Event, Message, Settlements, Trace};

/// By how much an acknowledgement may come before what it is for: both leave a gateway at once, on two ways to this process.
const TOGETHER: Duration = Duration::from_millis(10);

/// How deliveries must have been settled; what is not named does not matter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Settled {
    /// Deliveries rejected without being put back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    rejected: Option<u64>,
    /// Deliveries to consumers that acknowledge none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    unasked: Option<u64>,
}

impl Settled {
    pub(super) fn check(self, trace: &Trace) -> Result<(), Finding> {
        let seen = trace.iter().rev().find_map(|(index, observation)| match observation.event {
            Event::Settlements(settlements) => Some((index, settlements)),
            _ => None,
        });
        let wanted = [(self.rejected, "rejected"), (self.unasked, "sent without being acknowledged")];
        for (wanted, how) in wanted {
            let Some(wanted) = wanted else { continue };
            let expected = format!("{wanted} deliveries {how}");
            let Some((index, Settlements { rejected, unasked, .. })) = seen else {
                return Err(Finding::owed(expected, "deliveries were not counted", []));
            };
            let found = if how == "rejected" { rejected } else { unasked };
            if found < wanted && how == "rejected" {
                let (at, bodies): (Vec<_>, Vec<_>) = otherwise_settled(trace).into_iter().unzip();
                let which = if bodies.is_empty() { String::new() } else { format!("; not {}", bodies.join(", not ")) };
                return Err(Finding::forbidden(expected, format!("{found}{which}"), at.into_iter().chain([index])));
            }
            if found != wanted {
                return Err(Finding::forbidden(expected, found, [index]));
            }
        }
        Ok(())
    }
}

/// What was published and, by the count that follows it, settled without being rejected; no event of a scenario's own.
fn otherwise_settled(trace: &Trace) -> Vec<(usize, String)> {
    let mut before = Settlements::default();
    let mut published = None;
    let mut found = Vec::new();
    for (index, seen) in trace.iter() {
        match &seen.event {
            Event::Published { body, as_sent, .. } => {
                let sent = as_sent.as_ref().map_or_else(|| body.to_string(), |sent| sent.body.clone());
                published = (!body["type"].is_string()).then_some((index, sent));
            }
            Event::Settlements(after) => {
                if let Some(published) = published.take()
                    && after.rejected == before.rejected
                {
                    found.push(published);
                }
                before = *after;
            }
            _ => {}
        }
    }
    found
}

/// Which events must be handed on before they are acknowledged. Each is published alone: what follows it, up to the next, is about it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct HandedOn {
    /// A client that reads.
    pub(super) client: String,
    /// The type of the events.
    #[serde(rename = "type")]
    kind: String,
}

/// How long before an event reached the client it was acknowledged.
struct Lead {
    acknowledged: usize,
    received: usize,
    by: Duration,
}

impl HandedOn {
    /// One event may be late for whatever reason: more than half of them must be.
    pub(super) fn check(&self, trace: &Trace) -> Result<(), Finding> {
        let Self { client, kind } = self;
        let expected = format!("{kind} reaches {client} before the broker has its acknowledgement");
        let published: Vec<usize> = trace
            .iter()
            .filter(|(_, seen)| matches!(&seen.event, Event::Published { body, .. } if body["type"] == **kind))
            .map(|(index, _)| index)
            .collect();
        let ends = published.iter().skip(1).copied().chain([trace.observations.len()]);
        let mut leads: Vec<Lead> =
            published.iter().zip(ends).filter_map(|(from, to)| self.lead(trace, *from, to)).collect();
        if leads.is_empty() {
            return Err(Finding::owed(expected, "no event was both acknowledged and received", []));
        }
        leads.sort_by_key(|lead| lead.by);
        let count = leads.len();
        let early = leads.iter().filter(|lead| lead.by > TOGETHER).count();
        let Lead { acknowledged, received, by } = leads[(count - 1) / 2];
        if by <= TOGETHER {
            return Ok(());
        }
        let seen = format!(
            "{early} of {count} were acknowledged first, half of them by {} ms and more",
            by.as_millis()
        );
        Err(Finding::forbidden(expected, seen, [acknowledged, received]).missed_by(by - TOGETHER))
    }

    fn lead(&self, trace: &Trace, from: usize, to: usize) -> Option<Lead> {
        let span = || trace.iter().take(to).skip(from + 1);
        let first = |is: &dyn Fn(&str, &Event) -> bool| {
            span().find(|(_, seen)| is(&seen.actor.0, &seen.event)).map(|(index, _)| index)
        };
        let is_event = |message: &Option<Message>| message.as_ref().is_some_and(|it| it.is_called(&self.kind));
        let acknowledged = first(&|_, event| matches!(event, Event::Settlements(_)))?;
        let received = first(&|actor, event| {
            actor == self.client && matches!(event, Event::Received(frame) if is_event(&frame.message))
        })?;
        let at = |index: usize| trace.observations[index].at();
        let by = at(received).saturating_sub(at(acknowledged));
        Some(Lead { acknowledged, received, by })
    }
}

pub(super) fn topology(trace: &Trace) -> Result<(), Finding> {
    const EXPECTED: &str = "a durable topic exchange and a durable, shared queue";
    let seen = trace.iter().rev().find_map(|(index, observation)| match &observation.event {
        Event::Topology { exchange, queue } => Some((index, exchange, queue)),
        _ => None,
    });
    match seen {
        None => Err(Finding::owed(EXPECTED, "the broker was not asked", [])),
        Some((_, Ok(()), Ok(()))) => Ok(()),
        Some((index, Err(problem), _)) => {
            Err(Finding::forbidden(EXPECTED, format!("exchange: {problem}"), [index]))
        }
        Some((index, _, Err(problem))) => {
            Err(Finding::forbidden(EXPECTED, format!("queue: {problem}"), [index]))
        }
    }
}

pub(super) fn queue_ready(trace: &Trace, wanted: u32) -> Result<(), Finding> {
    let expected = format!("{wanted} messages in the gateway's queue");
    let seen = trace.iter().rev().find_map(|(index, observation)| match observation.event {
        Event::QueueDepth { ready } => Some((index, ready)),
        _ => None,
    });
    match seen {
        None => Err(Finding::owed(expected, "the queue was not counted", [])),
        Some((_, ready)) if ready == wanted => Ok(()),
        Some((index, ready)) => Err(Finding::forbidden(expected, ready, [index])),
    }
}
