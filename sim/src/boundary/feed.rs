//! Between a gateway and its broker.

use std::collections::VecDeque;

use reference_server::broker::{EventSource, SourceEvent, Tag};

use crate::broker::SimSource;

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
}

impl FedThrough {
    pub(crate) fn new(source: SimSource, feed: Option<Box<dyn Feed>>) -> Self {
        Self { source, feed, ready: VecDeque::new() }
    }
}

impl EventSource for FedThrough {
    async fn next(&mut self) -> SourceEvent {
        let Some(feed) = &mut self.feed else { return self.source.next().await };
        loop {
            if let Some(event) = self.ready.pop_front() {
                return event;
            }
            self.ready.extend(feed.event(self.source.next().await));
        }
    }

    async fn acknowledge_up_to(&mut self, tag: Tag) {
        let tag = match &mut self.feed {
            Some(feed) => feed.acknowledge(tag),
            None => Some(tag),
        };
        if let Some(tag) = tag {
            self.source.acknowledge_up_to(tag).await;
        }
    }

    async fn reject(&mut self, tag: Tag) {
        self.source.reject(tag).await;
    }
}
