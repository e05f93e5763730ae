//! One connection for many consumers (PROV-1 to PROV-3).

use std::sync::{Arc, Weak};

use tokio::sync::{Mutex, watch};

use crate::client::{Client, SendError};
use reference_session::Status;

/// A shared connection. Every clone is a consumer; the connection closes with 1000 when the last one is dropped (PROV-3).
#[derive(Clone)]
pub struct Provider {
    shared: Arc<ProviderState>,
}

/// A provider that does not keep the connection.
#[derive(Clone)]
pub struct WeakProvider {
    shared: Weak<ProviderState>,
}

struct ProviderState {
    client: Client,
    auto_connect: bool,
    /// Held while a token is set, so that concurrent calls are serialised.
    sign_in: Mutex<SignIn>,
}

/// What the connection may be made with.
#[derive(PartialEq)]
enum SignIn {
    /// No token: the user is signed out, and nothing is dialled (PROV-2).
    Out,
    /// What the client was started with: its token, or its token provider.
    Given,
    /// A token that came later.
    Token(String),
}

/// Why a provider did not connect.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConnectError {
    /// There is no token (PROV-2).
    #[error("nobody is signed in: there is no token to connect with")]
    SignedOut,
    /// The client has ended.
    #[error(transparent)]
    Send(#[from] SendError),
}

impl Provider {
    /// Shares a client that was started with a token or a token provider. It connects now, unless `auto_connect` is false
    /// (PROV-2). The clone that is handed over should be the only one: any other keeps the connection open.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn signed_in(client: Client, auto_connect: bool) -> Result<Self, SendError> {
        let provider = Self::new(client, auto_connect, SignIn::Given);
        if auto_connect {
            provider.shared.client.connect().await?;
        }
        Ok(provider)
    }

    /// Shares a client that has no token yet. Nothing is dialled until there is one (PROV-2).
    pub fn signed_out(client: Client, auto_connect: bool) -> Self {
        Self::new(client, auto_connect, SignIn::Out)
    }

    fn new(client: Client, auto_connect: bool, sign_in: SignIn) -> Self {
        Self { shared: Arc::new(ProviderState { client, auto_connect, sign_in: Mutex::new(sign_in) }) }
    }

    /// Signs in with this token, or out. A token that appears makes a connection, unless `auto_connect` is false; another one
    /// replaces it (TOKEN-1); none closes it. The same one again changes nothing.
    ///
    /// # Errors
    /// When the client has ended.
    pub async fn set_token(&self, token: Option<String>) -> Result<(), SendError> {
        let ProviderState { client, auto_connect, sign_in } = &*self.shared;
        let mut sign_in = sign_in.lock().await;
        let wanted = token.map_or(SignIn::Out, SignIn::Token);
        if *sign_in == wanted {
            return Ok(());
        }
        match &wanted {
            SignIn::Token(token) => {
                client.set_token(token.clone()).await?;
                if *auto_connect {
                    client.connect().await?;
                }
            }
            SignIn::Out | SignIn::Given => client.disconnect().await?,
        }
        *sign_in = wanted;
        Ok(())
    }

    /// Takes every token that `tokens` shows, as [`Provider::set_token`] does, for as long as the provider lives.
    ///
    /// # Panics
    /// Outside a tokio runtime.
    pub fn follow(&self, mut tokens: watch::Receiver<Option<String>>) {
        let provider = self.downgrade();
        let mut status = self.watch_status();
        tokio::spawn(async move {
            loop {
                let token = tokens.borrow_and_update().clone();
                let Some(provider) = provider.upgrade() else { return };
                let outcome = provider.set_token(token).await;
                drop(provider);
                // The status has no source any more once the client is gone.
                let gone = status.wait_for(|_| false);
                tokio::select! {
                    biased;
                    _ = gone => return,
                    changed = tokens.changed() => if changed.is_err() || outcome.is_err() {
                        return;
                    },
                }
            }
        });
    }

    /// Connects, where `auto_connect` is false or the attempts were exhausted.
    ///
    /// # Errors
    /// When there is no token, or the client has ended.
    pub async fn connect(&self) -> Result<(), ConnectError> {
        let sign_in = self.shared.sign_in.lock().await;
        match *sign_in {
            SignIn::Out => Err(ConnectError::SignedOut),
            SignIn::Given | SignIn::Token(_) => Ok(self.shared.client.connect().await?),
        }
    }

    /// The client that all consumers share.
    pub fn client(&self) -> &Client {
        &self.shared.client
    }

    /// The status now: the same for every consumer (PROV-1).
    pub fn status(&self) -> Status {
        self.shared.client.status()
    }

    /// The status as it changes.
    pub fn watch_status(&self) -> watch::Receiver<Status> {
        self.shared.client.watch_status()
    }

    /// This provider without being a consumer of it.
    pub fn downgrade(&self) -> WeakProvider {
        WeakProvider { shared: Arc::downgrade(&self.shared) }
    }
}

impl WeakProvider {
    /// The provider, while it has a consumer.
    pub fn upgrade(&self) -> Option<Provider> {
        self.shared.upgrade().map(|shared| Provider { shared })
    }
}
