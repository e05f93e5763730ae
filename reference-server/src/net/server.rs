//! The whole: a listener, its shards, and the bridge from the broker.

use std::io;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::thread;

use futures_util::FutureExt;
use futures_util::future::join_all;
use tokio::net::TcpListener;
use tokio::sync::{Mutex, Semaphore, mpsc, oneshot};
use tokio::task::LocalSet;

use super::WallClock;
use super::admin;
use super::admission::Places;
use super::bridge::BridgeDriver;
use super::budget::OutboxBudget;
use super::context::{ReportRequest, ServerContext};
use super::listen::Listen;
use super::log_sample::LogSample;
use super::shard::{Guest, Shard, ShardCommand};
use crate::broker::EventSource;
use crate::config::Config;
use crate::metrics::Metrics;

/// Mail that waits for a shard; the listener and the bridge wait when there is more.
const MAIL: usize = 256;
/// Report requests that may wait for a shard; when the channel is full the sender waits.
const QUESTIONS: usize = 8;

/// Connections that may be accepted for each seat of a handshake: one that has it, some that wait for it, and some that have sent nothing.
const LOBBY_PER_SEAT: usize = 8;
/// Connections that may be accepted beside these: those that are idle between requests for pages.
const LOBBY: usize = 64;

/// A gateway that is about to serve.
pub struct Server<L, S> {
    shared: Arc<ServerContext>,
    /// One for each shard.
    questions: Vec<Questions>,
    listener: L,
    admin: Option<TcpListener>,
    source: S,
}

/// What a shard is asked about itself.
type Questions = mpsc::Receiver<ReportRequest>;

/// Why a gateway stopped that was not asked to.
#[derive(Debug, thiserror::Error)]
pub enum ServerError {
    /// A shard could not be started.
    #[error("a shard cannot be started: {0}")]
    Start(io::Error),
    /// A shard ended: a defect of the gateway, whose panic is in the log.
    #[error("a shard ended by itself; its panic stands above")]
    ShardEnded,
}

/// A shard that runs.
struct Running<I> {
    mail: mpsc::Sender<ShardCommand<I>>,
    /// Answers true when the shard ended well.
    ended: oneshot::Receiver<bool>,
}

impl<L: Listen, S: EventSource> Server<L, S> {
    /// A gateway on this listener, fed by this source.
    pub fn new(config: Config, listener: L, source: S, wall: WallClock) -> Self {
        let shards = config.shards.max(1);
        let (reporters, questions) = (0..shards).map(|_| mpsc::channel(QUESTIONS)).unzip();
        let places = Places::new(config.connection_limits);
        let budget = Arc::new(OutboxBudget::new(config.outbox_budget_bytes, shards));
        let (metrics, stats_page) = (Metrics::default(), Mutex::default());
        let [refusals, rejections, sheds] = [(); 3].map(|()| LogSample::default());
        let shared = ServerContext {
            config,
            wall,
            metrics,
            places,
            budget,
            refusals,
            rejections,
            sheds,
            reporters,
            stats_page,
        };
        Self { shared: Arc::new(shared), questions, listener, admin: None, source }
    }

    /// With the status pages on a listener of their own, too. [`Config::admin_listen`] says whether they are on it alone.
    pub fn with_admin(self, admin: Option<TcpListener>) -> Self {
        Self { admin, ..self }
    }

    /// Serves until `shutdown`, then drains within the grace time: no new connections, 1001 to every connection. Deliveries
    /// that the shards have not accepted stay unacknowledged (CONN-6).
    ///
    /// With one shard everything runs inside the caller's runtime, so that it can be a simulated one; with more, each has
    /// a thread of its own.
    ///
    /// # Errors
    /// When a shard cannot be started, or ends by itself.
    pub async fn run(self, shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
        let local = LocalSet::new();
        local.run_until(self.serve(shutdown)).await
    }

