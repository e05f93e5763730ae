//! Quorum queues: what they count, refuse and dead-letter.

use super::behaviours;
use super::dead_letters::{deaths_of, field, headers_of};
use crate::bench::{Bench, bind, body_of, code_of, consume, fetch, message_of, next, put, table, text};
use lapin::ExchangeKind;
use lapin::message::Delivery;
use lapin::options::{BasicQosOptions, BasicRejectOptions, QueueDeclareOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, Consumer};

behaviours![
    a_quorum_queue_counts_deliveries,
    a_closed_channel_counts_as_a_delivery,
    a_message_past_its_delivery_limit_is_dead_lettered,
    a_message_past_its_delivery_limit_is_gone_without_an_exchange,
    a_quorum_queue_is_durable_and_shared_406,
    a_quorum_queue_has_arguments_of_its_own_406,
    a_delivery_limit_must_stay_the_same_406,
    a_quorum_queue_refuses_global_prefetch_540,
];

const DURABLE: QueueDeclareOptions = QueueDeclareOptions {
    passive: false,
    durable: true,
    exclusive: false,
    auto_delete: false,
    nowait: false,
};

async fn quorum_queue(bench: &Bench, channel: &Channel, more: &[(&str, AMQPValue)]) -> ShortString {
    let name = bench.name("quorum");
    channel.queue_declare(name.clone(), DURABLE, arguments(more)).await.expect("a queue");
    name
}

fn arguments(more: &[(&str, AMQPValue)]) -> FieldTable {
    table(&[&[("x-queue-type", text("quorum"))], more].concat())
}

/// How often a message was delivered before. Later versions leave a zero out.
fn earlier_deliveries(delivery: &Delivery) -> i64 {
    let headers = delivery.properties.headers().as_ref();
    match headers.and_then(|headers| headers.inner().get("x-delivery-count")) {
        None => 0,
        Some(AMQPValue::LongLongInt(count)) => *count,
        other => panic!("not a count: {other:?}"),
    }
}

async fn requeue(delivery: &Delivery) {
    delivery.reject(BasicRejectOptions { requeue: true }).await.expect("requeued");
}

/// The counts of a message that is requeued as often as there are any.
async fn requeued(consumer: &mut Consumer, body: &str, times: i64) {
    for count in 0..times {
        let delivery = next(consumer).await;
        assert_eq!((body_of(&delivery).as_str(), earlier_deliveries(&delivery)), (body, count));
        assert_eq!(delivery.redelivered, count > 0);
        requeue(&delivery).await;
    }
}

async fn a_quorum_queue_counts_deliveries(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = quorum_queue(bench, &channel, &[]).await;
    channel.basic_qos(1, BasicQosOptions::default()).await.expect("prefetch");
    put(&channel, &queue, &["a"]).await;
    requeued(&mut consume(&channel, &queue).await, "a", 4).await;
}

async fn a_closed_channel_counts_as_a_delivery(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = quorum_queue(bench, &channel, &[]).await;
    put(&channel, &queue, &["a"]).await;
    let first = fetch(&channel, &queue).await;
    assert_eq!(earlier_deliveries(&first), 0);
    channel.close(200, "bye".into()).await.expect("a closed channel");
    assert_eq!(earlier_deliveries(&fetch(&bench.channel().await, &queue).await), 1);
}

