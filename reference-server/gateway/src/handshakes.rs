//! Which connections may be no WebSocket yet: in their request, waiting for a place, or idle between requests for pages (CONN-8).
//!
//! ```text
//!  arrive ──► waiting ──Admit──► active ──leave──► (a WebSocket, or the end)
//!                │                │ │ ▲
//!         TurnAway, Drop    Evict ▼ │ │ resume
//!                              rest ▼ │
//!                                 idle ──leave──► (the end)
//! ```
//!
//! Places go to those who come, in their order. Where there is none, the peer that has sent nothing for longest loses its place first;
//! then, to a peer whose network has less than its share, the oldest one of a network that has more. Both are safe for a moment after
//! they came. Who waits in vain for too long is turned away.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::admission::give_back;
use crate::network::Network;

/// One network has one handshake in so many, and one idle connection in so many, where others want a place.
const SHARES: usize = 4;
/// Connections that may be idle between requests for pages, apart from handshakes: enough for some scrapers.
const MAX_IDLE: usize = 64;
/// How long a place is safe: longer than a packet takes to come from anywhere.
const SAFE: Duration = Duration::from_secs(1);
/// How often it is looked whether a place can be had, while connections wait.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The connections of one shard.
#[derive(Debug)]
pub struct Handshakes {
    limit: usize,
    /// Longest wait for a place.
    patience: Duration,
    next: u64,
    active: BTreeMap<HandshakeId, Active>,
    /// Those of them that have sent nothing.
    silent: BTreeSet<HandshakeId>,
    from: BTreeMap<Network, usize>,
    waiting: VecDeque<Waiting>,
    idle: Idle,
    look_at: Option<Duration>,
    outputs: VecDeque<HandshakeOutput>,
}

/// A connection that is no WebSocket, while it has a place or waits for one. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HandshakeId(u64);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeOutput {
    /// It has a place: read its request.
    Admit(HandshakeId),
    /// It has lost its place, without having sent anything, unless that came meanwhile.
    EvictSilent(HandshakeId),
    /// It has lost its place to another network.
    Evict(HandshakeId),
    /// It waited in vain.
    TurnAway(HandshakeId),
}

#[derive(Debug, Clone, Copy)]
struct Active {
    network: Option<Network>,
    since: Duration,
}

#[derive(Debug)]
struct Waiting {
    id: HandshakeId,
    network: Option<Network>,
    since: Duration,
}

#[derive(Debug, Default)]
struct Idle {
    taken: usize,
    from: BTreeMap<Option<Network>, usize>,
}

impl Handshakes {
    /// At most so many at once; who waits for a place waits no longer than `patience`.
    pub fn new(limit: usize, patience: Duration) -> Self {
        Self {
            limit,
            patience,
            next: 0,
            active: BTreeMap::new(),
            silent: BTreeSet::new(),
            from: BTreeMap::new(),
            waiting: VecDeque::new(),
            idle: Idle::default(),
            look_at: None,
            outputs: VecDeque::new(),
        }
    }

    /// A new connection. One of a trusted proxy, which speaks for many, has no network.
    pub fn arrive(&mut self, now: Duration, network: Option<Network>) -> HandshakeId {
        let id = self.next_id();
        self.waiting.push_back(Waiting { id, network, since: now });
        self.settle(now);
        id
    }

    /// It has sent something.
    pub fn speaks(&mut self, id: HandshakeId) {
        self.silent.remove(&id);
    }

    /// Whether an active connection may wait for another request; it gives its place back.
    #[must_use]
    pub fn rest(&mut self, now: Duration, id: HandshakeId, network: Option<Network>) -> bool {
        let may = self.idle.take(network);
        if may {
            self.leave(now, id);
        }
        may
    }

    /// A place for an idle connection that sends its next request, if there is one.
    pub fn resume(&mut self, now: Duration, network: Option<Network>) -> Option<HandshakeId> {
        if !self.make_room(now, network) {
            return None;
        }
        let id = self.next_id();
        self.take_place(now, id, network);
        self.silent.remove(&id);
        self.idle.give_back(network);
        Some(id)
    }

    /// An idle connection has ended.
    pub fn leave_idle(&mut self, network: Option<Network>) {
        self.idle.give_back(network);
    }

