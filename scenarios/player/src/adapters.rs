//! The clients under test of a case, one or a fleet: each asked through its adapter.

use scenarios::NotPlayed;
use std::collections::BTreeSet;
use std::time::Duration;

use protocol::adapter::{Message, Operation, Options, Outcome};
use protocol::{Target, Timing};
use serde_json::{Value, json};

use super::adapter::Adapter;
use super::journal::Journal;
use super::stage::PlayError;
use scenarios::scenario::ClientAct;
use scenarios::trace::{Event, Reading};

/// What every client emits by itself; the harness listens from the start.
const OWN_EVENTS: [&str; 3] = ["connected", "max_reconnect_attempts", "error"];
/// The listener that is there from the start.
const LISTENER: &str = "main";

/// The adapters of a case.
pub(super) struct Adapters {
    adapters: Vec<Adapter>,
    /// How long each may take for an answer.
    longest: Duration,
    /// What has been done by request.
    done: BTreeSet<String>,
}

impl Adapters {
    pub(super) fn new(adapters: Vec<Adapter>, longest: Duration) -> Self {
        Self { adapters, longest, done: BTreeSet::new() }
    }

    /// How many clients there are.
    pub(super) fn len(&self) -> usize {
        self.adapters.len()
    }

    /// Has a client listen from the start: to what every client emits, and to these.
    pub(super) async fn listen(
        &mut self,
        journal: &mut Journal,
        client: usize,
        names: &[String],
    ) -> Result<(), PlayError> {
        let own = OWN_EVENTS.into_iter().map(str::to_owned);
        for name in own.chain(names.iter().cloned()) {
            let listener = LISTENER.to_owned();
            self.ask(journal, client, Operation::On { name, listener, fails: false }).await?;
        }
        Ok(())
    }

    /// Sends the request to each client, and records it as an observation.
    pub(super) async fn act(&mut self, journal: &mut Journal, act: &ClientAct) -> Result<(), PlayError> {
        if let ClientAct::Send { payload, count, .. } = act {
            journal.expects(&payload.to_string(), self.adapters.len() * *count as usize);
        }
        for client in 0..self.adapters.len() {
            for number in 1..=act.requests() {
                let value = self.ask(journal, client, operation(act, number)).await?;
                if let (ClientAct::Read(what), Some(value)) = (act, value) {
                    let actor = self.adapters[client].actor().clone();
                    journal.write(actor, None, Event::Read { what: what.clone(), value });
                }
            }
        }
        Ok(())
    }

    /// Asks a client. That it refuses is an observation; that it cannot ends the play.
    pub(super) async fn ask(
        &mut self,
        journal: &mut Journal,
        client: usize,
        operation: Operation,
    ) -> Result<Option<Value>, PlayError> {
        let (adapter, longest) = (&self.adapters[client], self.longest);
        let (op, special) = (operation.name(), special(&operation));
        let answer = journal.during(tokio::time::timeout(longest, adapter.ask(operation))).await;
        let silent = || PlayError::Adapter(format!("the adapter did not answer `{op}` within {longest:?}"));
        match answer.map_err(|_| silent())?? {
            Outcome::Done { value, config, .. } => {
                self.done.insert(op);
                Ok(Some(config.or(value).unwrap_or_default()))
            }
            Outcome::Unsupported { .. } => {
                let again = if self.done.contains(&op) { " once more, where it stands" } else { "" };
                let why = format!("the client does not support `{op}`{special}{again}");
                Err(PlayError::NotRun(NotPlayed::by_design(why)))
            }
            Outcome::Error { error } => {
                let event = Event::RequestFailed { op, error };
                journal.write(adapter.actor().clone(), None, event);
                Ok(None)
            }
        }
    }

    /// Lets the trace have what the clients have reported by now, and asks each whether it is alive. The wire may be faster than
    /// their pipes: whatever one prints before an answer has been read when that comes. What the answer is does not matter.
    pub(super) async fn catch_up(&self, journal: &mut Journal) -> Result<(), PlayError> {
        for adapter in &self.adapters {
            let asked = tokio::time::timeout(self.longest, adapter.ask(Operation::Status));
            let silent = |_| {
                PlayError::Adapter(format!("the adapter did not answer `status` within {:?}", self.longest))
            };
            journal.during(asked).await.map_err(silent)??;
        }
        Ok(())
    }
}

/// What is special about a request that other requests of its name need not have.
fn special(operation: &Operation) -> String {
    match operation {
        Operation::Subscribe { target } | Operation::Unsubscribe { target } => match target {
            Target::EventType(_) => " by `eventType`".to_owned(),
            Target::Room(_) => " by `room`".to_owned(),
        },
        Operation::Configure(configure) => {
            let usual = Options { seed: Some(0), ..Options::from(&Timing::default()) };
            let (usual, asked) = (json!(usual), json!(configure.options));
            let names = asked.as_object().into_iter().flat_map(|options| options.keys());
            let unusual: Vec<_> = names
                .filter(|name| usual.get(name.as_str()).is_none())
                .map(|name| format!("`{name}`"))
                .collect();
            if unusual.is_empty() { String::new() } else { format!(" with {}", unusual.join(", ")) }
        }
        _ => String::new(),
    }
}

/// The request for an act; `number` counts those of one act from 1.
fn operation(act: &ClientAct, number: u32) -> Operation {
    match act.clone() {
        ClientAct::Connect => Operation::Connect,
        ClientAct::Disconnect => Operation::Disconnect,
        ClientAct::Send { kind, mut payload, count } => {
            if count > 1 {
                payload["seq"] = json!(number);
            }
            Operation::Send { message: Message { kind, payload } }
        }
        ClientAct::Subscribe(target) => Operation::Subscribe { target },
        ClientAct::Unsubscribe(target) => Operation::Unsubscribe { target },
        ClientAct::Listen { name, listener, fails } => Operation::On { name, listener, fails },
        ClientAct::React { name, listener, act } => Operation::React { name, listener, act },
        ClientAct::Unlisten { name, listener } => Operation::Off { name, listener },
        ClientAct::SetToken(token) => Operation::SetToken { token },
        ClientAct::GiveToken(token) => Operation::Token { token },
        ClientAct::FailToken(error) => Operation::FailToken { error },
        ClientAct::SetUser(user) => Operation::SetUser { user },
        ClientAct::Mount { name, hook } => Operation::Mount { name, hook },
        ClientAct::Unmount(name) => Operation::Unmount { name },
        ClientAct::Observe(key) => Operation::Observe { key },
        ClientAct::SetQuery { key, value } => Operation::SetQuery { key, value },
        ClientAct::Read(Reading::Query(key)) => Operation::GetQuery { key },
        ClientAct::Read(Reading::Consumer(name)) => Operation::Read { name },
        ClientAct::Read(Reading::Configuration) => Operation::Config,
    }
}
