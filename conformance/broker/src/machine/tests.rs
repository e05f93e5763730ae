//! The machine as a simulation uses it.

use super::*;

const NOW: Duration = Duration::ZERO;

fn consumer(broker: &mut Machine, own: bool) -> Peer {
    let peer = broker.connect(NOW);
    let (exchange, queue) = ("e".to_owned(), "q".to_owned());
    broker.ask(NOW, peer, Request::DeclareExchange { name: exchange.clone() });
    broker.ask(NOW, peer, Request::DeclareQueue { name: queue.clone(), own });
    broker.ask(NOW, peer, Request::Bind { queue: queue.clone(), exchange, key: "#".to_owned() });
    broker.ask(NOW, peer, Request::Consume { queue, prefetch: 10 });
    assert_eq!(broker.poll(), None);
    peer
}

fn publisher(broker: &mut Machine) -> Peer {
    let peer = broker.connect(NOW);
    broker.ask(NOW, peer, Request::Confirm);
    peer
}

fn publish(broker: &mut Machine, peer: Peer, body: &'static str) {
    let (exchange, routing_key) = ("e".to_owned(), "k".to_owned());
    broker.ask(NOW, peer, Request::Publish { exchange, routing_key, body: body.into() });
}

fn bodies(broker: &mut Machine) -> Vec<(Bytes, bool)> {
    let reply = std::iter::from_fn(|| broker.poll());
    reply
        .filter_map(|reply| match reply {
            Reply::Delivery { body, redelivered, .. } => Some((body, redelivered)),
            _ => None,
        })
        .collect()
}

/// What a consumer has not settled when it is gone is delivered to the next one, marked as such.
#[test]
fn what_is_not_settled_comes_again() {
    let mut broker = Machine::new(BrokerConfig::default());
    let first = consumer(&mut broker, false);
    let publisher = publisher(&mut broker);
    publish(&mut broker, publisher, "a");
    publish(&mut broker, publisher, "b");
    assert_eq!(bodies(&mut broker).len(), 2);
    broker.ask(NOW, first, Request::AcknowledgeUpTo(1));
    broker.leave(NOW, first);
    let second = broker.connect(NOW);
    broker.ask(NOW, second, Request::Consume { queue: "q".to_owned(), prefetch: 10 });
    assert_eq!(bodies(&mut broker), [(Bytes::from("b"), true)]);
    assert_eq!(broker.snapshot().acknowledged, 1);
}

/// A publisher learns that its message is in the queue.
#[test]
fn publishes_are_confirmed() {
    let mut broker = Machine::new(BrokerConfig::default());
    let publisher = publisher(&mut broker);
    consumer(&mut broker, false);
    publish(&mut broker, publisher, "a");
    let confirmed = std::iter::from_fn(|| broker.poll());
    let confirmed: Vec<_> =
        confirmed.filter(|reply| *reply == Reply::Confirmed { to: publisher, up_to: 1 }).collect();
    assert_eq!(confirmed.len(), 1);
}

/// A consumer is reply that its queue, or its channel, is gone, once; what it asks for then is nothing.
#[test]
fn an_end_is_told() {
    for closes in [false, true] {
        let mut broker = Machine::new(BrokerConfig::default());
        let peer = consumer(&mut broker, false);
        if closes {
            broker.close_consuming(NOW);
        } else {
            let other = broker.connect(NOW);
            broker.ask(NOW, other, Request::DeleteQueue { name: "q".to_owned() });
        }
        assert_eq!(broker.poll(), Some(Reply::Ended { to: peer }), "{closes}");
        broker.ask(NOW, peer, Request::AcknowledgeUpTo(1));
        assert_eq!(broker.poll(), None);
    }
}
