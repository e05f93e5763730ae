//! A trace as a sequence diagram: who stands beside whom, and a row for everything that happened, long runs folded.

mod fold;

use std::collections::BTreeSet;

use scenarios::trace::{Actor, AsSent, Event, Frame, FrameKind, Observation, Side};
use scenarios::{Foreign, Trace};
use serde_json::Value;

use crate::words::without_signatures;

/// Most lifelines of clients; of a greater crowd the rest share one.
const MAX_CLIENTS: usize = 8;

/// A diagram that can be drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Diagram {
    /// Whose lifelines there are, from left to right: clients, the gateway, the broker.
    pub(super) lanes: Vec<Foreign>,
    /// Where the gateway stands among them.
    pub(super) gateway: usize,
    /// From top to bottom.
    pub(super) rows: Vec<Row>,
    /// Observations that have a row of their own.
    pub(super) shown: usize,
    /// Observations in all.
    pub(super) total: usize,
}

/// One thing that happened, or many that were folded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Row {
    /// When, in microseconds since the case began.
    pub(super) at_us: u64,
    pub(super) mark: Mark,
    pub(super) tone: Tone,
    /// The short word: a message's type, for example.
    pub(super) name: Foreign,
    /// What else there is to say.
    pub(super) detail: Foreign,
    /// Whether a finding points at it.
    pub(super) is_hit: bool,
}

/// How a row is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mark {
    /// From one lifeline to another.
    Arrow { from: usize, to: usize },
    /// Beside a lifeline.
    Note { lane: usize },
    /// Across all of them.
    Band,
    /// So many rows were folded here.
    Fold { rows: usize },
}

/// What kind of thing it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Message,
    Connection,
    Control,
    Publish,
    Step,
    Note,
    Trouble,
}

impl Diagram {
    /// The diagram of a trace. `hits` are the observations that findings point at; at most `max_rows` rows are drawn, those
    /// nearest to the hits, the beginning and the end.
    pub(super) fn new(trace: &Trace, hits: &BTreeSet<usize>, max_rows: usize) -> Self {
        let (gateway, broker) = (Actor::gateway(), Actor::broker());
        let mut lanes: Vec<String> = Vec::new();
        for (_, seen) in trace.iter() {
            let is_client = ![&gateway, &broker, &Actor::scenario()].contains(&&seen.actor);
            if is_client && !lanes.contains(&seen.actor.0) {
                lanes.push(seen.actor.0.clone());
            }
        }
        if lanes.len() > MAX_CLIENTS {
            let more = format!("{} more", lanes.len() - (MAX_CLIENTS - 1));
            lanes.truncate(MAX_CLIENTS - 1);
            lanes.push(more);
        }
        let place = Places { gateway: lanes.len(), lanes };
        let rows: Vec<_> =
            trace.iter().map(|(index, seen)| Row::of(seen, &place, hits.contains(&index))).collect();
        let Places { mut lanes, gateway: at } = place;
        lanes.push(gateway.0);
        if trace.iter().any(|(_, seen)| seen.actor == broker) {
            lanes.push(broker.0);
        }
        let total = rows.len();
        let rows = fold::to_fit(fold::runs(&rows), max_rows);
        let shown = rows.iter().filter(|row| !matches!(row.mark, Mark::Fold { .. })).count();
        let lanes = lanes.into_iter().map(Foreign::from).collect();
        Self { lanes, gateway: at, rows, shown, total }
    }
}

impl Diagram {
    /// The same with a lifeline for the broker, though nothing happened there.
    pub(super) fn with_broker(mut self) -> Self {
        if self.lanes.len() == self.gateway + 1 {
            self.lanes.push(Actor::broker().0.into());
        }
        self
    }
}

/// The actors' positions.
struct Places {
    lanes: Vec<String>,
    gateway: usize,
}

impl Places {
    fn of(&self, actor: &Actor) -> Option<usize> {
        if *actor == Actor::gateway() {
            Some(self.gateway)
        } else if *actor == Actor::broker() {
            Some(self.gateway + 1)
        } else {
            let lane = self.lanes.iter().position(|lane| *lane == actor.0);
            // An actor without its own lifeline shares the last one.
            lane.or((*actor != Actor::scenario()).then(|| self.lanes.len().saturating_sub(1)))
        }
    }
}

