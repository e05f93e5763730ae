//! Publishes the events of a plan when they are due, through the gateway's own broker, in the form that its profile declares.
//!
//! It is a thread that waits by itself: a runtime's timers have a millisecond, and are late where other tasks work.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use conformance::amqp::{BrokerLink, Outgoing};
use conformance::profile::Profile;
use serde_json::json;
use tokio::runtime::Handle;
use tokio::task::{JoinError, JoinHandle};

use crate::crowd::user_id;
use crate::latencies::Latencies;
use crate::marker::{MARK_BYTES, Mark, MarkFinder, PROBE, renumber};
use crate::plan::{Channel, Plan};

/// Longest time that it waits without looking whether it is to stop.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The events of each channel, as they are published.
#[derive(Debug, Clone)]
pub(crate) struct Messages(Vec<Message>);

#[derive(Debug, Clone)]
struct Message {
    outgoing: Outgoing,
    /// Where the mark stands in the body.
    mark_at: usize,
}

/// What came of publishing.
#[derive(Debug)]
pub(crate) struct Published {
    /// How many events of each channel were published.
    pub(crate) counts: Vec<u64>,
    /// How long after it was due each was.
    pub(crate) late: Latencies,
    /// The share of the time that it worked.
    pub(crate) busy: f64,
    /// From the time at which the first event was due to the last confirmation.
    pub(crate) took: Duration,
}

impl Messages {
    /// For the channels of a plan; data of about `payload` bytes, published where the gateway's own exchange is called so.
    pub(crate) fn new(profile: &Profile, plan: &Plan, exchange: &str, payload: usize, run: u32) -> Self {
        let finder = MarkFinder::new(run);
        let message = |(index, channel): (usize, &Channel)| {
            let names = profile.events.names();
            let usual = channel.to.event_type();
            let kind = names.get(usual).map_or(usual, String::as_str);
            let mark = Mark { channel: index as u32, number: PROBE }.write(run);
            let mut data = BTreeMap::from([("mark", json!(mark))]);
            if let Some(user) = channel.user {
                let users = profile.token.style.users;
                data.insert("userId", users.value(&user_id(users, user)));
            }
            let bare = json!(data).to_string().len() + r#","padding":"""#.len();
            data.insert("padding", json!("x".repeat(payload.saturating_sub(bare))));
            let body = json!({ "type": kind, "data": data }).to_string();
            let outgoing = profile.events.outgoing(exchange, &usual.replace(':', "."), &body);
            let found = finder.find(outgoing.body.as_bytes()).expect("a body has its data");
            Message { mark_at: found.1 - MARK_BYTES, outgoing }
        };
        Self(plan.channels().iter().enumerate().map(message).collect())
    }

    /// The event that finds out whether events of a channel come through.
    pub(crate) fn probe(&self, channel: u32) -> Outgoing {
        self.numbered(channel, PROBE)
    }

    fn numbered(&self, channel: u32, number: u64) -> Outgoing {
        let mut message = self.0[channel as usize].clone();
        message.renumber(number);
        message.outgoing
    }
}

impl Message {
    fn renumber(&mut self, number: u64) {
        let mut body = std::mem::take(&mut self.outgoing.body).into_bytes();
        renumber(&mut body, self.mark_at, number);
        self.outgoing.body = String::from_utf8(body).expect("digits are text");
    }
}

/// Publishing under way. Dropping it ends it.
pub(crate) struct Publisher {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<(Result<Published, String>, BrokerLink)>,
}

impl Publisher {
    /// Begins: each event is published when it is due, counted from `origin`.
    pub(crate) fn start(link: BrokerLink, messages: Messages, plan: Arc<Plan>, origin: Instant) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let asked = stop.clone();
        let handle = Handle::current();
        let thread = tokio::task::spawn_blocking(move || {
            let mut link = link;
            let published = publish(&mut link, messages, &plan, origin, &asked, &handle);
            (published, link)
        });
        Self { stop, thread }
    }

    /// Publishes no more.
    pub(crate) fn stop(&self) {
        self.stop.store(true, Ordering::Relaxed);
    }

    /// Waits until every event, or the last before it was stopped, has been published. Cancel safe.
    pub(crate) async fn end(&mut self) -> Result<(Result<Published, String>, BrokerLink), JoinError> {
        (&mut self.thread).await
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop();
    }
}

fn publish(
    link: &mut BrokerLink,
    mut messages: Messages,
    plan: &Plan,
    origin: Instant,
    stop: &AtomicBool,
    handle: &Handle,
) -> Result<Published, String> {
    let mut counts = vec![0; plan.channels().len()];
    let mut late = Latencies::default();
    let mut waited = Duration::ZERO;
    let begun = now();
    for event in plan.events() {
        let due = origin + Duration::from_micros(event.due_us);
        let mut at = now();
        while at < due && !stop.load(Ordering::Relaxed) {
            std::thread::park_timeout((due - at).min(LOOK_AGAIN));
            let woken = now();
            waited += woken - at;
            at = woken;
        }
        if stop.load(Ordering::Relaxed) {
            break;
        }
        late.record_us((at - due).as_micros() as u64);
        let message = &mut messages.0[event.channel as usize];
        message.renumber(event.number);
        handle.block_on(link.post(&message.outgoing)).map_err(|error| error.to_string())?;
        counts[event.channel as usize] += 1;
    }
    handle.block_on(link.confirm()).map_err(|error| error.to_string())?;
    let ended = now();
    let took = ended.saturating_duration_since(origin);
    let elapsed = (ended - begun).as_secs_f64();
    let busy = if elapsed > 0.0 { 1.0 - waited.as_secs_f64() / elapsed } else { 0.0 };
    Ok(Published { counts, late, busy, took })
}

#[expect(clippy::disallowed_methods, reason = "events are published in real time")]
fn now() -> Instant {
    Instant::now()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::workload::{Overrides, Workload};

    /// An event has its mark wherever the profile puts its data, its owner, and about as many bytes as were asked for.
    #[test]
    fn events_are_as_the_profile_declares() {
        let workload = "clients = 4\n[burst]\nevents = 9\n[[audience]]\nto = \"owner\"\nmembers = 2";
        let workload = Workload::parse("w", "w", workload, &Overrides::default()).unwrap();
        let plan = Plan::new(&workload, 1);
        let profile = "[[event]]\nfor = \"owner\"\ntype = \"account.changed\"\nrouting_key = \"accounts\"\n\
             body = '{\"what\":\"{type}\",\"whose\":\"{user}\",\"all\":\"{data}\"}'";
        let profile = Profile::parse("p", profile, std::path::Path::new(".")).unwrap();
        let messages = Messages::new(&profile, &plan, "own", 300, 7);
        let event = messages.numbered(1, 42);
        assert_eq!((event.exchange.as_str(), event.routing_key.as_str()), ("own", "accounts"));
        let body: serde_json::Value = serde_json::from_str(&event.body).unwrap();
        assert_eq!((&body["what"], &body["whose"]), (&json!("account.changed"), &json!("bench-1")));
        assert_eq!(body["all"].to_string().len(), 300);
        let found = MarkFinder::new(7).find(event.body.as_bytes()).unwrap().0;
        assert_eq!(found, Mark { channel: 1, number: 42 });
        assert_eq!(messages.probe(0).body.matches(&PROBE.to_string()).count(), 1);
    }
}
