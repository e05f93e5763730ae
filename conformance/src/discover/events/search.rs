//! The search for events: candidates are published in a body that has every key, which is then narrowed to those that are read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::body::{Body, echoes, filled};
use super::field::Field;
use super::{
    Candidate, DELIVERS_WITHIN, Events, MAX_REQUESTS, ObservedEvent, PUBLISHES_FOR, QUIET, audience,
};
use crate::amqp::Outgoing;
use crate::discover::candidates::{BODIES, OWNER_KEYS};
use crate::discover::protocols::asked;
use crate::discover::topology::{NameRule, Route};
use crate::discover::{DiscoverError, form, now};
use crate::profile::{Audience, is_name};

/// How the events of an exchange come: the place of their name among a candidate's names, and their body.
pub(super) type Form = (usize, Body);

/// One that was published.
pub(super) struct Published<'a> {
    pub(super) candidate: &'a Candidate,
    name: &'a str,
    template: String,
    data: Value,
    marker: String,
    body: String,
}

impl Field<'_> {
    /// Publishes each candidate under each name, in a body that has every key; where nothing arrives, in each usual body.
    pub(super) async fn search<'c>(
        &mut self,
        candidates: &'c [Candidate],
        seen: &mut Events,
    ) -> Result<BTreeMap<&'c str, Form>, DiscoverError> {
        let exchanges: BTreeSet<&str> =
            candidates.iter().map(|candidate| candidate.route.exchange.as_str()).collect();
        let mut forms = BTreeMap::new();
        for exchange in exchanges {
            let own: Vec<&Candidate> =
                candidates.iter().filter(|candidate| candidate.route.exchange == exchange).collect();
            let Some((form, events)) = self.search_exchange(&own, seen).await? else { continue };
            forms.insert(exchange, form);
            for event in events {
                // One that has two names at the broker is one event.
                if !seen.events.iter().any(|known| known.name == event.name) {
                    seen.events.push(event);
                }
            }
        }
        self.search_named(candidates, &forms, seen).await?;
        if !seen.events.is_empty() {
            let keys = candidates.iter().map(|candidate| candidate.route.routing_key.clone());
            let reached = |key: &String| seen.events.iter().any(|event| event.routing_key == *key);
            seen.unreached = keys.filter(|key| !reached(key)).collect();
        }
        Ok(forms)
    }

    /// The form in which most of an exchange's candidates reach audiences of their own.
    async fn search_exchange(
        &mut self,
        own: &[&Candidate],
        seen: &mut Events,
    ) -> Result<Option<(Form, Vec<ObservedEvent>)>, DiscoverError> {
        let most = own.iter().map(|candidate| candidate.names.len()).max().unwrap_or_default();
        let mut best: Option<(Form, Vec<ObservedEvent>)> = None;
        for number in 0..most {
            let form = (number, Body::generous());
            let Some(found) = self.try_form(own, form, seen).await? else { continue };
            // A name of another spelling may be an event, too, which only those get who have subscribed to it.
            if best.as_ref().is_none_or(|best| score(&found.1) > score(&best.1)) {
                best = Some(found);
            }
            if best.as_ref().is_some_and(|(_, events)| audiences(events) > 2) {
                break;
            }
        }
        if best.is_some() {
            return Ok(best);
        }
        let end = now() + PUBLISHES_FOR;
        for (number, text) in (0..most).flat_map(|number| BODIES.map(|body| (number, body))) {
            let body = Body::Text(text);
            if now() > end || seen.ended.is_some() {
                break;
            }
            if !body.is_named() && number > 0 {
                continue;
            }
            let found = self.try_form(own, (number, body), seen).await?;
            if found.is_some() {
                return Ok(found);
            }
        }
        Ok(None)
    }

    /// Publishes in a form; the events that arrived. What is echoed whole is published as the data alone.
    async fn try_form(
        &mut self,
        own: &[&Candidate],
        form: Form,
        seen: &mut Events,
    ) -> Result<Option<(Form, Vec<ObservedEvent>)>, DiscoverError> {
        let batch = self.batch(own, &form);
        seen.tried += batch.len();
        let frames = self.publish(&batch.iter().map(Published::outgoing).collect::<Vec<_>>()).await?;
        let is_echoed = frames.iter().flatten().any(|frame| {
            batch.iter().any(|published| frame.contains(&published.marker) && echoes(frame, &published.body))
        });
        if is_echoed && form.1.is_named() {
            let raw = (0, Body::raw());
            let batch = self.batch(own, &raw);
            seen.tried += batch.len();
            let frames = self.publish(&batch.iter().map(Published::outgoing).collect::<Vec<_>>()).await?;
            let events = distinct(&batch, &frames);
            if !events.is_empty() {
                self.recover(seen).await?;
                return Ok(Some((raw, events)));
            }
        }
        let events = distinct(&batch, &frames);
        if events.is_empty() {
            self.recover(seen).await?;
            return Ok(None);
        }
        Ok(Some((form, events)))
    }

    fn batch<'c>(&mut self, own: &[&'c Candidate], (number, body): &Form) -> Vec<Published<'c>> {
        let named =
            own.iter().filter_map(|candidate| Some((*candidate, candidate.names.get(*number)?.as_str())));
        let named: Vec<_> = named.collect();
        named.into_iter().map(|(candidate, name)| self.published(candidate, name, body)).collect()
    }

    pub(super) fn published<'c>(
        &mut self,
        candidate: &'c Candidate,
        name: &'c str,
        body: &Body,
    ) -> Published<'c> {
        let (marker, data) = self.data(&OWNER_KEYS);
        let template = body.template(name);
        let body = filled(&template, &data, &self.owner());
        Published { candidate, name, template, data, marker, body }
    }

    /// Events whose subscribers must know a name that follows from the routing key as those of other events do.
    async fn search_named(
        &mut self,
        candidates: &[Candidate],
        forms: &BTreeMap<&str, Form>,
        seen: &mut Events,
    ) -> Result<(), DiscoverError> {
        let rule = seen.events.iter().find_map(|event| NameRule::of(&event.routing_key, &event.name));
        let Some(rule) = rule else { return Ok(()) };
        let is_reached = |key: &str| seen.events.iter().any(|event| event.routing_key == key);
        let named: Vec<(&Candidate, String)> = candidates
            .iter()
            .filter(|candidate| !is_reached(&candidate.route.routing_key))
            .filter_map(|candidate| Some((candidate, rule.name(&candidate.route.routing_key)?)))
            .filter(|(candidate, name)| !candidate.names.iter().take(2).any(|known| known == name))
            .collect();
        if named.is_empty() {
            return Ok(());
        }
        let shapes = self.shapes.clone();
        let requests = shapes.iter().flat_map(|shape| named.iter().map(move |(_, name)| (shape, name)));
        let subscriber = &mut self.sockets[3];
        for (number, (shape, name)) in requests.take(MAX_REQUESTS).enumerate() {
            subscriber.send(&asked(shape, name, &format!("gct-{number}"))).await;
        }
        subscriber.listen(QUIET, DELIVERS_WITHIN).await;
        let mut batch = Vec::new();
        for (candidate, _) in &named {
            let Some((number, body)) = forms.get(candidate.route.exchange.as_str()) else { continue };
            let Some(name) = candidate.names.get(*number) else { continue };
            batch.push(self.published(candidate, name, body));
        }
        let frames = self.publish(&batch.iter().map(Published::outgoing).collect::<Vec<_>>()).await?;
        seen.events.extend(batch.iter().filter_map(|published| published.arrived(&frames)));
        Ok(())
    }
}

