//! The healthy clients: as many as asked for, some of them leaving all the time, each followed by another.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

use super::config::SoakError;
use super::dial::{DialError, Dialer};
use super::feed::Feed;
use super::member::{Member, Teardown};
use super::summary::Problem;

/// Clients that connect at the same time. Further clients wait.
const ARRIVALS: usize = 64;
/// One new client in so many is preceded by a client that aborts its handshake.
const BREAKS_OFF: u8 = 3;

/// All connected clients, and all that are connecting or disconnecting.
pub(super) struct Crowd {
    target: usize,
    dialer: Dialer,
    feed: Arc<Feed>,
    problems: mpsc::Sender<Problem>,
    arriving: JoinSet<(u64, Result<Member, DialError>)>,
    present: Vec<watch::Sender<Option<Teardown>>>,
    tasks: JoinSet<()>,
    random: fastrand::Rng,
    /// Clients that were sent on their way in, which is what they are numbered by.
    sent: u64,
    arrived: u64,
    replaced: u64,
    broke_off: u64,
}

impl Crowd {
    pub(super) fn new(
        target: usize,
        seed: u64,
        dialer: Dialer,
        feed: Arc<Feed>,
        problems: mpsc::Sender<Problem>,
    ) -> Self {
        Self {
            target,
            dialer,
            feed,
            problems,
            arriving: JoinSet::new(),
            present: Vec::new(),
            tasks: JoinSet::new(),
            random: fastrand::Rng::with_seed(seed),
            sent: 0,
            arrived: 0,
            replaced: 0,
            broke_off: 0,
        }
    }

    /// Clients that are connected and content.
    pub(super) fn len(&self) -> usize {
        self.present.iter().filter(|leave| !leave.is_closed()).count()
    }

    /// Clients that came, over the whole run.
    pub(super) fn arrived(&self) -> u64 {
        self.arrived
    }

    /// Clients that were replaced by a new one.
    pub(super) fn replaced(&self) -> u64 {
        self.replaced
    }

    /// Handshakes that were broken off.
    pub(super) fn broke_off(&self) -> u64 {
        self.broke_off
    }

    /// Whether another one may be sent on its way in.
    pub(super) fn has_room(&self) -> bool {
        self.arriving.len() < ARRIVALS
    }

    /// As many clients as asked for come. One that the gateway refuses is a problem, and is not sent again.
    pub(super) async fn fill(&mut self) -> Result<(), SoakError> {
        for _ in self.present.len()..self.target {
            while !self.has_room() {
                self.settle().await?;
            }
            self.send(false);
        }
        while !self.arriving.is_empty() {
            self.settle().await?;
        }
        Ok(())
    }

    /// Disconnects one client, in a random way, and connects another; some new clients are preceded by a client that aborts
    /// its handshake.
    pub(super) fn replace_one(&mut self) {
        if !self.present.is_empty() {
            let leaving = self.present.swap_remove(self.random.usize(..self.present.len()));
            let teardown = if self.random.bool() { Teardown::Close } else { Teardown::Drop };
            leaving.send_replace(Some(teardown));
            self.replaced += 1;
        }
        let breaks_off = self.random.u8(..BREAKS_OFF) == 0;
        self.broke_off += u64::from(breaks_off);
        self.send(breaks_off);
    }

    /// Waits until a client has connected or disconnected. Cancel safe; never ready while no client is doing either.
    pub(super) async fn settle(&mut self) -> Result<(), SoakError> {
        tokio::select! {
            biased;
            Some(arrived) = self.arriving.join_next() => {
                let (client, arrived) = arrived?;
                match arrived {
                    Ok(member) => {
                        let (leave, leaving) = watch::channel(None);
                        self.present.push(leave);
                        self.tasks.spawn(member.stay(leaving, self.problems.clone()));
                        self.arrived += 1;
                    }
                    Err(DialError::Gateway(reason)) => {
                        // The receiver is dropped once the soak is over.
                        let _ = self.problems.send(Problem::Refused { client, reason }).await;
                    }
                    Err(error @ DialError::Host(_)) => return Err(SoakError::Harness(error.to_string())),
                }
            }
            Some(left) = self.tasks.join_next() => left?,
            else => std::future::pending().await,
        }
        Ok(())
    }

    /// Disconnects every client, including those that are still connecting.
    pub(super) async fn empty(&mut self) -> Result<(), SoakError> {
        while !self.arriving.is_empty() {
            self.settle().await?;
        }
        for leaving in self.present.drain(..) {
            leaving.send_replace(Some(Teardown::Close));
        }
        while let Some(left) = self.tasks.join_next().await {
            left?;
        }
        Ok(())
    }

    fn send(&mut self, breaks_off: bool) {
        let client = self.sent;
        self.sent += 1;
        let half = self.random.bool();
        let (target, dialer, feed) = (self.target, self.dialer.clone(), self.feed.clone());
        self.arriving.spawn(async move {
            if breaks_off && let Err(error) = dialer.break_off(half).await {
                return (client, Err(error));
            }
            (client, Member::arrive(client, target, dialer, feed).await)
        });
    }
}