    /// A connection has ended, or is a WebSocket.
    pub fn leave(&mut self, now: Duration, id: HandshakeId) {
        self.give_place_back(id);
        self.settle(now);
    }

    /// Time has passed.
    pub fn settle(&mut self, now: Duration) {
        while let Some(position) = self.admissible(now) {
            let Some(Waiting { id, network, .. }) = self.waiting.remove(position) else { break };
            self.take_place(now, id, network);
            self.outputs.push_back(HandshakeOutput::Admit(id));
        }
        while let Some(Waiting { id, .. }) =
            self.waiting.front().filter(|first| now >= first.since + self.patience)
        {
            self.outputs.push_back(HandshakeOutput::TurnAway(*id));
            self.waiting.pop_front();
        }
        self.look_at = (!self.waiting.is_empty()).then_some(now + LOOK_AGAIN);
    }

    /// When [`Handshakes::settle`] is due.
    pub fn deadline(&self) -> Option<Duration> {
        self.look_at
    }

    /// The next thing to be done, until there is none.
    pub fn poll(&mut self) -> Option<HandshakeOutput> {
        self.outputs.pop_front()
    }

    /// The first that waits and can have a place, for which room has been made.
    fn admissible(&mut self, now: Duration) -> Option<usize> {
        let first = self.waiting.front()?.network;
        if self.make_room(now, first) {
            return Some(0);
        }
        // Another network may have less than its share.
        let other = self.waiting.iter().position(|waiting| self.has_less(waiting.network))?;
        let network = self.waiting[other].network;
        self.make_room(now, network).then_some(other)
    }

    /// Whether there is a place for a connection of this network, another having lost it where need be.
    fn make_room(&mut self, now: Duration, network: Option<Network>) -> bool {
        if self.active.len() < self.limit {
            return true;
        }
        let is_safe = |active: &Active| now < active.since + SAFE;
        let silent = self.silent.first().copied();
        if let Some(id) = silent.filter(|id| !self.active.get(id).is_some_and(is_safe)) {
            self.give_place_back(id);
            self.outputs.push_back(HandshakeOutput::EvictSilent(id));
            return true;
        }
        let has_more = |active: &Active| {
            active
                .network
                .and_then(|network| self.from.get(&network))
                .is_some_and(|count| *count > self.share())
        };
        let oldest = self.active.iter().take_while(|(_, active)| !is_safe(active));
        let mut of_others = oldest.filter(|(_, active)| active.network != network && has_more(active));
        let Some(id) = of_others.next().map(|(id, _)| *id).filter(|_| self.has_less(network)) else {
            return false;
        };
        self.give_place_back(id);
        self.outputs.push_back(HandshakeOutput::Evict(id));
        true
    }

    fn has_less(&self, network: Option<Network>) -> bool {
        network.is_none_or(|network| self.from.get(&network).is_none_or(|count| *count < self.share()))
    }

    fn share(&self) -> usize {
        self.limit.div_ceil(SHARES)
    }

    fn take_place(&mut self, now: Duration, id: HandshakeId, network: Option<Network>) {
        self.active.insert(id, Active { network, since: now });
        self.silent.insert(id);
        if let Some(network) = network {
            *self.from.entry(network).or_default() += 1;
        }
    }

    fn give_place_back(&mut self, id: HandshakeId) {
        self.silent.remove(&id);
        if let Some(Active { network: Some(network), .. }) = self.active.remove(&id) {
            give_back(&mut self.from, &network);
        }
    }

    fn next_id(&mut self) -> HandshakeId {
        self.next += 1;
        HandshakeId(self.next)
    }
}

impl Idle {
    fn take(&mut self, network: Option<Network>) -> bool {
        let from = self.from.get(&network).copied().unwrap_or_default();
        let free = self.taken < MAX_IDLE && from < MAX_IDLE / SHARES;
        if free {
            self.taken += 1;
            *self.from.entry(network).or_default() += 1;
        }
        free
    }

    fn give_back(&mut self, network: Option<Network>) {
        self.taken -= 1;
        give_back(&mut self.from, &network);
    }
}

#[cfg(test)]
mod tests;
