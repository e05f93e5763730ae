//! What the broker knows of the gateway (BRIDGE-1, BRIDGE-7, BRIDGE-8, BRIDGE-16, BRIDGE-17, BRIDGE-19).

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
                // What is not settled yet may still be rejected, where the subject lives.
                return Err(match bodies.is_empty() {
                    true => Finding::owed(expected, found, [index]),
                    false => {
                        let seen = format!("{found}; not {}", bodies.join(", not "));
                        Finding::forbidden(expected, seen, at.into_iter().chain([index]))
                    }
                });
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
                    && after.total() > before.total()
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
    pub(super) kind: String,
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
            .filter(
                |(_, seen)| matches!(&seen.event, Event::Published { body, .. } if body["type"] == **kind),
            )
            .map(|(index, _)| index)
            .collect();
        let ends = || published.iter().skip(1).copied().chain([trace.observations.len()]);
        let spans = published.iter().copied().zip(ends());
        let forgotten: Vec<usize> = spans.filter_map(|(from, to)| settled_as_sent(trace, from, to)).collect();
        if !forgotten.is_empty() {
            let count = forgotten.len();
            let seen = format!(
                "{count} were settled as the broker sent them: they are consumed without acknowledgements"
            );
            return Err(Finding::forbidden(expected, seen, forgotten));
        }
        let mut leads: Vec<Lead> =
            published.iter().zip(ends()).filter_map(|(from, to)| self.lead(trace, *from, to)).collect();
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
        let is_event =
            |message: &Option<Message>| message.as_ref().is_some_and(|it| it.is_called(&self.kind));
        let acknowledged = first(&|_, event| matches!(event, Event::Settlements(_)))?;
        let received = first(&|actor, event| {
            actor == self.client && matches!(event, Event::Received(frame) if is_event(&frame.message))
        })?;
        let at = |index: usize| trace.observations[index].at();
        let by = at(received).saturating_sub(at(acknowledged));
        Some(Lead { acknowledged, received, by })
    }
}

/// Where a message was published between `from` and `to`, the count that shows that its consumer acknowledges none.
fn settled_as_sent(trace: &Trace, from: usize, to: usize) -> Option<usize> {
    let counted = |index: usize| match trace.observations[index].event {
        Event::Settlements(Settlements { unasked, .. }) => Some((index, unasked)),
        _ => None,
    };
    let (_, before) = (0..from).rev().find_map(counted)?;
    let (index, after) = (from..to).find_map(counted)?;
    (after > before).then_some(index)
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

/// How many of the events that were published must have reached a client that reads, or wait at the broker, once the gateway is gone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kept {
    /// The client.
    pub(super) client: String,
    /// The type of the events.
    #[serde(rename = "type")]
    pub(super) kind: String,
    /// How many.
    at_least: usize,
}

impl Kept {
    pub(super) fn check(&self, trace: &Trace) -> Result<(), Finding> {
        let Self { client, kind, at_least } = self;
        let expected =
            format!("{at_least} of the {kind} that were published reach {client}, or wait at the broker");
        let counted = trace.iter().rev().find_map(|(index, seen)| match seen.event {
            Event::QueueDepth { ready } => Some((index, ready)),
            _ => None,
        });
        let Some((index, ready)) = counted else {
            return Err(Finding::owed(expected, "what waits was not counted", []));
        };
        let is_event = |message: &Option<Message>| message.as_ref().is_some_and(|it| it.is_called(kind));
        let reached = trace
            .iter()
            .filter(|(_, seen)| {
                seen.actor.0 == *client
                    && matches!(&seen.event, Event::Received(frame) if is_event(&frame.message))
            })
            .count();
        if reached + ready as usize >= *at_least {
            return Ok(());
        }
        let seen = format!("{reached} came, and {ready} wait: the others were acknowledged, and are lost");
        Err(Finding::forbidden(expected, seen, [index]))
    }
}

