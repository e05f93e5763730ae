//! Acknowledging, rejecting, requeueing.

use super::behaviours;
use crate::bench::{Bench, body_of, consume, counts, next, next_bodies, put, until_ready};
use crate::raw::RawClient;
use amq_protocol::protocol::{AMQPClass, basic, channel};
use lapin::message::Delivery;
use lapin::options::{
    BasicAckOptions, BasicCancelOptions, BasicNackOptions, BasicQosOptions, BasicRecoverOptions,
    BasicRejectOptions,
};
use lapin::types::ShortString;
use lapin::{Channel, Consumer};

behaviours![
    what_is_acknowledged_never_returns,
    one_acknowledgement_can_stand_for_many,
    a_multiple_acknowledgement_of_zero_means_all,
    an_unknown_delivery_tag_closes_the_channel_with_406,
    tag_zero_alone_is_unknown_406,
    acknowledging_twice_closes_the_channel_with_406,
    a_multiple_acknowledgement_of_an_unknown_tag_is_406,
    delivery_tags_belong_to_their_channel,
    a_rejected_message_is_gone,
    a_requeued_message_returns_to_its_place_marked_redelivered,
    one_nack_can_requeue_many_in_order,
    one_nack_can_drop_many,
    a_closed_channel_gives_back_in_order,
    a_lost_connection_gives_back_in_order,
    what_one_consumer_gives_back_another_gets,
    recover_delivers_again,
];

/// Puts messages into a queue and gets them delivered on a channel of their own.
async fn delivered(bench: &Bench, bodies: &[&str]) -> (Channel, ShortString, Consumer, Vec<Delivery>) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    put(&channel, &queue, bodies).await;
    let mut consumer = consume(&channel, &queue).await;
    let mut deliveries = Vec::new();
    for _ in bodies {
        deliveries.push(next(&mut consumer).await);
    }
    (channel, queue, consumer, deliveries)
}

/// What waits in a queue, with the mark of redelivery.
async fn left(bench: &Bench, queue: &ShortString) -> Vec<(String, bool)> {
    let channel = bench.channel().await;
    let mut left = Vec::new();
    while let Some(message) = crate::bench::get(&channel, queue).await {
        left.push((body_of(&message.delivery), message.redelivered));
    }
    left
}

fn again(body: &str) -> (String, bool) {
    (body.into(), true)
}

async fn close(channel: Channel) {
    channel.close(200, "bye".into()).await.expect("a closed channel");
}

async fn what_is_acknowledged_never_returns(bench: &Bench) {
    let (channel, queue, _consumer, deliveries) = delivered(bench, &["a", "b", "c"]).await;
    deliveries[1].ack(BasicAckOptions::default()).await.expect("acknowledged");
    close(channel).await;
    assert_eq!(left(bench, &queue).await, [again("a"), again("c")]);
}

async fn one_acknowledgement_can_stand_for_many(bench: &Bench) {
    let (channel, queue, _consumer, deliveries) = delivered(bench, &["a", "b", "c", "d"]).await;
    deliveries[2].ack(BasicAckOptions { multiple: true }).await.expect("acknowledged");
    close(channel).await;
    assert_eq!(left(bench, &queue).await, [again("d")]);
}

async fn a_multiple_acknowledgement_of_zero_means_all(bench: &Bench) {
    let (channel, queue, _consumer, _deliveries) = delivered(bench, &["a", "b"]).await;
    for _ in 0..2 {
        // The second one finds none, which is all there are.
        channel.basic_ack(0, BasicAckOptions { multiple: true }).await.expect("acknowledged");
    }
    counts(&channel, &queue).await;
    close(channel).await;
    assert!(left(bench, &queue).await.is_empty());
}

/// Fetches two messages on channel 1, acknowledges them as given (channel, tag, multiple), and asserts that this is one
/// too many, and that `returned` messages return once both channels are closed.
async fn fails_with_406(bench: &Bench, acks: &[(u16, u64, bool)], returned: u32) {
    let observer = bench.channel().await;
    let queue = bench.queue(&observer, "queue").await;
    put(&observer, &queue, &["a", "b"]).await;
    until_ready(&observer, &queue, 2).await;
    let mut client = RawClient::open(&bench.url, 0).await;
    for channel in [1, 2] {
        client.open_channel(channel).await;
    }
    for _ in 0..2 {
        let get = basic::Get { queue: queue.clone(), no_ack: false };
        client.send(1, AMQPClass::Basic(basic::AMQPMethod::Get(get))).await;
        client
            .skip_to(|method| matches!(method, AMQPClass::Basic(basic::AMQPMethod::GetOk(_))).then_some(()))
            .await;
    }
    for &(channel, delivery_tag, multiple) in acks {
        let ack = basic::Ack { delivery_tag, multiple };
        client.send(channel, AMQPClass::Basic(basic::AMQPMethod::Ack(ack))).await;
    }
    assert_eq!(client.channel_closed_with().await, 406);
    for channel in [1, 2] {
        let close_ok = channel::AMQPMethod::CloseOk(channel::CloseOk {});
        let close = channel::AMQPMethod::Close(channel::Close::default());
        let answer = if channel == acks[0].0 { close_ok } else { close };
        client.send(channel, AMQPClass::Channel(answer)).await;
    }
    until_ready(&observer, &queue, returned).await;
}

