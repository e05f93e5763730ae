//! Which connections may be no WebSocket yet: silent, waiting for a place, in their request, or idle between requests for pages (CONN-8).
//!
//! ```text
//!  connect ──► silent ──speaks──► waiting ──Admit──► active ──leave──► (a WebSocket, or the end)
//!                │                   │                │ │ ▲
//!           EvictSilent          TurnAway       Evict ▼ │ │ resume
//!                                                  rest ▼ │
//!                                                     idle ──leave──► (the end)
//! ```
//!
//! A connection that has sent nothing takes no place: it only waits in the lobby, and where the lobby is full, those that are silent for
//! longest make room. Places go to those who speak, in the order in which they came. Where there is none, the oldest one of a network that
//! has more than its share loses its place to one that has less; it is safe for a moment. Who waits in vain for too long is turned away.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use crate::admission::give_back;
use crate::network::Network;

/// One network has one handshake in so many, and one idle connection in so many, where others want a place.
const SHARES: usize = 4;
/// Connections that may be idle between requests for pages, apart from handshakes: enough for some scrapers.
const MAX_IDLE: usize = 64;
/// How long a connection is safe: longer than a packet takes to come from anywhere.
const SAFE: Duration = Duration::from_secs(1);
/// Silent connections that make room at once, at most.
const EVICTED_AT_ONCE: usize = 256;
/// How often it is looked whether a place can be had, while connections wait.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The connections of one shard.
#[derive(Debug)]
pub struct Handshakes {
    limit: usize,
    /// Longest wait for a place.
    patience: Duration,
    next: u64,
    /// Since when.
    silent: BTreeMap<HandshakeId, Duration>,
    waiting: BTreeMap<HandshakeId, Placed>,
    active: BTreeMap<HandshakeId, Placed>,
    from: BTreeMap<Network, usize>,
    idle: Idle,
    look_at: Option<Duration>,
    outputs: VecDeque<HandshakeOutput>,
}

/// A connection that is no WebSocket. Later ones are greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct HandshakeId(u64);

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandshakeOutput {
    /// It has a place: read its request.
    Admit(HandshakeId),
    /// It makes room in the lobby, unless it has spoken meanwhile.
    EvictSilent(HandshakeId),
    /// It has lost its place to another network.
    Evict(HandshakeId),
    /// It waited in vain.
    TurnAway(HandshakeId),
}

/// Whose a place is, or would be, and since when.
#[derive(Debug, Clone, Copy)]
struct Placed {
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
            silent: BTreeMap::new(),
            waiting: BTreeMap::new(),
            active: BTreeMap::new(),
            from: BTreeMap::new(),
            idle: Idle::default(),
            look_at: None,
            outputs: VecDeque::new(),
        }
    }

    /// A new connection, which has sent nothing yet.
    pub fn connect(&mut self, now: Duration) -> HandshakeId {
        let id = self.next_id();
        self.silent.insert(id, now);
        id
    }

    /// It has sent something, and waits for a place. One of a trusted proxy, which speaks for many, has no network.
    pub fn speaks(&mut self, now: Duration, id: HandshakeId, network: Option<Network>) {
        self.silent.remove(&id);
        self.waiting.insert(id, Placed { network, since: now });
        self.settle(now);
    }

    /// The lobby is full: those that have been silent for longest are to go.
    pub fn make_room(&mut self, now: Duration) {
        for _ in 0..EVICTED_AT_ONCE {
            let oldest = self.silent.first_entry().filter(|oldest| now >= *oldest.get() + SAFE);
            let Some(oldest) = oldest else { return };
            self.outputs.push_back(HandshakeOutput::EvictSilent(*oldest.key()));
            oldest.remove();
        }
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
        if !self.has_place(now, network) {
            return None;
        }
        let id = self.next_id();
        self.take_place(now, id, network);
        self.idle.give_back(network);
        Some(id)
    }

    /// An idle connection has ended.
    pub fn leave_idle(&mut self, network: Option<Network>) {
        self.idle.give_back(network);
    }

    /// A connection has ended, or is a WebSocket.
    pub fn leave(&mut self, now: Duration, id: HandshakeId) {
        self.silent.remove(&id);
        self.waiting.remove(&id);
        self.give_place_back(id);
        self.settle(now);
    }

    /// Time has passed.
    pub fn settle(&mut self, now: Duration) {
        while let Some((id, network)) = self.admissible(now) {
            self.waiting.remove(&id);
            self.take_place(now, id, network);
            self.outputs.push_back(HandshakeOutput::Admit(id));
        }
        if self.look_at.is_some_and(|at| now >= at) {
            let patience = self.patience;
            let outputs = &mut self.outputs;
            self.waiting.retain(|id, waiting| {
                let waits = now < waiting.since + patience;
                if !waits {
                    outputs.push_back(HandshakeOutput::TurnAway(*id));
                }
                waits
            });
            self.look_at = None;
        }
        self.look_at = match self.waiting.is_empty() {
            true => None,
            false => self.look_at.or(Some(now + LOOK_AGAIN)),
        };
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
    fn admissible(&mut self, now: Duration) -> Option<(HandshakeId, Option<Network>)> {
        let (id, Placed { network, .. }) = self.waiting.first_key_value().map(|(id, first)| (*id, *first))?;
        if self.has_place(now, network) {
            return Some((id, network));
        }
        // Another network may have less than its share.
        let mut others = self.waiting.iter().filter(|(_, waiting)| self.has_less(waiting.network));
        let (id, network) = others.next().map(|(id, other)| (*id, other.network))?;
        self.has_place(now, network).then_some((id, network))
    }

    /// Whether there is a place for a connection of this network, another having lost it where need be.
    fn has_place(&mut self, now: Duration, network: Option<Network>) -> bool {
        if self.active.len() < self.limit {
            return true;
        }
        if !self.has_less(network) {
            return false;
        }
        let has_more = |active: &Placed| {
            active
                .network
                .and_then(|network| self.from.get(&network))
                .is_some_and(|count| *count > self.share())
        };
        let mut oldest = self.active.iter().take_while(|(_, active)| now >= active.since + SAFE);
        let Some(id) = oldest.find(|(_, active)| has_more(active)).map(|(id, _)| *id) else { return false };
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
        self.active.insert(id, Placed { network, since: now });
        if let Some(network) = network {
            *self.from.entry(network).or_default() += 1;
        }
    }

    fn give_place_back(&mut self, id: HandshakeId) {
        if let Some(Placed { network: Some(network), .. }) = self.active.remove(&id) {
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
