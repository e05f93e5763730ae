//! What a thread does in the course of a run, beside reading: clients that come and go, pings, subscriptions, reports.

use std::time::{Duration, Instant};

use super::super::client::{Membership, State};
use super::super::tally::BySecond;
use super::super::{Drive, Status};
use super::{Worker, now};

/// How long a client that leaves waits for what it is owed.
const LINGERS: Duration = Duration::from_secs(5);
/// How often a thread reports.
const REPORT_EVERY: Duration = Duration::from_millis(100);
/// Actions of one tick: more would keep sockets waiting.
const ACTIONS: u32 = 1000;

/// What happens at a fixed rate.
#[derive(Debug, Default)]
struct Pacer {
    interval: Option<Duration>,
    due: Option<Instant>,
}

impl Pacer {
    fn begin(&mut self, now: Instant, rate: f64) {
        self.interval = (rate > 0.0).then(|| Duration::from_secs_f64(1.0 / rate));
        self.due = self.interval.map(|interval| now + interval);
    }

    /// How often it is due by now.
    fn take(&mut self, now: Instant) -> u32 {
        let (Some(interval), Some(due)) = (self.interval, &mut self.due) else { return 0 };
        let mut times = 0;
        while *due <= now && times < ACTIONS {
            *due += interval;
            times += 1;
        }
        times
    }
}

/// What a thread does in the course of a run.
#[derive(Debug, Default)]
pub(super) struct Course {
    churn: Pacer,
    pings: Pacer,
    subscriptions: Pacer,
    next_ping: usize,
    next_subscription: usize,
    next_report: Option<Instant>,
    /// Why the last connection failed.
    pub(super) failed: Option<String>,
}

impl Course {
    pub(super) fn begin(&mut self, now: Instant, drive: &Drive) {
        self.churn.begin(now, drive.churn);
        self.pings.begin(now, drive.pings);
        self.subscriptions.begin(now, drive.subscriptions);
    }

    pub(super) fn end(&mut self) {
        (self.churn, self.pings, self.subscriptions) = Default::default();
    }
}

impl Worker {
    pub(super) fn tick(&mut self, now: Instant) {
        self.advance(now);
        self.look_at_deadlines(now);
        if self.elapsed(now).is_some() && !self.clients.is_empty() {
            for _ in 0..self.course.churn.take(now) {
                self.one_leaves(now);
            }
            for _ in 0..self.course.pings.take(now) {
                self.course.next_ping += 1;
                self.say(self.course.next_ping % self.clients.len(), |worker| worker.crowd.ping().to_vec());
            }
            for _ in 0..self.course.subscriptions.take(now) {
                self.course.next_subscription += 1;
                let index = self.course.next_subscription % self.clients.len();
                let leaves = self.clients[index].leaves_spare;
                self.clients[index].leaves_spare = !leaves;
                self.say(index, |worker| worker.crowd.spare_request(leaves).to_vec());
            }
        }
        if self.course.next_report.is_none_or(|due| due <= now) {
            self.course.next_report = Some(now + REPORT_EVERY);
            self.report();
        }
    }

    /// One that cannot send is found to have ended when it is read.
    fn say(&mut self, index: usize, message: impl Fn(&Self) -> Vec<u8>) {
        if self.clients[index].state == State::Present {
            let message = message(self);
            let _ = self.clients[index].send(&message);
        }
    }

    fn look_at_deadlines(&mut self, now: Instant) {
        for index in 0..self.clients.len() {
            let client = &self.clients[index];
            let is_due = client.deadline.is_some_and(|deadline| deadline <= now);
            match client.state {
                State::Absent if is_due => {
                    self.clients[index].deadline = None;
                    self.to_dial.push(index);
                }
                State::Leaving if is_due || client.is_complete(|known| self.last_owed(known)) => {
                    self.leave(index, false);
                    self.to_dial.push(index);
                }
                State::Dialling | State::Upgrading | State::Greeting if is_due => {
                    let error =
                        std::io::Error::new(std::io::ErrorKind::TimedOut, "the gateway does not answer");
                    self.not_let_in(index, &error);
                }
                _ => {}
            }
        }
    }

    /// A client leaves, once it has what is due by now; another follows it.
    fn one_leaves(&mut self, now: Instant) {
        let index = self.random.usize(..self.clients.len());
        if self.clients[index].state != State::Present {
            return;
        }
        let at_us = self.elapsed(now).unwrap_or_default().as_micros() as u64;
        let client = &mut self.clients[index];
        client.state = State::Leaving;
        client.deadline = Some(now + LINGERS);
        for membership in &mut client.memberships {
            membership.until = Some(self.crowd.plan.first_after(membership.channel, at_us));
        }
    }

    /// The first event of a channel that is not owed.
    fn last_owed(&self, membership: &Membership) -> u64 {
        let published = self.until.as_ref().map(|until| until[membership.channel as usize]);
        let published = published.unwrap_or_else(|| self.crowd.plan.count(membership.channel));
        membership.until.map_or(published, |until| until.min(published))
    }

    /// Adds a client's ledgers to what has been counted.
    pub(super) fn settle(&mut self, index: usize) {
        for membership in &self.clients[index].memberships {
            let (channel, until) = (membership.channel, self.last_owed(membership));
            let ledger = membership.settled();
            let owed = ledger.owed(until);
            let lost = ledger.missing(until);
            self.totals.ledger.owed += owed.end - owed.start;
            self.totals.ledger.lost += lost;
            for (second, count) in self.crowd.plan.by_second(channel, owed) {
                BySecond::add(&mut self.totals.by_second.owed, second, count);
            }
            for range in ledger.missing_ranges(until) {
                for (second, count) in self.crowd.plan.by_second(channel, range) {
                    BySecond::add(&mut self.totals.by_second.lost, second, count);
                }
            }
        }
    }

    fn report(&mut self) {
        let status = self.status();
        if let Err(tokio::sync::mpsc::error::TrySendError::Full(status)) = self.reports.try_send(status) {
            // It is reported with the next ones.
            self.second.give_back(status.seconds);
        }
    }

    pub(super) fn status(&mut self) -> Status {
        let elapsed = self.elapsed(now());
        let mut unprobed = Vec::new();
        let (mut missing, mut skipped) = (0, 0);
        let mut is_complete = self.until.is_some();
        for client in &self.clients {
            for membership in &client.memberships {
                if elapsed.is_none() && !membership.probed && unprobed.last() != Some(&membership.channel) {
                    unprobed.push(membership.channel);
                }
                skipped += membership.skipped();
                if self.until.is_some() {
                    let lacks = membership.missing(self.last_owed(membership));
                    missing += lacks;
                    is_complete &= lacks == 0;
                }
            }
        }
        unprobed.sort_unstable();
        unprobed.dedup();
        Status {
            worker: self.number,
            present: self.present,
            cut: self.totals.ledger.cut,
            refused: self.refused.clone(),
            failed: self.course.failed.clone(),
            unprobed,
            missing,
            skipped: skipped + self.totals.ledger.lost,
            is_complete,
            arrived: self.arrived,
            last_in: self.last_in,
            seconds: self.second.take_finished(),
            totals: None,
        }
    }
}
