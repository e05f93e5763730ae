//! What travelled on the wire (MSG-1, BRIDGE-6, PING-4).

use protocol::Envelope;
use serde_json::Value;

use super::Finding;
use crate::pattern::{contains, payload};
use crate::times::Times;
use crate::trace::{Event, Form, Frame, FrameKind, Trace};

/// What every message of a gateway is.
const WELL_FORMED: &str = "a JSON text frame with a string `type` and an ISO 8601 `timestamp`";
/// The same, in a dialect whose frames have a form of their own.
const AS_DECLARED: &str = "a text frame of the form that the dialect declares";

pub(super) fn well_formed(trace: &Trace, client: &str) -> Result<(), Finding> {
    let mut messages = 0;
    for (index, frame) in received(trace, client) {
        if let Some(finding) = ill_formed(index, frame) {
            return Err(finding);
        }
        messages += usize::from(frame.kind == FrameKind::Text);
    }
    match messages {
        0 => Err(Finding::owed(WELL_FORMED, "no message at all", [])),
        _ => Ok(()),
    }
}

/// What is wrong with a frame from a gateway, where anything is (MSG-1).
pub(crate) fn ill_formed(index: usize, frame: &Frame) -> Option<Finding> {
    let problem = match frame.kind {
        FrameKind::Ping | FrameKind::Pong | FrameKind::Close => return None,
        FrameKind::Binary | FrameKind::Raw => "a frame that is no text".to_owned(),
        FrameKind::Text if frame.form.is_some() => match &frame.form {
            Some(Form::Wrong(problem)) => problem.clone(),
            Some(Form::Declared) | None => return None,
        },
        FrameKind::Text => match Envelope::decode(&frame.body) {
            Ok(Envelope { timestamp: Some(_), .. }) => return None,
            Ok(Envelope { timestamp: None, .. }) => "no `timestamp`".to_owned(),
            Err(error) => error.to_string(),
        },
    };
    let expected = if frame.form.is_some() { AS_DECLARED } else { WELL_FORMED };
    Some(Finding::forbidden(expected, problem, [index]))
}

/// Which published event each received one is: nothing where none is left that it can be.
fn matched(trace: &Trace, client: &str, (types, with): (&[String], Option<&Value>)) -> Matched {
    let is_wanted = |kind: &str| types.iter().any(|wanted| wanted == kind);
    let has_part = |data: &Value| with.is_none_or(|with| contains(data, with));
    let mut left: Vec<Option<PublishedEvent>> = trace
        .iter()
        .filter_map(|(_, observation)| PublishedEvent::of(&observation.event))
        .filter(|event| is_wanted(event.kind) && has_part(event.data))
        .map(Some)
        .collect();
    let published = left.len();
    let mut find = |name: &str, payload: &Value| {
        let same = |is: &dyn Fn(&PublishedEvent) -> bool| {
            left.iter().position(|event| event.as_ref().is_some_and(|event| event.kind == name && is(event)))
        };
        // A payload that was changed on its way is still the event of its number: that it was changed is BRIDGE-2.
        let number = payload.get("seq");
        let place = same(&|event| event.carries(payload))
            .or_else(|| number.and_then(|number| same(&|event| event.data.get("seq") == Some(number))));
        place.inspect(|place| left[*place] = None)
    };
    let received = received(trace, client)
        .filter_map(|(index, frame)| {
            let message = frame.message.as_ref()?;
            Some((index, message.name(), payload(Some(message))?))
        })
        .filter(|(_, name, payload)| is_wanted(name) && has_part(payload))
        .map(|(index, name, payload)| Received {
            index,
            text: format!("{name} {payload}"),
            place: find(name, payload),
        })
        .collect();
    Matched { published, received }
}

/// An event at the broker.
struct PublishedEvent<'a> {
    kind: &'a str,
    /// As scenarios have it.
    data: &'a Value,
    /// The body that was really sent, where a profile words events otherwise.
    sent: Option<Value>,
}

impl<'a> PublishedEvent<'a> {
    fn of(event: &'a Event) -> Option<Self> {
        let Event::Published { body, as_sent, .. } = event else { return None };
        let sent = as_sent.as_ref().and_then(|sent| serde_json::from_str(&sent.body).ok());
        Some(Self { kind: body["type"].as_str()?, data: &body["data"], sent })
    }

