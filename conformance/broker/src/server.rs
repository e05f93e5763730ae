//! The handle on a running broker.

use super::config::BrokerConfig;
use super::listen::Listen;
use super::owner::{Owner, Request};
use super::snapshot::Snapshot;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use thiserror::Error;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::task::AbortOnDropHandle;
use url::Url;

/// Requests that may wait for the owner. The handle awaits each answer, so more cannot pile up than it has users.
const REQUEST_QUEUE: usize = 16;

/// Why a broker could not run.
#[derive(Debug, Error)]
pub enum BrokerError {
    /// The address is in use, or not a local one.
    #[error("cannot listen on {addr}: {source}; name a free local address, or port 0 for any")]
    Listen {
        /// Where it should have listened.
        addr: SocketAddr,
        /// What the system said.
        source: io::Error,
    },
}

/// The broker's task has ended: its runtime is shutting down, or it failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the broker has ended")]
pub struct Ended;

/// A broker that runs until it is [shut down](Self::shutdown) or dropped.
#[derive(Debug)]
pub struct Broker {
    addr: SocketAddr,
    url: Url,
    requests: mpsc::Sender<Request>,
    /// Dropped, it ends every task and socket, without closing handshakes.
    owner: AbortOnDropHandle<()>,
}

impl Broker {
    /// Starts a broker on the current tokio runtime. It accepts connections as soon as this returns.
    ///
    /// # Errors
    ///
    /// [`BrokerError::Listen`] where the address cannot be had.
    pub async fn start(config: BrokerConfig) -> Result<Self, BrokerError> {
        let listen = |source| BrokerError::Listen { addr: config.listen, source };
        let listener = TcpListener::bind(config.listen).await.map_err(listen)?;
        let addr = listener.local_addr().map_err(listen)?;
        Ok(Self::serve(listener, addr, config))
    }

    /// Starts a broker that accepts connections from `listener`; `config.listen` means nothing then. `addr` is where clients dial.
    pub fn serve<L: Listen>(listener: L, addr: SocketAddr, config: BrokerConfig) -> Self {
        let url = url_of(addr, &config);
        let (requests, inbox) = mpsc::channel(REQUEST_QUEUE);
        let owner = tokio::spawn(Owner::new(config, listener).run(inbox));
        Self { addr, url, requests, owner: AbortOnDropHandle::new(owner) }
    }

    /// Where clients dial, with user and password: `amqp://guest:guest@127.0.0.1:PORT/%2f`.
    pub fn url(&self) -> String {
        self.url.to_string()
    }

    /// Where it listens.
    pub fn addr(&self) -> SocketAddr {
        self.addr
    }

    /// Resets every connection, as a crash or an outage of the network does. Queues and what is in them stay; clients
    /// may dial again at once. When this returns, what they held unacknowledged is back in its queues.
    pub async fn drop_connections(&self) -> Result<(), Ended> {
        self.ask(Request::DropConnections).await
    }

    /// Closes every channel that consumes, apart from those that consume one of these queues, as for an acknowledgement that is overdue;
    /// connections stay. When this returns, what the channels held unacknowledged is back in its queues.
    pub async fn close_consuming_channels(&self, spared: BTreeSet<String>) -> Result<(), Ended> {
        self.ask(|done| Request::CloseConsuming(spared, done)).await
    }

    /// Deletes queues of these names, as an operator does: those that belong to a connection (`exclusive`), too. Consumers are told by
    /// `basic.cancel`, where they can be. A name without a queue is passed over.
    pub async fn delete_queues(&self, names: BTreeSet<String>) -> Result<(), Ended> {
        self.ask(|done| Request::DeleteQueues(names, done)).await
    }

    /// From now on resets every client that dials (`true`), or lets them in again (`false`). With
    /// [`drop_connections`](Self::drop_connections), this is an outage that lasts.
    pub async fn refuse_connections(&self, refuse: bool) -> Result<(), Ended> {
        self.ask(|done| Request::Refuse(refuse, done)).await
    }

    /// From now on neither reads nor writes (`true`), heartbeats included, as a broker that hangs; or goes on
    /// (`false`).
    pub async fn stall(&self, stalled: bool) -> Result<(), Ended> {
        self.ask(|done| Request::Stall(stalled, done)).await
    }

    /// What it holds now.
    pub async fn snapshot(&self) -> Result<Snapshot, Ended> {
        self.ask(Request::Snapshot).await
    }

    /// Waits until a snapshot suits, and returns it: what a test can wait for instead of sleeping. `suits` is called
    /// whenever something may have changed, so it should be quick.
    ///
    /// # Errors
    ///
    /// [`Ended`] where the broker ends before.
    pub async fn until(&self, suits: impl Fn(&Snapshot) -> bool + Send + 'static) -> Result<Snapshot, Ended> {
        self.ask(|reply| Request::Until(Box::new(suits), reply)).await
    }

    /// Closes every connection with 320, waits a moment for the answers, and ends. No task is left.
    pub async fn shutdown(self) {
        // The request fails if the broker has ended already.
        let _ = self.ask(Request::Shutdown).await;
        if let Err(error) = self.owner.await {
            tracing::error!("the broker failed: {error}");
        }
    }

    async fn ask<T>(&self, request: impl FnOnce(oneshot::Sender<T>) -> Request) -> Result<T, Ended> {
        let (reply, replied) = oneshot::channel();
        self.requests.send(request(reply)).await.map_err(|_| Ended)?;
        replied.await.map_err(|_| Ended)
    }
}

fn url_of(addr: SocketAddr, config: &BrokerConfig) -> Url {
    let mut url = Url::parse(&format!("amqp://{addr}/%2f")).expect("an address makes a URL");
    let (name, password) = config.users.first();
    url.set_username(name).expect("a URL with a host takes a user");
    url.set_password(Some(password)).expect("a URL with a host takes a password");
    url
}
