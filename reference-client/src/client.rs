//! The handle that an application holds.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use protocol::{Target, Timestamp};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use crate::config::ClientConfig;
use crate::net::{Dial, Driver, Order, Report, WallClock};
use crate::report::{ErrorReport, Reports, User};
use crate::session::{Command, QueueFull, Status};

/// Orders that wait for the driver; whoever gives more waits.
const ORDERS: usize = 64;

/// A client. Cheap to clone; the connection closes when the last clone goes.
#[derive(Clone)]
pub struct Client {
    orders: mpsc::Sender<Order>,
    status: watch::Receiver<Status>,
    listeners: Arc<Listeners>,
    reports: Arc<Reports>,
}

/// Names a listener, so that it alone can be taken off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ListenerId(u64);

/// A listener failed. It is logged, and the others are called (SUB-3).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct ListenerError(pub String);

/// Why a message was not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The queue holds as much as it may (QUEUE-3).
    #[error(transparent)]
    QueueFull(#[from] QueueFull),
    /// The client's task is gone; its runtime has ended.
    #[error("the client has ended")]
    Ended,
}

type Listener = Box<dyn FnMut(&Value) -> Result<(), ListenerError> + Send>;
type AnyListener = Box<dyn FnMut(&str, &Value) -> Result<(), ListenerError> + Send>;
type Observer = Box<dyn FnMut(Status, Status) + Send>;

/// Listeners by event, and those who hear of every change of status. Callbacks run on the client's task; the lock is held by
/// whoever adds or removes one, or by that task while it calls them, and never across a wait.
#[derive(Default)]
struct Listeners {
    next: AtomicU64,
    of_events: Mutex<BTreeMap<String, Vec<(ListenerId, Listener)>>>,
    of_anything: Mutex<Vec<AnyListener>>,
    of_status: Mutex<Vec<(ListenerId, Observer)>>,
}

impl Client {
    /// Starts a client on this runtime. It is `disconnected` until [`Client::connect`].
    pub fn start<D: Dial>(config: ClientConfig, dial: D, wall: WallClock) -> Self {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (tell, status) = watch::channel(Status::Disconnected);
        let listeners = Arc::new(Listeners::default());
        let reports = Arc::new(Reports::default());
        let (called, told) = (listeners.clone(), reports.clone());
        let report = move |report| match report {
            Report::Status { old, new } => {
                tracing::debug!("status {old} → {new}");
                tell.send_replace(new);
                called.status(old, new);
            }
            Report::Emit { name, payload } => {
                told.event(&name, &payload);
                called.call(&name, &payload, &told);
            }
            Report::Log(line) => tracing::debug!("{line}"),
        };
        tokio::spawn(Driver::run(config, dial, wall, inbox, report));
        Self { orders, status, listeners, reports }
    }

    /// Seeks a connection; nothing where one is sought or open already (STATE-5).
    pub async fn connect(&self) -> Result<(), SendError> {
        self.order(Command::Connect).await
    }

    /// Ends the connection with 1000, and every attempt at one (STATE-6).
    pub async fn disconnect(&self) -> Result<(), SendError> {
        self.order(Command::Disconnect).await
    }

    /// Sends a message now, or on connecting (QUEUE-1).
    ///
    /// # Errors
    /// When the queue is full: the oldest are kept, this one is refused.
    pub async fn send(&self, kind: impl Into<String>, payload: Value) -> Result<(), SendError> {
        self.order(Command::Send { kind: kind.into(), payload }).await
    }

    /// Asks for a room's messages, now and on every connecting (SUB-1, SUB-2).
    pub async fn subscribe(&self, target: Target) -> Result<(), SendError> {
        self.order(Command::Subscribe(target)).await
    }

    /// Ends a subscription.
    pub async fn unsubscribe(&self, target: Target) -> Result<(), SendError> {
        self.order(Command::Unsubscribe(target)).await
    }

    /// Signs in with another token: the old connection closes with 1000, a new one opens; subscriptions and queue
    /// survive (TOKEN-1).
    pub async fn set_token(&self, token: impl Into<String>) -> Result<(), SendError> {
        self.order(Command::SetToken(token.into())).await
    }

