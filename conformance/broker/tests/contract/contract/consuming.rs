//! Consumers and fetching.

use super::behaviours;
use crate::bench::{
    Bench, body_of, code_of, consume, consume_with, counts, ended, get, next, next_bodies, put, until_ready,
};
use futures_util::FutureExt;
use futures_util::StreamExt;
use lapin::options::{BasicAckOptions, BasicCancelOptions, BasicConsumeOptions, BasicQosOptions};
use lapin::types::FieldTable;
use lapin::{Channel, Consumer};

behaviours![
    deliveries_name_where_they_come_from,
    prefetch_limits_each_consumer,
    prefetch_set_later_leaves_earlier_consumers_alone,
    global_prefetch_limits_the_channel,
    prefetch_does_not_bind_automatic_acknowledgement,
    consumers_take_turns,
    automatic_acknowledgement_leaves_nothing,
    an_exclusive_consumer_has_the_queue_to_itself_403,
    a_consumer_tag_used_twice_closes_with_530,
    consuming_nothing_fails_with_404,
    a_cancelled_consumer_gets_nothing_more_and_may_still_acknowledge,
    cancelling_an_unknown_consumer_succeeds,
    deleting_a_queue_cancels_its_consumers,
    fetching_counts_what_is_left,
    fetching_ignores_prefetch,
    fetching_from_nothing_fails_with_404,
];

const AUTOMATIC: BasicConsumeOptions =
    BasicConsumeOptions { no_local: false, no_ack: true, exclusive: false, nowait: false };

async fn set_prefetch(channel: &Channel, count: u16, global: bool) {
    channel.basic_qos(count, BasicQosOptions { global }).await.expect("prefetch");
}

/// Asserts that nothing has been delivered, once everything that was due has been.
async fn assert_quiet(channel: &Channel, queue: &lapin::types::ShortString, consumer: &mut Consumer) {
    counts(channel, queue).await;
    assert!(consumer.next().now_or_never().is_none(), "a delivery beyond the limit");
}

async fn deliveries_name_where_they_come_from(bench: &Bench) {
    let channel = bench.channel().await;
    let exchange = bench.exchange(&channel, lapin::ExchangeKind::Topic).await;
    let queue = bench.bound_queue(&channel, &exchange, &["payment.*"]).await;
    let mut consumer = consume(&channel, &queue).await;
    for tag in 1..=2 {
        crate::bench::publish(&channel, &exchange, "payment.created", "a").await;
        let delivery = next(&mut consumer).await;
        assert_eq!((delivery.delivery_tag, delivery.redelivered), (tag, false));
        assert_eq!((&delivery.exchange, delivery.routing_key.as_str()), (&exchange, "payment.created"));
    }
}

async fn prefetch_limits_each_consumer(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    set_prefetch(&channel, 2, false).await;
    put(&channel, &queue, &["a", "b", "c", "d", "e"]).await;
    let mut first = consume(&channel, &queue).await;
    let a = next(&mut first).await;
    assert_eq!(next_bodies(&mut first, 1).await, ["b"]);
    assert_quiet(&channel, &queue, &mut first).await;
    let mut second = consume(&channel, &queue).await;
    assert_eq!(next_bodies(&mut second, 2).await, ["c", "d"]);
    assert_quiet(&channel, &queue, &mut second).await;
    a.ack(BasicAckOptions::default()).await.expect("acknowledged");
    assert_eq!(next_bodies(&mut first, 1).await, ["e"]);
}

async fn prefetch_set_later_leaves_earlier_consumers_alone(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    let mut consumer = consume(&channel, &queue).await;
    set_prefetch(&channel, 1, false).await;
    put(&channel, &queue, &["a", "b", "c"]).await;
    assert_eq!(next_bodies(&mut consumer, 3).await, ["a", "b", "c"]);
}

async fn global_prefetch_limits_the_channel(bench: &Bench) {
    let channel = bench.channel().await;
    let (one, two) = (bench.queue(&channel, "one").await, bench.queue(&channel, "two").await);
    set_prefetch(&channel, 3, true).await;
    put(&channel, &one, &["a", "b"]).await;
    put(&channel, &two, &["c", "d"]).await;
    let mut first = consume(&channel, &one).await;
    assert_eq!(next_bodies(&mut first, 2).await, ["a", "b"]);
    let mut second = consume(&channel, &two).await;
    let c = next(&mut second).await;
    assert_quiet(&channel, &two, &mut second).await;
    c.ack(BasicAckOptions::default()).await.expect("acknowledged");
    let d = next(&mut second).await;
    assert_eq!(body_of(&d), "d");
    put(&channel, &one, &["e"]).await;
    assert_quiet(&channel, &one, &mut first).await;
    set_prefetch(&channel, 0, true).await;
    assert_eq!(next_bodies(&mut first, 1).await, ["e"]);
}

