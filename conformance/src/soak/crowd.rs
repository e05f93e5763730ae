//! The healthy clients, who come and go.

use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio::task::{JoinError, JoinSet};

use super::dial::Door;
use super::feed::Feed;
use super::gateway::Gateway;
use super::member::{Member, Parting};
use super::summary::Problem;
use super::{SoakConfig, SoakError};

/// How many are on their way at once.
const ARRIVALS: usize = 64;

/// All of them.
pub(super) struct Crowd {
    target: usize,
    door: Door,
    feed: Arc<Feed>,
    problems: mpsc::Sender<Problem>,
    arriving: JoinSet<Result<Member, String>>,
    /// Tells each that it is to leave.
    present: Vec<watch::Sender<Option<Parting>>>,
    staying: JoinSet<()>,
    random: fastrand::Rng,
    /// How many were invited, so far.
    invited: u64,
    came: u64,
}

/// How an arrival went.
pub(super) type Arrival = Result<Result<Member, String>, JoinError>;

impl Crowd {
    pub(super) fn new(
        config: &SoakConfig,
        gateway: &Gateway,
        feed: Arc<Feed>,
        problems: mpsc::Sender<Problem>,
    ) -> Self {
        Self {
            target: config.connections,
            door: gateway.door(),
            feed,
            problems,
            arriving: JoinSet::new(),
            present: Vec::new(),
            staying: JoinSet::new(),
            random: fastrand::Rng::with_seed(config.seed),
            invited: 0,
            came: 0,
        }
    }

    /// How many are there.
    pub(super) fn len(&self) -> usize {
        self.present.len()
    }

    /// How many came, whether they are there or not.
    pub(super) fn came(&self) -> u64 {
        self.came
    }

    /// Lets clients come until there are enough.
    pub(super) async fn fill(&mut self) -> Result<(), SoakError> {
        loop {
            self.invite();
            match self.next_arrival().await {
                Some(arrived) => self.settle(arrived)?,
                None => return Ok(()),
            }
        }
    }

    /// Waits for one who is on the way; nobody is where nothing comes back.
    pub(super) async fn next_arrival(&mut self) -> Option<Arrival> {
        self.arriving.join_next().await
    }

    /// One who came is there.
    pub(super) fn settle(&mut self, arrived: Arrival) -> Result<(), SoakError> {
        let member = arrived.map_err(|error| SoakError::Harness(error.to_string()))?;
        let member =
            member.map_err(|reason| SoakError::Harness(format!("a client could not come: {reason}")))?;
        let (leave, told) = watch::channel(None);
        self.came += 1;
        self.present.push(leave);
        self.staying.spawn(member.stay(told, self.problems.clone()));
        Ok(())
    }

    /// One leaves, in whatever way, and another is invited.
    pub(super) fn replace_one(&mut self) {
        if !self.present.is_empty() {
            let leaving = self.present.swap_remove(self.random.usize(..self.present.len()));
            let parting = if self.random.bool() { Parting::Close } else { Parting::Drop };
            leaving.send_replace(Some(parting));
        }
        while self.staying.try_join_next().is_some() {}
        self.invite();
    }

    /// Everybody leaves, those on their way too.
    pub(super) async fn empty(&mut self) -> Result<(), SoakError> {
        while let Some(arrived) = self.next_arrival().await {
            self.settle(arrived)?;
        }
        for leaving in self.present.drain(..) {
            leaving.send_replace(Some(Parting::Close));
        }
        while let Some(left) = self.staying.join_next().await {
            left.map_err(|error| SoakError::Harness(error.to_string()))?;
        }
        Ok(())
    }

    fn invite(&mut self) {
        while self.present.len() + self.arriving.len() < self.target && self.arriving.len() < ARRIVALS {
            let number = self.invited;
            self.invited += 1;
            self.arriving.spawn(Member::arrive(number, self.target, self.door.clone(), self.feed.clone()));
        }
    }
}
