//! Changes to what a gateway's broker sends and receives.

use std::sync::Arc;
use std::time::Duration;

use reference_server::broker::{SourceEvent, Tag};
use sim::boundary::{Boundary, Feed, Rejection, Terms};

type OnEvent = Box<dyn FnMut(SourceEvent) -> Vec<SourceEvent> + Send>;
type OnTag = Box<dyn FnMut(Tag) -> Option<Tag> + Send>;

/// What changes one source; what is not said stays as it is.
#[derive(Default)]
pub(super) struct Change {
    event: Option<OnEvent>,
    acknowledge: Option<OnTag>,
    terms: Terms,
    lingers: Option<Duration>,
    rejection: Option<Rejection>,
    acknowledges_before: Option<Duration>,
}

/// Changes every source.
pub(super) fn feed(make: impl Fn() -> Change + Send + Sync + 'static) -> Boundary {
    Boundary { feed: Some(Arc::new(move || Box::new(make()))), ..Boundary::default() }
}

impl Change {
    pub(super) fn event(mut self, on: impl FnMut(SourceEvent) -> Vec<SourceEvent> + Send + 'static) -> Self {
        self.event = Some(Box::new(on));
        self
    }

    pub(super) fn terms(self, terms: Terms) -> Self {
        Self { terms, ..self }
    }

    pub(super) fn lingers(self, lingers: Duration) -> Self {
        Self { lingers: Some(lingers), ..self }
    }

    pub(super) fn acknowledges_before(self, before: Duration) -> Self {
        Self { acknowledges_before: Some(before), ..self }
    }

    pub(super) fn reject(self, rejection: Rejection) -> Self {
        Self { rejection: Some(rejection), ..self }
    }

    pub(super) fn acknowledge(mut self, on: impl FnMut(Tag) -> Option<Tag> + Send + 'static) -> Self {
        self.acknowledge = Some(Box::new(on));
        self
    }
}

impl Feed for Change {
    fn terms(&self) -> Terms {
        self.terms
    }

    fn lingers(&self) -> Option<Duration> {
        self.lingers
    }

    fn acknowledges_before(&self) -> Option<Duration> {
        self.acknowledges_before
    }

    fn reject(&mut self) -> Rejection {
        self.rejection.unwrap_or(Rejection::Passed)
    }

    fn event(&mut self, event: SourceEvent) -> Vec<SourceEvent> {
        match &mut self.event {
            Some(on) => on(event),
            None => vec![event],
        }
    }

    fn acknowledge(&mut self, tag: Tag) -> Option<Tag> {
        match &mut self.acknowledge {
            Some(on) => on(tag),
            None => Some(tag),
        }
    }
}

/// Whether a delivery's body holds this text.
pub(super) fn says(event: &SourceEvent, text: &str) -> bool {
    match event {
        SourceEvent::Delivery { body, .. } => String::from_utf8_lossy(body).contains(text),
        SourceEvent::Up | SourceEvent::Down => false,
    }
}
