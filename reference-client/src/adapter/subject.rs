//! The client that is judged, alone or shared by consumers, and the cache beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::{Value, json};

use super::consumer::Consumer;
use super::exchange::Lines;
use super::request::{Op, Settings};
use super::tokens::Tokens;
use crate::client::{Client, ListenerError, ListenerId};
use crate::net::{Dial, TokenError, WallClock};
use crate::provider::{Provider, WeakProvider};
use crate::query::{QueryClient, QueryKey, QueryObserver};

/// A configured client.
pub(super) struct Subject<D> {
    settings: Settings,
    dial: D,
    wall: WallClock,
    lines: Lines,
    tokens: Tokens,
    holder: Holder,
    listeners: BTreeMap<(String, String), ListenerId>,
    consumers: BTreeMap<String, Consumer>,
    queries: QueryClient,
    observers: Vec<QueryObserver>,
}

/// Who keeps the connection.
enum Holder {
    /// The adapter itself.
    Adapter(Client),
    /// The consumers; once there is none, the connection closes (PROV-3).
    Consumers(WeakProvider),
}

/// How a request went.
pub(super) enum Answer {
    Ok,
    With(&'static str, Value),
    Unsupported,
    Error(String),
}

/// Why a request may fail; the answer holds the error's text.
type Failure = Box<dyn std::error::Error + Send + Sync>;

impl<D: Dial> Subject<D> {
    pub(super) fn start(mut settings: Settings, dial: D, wall: WallClock, lines: Lines) -> Self {
        let tokens = Tokens::new(lines.clone());
        settings.config.token_provider = settings.asks_for_tokens.then(|| tokens.provider());
        let client = start(&settings, &dial, &wall, &lines);
        Self {
            settings,
            dial,
            wall,
            lines,
            tokens,
            holder: Holder::Adapter(client),
            listeners: BTreeMap::new(),
            consumers: BTreeMap::new(),
            queries: QueryClient::default(),
            observers: Vec::new(),
        }
    }

    pub(super) async fn perform(&mut self, op: Op) -> Answer {
        self.try_perform(op).await.unwrap_or_else(|error| Answer::Error(error.to_string()))
    }

    async fn try_perform(&mut self, op: Op) -> Result<Answer, Failure> {
        match op {
            Op::Config => return Ok(Answer::With("config", self.settings.in_effect())),
            Op::Mount { name, hook } => {
                let provider = self.provider().await?;
                let (queries, wall) = (&self.queries, self.wall.clone());
                let consumer = Consumer::mount(hook, &name, provider, queries, wall, &self.lines).await?;
                self.consumers.insert(name, consumer);
            }
            Op::Unmount { name } => {
                self.consumers.remove(&name).ok_or_else(|| format!("nothing is mounted as `{name}`"))?;
            }
            Op::Read { name } => {
                let consumer = self.consumers.get(&name);
                let consumer = consumer.ok_or_else(|| format!("nothing is mounted as `{name}`"))?;
                let shown = consumer.shown().ok_or_else(|| format!("`{name}` shows nothing"))?;
                return Ok(Answer::With("value", shown));
            }
            Op::Observe { key } => self.observe(QueryKey::from(key)),
            Op::SetQuery { key, value } => self.queries.set(&QueryKey::from(key), value),
            Op::GetQuery { key } => {
                let data = self.queries.snapshot(&QueryKey::from(key)).data;
                return Ok(Answer::With("value", data.map_or(Value::Null, |data| (*data).clone())));
            }
            Op::Connect => match &self.holder {
                Holder::Adapter(client) => client.connect().await?,
                Holder::Consumers(_) => self.shared()?.connect().await?,
            },
            Op::SetToken { token } => match (&self.holder, token) {
                (Holder::Adapter(client), Some(token)) => client.set_token(token).await?,
                (Holder::Adapter(client), None) => client.disconnect().await?,
                (Holder::Consumers(_), token) => self.shared()?.set_token(token).await?,
            },
            Op::Token { token, error } => {
                let none = || TokenError(error.unwrap_or_else(|| "there is none".to_owned()));
                if !self.tokens.answer(token.ok_or_else(none)) {
                    return Err("no dial waits for a token".into());
                }
            }
            Op::Disconnect => self.client()?.disconnect().await?,
            Op::Send { message } => self.client()?.send(message.kind, message.payload).await?,
            Op::Subscribe { target } => self.client()?.subscribe(target).await?,
            Op::Unsubscribe { target } => self.client()?.unsubscribe(target).await?,
            Op::SetUser { user } => self.client()?.set_user(user),
            Op::On { name, listener, fails } => self.listen(name, listener, fails)?,
            Op::Off { name, listener } => {
                if let Some(id) = self.listeners.remove(&(name, listener)) {
                    self.client()?.off(id);
                }
            }
            Op::Status => return Ok(Answer::With("status", json!(self.client()?.status().as_str()))),
            Op::Configure(_) | Op::Exit | Op::Unknown => return Ok(Answer::Unsupported),
        }
        Ok(Answer::Ok)
    }