    /// Whether a payload is its data: as scenarios have it, or as it really went out, in whatever place of the body.
    fn carries(&self, payload: &Value) -> bool {
        self.data == payload || self.sent.as_ref().is_some_and(|sent| has(sent, payload))
    }
}

/// Whether a value stands in another.
fn has(whole: &Value, part: &Value) -> bool {
    whole == part
        || match whole {
            Value::Array(items) => items.iter().any(|item| has(item, part)),
            Value::Object(members) => members.values().any(|member| has(member, part)),
            _ => false,
        }
}

struct Matched {
    published: usize,
    received: Vec<Received>,
}

struct Received {
    index: usize,
    text: String,
    /// Its place among the published ones.
    place: Option<usize>,
}

/// No event comes after one that was published after it. Whether all of them come is not judged here, but one must.
pub(super) fn published_order(trace: &Trace, client: &str, types: &[String]) -> Result<(), Finding> {
    let Matched { published, received } = matched(trace, client, (types, None));
    let expected = format!("{client} receives {published} events in the order in which they were published");
    let mut newest: Option<(usize, &Received)> = None;
    for event in &received {
        let Some(place) = event.place else { continue };
        match newest {
            Some((newest, before)) if place < newest => {
                let seen = format!("{} after {}", event.text, before.text);
                return Err(Finding::forbidden(expected, seen, [before.index, event.index]));
            }
            _ => newest = Some((place, event)),
        }
    }
    newest.map(|_| ()).ok_or_else(|| Finding::owed(expected, "none of them", []))
}

/// Each event comes, in whatever order. Where one may come only `once`, none comes again: a broker delivers again what was not
/// acknowledged when a connection to it ended.
pub(super) fn each_published(
    trace: &Trace,
    client: &str,
    wanted: (&[String], Option<&Value>),
    once: bool,
) -> Result<(), Finding> {
    let Matched { published, received } = matched(trace, client, wanted);
    let expected = format!("{client} receives each of {published} events{}", if once { " once" } else { "" });
    if once && let Some(odd) = received.iter().find(|event| event.place.is_none()) {
        let seen = format!("{}, which came before or was not published", odd.text);
        return Err(Finding::forbidden(expected, seen, [odd.index]));
    }
    match received.iter().filter(|event| event.place.is_some()).count() {
        all if all == published => Ok(()),
        some => {
            Err(Finding::owed(expected, format!("{some} of them"), received.last().map(|last| last.index)))
        }
    }
}

pub(super) fn pongs_match(trace: &Trace, times: &Times) -> Result<(), Finding> {
    const EXPECTED: &str = "each ping frame is answered by a pong frame with the same payload";
    let mut pings = 0;
    for (index, observation) in trace.iter() {
        let Event::Received(ping @ Frame { kind: FrameKind::Ping, .. }) = &observation.event else {
            continue;
        };
        pings += 1;
        let answer = trace.iter().skip(index + 1).find_map(|(at, later)| match &later.event {
            Event::Sent(frame)
                if frame.kind == FrameKind::Pong && later.connection == observation.connection =>
            {
                Some((at, frame, later.at().saturating_sub(observation.at())))
            }
            _ => None,
        });
        match answer {
            None => return Err(Finding::owed(EXPECTED, "no pong frame", [index])),
            Some((at, frame, _)) if frame.body != ping.body => {
                return Err(Finding::forbidden(EXPECTED, "a pong frame with another payload", [index, at]));
            }
            Some((at, _, took)) if took > times.patience => {
                return Err(Finding::forbidden(
                    EXPECTED,
                    format!("a pong frame {} ms later", took.as_millis()),
                    [index, at],
                )
                .missed_by(took - times.patience));
            }
            Some(_) => {}
        }
    }
    match pings {
        0 => Err(Finding::owed(EXPECTED, "no ping frame", [])),
        _ => Ok(()),
    }
}

fn received<'a>(trace: &'a Trace, client: &'a str) -> impl Iterator<Item = (usize, &'a Frame)> {
    trace.iter().filter(move |(_, observation)| observation.actor.0 == client).filter_map(
        |(index, observation)| match &observation.event {
            Event::Received(frame) => Some((index, frame)),
            _ => None,
        },
    )
}
