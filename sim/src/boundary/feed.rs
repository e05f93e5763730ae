//! Between a gateway and its broker.

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use reference_server::broker::{EventSource, SourceEvent, Tag};
use tokio::time::Sleep;

use super::senses::Senses;
use crate::source::{SimSource, Terms};

/// What becomes of a rejection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rejection {
    /// The broker receives it.
    Passed,
    /// An acknowledgement.
    Acknowledged,
}

/// Intercepts what a broker sends to a gateway, and what it receives from it.
pub trait Feed: Send {
    /// How the gateway consumes.
    fn terms(&self) -> Terms {
        Terms::default()
    }

    /// How long events must stay away until a source ends that the gateway has let go of; until then it acknowledges what comes.
    /// Usually it ends at once.
    fn lingers(&self) -> Option<Duration> {
        None
    }

    /// How long an event is kept that the broker has an acknowledgement for. Usually it is acknowledged by the gateway.
    fn acknowledges_before(&self) -> Option<Duration> {
        None
    }

    /// What becomes of a rejection.
    fn reject(&mut self) -> Rejection {
        Rejection::Passed
    }

    /// What becomes of an event.
    fn event(&mut self, event: SourceEvent) -> Vec<SourceEvent> {
        vec![event]
    }

    /// What becomes of an acknowledgement.
    fn acknowledge(&mut self, tag: Tag) -> Option<Tag> {
        Some(tag)
    }
}

/// A source, perhaps behind a [`Feed`].
pub(crate) struct FedThrough {
    /// `None` only while it is dropped.
    source: Option<SimSource>,
    feed: Option<Box<dyn Feed>>,
    ready: VecDeque<SourceEvent>,
    /// How long what is ready is kept.
    kept: Option<Pin<Box<Sleep>>>,
    senses: Senses,
}

impl FedThrough {
    pub(crate) fn new(source: SimSource, feed: Option<Box<dyn Feed>>, senses: Senses) -> Self {
        Self { source: Some(source), feed, ready: VecDeque::new(), kept: None, senses }
    }

    fn source(&mut self) -> &mut SimSource {
        self.source.as_mut().expect("it is there until it is dropped")
    }

    /// The next event that the gateway receives: events for a deaf gateway are neither received nor settled.
    async fn heard(&mut self) -> SourceEvent {
        let event = self.source().next().await;
        if !self.senses.hears() {
            std::future::pending::<()>().await;
        }
        event
    }
}

impl EventSource for FedThrough {
    async fn next(&mut self) -> SourceEvent {
        loop {
            if let Some(kept) = &mut self.kept {
                kept.await;
                self.kept = None;
            }
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            let event = self.heard().await;
            let before = self.feed.as_ref().and_then(|feed| feed.acknowledges_before());
            if let (Some(before), SourceEvent::Delivery { tag, .. }) = (before, &event) {
                // It is kept first: a call that is cancelled loses nothing.
                self.kept = Some(Box::pin(tokio::time::sleep(before)));
                let tag = *tag;
                self.ready.push_back(event);
                self.source().acknowledge_up_to(tag).await;
                continue;
            }
            match &mut self.feed {
                None => return event,
                Some(feed) => self.ready.extend(feed.event(event)),
            }
        }
    }

    async fn acknowledge_up_to(&mut self, tag: Tag) {
        if !self.senses.speaks() {
            return;
        }
        let tag = match &mut self.feed {
            Some(feed) => feed.acknowledge(tag),
            None => Some(tag),
        };
        if let Some(tag) = tag {
            self.source().acknowledge_up_to(tag).await;
        }
    }

    async fn reject(&mut self, tag: Tag) {
        if !self.senses.speaks() {
            return;
        }
        match self.feed.as_mut().map_or(Rejection::Passed, |feed| feed.reject()) {
            Rejection::Passed => self.source().reject(tag).await,
            Rejection::Acknowledged => self.source().acknowledge_up_to(tag).await,
        }
    }
}

impl Drop for FedThrough {
    fn drop(&mut self) {
        let lingers = self.feed.as_ref().and_then(|feed| feed.lingers());
        if let (Some(lingers), Some(source)) = (lingers, self.source.take()) {
            tokio::spawn(linger(source, lingers));
        }
    }
}

/// Acknowledges what comes until nothing has come for so long.
async fn linger(mut source: SimSource, lingers: Duration) {
    while let Ok(event) = tokio::time::timeout(lingers, source.next()).await {
        if let SourceEvent::Delivery { tag, .. } = event {
            source.acknowledge_up_to(tag).await;
        }
    }
}
