use std::collections::BTreeMap;
use std::time::Duration;

use proptest::prelude::*;
use protocol::{Claims, Role, UserId};

use super::*;
use crate::{ConnectionId, Gateway, GatewayConfig, Input, Now, Output, RateLimit};

const NOW: Now = Now { monotonic: Duration::ZERO, wall: Timestamp::EPOCH };

fn bridge(shards: usize) -> Bridge<u64> {
    Bridge::new(RoutingTable::default(), Dialect::default(), shards)
}

/// To all clients.
fn event(number: u64) -> Vec<u8> {
    format!(r#"{{"type":"payment:created","data":{{"n":{number}}}}}"#).into_bytes()
}

fn shard(connections: &[u64]) -> Gateway {
    let mut gateway = Gateway::new(GatewayConfig {
        dialect: Dialect::default(),
        ping_interval: Duration::from_secs(30),
        pong_timeout: Duration::from_secs(10),
        max_rooms: 9,
        message_rate: RateLimit { per_second: 9 },
        leeway_s: 0,
    });
    for id in connections {
        let claims = Claims {
            user_id: UserId::new("u"),
            email: "e".to_owned(),
            role: Role::Customer,
            expires_at: u64::MAX,
            not_before: None,
        };
        gateway.handle(NOW, Input::Opened(ConnectionId(*id), claims));
    }
    while gateway.poll().is_some() {}
    gateway
}

/// What a shard does with a batch: each event's number, by the connections that it is handed to.
fn deliver(gateway: &mut Gateway, broadcast: &Broadcast, handed: &mut BTreeMap<u64, Vec<u64>>) {
    for delivery in &broadcast.deliveries {
        gateway.handle(NOW, Input::Deliver(delivery.clone()));
        while let Some(Output::Send(ConnectionId(id), frames)) = gateway.poll() {
            let text = String::from_utf8_lossy(&frames);
            let numbers = text.split(r#""n":"#).skip(1).filter_map(|rest| rest.split('}').next());
            handed.entry(id).or_default().extend(numbers.map(|number| number.parse::<u64>().unwrap()));
        }
    }
}

/// A batch is full by its number of events, and by their bytes; an empty one does not go out.
#[test]
fn batches_are_bounded() {
    let mut bridge = bridge(1);
    assert!(bridge.broadcast().is_none() && !bridge.may_grow());
    let mut taken = 0;
    let mut fill = |bridge: &mut Bridge<u64>, body: &[u8]| {
        let before = taken;
        loop {
            taken += 1;
            bridge.take(taken, body, Timestamp::EPOCH).unwrap();
            if !bridge.may_grow() {
                return (taken - before) as usize;
            }
        }
    };
    assert_eq!(fill(&mut bridge, &event(1)), BATCH);
    assert_eq!(bridge.broadcast().unwrap().events, BATCH);
    let large = format!(r#"{{"type":"a","data":"{}"}}"#, "x".repeat(BATCH_BYTES / 2));
    assert_eq!(fill(&mut bridge, large.as_bytes()), 2);
    assert!(bridge.broadcast().is_none(), "one is under way");
    assert_eq!(bridge.accepted(0), Some(BATCH as u64));
    assert!(bridge.broadcast().is_some());
}

/// A shard that accepts twice, or is none, counts once or not at all.
#[test]
fn every_shard_is_waited_for() {
    let mut bridge = bridge(2);
    bridge.take(7, &event(7), Timestamp::EPOCH).unwrap();
    assert_eq!(bridge.accepted(0), None, "nothing is under way");
    bridge.broadcast().unwrap();
    for shard in [0, 0, 2] {
        assert_eq!(bridge.accepted(shard), None);
    }
    assert_eq!(bridge.accepted(1), Some(7));
    assert_eq!(bridge.accepted(1), None, "acknowledged once");
}

/// Poison is never part of a batch, and one that has nothing else does not go out (BRIDGE-8).
#[test]
fn poison_is_left_out() {
    let mut bridge = bridge(1);
    assert!(bridge.take(1, b"{", Timestamp::EPOCH).is_err());
    assert!(bridge.broadcast().is_none());
    bridge.take(2, &event(2), Timestamp::EPOCH).unwrap();
    assert!(bridge.take(3, b"[]", Timestamp::EPOCH).is_err());
    assert_eq!(bridge.broadcast().unwrap().events, 1);
    assert_eq!(bridge.accepted(0), Some(2));
}

#[derive(Debug, Clone)]
enum Step {
    Event,
    Poison,
    Broadcast,
    /// One of the shards delivers the batch under way and accepts it.
    Accept(usize),
    /// The gateway shuts down: no shard delivers any more.
    Shutdown,
}

fn steps() -> impl Strategy<Value = Step> {
    prop_oneof![
        60 => Just(Step::Event),
        15 => Just(Step::Poison),
        30 => Just(Step::Broadcast),
        60 => (0..9_usize).prop_map(Step::Accept),
        1 => Just(Step::Shutdown),
    ]
}

proptest! {
    /// BRIDGE-7, BRIDGE-6, CONN-6: nothing is acknowledged before it was handed to every connection that is to get it, in order and
    /// once; after quiescence nothing is unacknowledged; and what was not delivered before a shutdown never is.
    #[test]
    fn what_is_acknowledged_was_handed_over(
        sizes in proptest::collection::vec(0..3_u64, 1..4),
        steps in proptest::collection::vec(steps(), 1..120),
    ) {
        let mut bridge = bridge(sizes.len());
        let connections: Vec<Vec<u64>> =
            sizes.iter().enumerate().map(|(shard, count)| (0..*count).map(|n| 10 * shard as u64 + n).collect()).collect();
        let mut shards: Vec<_> = connections.iter().map(|connections| shard(connections)).collect();
        let all: Vec<u64> = connections.concat();
        let (mut events, mut tag, mut acknowledged) = (Vec::new(), 0, 0);
        let mut handed: BTreeMap<u64, Vec<u64>> = all.iter().map(|id| (*id, Vec::new())).collect();
        let mut under_way: Option<(Broadcast, BTreeSet<usize>)> = None;
        let is_cut_short = steps.iter().any(|step| matches!(step, Step::Shutdown));
        let to_the_end = (0..2).flat_map(|_| {
            let accepts = (0..sizes.len()).map(|_| Step::Accept(0));
            accepts.chain([Step::Broadcast])
        });
        // Twice: what is under way, and what has not been broadcast yet.
        let steps = steps.into_iter().chain(to_the_end.filter(|_| !is_cut_short))
            .chain((0..sizes.len()).map(|_| Step::Accept(0)));
        for step in steps {
            match step {
                Step::Event => {
                    tag += 1;
                    events.push(tag);
                    bridge.take(tag, &event(tag), Timestamp::EPOCH).unwrap();
                }
                Step::Poison => {
                    tag += 1;
                    prop_assert!(bridge.take(tag, b"poison", Timestamp::EPOCH).is_err());
                }
                Step::Broadcast => {
                    if let Some(broadcast) = bridge.broadcast() {
                        prop_assert!(under_way.is_none());
                        under_way = Some((broadcast, (0..sizes.len()).collect()));
                    }
                }
                Step::Accept(nth) => {
                    let Some((broadcast, missing)) = &mut under_way else { continue };
                    let number = missing.iter().copied().nth(nth % missing.len()).expect("one is missing");
                    missing.remove(&number);
                    deliver(&mut shards[number], broadcast, &mut handed);
                    if let Some(last) = bridge.accepted(number) {
                        prop_assert!(last > acknowledged);
                        acknowledged = last;
                        prop_assert!(missing.is_empty());
                        under_way = None;
                    }
                    let wanted: Vec<u64> = events.iter().copied().filter(|tag| *tag <= acknowledged).collect();
                    for (id, handed) in &handed {
                        prop_assert!(handed.starts_with(&wanted), "{} got {:?}, not {:?}", id, handed, wanted);
                    }
                }
                Step::Shutdown => {
                    for shard in &mut shards {
                        shard.handle(NOW, Input::Shutdown);
                        while shard.poll().is_some() {}
                    }
                    break;
                }
            }
        }
        let unacknowledged = events.last().copied().unwrap_or_default() > acknowledged;
        prop_assert!(!unacknowledged || is_cut_short, "{} of {:?}", acknowledged, events);
    }
}
