use std::net::IpAddr;

use super::*;

const NOW: Duration = Duration::from_secs(100);
const LATER: Duration = Duration::from_secs(101);
const PATIENCE: Duration = Duration::from_secs(10);

fn network(last: u8) -> Option<Network> {
    Some(Network::of(IpAddr::from([127, 0, 0, last])))
}

fn outputs(handshakes: &mut Handshakes) -> Vec<HandshakeOutput> {
    std::iter::from_fn(|| handshakes.poll()).collect()
}

/// One that has connected and spoken.
fn arrive(handshakes: &mut Handshakes, now: Duration, network: Option<Network>) -> HandshakeId {
    let id = handshakes.connect(now);
    handshakes.speaks(now, id, network);
    id
}

/// One who speaks is admitted while there is a place, from wherever; who waits is admitted when a place is free, in order.
#[test]
fn places_go_in_order() {
    let mut handshakes = Handshakes::new(2, PATIENCE);
    let [a, b, c, d] = [(); 4].map(|()| arrive(&mut handshakes, NOW, network(1)));
    assert_eq!(outputs(&mut handshakes), [HandshakeOutput::Admit(a), HandshakeOutput::Admit(b)]);
    assert_eq!(handshakes.deadline(), Some(NOW + LOOK_AGAIN));
    handshakes.leave(NOW, b);
    assert_eq!(outputs(&mut handshakes), [HandshakeOutput::Admit(c)]);
    for id in [a, c] {
        handshakes.leave(NOW, id);
    }
    assert_eq!(outputs(&mut handshakes), [HandshakeOutput::Admit(d)]);
    handshakes.leave(NOW, d);
    assert_eq!(handshakes.deadline(), None);
    assert!(handshakes.active.is_empty() && handshakes.waiting.is_empty() && handshakes.from.is_empty());
}

/// Who says nothing takes no place from those who speak. Where the lobby is full, the oldest of them go, once they have been silent for a
/// moment.
#[test]
fn the_silent_make_room() {
    let mut handshakes = Handshakes::new(1, PATIENCE);
    let silent = [(); 2].map(|()| handshakes.connect(NOW));
    let speaker = arrive(&mut handshakes, NOW, network(1));
    assert_eq!(outputs(&mut handshakes), [HandshakeOutput::Admit(speaker)]);
    let younger = handshakes.connect(LATER);
    handshakes.make_room(LATER - Duration::from_millis(1));
    assert_eq!(outputs(&mut handshakes), []);
    handshakes.make_room(LATER);
    assert_eq!(outputs(&mut handshakes), silent.map(HandshakeOutput::EvictSilent));
    handshakes.leave(LATER, speaker);
    // It spoke before it learned that it was to go.
    handshakes.speaks(LATER, silent[0], network(1));
    handshakes.speaks(LATER, younger, network(1));
    assert_eq!(outputs(&mut handshakes), [HandshakeOutput::Admit(silent[0])]);
    for id in silent.into_iter().chain([younger]) {
        handshakes.leave(LATER, id);
    }
    assert!(handshakes.silent.is_empty() && handshakes.active.is_empty() && handshakes.waiting.is_empty());
    for _ in 0..2 * EVICTED_AT_ONCE {
        handshakes.connect(NOW);
    }
    outputs(&mut handshakes);
    handshakes.make_room(LATER);
    assert_eq!(outputs(&mut handshakes).len(), EVICTED_AT_ONCE);
}

/// Peers that speak slowly cannot keep another network out, nor those of it that wait before it; who waits in vain is turned away.
#[test]
fn one_network_keeps_no_other_out() {
    let mut handshakes = Handshakes::new(4, PATIENCE);
    for _ in 0..4 {
        arrive(&mut handshakes, NOW, network(1));
    }
    let slow = outputs(&mut handshakes);
    let same = arrive(&mut handshakes, NOW, network(1));
    let other = arrive(&mut handshakes, NOW, network(2));
    assert_eq!(outputs(&mut handshakes), []);
    handshakes.settle(LATER);
    let HandshakeOutput::Admit(oldest) = slow[0] else { panic!("{slow:?}") };
    assert_eq!(outputs(&mut handshakes), [HandshakeOutput::Evict(oldest), HandshakeOutput::Admit(other)]);
    let second = arrive(&mut handshakes, LATER, network(2));
    assert_eq!(outputs(&mut handshakes), [], "it has its share");
    handshakes.settle(NOW + PATIENCE);
    assert_eq!(outputs(&mut handshakes), [HandshakeOutput::TurnAway(same)]);
    handshakes.settle(LATER + PATIENCE);
    assert_eq!(outputs(&mut handshakes), [HandshakeOutput::TurnAway(second)]);
}

/// A trusted proxy has no share: it speaks for many.
#[test]
fn a_proxy_has_no_share() {
    let mut handshakes = Handshakes::new(4, PATIENCE);
    for _ in 0..4 {
        arrive(&mut handshakes, NOW, None);
    }
    assert_eq!(outputs(&mut handshakes).len(), 4);
    arrive(&mut handshakes, NOW, network(2));
    handshakes.settle(LATER);
    assert_eq!(outputs(&mut handshakes), []);
}

/// Idle connections take no place from handshakes and are limited themselves; one that asks again needs a free place.
#[test]
fn idle_connections_are_apart() {
    let mut handshakes = Handshakes::new(1, PATIENCE);
    for _ in 0..MAX_IDLE / SHARES {
        let id = arrive(&mut handshakes, NOW, network(1));
        assert!(handshakes.rest(NOW, id, network(1)));
    }
    let last = arrive(&mut handshakes, NOW, network(1));
    assert!(!handshakes.rest(NOW, last, network(1)), "its share is taken");
    assert_eq!(handshakes.resume(NOW, network(1)), None, "the one place is taken");
    handshakes.leave(NOW, last);
    let resumed = handshakes.resume(NOW, network(1)).unwrap();
    handshakes.leave(NOW, resumed);
    for _ in 1..MAX_IDLE / SHARES {
        handshakes.leave_idle(network(1));
    }
    assert!(handshakes.idle.from.is_empty() && handshakes.idle.taken == 0);
}