/// BRIDGE-16: whoever acknowledges nothing has no limit either.
pub(super) fn prefetch_limited(trace: &Trace) -> Result<(), Finding> {
    const EXPECTED: &str = "each consumer has a limit on its unsettled deliveries";
    let seen = trace.iter().rev().find_map(|(index, observation)| match &observation.event {
        Event::Consumers { limited, unlimited } => Some((index, limited, unlimited)),
        _ => None,
    });
    match seen {
        Some((_, limited, unlimited)) if unlimited.is_empty() && !limited.is_empty() => Ok(()),
        Some((index, _, unlimited)) if !unlimited.is_empty() => {
            let seen = format!("none at {}", unlimited.join(", "));
            Err(Finding::forbidden(EXPECTED, seen, [index]))
        }
        _ => Err(Finding::owed(EXPECTED, "no consumer was seen", [])),
    }
}

/// BRIDGE-16: what is ready at the broker is not in the gateway.
pub(super) fn backlog_waits(trace: &Trace) -> Result<(), Finding> {
    const EXPECTED: &str = "a part of the backlog waits at the broker";
    let seen = trace.iter().rev().find_map(|(index, observation)| match observation.event {
        Event::QueueDepth { ready } => Some((index, ready)),
        _ => None,
    });
    match seen {
        None => Err(Finding::owed(EXPECTED, "it was not counted", [])),
        Some((index, 0)) => Err(Finding::forbidden(EXPECTED, "all of it was sent to the gateway", [index])),
        Some(_) => Ok(()),
    }
}