    /// The status now.
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// The status as it changes.
    pub fn watch_status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// Calls `listener` with the payload of every event of this name, on the client's task; it must not block. Several may
    /// listen to one event; each is called once (SUB-3).
    pub fn on(
        &self,
        name: impl Into<String>,
        listener: impl FnMut(&Value) -> Result<(), ListenerError> + Send + 'static,
    ) -> ListenerId {
        let id = self.listeners.name();
        let mut listeners = self.listeners.of_events.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.entry(name.into()).or_default().push((id, Box::new(listener)));
        id
    }

    /// Takes a listener, or an observer of the status, off, and no other.
    pub fn off(&self, id: ListenerId) {
        self.listeners
            .of_status
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .retain(|(found, _)| *found != id);
        let mut listeners = self.listeners.of_events.lock().unwrap_or_else(PoisonError::into_inner);
        listeners.values_mut().for_each(|of_event| of_event.retain(|(found, _)| *found != id));
        listeners.retain(|_, of_event| !of_event.is_empty());
    }

    /// Calls `listener` with the name and payload of every event.
    pub fn on_any(&self, listener: impl FnMut(&str, &Value) -> Result<(), ListenerError> + Send + 'static) {
        self.listeners.of_anything.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(listener));
    }

    /// Calls `observer` with the old and the new status at every change, in the order of the events (STATE-1).
    pub fn on_status(&self, observer: impl FnMut(Status, Status) + Send + 'static) -> ListenerId {
        let id = self.listeners.name();
        let mut observers = self.listeners.of_status.lock().unwrap_or_else(PoisonError::into_inner);
        observers.push((id, Box::new(observer)));
        id
    }

    /// Says who is signed in, for error reports; `None` once they have signed out (OBS-1).
    pub fn set_user(&self, user: Option<User>) {
        self.reports.set_user(user);
    }

    /// Hands error reports to `sink`, on the client's task; it must not block (OBS-1).
    pub fn on_report(&self, sink: impl FnMut(&ErrorReport) + Send + 'static) {
        self.reports.add(sink);
    }

    async fn order(&self, command: Command) -> Result<(), SendError> {
        let (done, outcome) = oneshot::channel();
        self.orders.send(Order { command, done }).await.map_err(|_| SendError::Ended)?;
        Ok(outcome.await.map_err(|_| SendError::Ended)??)
    }
}

impl Listeners {
    fn name(&self) -> ListenerId {
        ListenerId(self.next.fetch_add(1, Ordering::Relaxed))
    }

    fn call(&self, name: &str, payload: &Value, reports: &Reports) {
        let mut of_events = self.of_events.lock().unwrap_or_else(PoisonError::into_inner);
        for (_, listener) in of_events.get_mut(name).into_iter().flatten() {
            guarded(name, reports, || listener(payload));
        }
        let mut of_anything = self.of_anything.lock().unwrap_or_else(PoisonError::into_inner);
        for listener in of_anything.iter_mut() {
            guarded(name, reports, || listener(name, payload));
        }
    }

    fn status(&self, old: Status, new: Status) {
        let mut observers = self.of_status.lock().unwrap_or_else(PoisonError::into_inner);
        observers.iter_mut().for_each(|(_, observer)| observer(old, new));
    }
}

/// Calls a listener; one that panics is as good as one that fails (SUB-3).
fn guarded(name: &str, reports: &Reports, listener: impl FnOnce() -> Result<(), ListenerError>) {
    let trouble = match std::panic::catch_unwind(std::panic::AssertUnwindSafe(listener)) {
        Ok(Ok(())) => return,
        Ok(Err(error)) => format!("a listener of {name} failed: {error}"),
        Err(_) => format!("a listener of {name} panicked"),
    };
    tracing::warn!("{trouble}");
    reports.report(trouble);
}

/// The system's wall clock.
#[expect(
    clippy::disallowed_methods,
    reason = "the default clock of the application; everything else is given one"
)]
pub fn system_clock() -> WallClock {
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
        let ms = since.unwrap_or_default().as_millis();
        Timestamp::from_unix_ms(i64::try_from(ms).unwrap_or(i64::MAX))
    })
}