impl Row {
    fn of(seen: &Observation, places: &Places, is_hit: bool) -> Self {
        let lane = places.of(&seen.actor);
        let gateway = places.gateway;
        let there = lane.map_or(Mark::Band, |lane| Mark::Arrow { from: lane, to: gateway });
        let back = lane.map_or(Mark::Band, |lane| Mark::Arrow { from: gateway, to: lane });
        let note = lane.map_or(Mark::Band, |lane| Mark::Note { lane });
        let by = |side: &Side| match side {
            Side::Client => there,
            Side::Gateway => back,
        };
        let text = seen.event.to_string();
        let (mark, tone, name, detail) = match &seen.event {
            Event::Step { number, action } => (Mark::Band, Tone::Step, format!("{number}"), action.clone()),
            Event::InVain { .. } => (Mark::Band, Tone::Trouble, String::new(), text),
            Event::StepsEnded => (Mark::Band, Tone::Step, String::new(), text),
            Event::Dialled { path, query, token_in } => {
                let is_there = |key: &&str| token_in.is_none() || *key != "token";
                let keys: Vec<_> = query.iter().map(|(key, _)| key.as_str()).filter(is_there).collect();
                let with = if keys.is_empty() { String::new() } else { format!("?{}", keys.join("&")) };
                (there, Tone::Connection, "dial".to_owned(), format!("{path}{with}"))
            }
            Event::Handshake { request, answer } => {
                let all = format!("{}\n{answer}", without_signatures(request)).replace("\r\n", "\n");
                (back, Tone::Note, "handshake".to_owned(), all)
            }
            Event::Opened => (back, Tone::Connection, "open".to_owned(), String::new()),
            Event::Refused { status, code, by: _, reason } => {
                let code = code.map(|code| format!("close {code}")).unwrap_or_default();
                let status = status.map(|status| format!("HTTP {status}")).unwrap_or_default();
                let said: Vec<_> =
                    [status, code, reason.clone()].into_iter().filter(|part| !part.is_empty()).collect();
                (back, Tone::Trouble, "refused".to_owned(), said.join(", "))
            }
            Event::BadFrame { .. } => (back, Tone::Trouble, String::new(), text),
            Event::Sent(frame) => frame_row(there, frame),
            Event::Received(frame) => frame_row(back, frame),
            Event::Closed { code: Some(code), by: side } => {
                (by(side), Tone::Connection, "close".to_owned(), code.to_string())
            }
            Event::Closed { code: None, by: side } => {
                (by(side), Tone::Trouble, "drop".to_owned(), "without a close frame".to_owned())
            }
            Event::Status { old, new } => (note, Tone::Note, new.clone(), format!("was {old}")),
            Event::Emitted { name, payload, .. } => {
                let payload = if payload.is_null() { String::new() } else { payload.to_string() };
                (note, Tone::Note, format!("emits {name}"), payload)
            }
            Event::RequestFailed { op, error } => {
                (note, Tone::Trouble, format!("{op} failed"), error.clone())
            }
            Event::Published { as_sent: Some(AsSent { exchange, routing_key, body }), .. } => {
                (there, Tone::Publish, routing_key.clone(), format!("to {exchange}: {body}"))
            }
            Event::Published { routing_key, body, .. } => {
                (there, Tone::Publish, routing_key.clone(), body.to_string())
            }
            Event::Answered { path, status, .. } => {
                (note, Tone::Note, format!("GET {path}"), status.to_string())
            }
            Event::Refetched { .. } | Event::Read { .. } | Event::Reported { .. } | Event::TokenWanted => {
                (note, Tone::Note, String::new(), text)
            }
            Event::Unrouted { .. } => (note, Tone::Trouble, "no queue".to_owned(), text),
            // The gateway's end of it, which the network may keep from the client.
            Event::GatewayClosed => {
                (Mark::Note { lane: gateway }, Tone::Connection, "ends its end".to_owned(), String::new())
            }
            Event::Topology { .. }
            | Event::QueueDepth { .. }
            | Event::Resources(_)
            | Event::Consumers { .. }
            | Event::Queues { .. }
            | Event::Settlements(_)
            | Event::BrokerDialled
            | Event::Log { .. } => (note, Tone::Note, String::new(), text),
            Event::Ended { .. } => (note, Tone::Connection, String::new(), text),
            Event::Fault { .. } | Event::SubjectDied { .. } => (note, Tone::Trouble, String::new(), text),
        };
        let name = match seen.connection {
            Some(connection) if connection > 0 => format!("#{connection} {name}"),
            _ => name,
        };
        Self { at_us: seen.at_us, mark, tone, name: name.into(), detail: detail.into(), is_hit }
    }
}

/// A message is named by what it means in the dialect; its payload says the rest.
fn frame_row(mark: Mark, frame: &Frame) -> (Mark, Tone, String, String) {
    let kind = match frame.kind {
        FrameKind::Text => {
            let name = frame.message.as_ref().map_or("text", scenarios::trace::Message::name).to_owned();
            return (mark, Tone::Message, name, payload(&frame.body));
        }
        FrameKind::Binary => "binary",
        FrameKind::Ping => "PING",
        FrameKind::Pong => "PONG",
        FrameKind::Close => "CLOSE",
        FrameKind::Raw => "bytes",
    };
    (mark, Tone::Control, kind.to_owned(), readable(&frame.body))
}

/// Bytes in hexadecimal, as text where they are some.
fn readable(hexadecimal: &str) -> String {
    let bytes = (0..hexadecimal.len()).step_by(2).map(|at| {
        let byte = hexadecimal.get(at..at + 2).and_then(|digits| u8::from_str_radix(digits, 16).ok())?;
        (byte.is_ascii_graphic() || byte == b' ').then_some(char::from(byte))
    });
    match bytes.collect::<Option<String>>() {
        Some(text) if !text.is_empty() => format!("{text:?}"),
        _ => hexadecimal.to_owned(),
    }
}