async fn prefetch_does_not_bind_automatic_acknowledgement(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    set_prefetch(&channel, 1, false).await;
    put(&channel, &queue, &["a", "b", "c"]).await;
    let mut consumer = consume_with(&channel, &queue, AUTOMATIC).await;
    assert_eq!(next_bodies(&mut consumer, 3).await, ["a", "b", "c"]);
}

async fn consumers_take_turns(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    let (mut first, mut second) = (consume(&channel, &queue).await, consume(&channel, &queue).await);
    put(&channel, &queue, &["a", "b", "c", "d"]).await;
    assert_eq!(next_bodies(&mut first, 2).await, ["a", "c"]);
    assert_eq!(next_bodies(&mut second, 2).await, ["b", "d"]);
}

async fn automatic_acknowledgement_leaves_nothing(bench: &Bench) {
    let connection = bench.connect().await;
    let channel = connection.create_channel().await.expect("a channel");
    let queue = bench.queue(&channel, "queue").await;
    put(&channel, &queue, &["a"]).await;
    let mut consumer = consume_with(&channel, &queue, AUTOMATIC).await;
    next(&mut consumer).await;
    connection.close(200, "bye".into()).await.expect("a closed connection");
    assert_eq!(counts(&bench.channel().await, &queue).await, (0, 0));
}

async fn an_exclusive_consumer_has_the_queue_to_itself_403(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    let exclusive = BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() };
    let consumer = consume_with(&channel, &queue, exclusive).await;
    let try_consume = async |options| {
        let channel = bench.channel().await;
        channel.basic_consume(queue.clone(), "".into(), options, FieldTable::default()).await
    };
    assert_eq!(code_of(try_consume(BasicConsumeOptions::default()).await), 403);
    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.expect("cancelled");
    let _shared = try_consume(BasicConsumeOptions::default()).await.expect("it is free again");
    assert_eq!(code_of(try_consume(exclusive).await), 403);
}

async fn a_consumer_tag_used_twice_closes_with_530(bench: &Bench) {
    let connection = bench.connect().await;
    let channel = connection.create_channel().await.expect("a channel");
    let queue = bench.queue(&channel, "queue").await;
    let twice = async || {
        channel.basic_consume(queue.clone(), "mine".into(), Default::default(), FieldTable::default()).await
    };
    let _consumer = twice().await.expect("a consumer");
    assert_eq!(code_of(twice().await), 530);
}

async fn consuming_nothing_fails_with_404(bench: &Bench) {
    let channel = bench.channel().await;
    let missing = bench.name("missing");
    let consumed = channel.basic_consume(missing, "".into(), Default::default(), FieldTable::default());
    assert_eq!(code_of(consumed.await), 404);
}

async fn a_cancelled_consumer_gets_nothing_more_and_may_still_acknowledge(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    let mut consumer = consume(&channel, &queue).await;
    put(&channel, &queue, &["a"]).await;
    let held = next(&mut consumer).await;
    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.expect("cancelled");
    put(&channel, &queue, &["b"]).await;
    until_ready(&channel, &queue, 1).await;
    held.ack(BasicAckOptions::default()).await.expect("acknowledged");
    assert!(ended(&mut consumer).await);
    channel.close(200, "bye".into()).await.expect("a closed channel");
    assert_eq!(counts(&bench.channel().await, &queue).await, (1, 0));
}

async fn cancelling_an_unknown_consumer_succeeds(bench: &Bench) {
    let channel = bench.channel().await;
    channel
        .basic_cancel("unknown".into(), BasicCancelOptions::default())
        .await
        .expect("cancelling an unknown consumer succeeds");
}

async fn deleting_a_queue_cancels_its_consumers(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    let mut consumer = consume(&channel, &queue).await;
    bench.channel().await.queue_delete(queue, Default::default()).await.expect("deleted");
    assert!(ended(&mut consumer).await);
}

async fn fetching_counts_what_is_left(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    put(&channel, &queue, &["a", "b", "c"]).await;
    for left in [2, 1, 0] {
        assert_eq!(get(&channel, &queue).await.expect("a message").message_count, left);
    }
    assert!(get(&channel, &queue).await.is_none());
}

async fn fetching_ignores_prefetch(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    set_prefetch(&channel, 1, false).await;
    set_prefetch(&channel, 1, true).await;
    put(&channel, &queue, &["a", "b"]).await;
    for tag in 1..=2 {
        let message = channel.basic_get(queue.clone(), Default::default()).await.expect("an answer");
        assert_eq!(message.expect("a message").delivery_tag, tag);
    }
    // Nor does what was fetched count against consumers.
    put(&channel, &queue, &["c"]).await;
    let mut consumer = consume(&channel, &queue).await;
    assert_eq!(next_bodies(&mut consumer, 1).await, ["c"]);
}

async fn fetching_from_nothing_fails_with_404(bench: &Bench) {
    let missing = bench.name("missing");
    assert_eq!(code_of(bench.channel().await.basic_get(missing, Default::default()).await), 404);
}