    /// Leaving is polite: the connection closes with 1000.
    pub(super) async fn leave(&mut self) {
        if let Ok(client) = self.client() {
            // The client may have ended already.
            let _ = client.disconnect().await;
        }
        self.consumers.clear();
    }

    fn client(&self) -> Result<Client, Failure> {
        match &self.holder {
            Holder::Adapter(client) => Ok(client.clone()),
            Holder::Consumers(_) => Ok(self.shared()?.client().clone()),
        }
    }

    fn shared(&self) -> Result<Provider, Failure> {
        let Holder::Consumers(provider) = &self.holder else { return Err("nothing is mounted".into()) };
        Ok(provider.upgrade().ok_or("the last consumer has gone, and the connection with it")?)
    }

    /// The provider of the consumers; the first of them makes it.
    async fn provider(&mut self) -> Result<Provider, Failure> {
        let client = match &self.holder {
            Holder::Consumers(provider) => match provider.upgrade() {
                Some(provider) => return Ok(provider),
                None => start(&self.settings, &self.dial, &self.wall, &self.lines),
            },
            Holder::Adapter(client) => client.clone(),
        };
        let Settings { auto_connect, signed_in, .. } = self.settings;
        let provider = if signed_in {
            Provider::signed_in(client, auto_connect).await?
        } else {
            Provider::signed_out(client, auto_connect)
        };
        self.holder = Holder::Consumers(provider.downgrade());
        Ok(provider)
    }

    fn observe(&mut self, key: QueryKey) {
        let (lines, parts) = (self.lines.clone(), key.parts().to_vec());
        let calls = Arc::new(AtomicU64::new(0));
        let fetcher = move || {
            lines.report(json!({ "event": "refetch", "key": parts }));
            let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
            async move { Ok(json!(call)) }
        };
        self.observers.push(self.queries.observe(key, fetcher));
    }

    fn listen(&mut self, name: String, listener: String, fails: bool) -> Result<(), Failure> {
        let client = self.client()?;
        let lines = self.lines.clone();
        let (event, own_name) = (name.clone(), listener.clone());
        let id = client.on(name.clone(), move |payload| {
            lines.report(json!({ "event": "emit", "name": event, "payload": payload, "listener": own_name }));
            if fails { Err(ListenerError("told to fail".to_owned())) } else { Ok(()) }
        });
        if let Some(before) = self.listeners.insert((name, listener), id) {
            client.off(before);
        }
        Ok(())
    }
}

fn start<D: Dial>(settings: &Settings, dial: &D, wall: &WallClock, lines: &Lines) -> Client {
    let client = Client::start(settings.config.clone(), dial.clone(), wall.clone());
    let (statuses, reports) = (lines.clone(), lines.clone());
    client.on_status(move |old, new| {
        statuses.report(json!({ "event": "status", "status": new.as_str(), "old": old.as_str() }));
    });
    client.on_report(move |report| {
        reports.report(json!({ "event": "report", "message": report.message, "user": report.user }));
    });
    client
}