async fn a_message_past_its_delivery_limit_is_dead_lettered(bench: &Bench) {
    let channel = bench.channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Fanout).await;
    let letters = bench.queue(&channel, "letters").await;
    bind(&channel, &letters, &exchange, "").await;
    let more =
        [("x-delivery-limit", AMQPValue::LongInt(2)), ("x-dead-letter-exchange", text(exchange.as_str()))];
    let queue = quorum_queue(bench, &channel, &more).await;
    channel.basic_qos(1, BasicQosOptions::default()).await.expect("prefetch");
    put(&channel, &queue, &["a", "b"]).await;
    let mut consumer = consume(&channel, &queue).await;
    // The first delivery is not one too many, nor are the two that the limit allows.
    requeued(&mut consumer, "a", 3).await;
    let letter = fetch(&channel, &letters).await;
    assert_eq!((body_of(&letter), letter.redelivered), ("a".into(), false));
    let [death] = &deaths_of(&letter)[..] else { panic!("one death") };
    assert_eq!(field(death, "reason"), text("delivery_limit"));
    assert_eq!(field(death, "queue"), text(queue.as_str()));
    assert_eq!(field(&headers_of(&letter), "x-first-death-reason"), text("delivery_limit"));
    assert_eq!(earlier_deliveries(&letter), 0, "the count is the queue's");
    let other = next(&mut consumer).await;
    assert_eq!((body_of(&other), earlier_deliveries(&other)), ("b".into(), 0));
}

async fn a_message_past_its_delivery_limit_is_gone_without_an_exchange(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = quorum_queue(bench, &channel, &[("x-delivery-limit", AMQPValue::LongInt(0))]).await;
    channel.basic_qos(1, BasicQosOptions::default()).await.expect("prefetch");
    put(&channel, &queue, &["a", "b"]).await;
    let mut consumer = consume(&channel, &queue).await;
    requeued(&mut consumer, "a", 1).await;
    requeued(&mut consumer, "b", 1).await;
}

async fn a_quorum_queue_is_durable_and_shared_406(bench: &Bench) {
    let cases = [
        (QueueDeclareOptions { durable: false, ..DURABLE }, "invalid property 'non-durable' for queue"),
        (QueueDeclareOptions { exclusive: true, ..DURABLE }, "invalid property 'exclusive-owner' for queue"),
        (QueueDeclareOptions { auto_delete: true, ..DURABLE }, "invalid property 'auto-delete' for queue"),
    ];
    for (options, expected) in cases {
        let channel = bench.channel().await;
        let message = message_of(channel.queue_declare(bench.name("queue"), options, arguments(&[])).await);
        assert!(message.contains(expected), "{message}");
    }
}

async fn a_quorum_queue_has_arguments_of_its_own_406(bench: &Bench) {
    let limit = ("x-delivery-limit", AMQPValue::LongInt(2));
    let cases = [
        arguments(&[("x-max-priority", AMQPValue::LongInt(2))]),
        arguments(&[("x-queue-mode", text("lazy"))]),
        table(std::slice::from_ref(&limit)),
        table(&[limit, ("x-queue-type", text("classic"))]),
        table(&[("x-max-age", text("1D"))]),
        table(&[("x-queue-type", text("no such type"))]),
    ];
    for arguments in cases {
        let channel = bench.channel().await;
        let declared = channel.queue_declare(bench.name("queue"), DURABLE, arguments.clone()).await;
        assert_eq!(code_of(declared), 406, "{arguments:?}");
    }
}

async fn a_delivery_limit_must_stay_the_same_406(bench: &Bench) {
    let channel = bench.channel().await;
    let limited = |limit| arguments(&[("x-delivery-limit", AMQPValue::LongInt(limit))]);
    let name = bench.name("quorum");
    for _ in 0..2 {
        channel.queue_declare(name.clone(), DURABLE, limited(2)).await.expect("a queue");
    }
    let other = bench.channel().await.queue_declare(name.clone(), DURABLE, limited(3)).await;
    assert!(message_of(other).contains("received '3' but current is '2'"));
    let classic = channel.queue_declare(name, DURABLE, FieldTable::default()).await;
    assert_eq!(code_of(classic), 406);
}

async fn a_quorum_queue_refuses_global_prefetch_540(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = quorum_queue(bench, &channel, &[]).await;
    let connection = bench.connect().await;
    let channel = connection.create_channel().await.expect("a channel");
    channel.basic_qos(1, BasicQosOptions { global: true }).await.expect("prefetch");
    let consumed = channel.basic_consume(queue, "".into(), Default::default(), FieldTable::default()).await;
    assert_eq!(code_of(consumed), 540);
}
