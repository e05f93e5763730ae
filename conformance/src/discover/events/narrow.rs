//! What a body needs: what is left out in vain is put back, and a gateway that chokes on what it lacks is started again.

use std::collections::BTreeMap;
use std::time::Duration;

use super::body::Body;
use super::field::Field;
use super::search::{Form, Published};
use super::{Candidate, Events, ObservedEvent};
use crate::discover::DiscoverError;
use crate::discover::candidates::Person;
use crate::discover::socket::Socket;
use crate::discover::subject::Gateway;
use crate::profile::Audience;

/// Most times that a gateway is started again.
const MAX_RESTARTS: usize = 8;
/// How long an event may take that is waited for alone.
const ARRIVES_WITHIN: Duration = Duration::from_millis(700);
/// How long a gateway may take to be rid of a message that it cannot read.
const SETTLES_WITHIN: Duration = Duration::from_millis(300);

impl Field<'_> {
    /// Leaves out of each exchange's body what events arrive without.
    pub(super) async fn narrow(
        &mut self,
        candidates: &[Candidate],
        forms: BTreeMap<&str, Form>,
        seen: &mut Events,
    ) -> Result<(), DiscoverError> {
        for (exchange, (number, body)) in forms {
            let of = |candidate: &Candidate| {
                let is_its = |event: &&ObservedEvent| {
                    event.exchange == exchange
                        && event.routing_key == candidate.route.routing_key
                        && candidate.names.contains(&event.called)
                };
                seen.events.iter().find(is_its).cloned()
            };
            let own: Vec<(&Candidate, ObservedEvent)> =
                candidates.iter().filter_map(|candidate| Some((candidate, of(candidate)?))).collect();
            let is_owned =
                |(_, event): &&(&Candidate, ObservedEvent)| event.audience == Some(Audience::Owner);
            // What names its owner needs more than others do.
            let Some((sample, event)) = own.iter().find(is_owned).or(own.first()) else { continue };
            if !self.reaches(sample, event, number, &body).await? {
                continue;
            }
            let mut narrowed = body.clone();
            for lack in body.lacking() {
                let Some(fewer) = narrowed.without(lack) else { continue };
                if self.restarts >= MAX_RESTARTS {
                    break;
                }
                if self.reaches(sample, event, number, &fewer).await? {
                    narrowed = fewer;
                } else {
                    self.recover(seen).await?;
                }
            }
            if narrowed == body {
                continue;
            }
            let mut batch = Vec::new();
            for (candidate, _) in &own {
                let Some(name) = candidate.names.get(number) else { continue };
                batch.push(self.published(candidate, name, &narrowed));
            }
            let frames = self.publish(&batch.iter().map(Published::outgoing).collect::<Vec<_>>()).await?;
            for event in super::search::distinct(&batch, &frames) {
                let is_same = |known: &&mut ObservedEvent| {
                    known.exchange == event.exchange
                        && known.routing_key == event.routing_key
                        && known.called == event.called
                };
                let known = seen.events.iter_mut().find(is_same);
                // One that goes elsewhere without what was left out keeps it.
                if let Some(known) = known
                    && (known.audience, &known.name) == (event.audience, &event.name)
                {
                    *known = event;
                }
            }
            self.recover(seen).await?;
        }
        Ok(())
    }

    /// Whether a candidate in this body is the event that it was, and reaches one of those whom that reached.
    async fn reaches(
        &mut self,
        candidate: &Candidate,
        event: &ObservedEvent,
        number: usize,
        body: &Body,
    ) -> Result<bool, DiscoverError> {
        let Some(name) = candidate.names.get(number) else { return Ok(false) };
        let published = self.published(candidate, name, body);
        let outgoing = published.outgoing();
        self.send(&[outgoing]).await?;
        let end = crate::discover::now() + ARRIVES_WITHIN;
        let reached = event.reached.iter().position(|reached| *reached);
        let Some(socket) = reached.and_then(|number| self.sockets.get_mut(number)) else { return Ok(false) };
        Ok(socket.until(end, |text| published.is(text, &event.name)).await)
    }

    /// Starts the gateway again where it has died, has closed a connection, or has a message that it cannot get rid of.
    pub(super) async fn recover(&mut self, seen: &mut Events) -> Result<(), DiscoverError> {
        let end = crate::discover::now() + SETTLES_WITHIN;
        let mut is_stuck = true;
        while is_stuck && crate::discover::now() < end {
            let snapshot = self.gateway.snapshot().await;
            let consumed = snapshot.queues.values().filter(|queue| queue.consumers > 0);
            is_stuck = consumed.into_iter().any(|queue| queue.ready + queue.unacked > 0);
            if is_stuck {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        }
        let ended = self.gateway.ended();
        if !is_stuck && ended.is_none() && !self.sockets.iter().any(Socket::is_over) {
            return Ok(());
        }
        let why = match &ended {
            Some(status) => format!("it died ({status}) of an event that lacked what it reads"),
            None if is_stuck => {
                "it kept an event that lacked what it reads, and handed on no other".to_owned()
            }
            None => "a connection ended while an event was tried that lacked what it may read".to_owned(),
        };
        seen.restarted.get_or_insert(why);
        if self.restarts >= MAX_RESTARTS {
            let ended = "the gateway did not recover from events that it does not understand";
            seen.ended.get_or_insert(ended.to_owned());
            return Ok(());
        }
        self.restart().await
    }

    async fn restart(&mut self) -> Result<(), DiscoverError> {
        self.restarts += 1;
        if let Some(watch) = self.watch.take() {
            self.heartbeat = Some(watch.end().await);
        }
        let new = Gateway::start(self.start).await?;
        std::mem::replace(self.gateway, new).stop().await;
        self.dialer.authority.clone_from(&self.gateway.authority);
        self.link = super::field::link(&self.gateway.broker.url()).await?;
        for (person, socket) in Person::ALL.into_iter().zip(&mut self.sockets) {
            if let Ok(opened) = self.dialer.open(self.entry, person).await {
                *socket = opened.socket;
            }
        }
        self.subscribe_again().await;
        Ok(())
    }
}
