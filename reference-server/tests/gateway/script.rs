//! A scripted broker: it delivers what a test orders, and records how the gateway settles each delivery.

use bytes::Bytes;
use reference_server::broker::{EventSource, SourceEvent, Tag};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

use crate::running::within;

/// The test's end.
pub(crate) struct Script {
    events: mpsc::UnboundedSender<SourceEvent>,
    settled: mpsc::UnboundedReceiver<Settled>,
    held: watch::Sender<bool>,
    delivered: u64,
}

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Settled {
    AcknowledgedUpTo(u64),
    Rejected(u64),
}

/// The gateway's end.
pub(crate) struct Scripted {
    events: mpsc::UnboundedReceiver<SourceEvent>,
    settled: mpsc::UnboundedSender<Settled>,
    held: watch::Receiver<bool>,
}

/// Both ends.
pub(crate) fn script() -> (Script, Scripted) {
    let (events, next) = mpsc::unbounded_channel();
    let (settle, settled) = mpsc::unbounded_channel();
    let (held, holds) = watch::channel(false);
    let scripted = Scripted { events: next, settled: settle, held: holds };
    (Script { events, settled, held, delivered: 0 }, scripted)
}

impl Script {
    pub(crate) fn up(&self) {
        self.send(SourceEvent::Up);
    }

    pub(crate) fn down(&self) {
        self.send(SourceEvent::Down);
    }

    /// Delivers a body as it is, and says which delivery that was.
    pub(crate) fn deliver(&mut self, body: &str) -> u64 {
        self.delivered += 1;
        let tag = Tag { epoch: 1, number: self.delivered };
        self.send(SourceEvent::Delivery { tag, body: Bytes::from(body.to_owned()) });
        self.delivered
    }

    pub(crate) fn publish(&mut self, name: &str, data: &Value) -> u64 {
        self.deliver(&json!({ "type": name, "data": data }).to_string())
    }

    /// Keeps the gateway waiting in its next acknowledgement, or lets it go on.
    pub(crate) fn hold_acknowledgements(&self, held: bool) {
        self.held.send_replace(held);
    }

    /// Waits until everything up to this delivery is acknowledged; whatever is settled before is handed back.
    pub(crate) async fn acknowledged(&mut self, number: u64) -> Vec<Settled> {
        let mut before = Vec::new();
        loop {
            match within(self.settled.recv()).await.expect("the gateway is there") {
                Settled::AcknowledgedUpTo(last) if last >= number => return before,
                settled => before.push(settled),
            }
        }
    }

    /// Waits until the gateway has processed all earlier events.
    pub(crate) async fn caught_up(&mut self) {
        let marker = self.deliver("poison");
        while within(self.settled.recv()).await.expect("the gateway is there") != Settled::Rejected(marker) {}
    }

    /// What was settled until the gateway let go of its source.
    pub(crate) async fn settled_to_the_end(&mut self) -> Vec<Settled> {
        let mut all = Vec::new();
        while let Some(settled) = within(self.settled.recv()).await {
            all.push(settled);
        }
        all
    }

    fn send(&self, event: SourceEvent) {
        // The receiver is dropped once the gateway has ended.
        let _ = self.events.send(event);
    }
}

impl EventSource for Scripted {
    async fn next(&mut self) -> SourceEvent {
        match self.events.recv().await {
            Some(event) => event,
            None => std::future::pending().await,
        }
    }

    async fn acknowledge_up_to(&mut self, tag: Tag) {
        // A test that has ended holds nothing and asks for nothing.
        let _ = self.held.wait_for(|held| !held).await;
        let _ = self.settled.send(Settled::AcknowledgedUpTo(tag.number));
    }

    async fn reject(&mut self, tag: Tag) {
        let _ = self.settled.send(Settled::Rejected(tag.number));
    }
}