    async fn serve(self, shutdown: impl Future<Output = ()>) -> Result<(), ServerError> {
        let Self { shared, questions, mut listener, admin, source } = self;
        let alone = questions.len() == 1;
        let start = |(number, questions)| match alone {
            true => Ok(start_here::<L>(number, shared.clone(), questions)),
            false => start_thread::<L>(number, shared.clone(), questions),
        };
        let shards = questions.into_iter().enumerate().map(start).collect::<Result<Vec<_>, _>>()?;
        let (mail, mut ended): (Vec<_>, Vec<_>) =
            shards.into_iter().map(|shard| (shard.mail, shard.ended)).unzip();
        let places = shared.places.clone();
        let lobby = shared.config.max_handshakes.saturating_mul(LOBBY_PER_SEAT).saturating_add(LOBBY);
        let lobby = Arc::new(Semaphore::new(lobby.saturating_mul(mail.len()).min(Semaphore::MAX_PERMITS)));
        let bridge = BridgeDriver::new(source, shared.clone(), mail.clone());
        {
            let mut admin = std::pin::pin!(admin::serve(admin, &shared));
            let mut bridge = std::pin::pin!(bridge.run());
            let mut accepting = std::pin::pin!(accept(&mut listener, &mail, lobby));
            let mut shutdown = std::pin::pin!(shutdown);
            let mut broken = std::pin::pin!(futures_util::future::select_all(&mut ended));
            tokio::select! {
                biased;
                () = &mut shutdown => {}
                never = &mut admin => match never {},
                _ = &mut broken => return Err(ServerError::ShardEnded),
                () = &mut bridge => return Err(ServerError::ShardEnded),
                () = &mut accepting => return Err(ServerError::ShardEnded),
            }
        }
        // No new connections, no more events; a shard drains when its mail ends.
        places.drain();
        drop(listener);
        drop(mail);
        let well = join_all(ended).await.into_iter().all(|ended| ended == Ok(true));
        if well { Ok(()) } else { Err(ServerError::ShardEnded) }
    }
}

/// Gives connections to the shards round-robin; returns when a shard has ended. While the lobby is full, connections wait in the listen
/// queue, and those in the lobby that say nothing make room.
async fn accept<L: Listen>(
    listener: &mut L,
    shards: &[mpsc::Sender<ShardCommand<L::Incoming>>],
    lobby: Arc<Semaphore>,
) {
    for shard in shards.iter().cycle() {
        let permit = loop {
            if let Ok(acquired) = tokio::time::timeout(ACCEPT_AGAIN, lobby.clone().acquire_owned()).await {
                let Ok(permit) = acquired else { return };
                break permit;
            }
            make_room(shards).await;
        };
        let (incoming, peer) = loop {
            match listener.accept().await {
                Ok(accepted) => break accepted,
                Err(error) => {
                    // Most likely the process is out of file descriptors: connections must close before a new one can be accepted.
                    tracing::warn!("a connection could not be accepted: {error}");
                    make_room(shards).await;
                    tokio::time::sleep(ACCEPT_AGAIN).await;
                }
            }
        };
        if shard.send(ShardCommand::Connection(Guest { incoming, peer, permit })).await.is_err() {
            return;
        }
    }
}

async fn make_room<I>(shards: &[mpsc::Sender<ShardCommand<I>>]) {
    for shard in shards {
        // A shard that has ended has no connections.
        let _ = shard.send(ShardCommand::MakeRoom).await;
    }
}

/// How long the listener rests after a failure, and waits for room before some is made.
pub(super) const ACCEPT_AGAIN: std::time::Duration = std::time::Duration::from_millis(50);

/// A shard inside this runtime.
fn start_here<L: Listen>(
    number: usize,
    shared: Arc<ServerContext>,
    questions: Questions,
) -> Running<L::Incoming> {
    let (mail, inbox) = mpsc::channel(MAIL);
    let (done, ended) = oneshot::channel();
    tokio::task::spawn_local(async move {
        let well =
            AssertUnwindSafe(Shard::<L>::run(number, shared, inbox, questions)).catch_unwind().await.is_ok();
        // The receiver may have been dropped: the server has ended already.
        let _ = done.send(well);
    });
    Running { mail, ended }
}

/// A shard on a thread of its own, with a runtime of its own.
fn start_thread<L: Listen>(
    number: usize,
    shared: Arc<ServerContext>,
    questions: Questions,
) -> Result<Running<L::Incoming>, ServerError> {
    let (mail, inbox) = mpsc::channel(MAIL);
    let (done, ended) = oneshot::channel();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(ServerError::Start)?;
    thread::Builder::new()
        .name(format!("shard-{number}"))
        .spawn(move || {
            // A panic drops `done`, which the server treats as the end of the shard.
            LocalSet::new().block_on(&runtime, Shard::<L>::run(number, shared, inbox, questions));
            let _ = done.send(true);
        })
        .map_err(ServerError::Start)?;
    Ok(Running { mail, ended })
}
