//! The handle that an application holds.

mod listeners;
mod reactions;

use std::sync::Arc;

use protocol::{Target, Timestamp};
use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

pub use self::listeners::{ListenerError, ListenerId};
pub use self::reactions::{Reactions, TooManyReactions};

use self::listeners::Listeners;
use self::reactions::REACTIONS;
use crate::config::ClientConfig;
use crate::net::{ClientCommand, Dial, Driver, Redial, Report, WallClock};
use crate::report::{ErrorReport, Reports, User};
use reference_session::{Command, QueueFull, Status, Token};

/// Commands that may wait for the driver; when the channel is full the sender waits.
const ORDERS: usize = 64;

/// A client. Cheap to clone; the connection closes when the last clone is dropped.
#[derive(Clone)]
pub struct Client {
    orders: mpsc::Sender<ClientCommand>,
    reactions: Reactions,
    status: watch::Receiver<Status>,
    redial: watch::Receiver<Option<Redial>>,
    failure: watch::Receiver<Option<String>>,
    listeners: Arc<Listeners>,
    reports: Arc<Reports>,
}

/// Why a message was not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The queue holds as much as it may (QUEUE-3).
    #[error(transparent)]
    QueueFull(#[from] QueueFull),
    /// The client's task is gone; its runtime has ended.
    #[error("the client has ended")]
    Ended,
}

impl Client {
    /// Starts a client on this runtime. It is `disconnected` until [`Client::connect`].
    pub fn start<D: Dial>(config: ClientConfig, dial: D, wall: WallClock) -> Self {
        let (orders, inbox) = mpsc::channel(ORDERS);
        let (reactions, reacted) = mpsc::channel(REACTIONS);
        let (status_sender, status) = watch::channel(Status::Disconnected);
        let (redial_sender, redial) = watch::channel(None);
        let (failure_sender, failure) = watch::channel(None);
        let debug = config.debug;
        let listeners = Arc::new(Listeners::default());
        let reports = Arc::new(Reports::default());
        let (called, reported) = (listeners.clone(), reports.clone());
        let report = move |report| match report {
            Report::Redial(redial) => {
                redial_sender.send_replace(Some(redial));
            }
            Report::DialFailed(reason) => {
                if debug {
                    tracing::debug!("the dial failed: {reason}");
                }
                failure_sender.send_replace(Some(reason));
            }
            Report::Status { old, new } => {
                if debug {
                    tracing::debug!("status {old} → {new}");
                }
                if new == Status::Connected {
                    failure_sender.send_replace(None);
                }
                if new != Status::Reconnecting {
                    redial_sender.send_replace(None);
                }
                status_sender.send_replace(new);
                called.status(old, new, &reported);
            }
            Report::Emit { name, payload } => {
                reported.event(&name, &payload);
                called.call(&name, &payload, &reported);
            }
            Report::Refused(refused) => {
                tracing::warn!("a listener sends in vain: {refused}");
                reported.report(format!("a listener sends in vain: {refused}"));
            }
            Report::Log(line) => {
                if debug {
                    tracing::debug!("{line}");
                }
            }
        };
        tokio::spawn(Driver::run(config, dial, wall, (inbox, reacted), report));
        let reactions = Reactions::new(reactions);
        Self { orders, reactions, status, redial, failure, listeners, reports }
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
    /// When the queue is full: the oldest are kept, this one is refused. Messages stand in the queue until they are written, so a
    /// gateway that does not read fills it as a lost connection does (IN-2).
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
        self.order(Command::SetToken(Token::from(token))).await
    }

    /// The status now.
    pub fn status(&self) -> Status {
        *self.status.borrow()
    }

    /// The status as it changes.
    pub fn watch_status(&self) -> watch::Receiver<Status> {
        self.status.clone()
    }

    /// The redial that is waited for; none unless the client is `reconnecting`, nor while an old connection is still closing
    /// for a new token. It is known before the status is announced.
    pub fn watch_redial(&self) -> watch::Receiver<Option<Redial>> {
        self.redial.clone()
    }

    /// Why the last dial failed, for people to read; none once one succeeded. It never holds a token (TOKEN-3).
    pub fn watch_failure(&self) -> watch::Receiver<Option<String>> {
        self.failure.clone()
    }

    /// Calls `listener` with the payload of every event of this name, on the client's task; it must not block. Several may
    /// listen to one event; each is called once (SUB-3). A listener may add and take off listeners, itself among them, and asks the
    /// client for more by [`Client::reactions`].
    pub fn on(
        &self,
        name: impl Into<String>,
        listener: impl FnMut(&Value) -> Result<(), ListenerError> + Send + 'static,
    ) -> ListenerId {
        self.listeners.on(name.into(), Box::new(listener))
    }

    /// What a listener may ask this client for; it waits for nothing (IN-3).
    pub fn reactions(&self) -> Reactions {
        self.reactions.clone()
    }

    /// Removes one listener or status observer. It is not called again, but a call in progress continues.
    pub fn off(&self, id: ListenerId) {
        self.listeners.off(id);
    }

    /// Calls `listener` with the name and payload of every event.
    pub fn on_any(&self, listener: impl FnMut(&str, &Value) -> Result<(), ListenerError> + Send + 'static) {
        self.listeners.on_any(Box::new(listener));
    }

    /// Calls `observer` with the old and the new status at every change, in the order of the events (STATE-1).
    pub fn on_status(&self, observer: impl FnMut(Status, Status) + Send + 'static) -> ListenerId {
        self.listeners.on_status(Box::new(observer))
    }

    /// Sets the signed-in user for error reports; `None` after sign-out (OBS-1).
    pub fn set_user(&self, user: Option<User>) {
        self.reports.set_user(user);
    }

    /// Hands error reports to `sink`, on the client's task; it must not block (OBS-1).
    pub fn on_report(&self, sink: impl FnMut(&ErrorReport) + Send + 'static) {
        self.reports.add(sink);
    }

    async fn order(&self, command: Command) -> Result<(), SendError> {
        let (done, outcome) = oneshot::channel();
        self.orders.send(ClientCommand { command, done }).await.map_err(|_| SendError::Ended)?;
        Ok(outcome.await.map_err(|_| SendError::Ended)??)
    }
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
