//! Messages that die, and where they go.

use super::behaviours;
use crate::bench::{Bench, body_of, consume, drain, fetch, next, publish_with, put, table, text};
use lapin::message::Delivery;
use lapin::options::BasicRejectOptions;
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, ExchangeKind};

behaviours![
    a_rejected_message_is_dead_lettered_with_its_story,
    a_dead_letter_can_get_another_key,
    a_message_that_dies_twice_tells_both_deaths,
    dying_the_same_way_again_counts_up,
    an_expired_message_is_dead_lettered,
    a_message_expires_by_its_own_wish,
    the_oldest_makes_room_in_a_queue_of_limited_length,
    dead_letters_without_an_exchange_are_gone,
    messages_do_not_go_round_for_ever,
];

const FOREVER: AMQPValue = AMQPValue::LongInt(i32::MAX);

struct Deaths {
    channel: Channel,
    exchange: ShortString,
    letters: ShortString,
}

impl Deaths {
    /// An exchange for dead letters, and a queue that gets them all.
    async fn new(bench: &Bench) -> Self {
        let channel = bench.channel().await;
        let exchange = bench.exchange(&channel, ExchangeKind::Fanout).await;
        let letters = bench.bound_queue(&channel, &exchange, &[""]).await;
        Self { channel, exchange, letters }
    }

    /// A queue whose messages go there when they die.
    async fn queue(&self, bench: &Bench, more: &[(&str, AMQPValue)]) -> ShortString {
        let mut arguments = more.to_vec();
        arguments.push(("x-dead-letter-exchange", text(self.exchange.as_str())));
        bench.queue_with(&self.channel, "mortal", &arguments).await
    }

    async fn letter(&self) -> Delivery {
        fetch(&self.channel, &self.letters).await
    }
}

async fn reject(channel: &Channel, queue: &ShortString) {
    let delivery = fetch(channel, queue).await;
    delivery.reject(BasicRejectOptions { requeue: false }).await.expect("rejected");
}

pub(super) fn headers_of(delivery: &Delivery) -> FieldTable {
    delivery.properties.headers().clone().expect("headers")
}

/// The deaths in a message's headers, the latest first.
pub(super) fn deaths_of(delivery: &Delivery) -> Vec<FieldTable> {
    let headers = headers_of(delivery);
    let Some(AMQPValue::FieldArray(deaths)) = headers.inner().get("x-death") else { panic!("no x-death") };
    let deaths = deaths.as_slice().iter().map(|death| match death {
        AMQPValue::FieldTable(table) => table.clone(),
        other => panic!("a death is a table, not {other:?}"),
    });
    deaths.collect()
}

pub(super) fn field(death: &FieldTable, name: &str) -> AMQPValue {
    death.inner().get(name).unwrap_or_else(|| panic!("no {name} in {death:?}")).clone()
}

async fn a_rejected_message_is_dead_lettered_with_its_story(bench: &Bench) {
    let deaths = Deaths::new(bench).await;
    let queue = deaths.queue(bench, &[]).await;
    let properties = BasicProperties::default()
        .with_content_type("text/plain".into())
        .with_headers(table(&[("trace", text("t-1"))]));
    publish_with(&deaths.channel, &"".into(), queue.as_str(), "a", properties).await;
    reject(&deaths.channel, &queue).await;
    let letter = deaths.letter().await;
    assert_eq!((body_of(&letter), letter.redelivered), ("a".into(), false));
    assert_eq!((&letter.exchange, &letter.routing_key), (&deaths.exchange, &queue));
    assert_eq!(letter.properties.content_type(), &Some("text/plain".into()));
    let headers = headers_of(&letter);
    for (name, value) in [
        ("trace", "t-1"),
        ("x-first-death-exchange", ""),
        ("x-first-death-queue", queue.as_str()),
        ("x-first-death-reason", "rejected"),
    ] {
        assert_eq!(field(&headers, name), text(value), "{name}");
    }
    let [death] = &deaths_of(&letter)[..] else { panic!("one death") };
    assert_eq!(field(death, "count"), AMQPValue::LongLongInt(1));
    assert_eq!(field(death, "reason"), text("rejected"));
    assert_eq!(field(death, "queue"), text(queue.as_str()));
    assert_eq!(field(death, "exchange"), text(""));
    assert_eq!(field(death, "routing-keys"), AMQPValue::FieldArray(vec![text(queue.as_str())].into()));
    assert!(matches!(field(death, "time"), AMQPValue::Timestamp(time) if time > 1_600_000_000));
}

async fn a_dead_letter_can_get_another_key(bench: &Bench) {
    let deaths = Deaths::new(bench).await;
    let queue = deaths.queue(bench, &[("x-dead-letter-routing-key", text("dead"))]).await;
    put(&deaths.channel, &queue, &["a"]).await;
    reject(&deaths.channel, &queue).await;
    assert_eq!(deaths.letter().await.routing_key.as_str(), "dead");
}

