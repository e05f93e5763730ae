//! Trials: each has a client of its own, and a gateway that follows a plan.

use std::collections::BTreeSet;
use std::time::Duration;

use protocol::adapter::{Message, Operation, Options, Outcome};
use protocol::{ClientMessage, Target};
use serde_json::json;

use super::adapter::Adapter;
use super::gateway::{Dials, Gateway, Step};
use super::{ClientStart, DIALS_WITHIN, GIVES_UP, MANY, ObservedQueue, Queue, ROOM, RUNS_FOR, SENT};
use crate::discover::DiscoverError;
use crate::discover::flood_meter::FloodMeter;
use crate::limits::HostLimit;

/// How long a message may take to arrive.
const ARRIVES_WITHIN: Duration = Duration::from_secs(1);

/// What each trial has in common.
pub(super) struct Trial<'a> {
    pub(super) start: &'a ClientStart,
    /// What clients and adapters say.
    pub(super) meter: &'a FloodMeter,
    pub(super) usual: Options,
}

impl Trial<'_> {
    async fn gateway(&self, steps: &[Step]) -> Result<Gateway, DiscoverError> {
        let gateway = Gateway::start(steps.to_vec(), self.start.dialect.clone(), self.meter.clone()).await;
        gateway
            .map_err(|error| DiscoverError::Host(HostLimit::explain("cannot listen for the client", &error)))
    }

    async fn adapter(&self, gateway: &Gateway, options: Options) -> Result<Adapter, DiscoverError> {
        Adapter::start(self.start, gateway.url(), options, self.meter.clone()).await
    }

    /// Has a client dial until it gives up, or has dialled often; and the statuses that it reports.
    pub(super) async fn run(
        &self,
        steps: &[Step],
        options: Options,
    ) -> Result<(Dials, Vec<String>), DiscoverError> {
        let mut gateway = self.gateway(steps).await?;
        let mut adapter = self.adapter(&gateway, options).await?;
        adapter.ask(Operation::Connect).await;
        if gateway.until(DIALS_WITHIN, |dials| !dials.began.is_empty()).await {
            tokio::select! {
                () = gateway.quiet(GIVES_UP, MANY + 1) => {}
                () = adapter.listen(RUNS_FOR) => {}
            }
        }
        let dials = gateway.dials();
        Ok((dials, adapter.stop().await))
    }

    /// How long a client waits before each of its first redials, as far as they come soon.
    pub(super) async fn first_delays(
        &self,
        count: usize,
        options: Options,
    ) -> Result<Vec<Duration>, DiscoverError> {
        let mut gateway = self.gateway(&[Step::Drop, Step::Status(503)]).await?;
        let mut adapter = self.adapter(&gateway, options).await?;
        adapter.ask(Operation::Connect).await;
        gateway.until(DIALS_WITHIN, |dials| dials.began.len() > count).await;
        adapter.stop().await;
        Ok(gateway.dials().delays().into_iter().take(count).collect())
    }

    /// How long a client waits after such an end until it dials again, where it does.
    pub(super) async fn redials(
        &self,
        step: Step,
        patience: Duration,
    ) -> Result<Option<Duration>, DiscoverError> {
        let mut gateway = self.gateway(&[step, Step::Open]).await?;
        let mut adapter = self.adapter(&gateway, self.usual).await?;
        adapter.ask(Operation::Connect).await;
        gateway.until(DIALS_WITHIN, |dials| !dials.ended.is_empty()).await;
        let redialled = gateway.until(patience, |dials| dials.began.len() > 1).await;
        adapter.stop().await;
        let delay = gateway.dials().delays().first().copied().unwrap_or_default();
        Ok(redialled.then_some(delay))
    }

    /// What becomes of messages while there is no connection; none where the adapter cannot send.
    pub(super) async fn queue(&self, words: &mut BTreeSet<String>) -> Result<Queue, DiscoverError> {
        let mut gateway = self.gateway(&[Step::Drop, Step::Status(503)]).await?;
        let options = Options { max_reconnect_attempts: Some(100), ..self.usual };
        let mut adapter = self.adapter(&gateway, options).await?;
        adapter.ask(Operation::Connect).await;
        gateway.until(DIALS_WITHIN, |dials| !dials.began.is_empty()).await;
        adapter.ask(Operation::Subscribe { target: Target::EventType(ROOM.to_owned()) }).await;
        gateway.until(DIALS_WITHIN, |dials| dials.began.len() > 1).await;
        let mut seen = ObservedQueue::default();
        for number in 0..SENT {
            match adapter.ask(message(number)).await {
                Some(Outcome::Done { .. }) => seen.taken.push(true),
                Some(Outcome::Error { .. }) => seen.taken.push(false),
                answer @ (Some(Outcome::Unsupported { .. }) | None) => {
                    words.extend(adapter.stop().await);
                    return Ok(if answer.is_some() { Queue::Unsupported } else { Queue::Unseen });
                }
            }
        }
        let before = gateway.dials().began.len();
        gateway.plan(vec![Step::Open]);
        let marked = |dials: &Dials| dials.texts.iter().any(|(number, _)| *number >= before);
        gateway.until(DIALS_WITHIN, marked).await;
        adapter.listen(Duration::from_millis(400)).await;
        let dials = gateway.dials();
        let texts: Vec<&str> = dials
            .texts
            .iter()
            .filter(|(number, _)| *number >= before)
            .map(|(_, text)| text.as_str())
            .collect();
        seen.arrived = texts
            .iter()
            .filter_map(|text| (0..SENT).find(|number| text.contains(&marker(*number))))
            .collect();
        let subscribed = texts.iter().position(|text| {
            let read = self.start.dialect.decode_client(text).map(|read| read.message);
            matches!(read, Ok(ClientMessage::Subscribe(_))) || text.contains(ROOM)
        });
        let first = texts.iter().position(|text| text.contains("gcm-"));
        seen.subscription_first = subscribed.zip(first).map(|(subscribed, first)| subscribed < first);
        let carries = !seen.arrived.is_empty() || carries(&mut adapter, &mut gateway, SENT).await;
        words.extend(adapter.stop().await);
        if !carries {
            return Ok(Queue::Unconnected);
        }
        Ok(Queue::Seen(seen))
    }

    /// What a client says that is asked for a room, after its first messages: on one connection.
    pub(super) async fn says(&self) -> Result<Vec<String>, DiscoverError> {
        let mut gateway = self.gateway(&[Step::Open]).await?;
        let mut adapter = self.adapter(&gateway, self.usual).await?;
        adapter.ask(Operation::Connect).await;
        gateway.until(DIALS_WITHIN, |dials| !dials.texts.is_empty()).await;
        // What it asks for by itself comes before what it is asked for.
        adapter.listen(Duration::from_millis(300)).await;
        adapter.ask(Operation::Subscribe { target: Target::Room(ROOM.to_owned()) }).await;
        let asked = |dials: &Dials| dials.texts.iter().any(|(_, text)| text.contains(ROOM));
        gateway.until(Duration::from_secs(1), asked).await;
        adapter.stop().await;
        Ok(gateway.dials().texts.into_iter().map(|(_, text)| text).collect())
    }

    /// Whether a listener's exception ends the process; none where the adapter has no listeners. Its client disconnects afterwards.
    /// And how long it took to start.
    pub(super) async fn fatal_listeners(
        &self,
        words: &mut BTreeSet<String>,
    ) -> Result<(Option<bool>, Duration), DiscoverError> {
        let mut gateway = self.gateway(&[Step::Open]).await?;
        let mut adapter = self.adapter(&gateway, self.usual).await?;
        let took = adapter.took;
        if let Some(Outcome::Done { status: Some(status), .. }) = adapter.ask(Operation::Status).await {
            words.insert(status);
        }
        let on = |listener: &str, fails| Operation::On {
            name: "connected".to_owned(),
            listener: listener.to_owned(),
            fails,
        };
        let failing = adapter.ask(on("a", true)).await;
        adapter.ask(on("b", false)).await;
        adapter.ask(Operation::Connect).await;
        gateway.until(DIALS_WITHIN, |dials| !dials.began.is_empty()).await;
        adapter.listen(Duration::from_millis(400)).await;
        let lives = adapter.ask(Operation::Status).await.is_some();
        let was_called = adapter.has_emitted;
        words.extend(adapter.stop().await);
        let mut adapter = self.adapter(&gateway, self.usual).await?;
        adapter.ask(Operation::Connect).await;
        adapter.listen(Duration::from_millis(400)).await;
        adapter.ask(Operation::Disconnect).await;
        adapter.listen(Duration::from_millis(200)).await;
        words.extend(adapter.stop().await);
        // A client that never says `connected` has called no listener.
        let has_thrown = matches!(failing, Some(Outcome::Done { .. })) && (was_called || !lives);
        Ok((has_thrown.then_some(!lives), took))
    }

    /// Whether a message is kept that is sent before the first connection.
    pub(super) async fn before_first(
        &self,
        words: &mut BTreeSet<String>,
    ) -> Result<Option<bool>, DiscoverError> {
        let mut gateway = self.gateway(&[Step::Open]).await?;
        let mut adapter = self.adapter(&gateway, self.usual).await?;
        let answer = adapter.ask(message(0)).await;
        adapter.ask(Operation::Connect).await;
        let arrived = gateway.until(ARRIVES_WITHIN, |dials| dials.has(&marker(0))).await;
        let carries = arrived || carries(&mut adapter, &mut gateway, 1).await;
        words.extend(adapter.stop().await);
        Ok(match answer {
            Some(Outcome::Done { .. } | Outcome::Error { .. }) => carries.then_some(arrived),
            Some(Outcome::Unsupported { .. }) | None => None,
        })
    }
}

/// Whether a message arrives that is sent now: what was sent before and did not arrive is lost only where this is.
async fn carries(adapter: &mut Adapter, gateway: &mut Gateway, number: usize) -> bool {
    let answer = adapter.ask(message(number)).await;
    matches!(answer, Some(Outcome::Done { .. }))
        && gateway.until(ARRIVES_WITHIN, |dials| dials.has(&marker(number))).await
}

fn message(number: usize) -> Operation {
    let payload = json!({ "marker": marker(number) });
    Operation::Send { message: Message { kind: "note".to_owned(), payload } }
}

fn marker(number: usize) -> String {
    format!("gcm-{number}-x")
}