impl Published<'_> {
    /// Whether a text is of this event, under this name.
    pub(super) fn is(&self, text: &str, name: &str) -> bool {
        let is_named = || form::event_name(text, &self.data, &[name.to_owned()]).as_deref() == Some(name);
        text.contains(&self.marker) && is_named()
    }

    pub(super) fn outgoing(&self) -> Outgoing {
        let Route { exchange, routing_key, .. } = &self.candidate.route;
        Outgoing { exchange: exchange.clone(), routing_key: routing_key.clone(), body: self.body.clone() }
    }

    /// The event, where it arrived.
    pub(super) fn arrived(&self, frames: &[Vec<String>]) -> Option<ObservedEvent> {
        let of = |texts: &Vec<String>| texts.iter().any(|text| text.contains(&self.marker));
        let reached: [bool; 4] = std::array::from_fn(|number| frames.get(number).is_some_and(of));
        let frame = frames.iter().flatten().find(|text| text.contains(&self.marker))?.clone();
        let Route { exchange, kind, routing_key } = self.candidate.route.clone();
        let names = [&[self.name.to_owned()][..], &self.candidate.names].concat();
        Some(ObservedEvent {
            exchange,
            exchange_kind: kind,
            routing_key,
            body: self.template.clone(),
            called: self.name.to_owned(),
            name: form::event_name(&frame, &self.data, &names).unwrap_or_else(|| self.name.to_owned()),
            audience: audience(reached),
            reached,
            frame,
            data: self.data.clone(),
        })
    }
}

fn audiences(events: &[ObservedEvent]) -> usize {
    events.iter().filter_map(|event| event.audience).collect::<BTreeSet<Audience>>().len()
}

/// What speaks for a form: how many audiences its events have, then how many events there are.
fn score(events: &[ObservedEvent]) -> (usize, usize) {
    (audiences(events), events.len())
}

/// The events that arrived under names of their own. Where several have one name, the gateway has not understood what they are.
pub(super) fn distinct(batch: &[Published<'_>], frames: &[Vec<String>]) -> Vec<ObservedEvent> {
    let arrived: Vec<_> = batch.iter().filter_map(|published| published.arrived(frames)).collect();
    let mut counts = BTreeMap::<String, usize>::new();
    for event in &arrived {
        *counts.entry(event.name.clone()).or_default() += 1;
    }
    let is_sound = |event: &ObservedEvent| is_name(&event.name) && counts.get(&event.name) == Some(&1);
    arrived.into_iter().filter(is_sound).collect()
}
