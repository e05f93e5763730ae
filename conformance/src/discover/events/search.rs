//! The search for events: candidates are published under each name and in each body, until some arrive.

use std::collections::BTreeMap;

use serde_json::Value;

use super::field::Field;
use super::{
    Candidate, DELIVERS_WITHIN, Events, MAX_REQUESTS, ObservedEvent, PUBLISHES_FOR, QUIET, audience, filled,
};
use crate::amqp::Outgoing;
use crate::discover::candidates::{BODIES, OWNER_KEYS, Person};
use crate::discover::socket::Socket;
use crate::discover::topology::{NameRule, Route};
use crate::discover::{DiscoverError, form, now};
use crate::profile::is_name;

/// One that was published.
struct Published<'a> {
    candidate: &'a Candidate,
    name: &'a str,
    body: &'static str,
    data: Value,
    marker: String,
}

impl Field<'_> {
    /// Publishes each candidate under each name and in each body until some arrive: the others are none, since an exchange has one form.
    pub(super) async fn search(
        &mut self,
        candidates: &[Candidate],
        seen: &mut Events,
    ) -> Result<(), DiscoverError> {
        let end = now() + PUBLISHES_FOR;
        let most = candidates.iter().map(|candidate| candidate.names.len()).max().unwrap_or_default();
        let mut remaining: Vec<&Candidate> = candidates.iter().collect();
        let mut fitting: BTreeMap<&str, (usize, &str)> = BTreeMap::new();
        let rounds = (0..most).flat_map(|number| BODIES.map(|body| (number, body)));
        for (number, body) in rounds {
            let is_raw = !body.contains("{name}");
            if remaining.is_empty() || now() > end {
                break;
            }
            if is_raw && number > 0 {
                continue;
            }
            let batch = remaining.iter().filter_map(|candidate| {
                let form = fitting.get(candidate.route.exchange.as_str());
                let name = candidate
                    .names
                    .get(number)
                    .filter(|_| form.is_none_or(|form| *form == (number, body)))?;
                Some((*candidate, name.as_str()))
            });
            let batch: Vec<Published<'_>> = batch
                .map(|(candidate, name)| {
                    let (marker, data) = self.data(&OWNER_KEYS);
                    Published { candidate, name, body, data, marker }
                })
                .collect();
            if batch.is_empty() {
                continue;
            }
            seen.tried += batch.len();
            let frames = self.publish(&batch.iter().map(Published::outgoing).collect::<Vec<_>>()).await?;
            for (published, event) in distinct(&batch, &frames) {
                remaining.retain(|candidate| !std::ptr::eq(*candidate, published.candidate));
                // One that has two names at the broker is one event.
                if !seen.events.iter().any(|known| known.name == event.name) {
                    seen.events.push(event);
                }
                fitting.insert(&published.candidate.route.exchange, (number, body));
            }
            if let Some(status) = self.gateway.ended() {
                seen.ended = Some(format!("the gateway died ({status}) of a message like `{body}`"));
                break;
            }
            if let Some(number) = self.sockets.iter().position(Socket::is_over) {
                let person = Person::ALL[number];
                seen.ended =
                    Some(format!("it closed the connection of {person:?} while events were published"));
                break;
            }
        }
        if seen.ended.is_none() {
            self.search_named(&mut remaining, &fitting, seen).await?;
        }
        if !seen.events.is_empty() {
            seen.unreached = remaining.iter().map(|candidate| candidate.route.routing_key.clone()).collect();
        }
        Ok(())
    }

    /// Events whose subscribers must know a name that follows from the routing key as those of other events do.
    pub(super) async fn search_named(
        &mut self,
        remaining: &mut Vec<&Candidate>,
        fitting: &BTreeMap<&str, (usize, &'static str)>,
        seen: &mut Events,
    ) -> Result<(), DiscoverError> {
        let rule = seen.events.iter().find_map(|event| NameRule::of(&event.routing_key, &event.name));
        let Some(rule) = rule else { return Ok(()) };
        let named: Vec<(&Candidate, String)> = remaining
            .iter()
            .filter_map(|candidate| Some((*candidate, rule.name(&candidate.route.routing_key)?)))
            .filter(|(candidate, name)| !candidate.names.iter().take(2).any(|known| known == name))
            .collect();
        let shapes = self.shapes.clone();
        let requests =
            shapes.iter().flat_map(|shape| named.iter().map(move |(_, name)| shape.replace("{room}", name)));
        let subscriber = &mut self.sockets[3];
        for request in requests.take(MAX_REQUESTS) {
            subscriber.send(&request).await;
        }
        subscriber.listen(QUIET, DELIVERS_WITHIN).await;
        let batch: Vec<Published<'_>> = named
            .iter()
            .filter_map(|(candidate, _)| {
                let (number, body) = *fitting.get(candidate.route.exchange.as_str())?;
                let (marker, data) = self.data(&OWNER_KEYS);
                let name = candidate.names.get(number)?;
                Some(Published { candidate, name, body, data, marker })
            })
            .collect();
        let frames = self.publish(&batch.iter().map(Published::outgoing).collect::<Vec<_>>()).await?;
        for published in &batch {
            if let Some(event) = published.arrived(&frames) {
                remaining.retain(|candidate| !std::ptr::eq(*candidate, published.candidate));
                seen.events.push(event);
            }
        }
        Ok(())
    }
}

impl Published<'_> {
    fn template(&self) -> String {
        self.body.replace("{name}", self.name)
    }

    fn outgoing(&self) -> Outgoing {
        let Route { exchange, routing_key, .. } = &self.candidate.route;
        let body = filled(&self.template(), &self.data);
        Outgoing { exchange: exchange.clone(), routing_key: routing_key.clone(), body }
    }

    /// The event, where it arrived.
    fn arrived(&self, frames: &[Vec<String>]) -> Option<ObservedEvent> {
        let of = |texts: &Vec<String>| texts.iter().any(|text| text.contains(&self.marker));
        let reached: [bool; 4] = std::array::from_fn(|number| frames.get(number).is_some_and(of));
        let frame = frames.iter().flatten().find(|text| text.contains(&self.marker))?.clone();
        let Route { exchange, kind, routing_key } = self.candidate.route.clone();
        Some(ObservedEvent {
            exchange,
            exchange_kind: kind,
            routing_key,
            body: self.template(),
            name: form::event_name(&frame, &self.data).unwrap_or_else(|| self.name.to_owned()),
            audience: audience(reached),
            reached,
            frame,
            data: self.data.clone(),
        })
    }
}

/// The events that arrived under names of their own. Where several have one name, the gateway has not understood what they are.
fn distinct<'b, 'c>(
    batch: &'b [Published<'c>],
    frames: &[Vec<String>],
) -> Vec<(&'b Published<'c>, ObservedEvent)> {
    let arrived = batch.iter().filter_map(|published| Some((published, published.arrived(frames)?)));
    let arrived: Vec<_> = arrived.collect();
    let mut counts = BTreeMap::<String, usize>::new();
    for (_, event) in &arrived {
        *counts.entry(event.name.clone()).or_default() += 1;
    }
    let is_sound = |event: &ObservedEvent| is_name(&event.name) && counts.get(&event.name) == Some(&1);
    arrived.into_iter().filter(|(_, event)| is_sound(event)).collect()
}
