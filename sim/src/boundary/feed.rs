//! Between a gateway and its broker.

use std::collections::VecDeque;

use reference_server::broker::{EventSource, SourceEvent, Tag};

use super::senses::Senses;
use crate::source::SimSource;

/// Changes what a broker says to a gateway, and what it hears from it.
pub trait Feed: Send {
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
    source: SimSource,
    feed: Option<Box<dyn Feed>>,
    ready: VecDeque<SourceEvent>,
    senses: Senses,
}

impl FedThrough {
    pub(crate) fn new(source: SimSource, feed: Option<Box<dyn Feed>>, senses: Senses) -> Self {
        Self { source, feed, ready: VecDeque::new(), senses }
    }

    /// The next event that is heard: what comes to a deaf gateway is neither taken nor settled.
    async fn heard(&mut self) -> SourceEvent {
        let event = self.source.next().await;
        if !self.senses.hears() {
            std::future::pending::<()>().await;
        }
        event
    }
}

impl EventSource for FedThrough {
    async fn next(&mut self) -> SourceEvent {
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            let event = self.heard().await;
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
            self.source.acknowledge_up_to(tag).await;
        }
    }

    async fn reject(&mut self, tag: Tag) {
        if !self.senses.speaks() {
            return;
        }
        self.source.reject(tag).await;
    }
}