async fn a_message_that_dies_twice_tells_both_deaths(bench: &Bench) {
    let deaths = Deaths::new(bench).await;
    let second = deaths.queue(bench, &[]).await;
    let arguments =
        [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(second.as_str()))];
    let first = bench.queue_with(&deaths.channel, "first", &arguments).await;
    put(&deaths.channel, &first, &["a"]).await;
    reject(&deaths.channel, &first).await;
    reject(&deaths.channel, &second).await;
    let letter = deaths.letter().await;
    let queues: Vec<_> = deaths_of(&letter).iter().map(|death| field(death, "queue")).collect();
    assert_eq!(queues, [text(second.as_str()), text(first.as_str())]);
    assert_eq!(field(&headers_of(&letter), "x-first-death-queue"), text(first.as_str()));
}

async fn dying_the_same_way_again_counts_up(bench: &Bench) {
    let channel = bench.channel().await;
    // Its dead letters come back to itself.
    let name = bench.name("mortal");
    let arguments =
        [("x-dead-letter-exchange", text("")), ("x-dead-letter-routing-key", text(name.as_str()))];
    let queue = bench.queue_with(&channel, "mortal", &arguments).await;
    put(&channel, &queue, &["a"]).await;
    let mut consumer = consume(&channel, &queue).await;
    for round in 0..3 {
        let delivery = next(&mut consumer).await;
        if round > 0 {
            let [death] = &deaths_of(&delivery)[..] else { panic!("one death") };
            assert_eq!(field(death, "count"), AMQPValue::LongLongInt(round));
        }
        delivery.reject(BasicRejectOptions { requeue: false }).await.expect("rejected");
    }
}

async fn an_expired_message_is_dead_lettered(bench: &Bench) {
    let deaths = Deaths::new(bench).await;
    let queue = deaths.queue(bench, &[("x-message-ttl", AMQPValue::LongInt(1))]).await;
    put(&deaths.channel, &queue, &["a"]).await;
    let letter = deaths.letter().await;
    assert_eq!(field(&deaths_of(&letter)[0], "reason"), text("expired"));
    assert!(drain(&deaths.channel, &queue).await.is_empty());
}

async fn a_message_expires_by_its_own_wish(bench: &Bench) {
    let deaths = Deaths::new(bench).await;
    let queue = deaths.queue(bench, &[("x-message-ttl", FOREVER)]).await;
    let properties = BasicProperties::default().with_expiration("1".into()).with_message_id("m-1".into());
    publish_with(&deaths.channel, &"".into(), queue.as_str(), "a", properties).await;
    let letter = deaths.letter().await;
    assert_eq!(field(&deaths_of(&letter)[0], "original-expiration"), text("1"));
    assert_eq!(letter.properties.expiration(), &None, "it must not expire again");
    assert_eq!(letter.properties.message_id(), &Some("m-1".into()));
}

async fn the_oldest_makes_room_in_a_queue_of_limited_length(bench: &Bench) {
    let deaths = Deaths::new(bench).await;
    let queue = deaths.queue(bench, &[("x-max-length", AMQPValue::LongInt(2))]).await;
    put(&deaths.channel, &queue, &["a", "b", "c"]).await;
    let letter = deaths.letter().await;
    assert_eq!(body_of(&letter), "a");
    assert_eq!(field(&deaths_of(&letter)[0], "reason"), text("maxlen"));
    assert_eq!(drain(&deaths.channel, &queue).await, ["b", "c"]);
}

async fn dead_letters_without_an_exchange_are_gone(bench: &Bench) {
    let channel = bench.channel().await;
    let missing = bench.name("missing");
    let queue =
        bench.queue_with(&channel, "mortal", &[("x-dead-letter-exchange", text(missing.as_str()))]).await;
    put(&channel, &queue, &["a", "b"]).await;
    reject(&channel, &queue).await;
    channel.close(200, "bye".into()).await.expect("a closed channel");
    let channel = bench.channel().await;
    crate::bench::until_ready(&channel, &queue, 1).await;
    assert_eq!(drain(&channel, &queue).await, ["b"]);
}

/// Two queues that send their expired messages to each other: after one round it is over.
async fn messages_do_not_go_round_for_ever(bench: &Bench) {
    let channel = bench.channel().await;
    let (here, there) = (bench.name("here"), bench.name("there"));
    for (what, next) in [("here", &there), ("there", &here)] {
        let arguments = [
            ("x-dead-letter-exchange", text("")),
            ("x-dead-letter-routing-key", text(next.as_str())),
            ("x-message-ttl", AMQPValue::LongInt(1)),
        ];
        bench.queue_with(&channel, what, &arguments).await;
    }
    put(&channel, &here, &["a"]).await;
    // A queue of the same lifetime shows when two lifetimes are over: its message has moved and died meanwhile.
    let deaths = Deaths::new(bench).await;
    for round in ["first", "second", "third", "fourth"] {
        let arguments = [
            ("x-dead-letter-exchange", text(deaths.exchange.as_str())),
            ("x-message-ttl", AMQPValue::LongInt(5)),
        ];
        let clock = bench.queue_with(&channel, round, &arguments).await;
        put(&channel, &clock, &[round]).await;
        deaths.letter().await;
    }
    assert!(drain(&channel, &here).await.is_empty() && drain(&channel, &there).await.is_empty());
}