fn payload(body: &str) -> String {
    match serde_json::from_str::<Value>(body) {
        Ok(Value::Object(mut fields)) => match fields.remove("payload") {
            Some(payload) => payload.to_string(),
            None if fields.contains_key("type") => String::new(),
            None => body.to_owned(),
        },
        _ => body.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(at_us: u64, actor: &str, event: Event) -> Observation {
        let connection = (actor == "ada").then_some(0);
        Observation { at_us, actor: Actor(actor.to_owned()), connection, event }
    }

    fn frame(kind: FrameKind, body: &str) -> Frame {
        Frame { kind, body: body.to_owned(), message: None, form: None }
    }

    /// Clients stand on the left, the broker on the right, and arrows go where frames went.
    #[test]
    fn every_actor_has_a_place() {
        let trace = Trace {
            observations: vec![
                seen(
                    0,
                    "broker",
                    Event::Published {
                        routing_key: "a.b".to_owned(),
                        body: Value::Null,
                        queues: None,
                        as_sent: Some(AsSent {
                            exchange: "e".to_owned(),
                            routing_key: "k".to_owned(),
                            body: "{}".to_owned(),
                        }),
                    },
                ),
                seen(1, "ada", Event::Sent(frame(FrameKind::Text, r#"{"type":"x","payload":7}"#))),
                seen(2, "ada", Event::Received(frame(FrameKind::Ping, "00"))),
                seen(3, "gateway", Event::Log { text: "a\nb".to_owned() }),
                seen(4, "scenario", Event::Step { number: 1, action: "go".to_owned() }),
                seen(5, "ada", Event::Closed { code: None, by: Side::Gateway }),
            ],
        };
        let diagram = Diagram::new(&trace, &BTreeSet::from([1]), 100);
        assert_eq!(
            (diagram.lanes.iter().map(Foreign::raw).collect::<Vec<_>>().join(" "), diagram.gateway),
            ("ada gateway broker".to_owned(), 1)
        );
        let marks: Vec<_> = diagram.rows.iter().map(|row| row.mark).collect();
        let expected = [
            Mark::Arrow { from: 2, to: 1 },
            Mark::Arrow { from: 0, to: 1 },
            Mark::Arrow { from: 1, to: 0 },
            Mark::Note { lane: 1 },
            Mark::Band,
            Mark::Arrow { from: 1, to: 0 },
        ];
        assert_eq!(marks, expected);
        assert_eq!((diagram.rows[1].detail.raw(), diagram.rows[1].is_hit), ("7", true));
        assert_eq!(diagram.rows[0].detail.raw(), "to e: {}", "what was really published");
    }

    /// A crowd shares a lifeline, so that the diagram has room on a page.
    #[test]
    fn a_crowd_shares_a_lifeline() {
        let dialled = || Event::Dialled { path: "/ws".to_owned(), query: Vec::new(), token_in: None };
        let observations =
            (0..100).map(|number| seen(number, &format!("client-{number}"), dialled())).collect();
        let diagram = Diagram::new(&Trace { observations }, &BTreeSet::new(), 1000);
        assert_eq!((diagram.lanes.len(), diagram.gateway), (MAX_CLIENTS + 1, MAX_CLIENTS));
        assert_eq!(diagram.lanes[MAX_CLIENTS - 1].raw(), "93 more");
        assert_eq!(diagram.rows.last().map(|row| row.mark), Some(Mark::Arrow { from: 7, to: 8 }));
    }

    /// What is folded is counted, hits are never folded, and there are never more rows than asked for.
    #[test]
    fn long_runs_are_folded() {
        let beat = |at_us| seen(at_us, "ada", Event::Received(frame(FrameKind::Ping, "")));
        let answer = |at_us| seen(at_us, "ada", Event::Sent(frame(FrameKind::Pong, "")));
        let observations = (0..100).flat_map(|at| [beat(2 * at), answer(2 * at + 1)]).collect();
        let diagram = Diagram::new(&Trace { observations }, &BTreeSet::from([101]), 100);
        assert!(diagram.rows.len() < 20, "{:#?}", diagram.rows);
        assert!(diagram.rows.iter().any(|row| row.is_hit && row.at_us == 101));
        let folded: usize =
            diagram.rows.iter().map(|row| if let Mark::Fold { rows } = row.mark { rows } else { 0 }).sum();
        assert_eq!((folded + diagram.shown, diagram.total), (200, 200));

        let mixed = |at: u64| match at % 7 {
            0..3 => beat(at),
            3 => seen(at, "ada", Event::Opened),
            _ => seen(at, "ada", Event::Status { old: String::new(), new: (at * at % 11).to_string() }),
        };
        let trace = Trace { observations: (0..1000).map(mixed).collect() };
        let diagram = Diagram::new(&trace, &(400..700).collect(), 30);
        assert!(diagram.rows.len() <= 30, "{}", diagram.rows.len());
        assert!(diagram.rows.iter().any(|row| row.is_hit), "a hit is among what is left");
    }
}