/// BRIDGE-17: there are no more than before, and none has lost its consumer to one with another name.
pub(super) fn no_more_queues(trace: &Trace) -> Result<(), Finding> {
    const EXPECTED: &str = "no more queues than before, and none that is left";
    let seen: Vec<_> = trace
        .iter()
        .filter_map(|(index, observation)| match &observation.event {
            Event::Queues { names, unconsumed } => Some((index, names, unconsumed)),
            _ => None,
        })
        .collect();
    let [(first, before, idle_before), .., (last, after, idle)] = seen[..] else {
        return Err(Finding::owed(EXPECTED, "the queues were not listed twice", []));
    };
    let new: Vec<_> = after.iter().filter(|name| !before.contains(name)).cloned().collect();
    let left: Vec<_> = idle.iter().filter(|name| !idle_before.contains(name)).cloned().collect();
    // One queue that is for a moment without its consumer has no other in its place.
    if after.len() <= before.len() && (new.is_empty() || left.is_empty()) {
        return Ok(());
    }
    let named = |what: &str, names: &[String]| match names {
        [] => String::new(),
        names => format!("; {what}: {}", names.join(", ")),
    };
    let (new, left) = (named("new", &new), named("without a consumer now", &left));
    let seen = format!("{} instead of {}{new}{left}", after.len(), before.len());
    Err(Finding::forbidden(EXPECTED, seen, [first, last]))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::trace::{Actor, Frame, FrameKind, Observation};
    use protocol::ServerMessage;

    /// Events that are published alone, each acknowledged and received so many milliseconds later.
    fn trace(events: &[(u64, u64)]) -> Trace {
        let mut observations = Vec::new();
        for (turn, (acknowledged, received)) in (1..).zip(events) {
            let mut see = |ms: u64, actor: &str, event| {
                observations.push(Observation {
                    at_us: (turn * 1000 + ms) * 1000,
                    actor: Actor(actor.to_owned()),
                    connection: None,
                    event,
                });
            };
            let body = json!({ "type": "a", "data": { "turn": turn } });
            see(0, "broker", Event::Published { routing_key: "a".into(), body, queues: None, as_sent: None });
            let settled = Settlements { acknowledged: turn, ..Settlements::default() };
            let event = ServerMessage::Event { name: "a".into(), payload: json!({}) };
            let frame = Frame {
                kind: FrameKind::Text,
                body: String::new(),
                message: Some(Message::Server(event)),
                form: None,
            };
            let both = [
                (*acknowledged, "broker", Event::Settlements(settled)),
                (*received, "alice", Event::Received(frame)),
            ];
            let mut both = both;
            both.sort_by_key(|(ms, ..)| *ms);
            both.into_iter().for_each(|(ms, actor, event)| see(ms, actor, event));
        }
        Trace { observations }
    }

    fn check(events: &[(u64, u64)]) -> Result<(), Finding> {
        HandedOn { client: "alice".into(), kind: "a".into() }.check(&trace(events))
    }

    /// BRIDGE-7: what is acknowledged first is found where that is the rule, whatever one event does, and by how much is said.
    #[test]
    fn acknowledging_first_is_found() {
        assert_eq!(check(&[(5, 2), (5, 2), (5, 2)]), Ok(()));
        assert_eq!(check(&[(1, 9), (1, 9), (1, 9)]), Ok(()), "both leave together");
        assert_eq!(check(&[(1, 90), (5, 2), (5, 2)]), Ok(()), "one event may be late");
        let early = check(&[(1, 31), (2, 35), (5, 2)]).unwrap_err();
        assert!(early.seen.raw().starts_with("2 of 3") && early.missed_by_us == Some(20_000), "{early:?}");
        let nothing = HandedOn { client: "bob".into(), kind: "a".into() }.check(&trace(&[(1, 2)]));
        assert_eq!(nothing.unwrap_err().property, crate::expect::Property::Liveness);
    }

    /// BRIDGE-17: a queue that is left is named, also where another one has gone meanwhile; one that takes the place of another is none.
    #[test]
    fn a_queue_that_is_left_is_named() {
        let list = |names: &[&str], idle: &[&str]| {
            let [names, unconsumed] =
                [names, idle].map(|all| all.iter().map(|name| (*name).into()).collect());
            Observation {
                at_us: 0,
                actor: Actor::broker(),
                connection: None,
                event: Event::Queues { names, unconsumed },
            }
        };
        let check = |before, after| no_more_queues(&Trace { observations: vec![before, after] });
        assert_eq!(check(list(&["a", "dead"], &["dead"]), list(&["b", "dead"], &["dead"])), Ok(()));
        assert_eq!(check(list(&["a"], &[]), list(&["a"], &["a"])), Ok(()), "for a moment");
        for (before, after, seen) in [
            (
                list(&["a"], &[]),
                list(&["a", "b"], &["a"]),
                "2 instead of 1; new: b; without a consumer now: a",
            ),
            (list(&["a"], &[]), list(&["a", "b"], &[]), "2 instead of 1; new: b"),
            (
                list(&["a", "c"], &[]),
                list(&["a", "b"], &["a"]),
                "2 instead of 2; new: b; without a consumer now: a",
            ),
        ] {
            assert_eq!(check(before, after).unwrap_err().seen.raw(), seen);
        }
    }

    /// BRIDGE-16: what waits at the broker is not in the gateway; where nothing waits, all of it is.
    #[test]
    fn a_backlog_waits_at_the_broker() {
        let count = |ready| {
            let event = Event::QueueDepth { ready };
            let seen = Observation { at_us: 0, actor: Actor::broker(), connection: None, event };
            backlog_waits(&Trace { observations: vec![seen] })
        };
        assert_eq!(count(1), Ok(()));
        assert_eq!(count(0).unwrap_err().property, crate::expect::Property::Safety);
        let uncounted = backlog_waits(&Trace::default()).unwrap_err();
        assert_eq!(uncounted.property, crate::expect::Property::Liveness);
    }

    /// BRIDGE-8: the body that was not rejected is named.
    #[test]
    fn what_was_not_rejected_is_named() {
        let see = |event| Observation { at_us: 0, actor: Actor::broker(), connection: None, event };
        let publish = |body: &str| {
            see(Event::Published {
                routing_key: String::new(),
                body: json!(body),
                queues: None,
                as_sent: None,
            })
        };
        let settled = |acknowledged, rejected| {
            see(Event::Settlements(Settlements { acknowledged, rejected, unasked: 0 }))
        };
        let observations = vec![publish("one"), settled(0, 1), publish("two"), settled(1, 1)];
        let wanted = Settled { rejected: Some(2), unasked: None };
        let finding = wanted.check(&Trace { observations }).unwrap_err();
        assert_eq!((finding.seen.raw(), finding.at), ("1; not \"two\"", vec![2, 3]));
        // One that dies of a body has not settled it: nothing forbidden has happened.
        let died = Trace { observations: vec![settled(0, 0), publish("one")] };
        assert_eq!(wanted.check(&died).unwrap_err().property, crate::expect::Property::Liveness);
    }
}
