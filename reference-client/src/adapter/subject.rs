//! The client that is judged, alone or shared by consumers, and the cache beside it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use protocol::adapter::{Operation, Outcome, Reaction, ReportEvent, User};
use serde_json::{Value, json};

use super::consumer::{Consumer, emit, status};
use super::exchange::Lines;
use super::settings::Settings;
use super::tokens::Tokens;
use crate::client::{Client, ListenerError, ListenerId, Reactions, TooManyReactions};
use crate::net::{Dial, TokenError, WallClock};
use crate::provider::{Provider, WeakProvider};
use crate::query::{QueryClient, QueryKey, QueryObserver};
use crate::report;

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

    pub(super) async fn perform(&mut self, operation: Operation) -> Outcome {
        let refused = |error: Failure| Outcome::Error { error: error.to_string() };
        self.try_perform(operation).await.unwrap_or_else(refused)
    }

    async fn try_perform(&mut self, operation: Operation) -> Result<Outcome, Failure> {
        match operation {
            Operation::Config => return Ok(Outcome::config(self.settings.in_effect())),
            Operation::Mount { name, hook } => {
                let provider = self.provider().await?;
                let (queries, wall) = (&self.queries, self.wall.clone());
                let consumer = Consumer::mount(hook, &name, provider, queries, wall, &self.lines).await?;
                self.consumers.insert(name, consumer);
            }
            Operation::Unmount { name } => {
                self.consumers.remove(&name).ok_or_else(|| format!("nothing is mounted as `{name}`"))?;
            }
            Operation::Read { name } => {
                let consumer = self.consumers.get(&name);
                let consumer = consumer.ok_or_else(|| format!("nothing is mounted as `{name}`"))?;
                let shown = consumer.shown().ok_or_else(|| format!("`{name}` shows nothing"))?;
                return Ok(Outcome::value(shown));
            }
            Operation::Observe { key } => self.observe(QueryKey::from(key)),
            Operation::SetQuery { key, value } => self.queries.set(&QueryKey::from(key), value),
            Operation::GetQuery { key } => {
                let data = self.queries.snapshot(&QueryKey::from(key)).data;
                return Ok(Outcome::value(data.map_or(Value::Null, |data| (*data).clone())));
            }
            Operation::Connect => match &self.holder {
                Holder::Adapter(client) => client.connect().await?,
                Holder::Consumers(_) => self.shared()?.connect().await?,
            },
            Operation::SetToken { token } => match (&self.holder, token) {
                (Holder::Adapter(client), Some(token)) => client.set_token(token).await?,
                (Holder::Adapter(client), None) => client.disconnect().await?,
                (Holder::Consumers(_), token) => self.shared()?.set_token(token).await?,
            },
            Operation::Token { token } => {
                if !self.tokens.answer(Ok(token)) {
                    return Err("no dial waits for a token".into());
                }
            }
            Operation::FailToken { error } => {
                if !self.tokens.answer(Err(TokenError(error))) {
                    return Err("no dial waits for a token".into());
                }
            }
            Operation::Disconnect => self.client()?.disconnect().await?,
            Operation::Send { message } => self.client()?.send(message.kind, message.payload).await?,
            Operation::Subscribe { target } => self.client()?.subscribe(target).await?,
            Operation::Unsubscribe { target } => self.client()?.unsubscribe(target).await?,
            Operation::SetUser { user } => {
                let known =
                    |User { id, email, name }| report::User { id, email: Some(email), name: Some(name) };
                self.client()?.set_user(user.map(known));
            }
            Operation::On { name, listener, fails } => {
                let outcome =
                    move || if fails { Err(ListenerError("told to fail".to_owned())) } else { Ok(()) };
                self.listen(name, listener, outcome)?;
            }
            Operation::React { name, listener, act } => {
                let (reactions, mut act) = (self.client()?.reactions(), Some(act));
                self.listen(name, listener, move || {
                    let done = act.take().map_or(Ok(()), |act| react(&reactions, act));
                    done.map_err(|refused| ListenerError(refused.to_string()))
                })?;
            }
            Operation::Off { name, listener } => {
                if let Some(id) = self.listeners.remove(&(name, listener)) {
                    self.client()?.off(id);
                }
            }
            Operation::Status => return Ok(Outcome::status(self.client()?.status().to_string())),
            Operation::Configure(_) | Operation::Exit | Operation::Unknown => {
                return Ok(Outcome::UNSUPPORTED);
            }
        }
        Ok(Outcome::DONE)
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
            lines.report(ReportEvent::Refetch { key: parts.clone() });
            let call = calls.fetch_add(1, Ordering::Relaxed) + 1;
            async move { Ok(json!(call)) }
        };
        self.observers.push(self.queries.observe(key, fetcher));
    }

    /// Has a listener report each call, and then do this.
    fn listen(
        &mut self,
        name: String,
        listener: String,
        mut does: impl FnMut() -> Result<(), ListenerError> + Send + 'static,
    ) -> Result<(), Failure> {
        let client = self.client()?;
        let lines = self.lines.clone();
        let (event, own_name) = (name.clone(), listener.clone());
        let id = client.on(name.clone(), move |payload| {
            lines.report(emit(&event, payload, &own_name));
            does()
        });
        if let Some(before) = self.listeners.insert((name, listener), id) {
            client.off(before);
        }
        Ok(())
    }
}

fn react(reactions: &Reactions, act: Reaction) -> Result<(), TooManyReactions> {
    match act {
        Reaction::Connect => reactions.connect(),
        Reaction::Disconnect => reactions.disconnect(),
        Reaction::Send { message } => reactions.send(message.kind, message.payload),
        Reaction::Subscribe { target } => reactions.subscribe(target),
        Reaction::Unsubscribe { target } => reactions.unsubscribe(target),
        Reaction::SetToken { token } => reactions.set_token(token),
    }
}

fn start<D: Dial>(settings: &Settings, dial: &D, wall: &WallClock, lines: &Lines) -> Client {
    let client = Client::start(settings.config.clone(), dial.clone(), wall.clone());
    let (statuses, reports) = (lines.clone(), lines.clone());
    client.on_status(move |old, new| statuses.report(status(old, new)));
    client.on_report(move |report| {
        let (message, user) = (report.message.clone(), Some(json!(report.user)));
        reports.report(ReportEvent::Report { message, user });
    });
    client
}