async fn an_unknown_delivery_tag_closes_the_channel_with_406(bench: &Bench) {
    fails_with_406(bench, &[(1, 7, false)], 2).await;
}

async fn tag_zero_alone_is_unknown_406(bench: &Bench) {
    fails_with_406(bench, &[(1, 0, false)], 2).await;
}

async fn acknowledging_twice_closes_the_channel_with_406(bench: &Bench) {
    fails_with_406(bench, &[(1, 1, false), (1, 1, false)], 1).await;
}

async fn a_multiple_acknowledgement_of_an_unknown_tag_is_406(bench: &Bench) {
    fails_with_406(bench, &[(1, 7, true)], 2).await;
}

async fn delivery_tags_belong_to_their_channel(bench: &Bench) {
    fails_with_406(bench, &[(2, 1, false)], 2).await;
}

async fn a_rejected_message_is_gone(bench: &Bench) {
    let (channel, queue, _consumer, deliveries) = delivered(bench, &["a", "b"]).await;
    deliveries[0].reject(BasicRejectOptions { requeue: false }).await.expect("rejected");
    close(channel).await;
    assert_eq!(left(bench, &queue).await, [again("b")]);
}

async fn a_requeued_message_returns_to_its_place_marked_redelivered(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    channel.basic_qos(1, BasicQosOptions::default()).await.expect("prefetch");
    put(&channel, &queue, &["a", "b"]).await;
    let mut consumer = consume(&channel, &queue).await;
    let first = next(&mut consumer).await;
    assert_eq!((body_of(&first), first.redelivered), ("a".into(), false));
    first.reject(BasicRejectOptions { requeue: true }).await.expect("requeued");
    let second = next(&mut consumer).await;
    assert_eq!((body_of(&second), second.redelivered), again("a"));
    second.ack(BasicAckOptions::default()).await.expect("acknowledged");
    let third = next(&mut consumer).await;
    assert_eq!((body_of(&third), third.redelivered), ("b".into(), false));
}

async fn one_nack_can_requeue_many_in_order(bench: &Bench) {
    let (channel, queue, consumer, deliveries) = delivered(bench, &["a", "b", "c"]).await;
    put(&channel, &queue, &["d"]).await;
    channel.basic_cancel(consumer.tag(), BasicCancelOptions::default()).await.expect("cancelled");
    deliveries[1].nack(BasicNackOptions { multiple: true, requeue: true }).await.expect("requeued");
    counts(&channel, &queue).await;
    close(channel).await;
    let left = left(bench, &queue).await;
    assert_eq!(left[..3], [again("a"), again("b"), again("c")]);
    assert_eq!(left[3].0, "d");
}

async fn one_nack_can_drop_many(bench: &Bench) {
    let (channel, queue, _consumer, deliveries) = delivered(bench, &["a", "b", "c"]).await;
    deliveries[1].nack(BasicNackOptions { multiple: true, requeue: false }).await.expect("dropped");
    counts(&channel, &queue).await;
    close(channel).await;
    assert_eq!(left(bench, &queue).await, [again("c")]);
}

async fn a_closed_channel_gives_back_in_order(bench: &Bench) {
    let (channel, queue, _consumer, _deliveries) = delivered(bench, &["a", "b", "c"]).await;
    close(channel).await;
    until_ready(&bench.channel().await, &queue, 3).await;
    put(&bench.channel().await, &queue, &["d"]).await;
    until_ready(&bench.channel().await, &queue, 4).await;
    assert_eq!(left(bench, &queue).await, [again("a"), again("b"), again("c"), ("d".into(), false)]);
}

async fn a_lost_connection_gives_back_in_order(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    put(&channel, &queue, &["a", "b"]).await;
    until_ready(&channel, &queue, 2).await;
    let mut client = RawClient::open(&bench.url, 0).await;
    client.open_channel(1).await;
    let consume = basic::Consume { queue: queue.clone(), ..basic::Consume::default() };
    client.send(1, AMQPClass::Basic(basic::AMQPMethod::Consume(consume))).await;
    until_ready(&channel, &queue, 0).await;
    drop(client);
    until_ready(&channel, &queue, 2).await;
    assert_eq!(left(bench, &queue).await, [again("a"), again("b")]);
}

async fn what_one_consumer_gives_back_another_gets(bench: &Bench) {
    let (channel, queue, _consumer, _deliveries) = delivered(bench, &["a", "b"]).await;
    let other = bench.channel().await;
    let mut second = consume(&other, &queue).await;
    close(channel).await;
    assert_eq!(next_bodies(&mut second, 2).await, ["a", "b"]);
}

async fn recover_delivers_again(bench: &Bench) {
    let (channel, _queue, mut consumer, deliveries) = delivered(bench, &["a", "b"]).await;
    deliveries[0].ack(BasicAckOptions::default()).await.expect("acknowledged");
    channel.basic_recover(BasicRecoverOptions { requeue: true }).await.expect("recovered");
    let delivery = next(&mut consumer).await;
    assert_eq!((body_of(&delivery), delivery.redelivered), again("b"));
    assert_eq!(delivery.delivery_tag, 3);
}
