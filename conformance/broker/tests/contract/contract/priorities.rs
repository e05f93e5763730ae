//! Which message, and which consumer, comes first; and queues that end or fill up by themselves.

use super::behaviours;
use crate::bench::{
    Bench, body_of, code_of, consume, counts, drain, fetch, next, next_bodies, publish_with, put, table,
    text, until_ready,
};
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, BasicQosOptions, BasicRejectOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Consumer};

behaviours![
    a_message_of_higher_priority_comes_first,
    priorities_beyond_the_highest_are_the_highest,
    a_requeued_message_keeps_its_priority,
    priorities_do_not_count_in_other_queues,
    a_priority_out_of_range_is_refused_406,
    a_consumer_of_higher_priority_comes_first,
    a_consumer_priority_is_a_number_406,
    one_consumer_at_a_time_can_be_active,
    a_single_active_consumer_cannot_be_exclusive_403,
    a_queue_of_limited_bytes_makes_room,
    an_unused_queue_expires,
    an_expiry_of_zero_is_refused_406,
    unknown_arguments_are_accepted,
];

async fn put_with_priority(channel: &Channel, queue: &ShortString, body: &str, priority: Option<u8>) {
    let properties = match priority {
        Some(priority) => BasicProperties::default().with_priority(priority),
        None => BasicProperties::default(),
    };
    publish_with(channel, &"".into(), queue.as_str(), body, properties).await;
}

async fn priority_queue(bench: &Bench, channel: &Channel, highest: i32) -> ShortString {
    bench.queue_with(channel, "queue", &[("x-max-priority", AMQPValue::LongInt(highest))]).await
}

async fn a_message_of_higher_priority_comes_first(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = priority_queue(bench, &channel, 5).await;
    for (body, priority) in
        [("a", None), ("b", Some(1)), ("c", Some(5)), ("d", Some(1)), ("e", Some(0)), ("f", Some(5))]
    {
        put_with_priority(&channel, &queue, body, priority).await;
    }
    until_ready(&channel, &queue, 6).await;
    assert_eq!(drain(&channel, &queue).await, ["c", "f", "b", "d", "a", "e"]);
}

async fn priorities_beyond_the_highest_are_the_highest(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = priority_queue(bench, &channel, 2).await;
    for (body, priority) in [("a", Some(1)), ("b", Some(2)), ("c", Some(200)), ("d", Some(3))] {
        put_with_priority(&channel, &queue, body, priority).await;
    }
    until_ready(&channel, &queue, 4).await;
    assert_eq!(drain(&channel, &queue).await, ["b", "c", "d", "a"]);
}

async fn a_requeued_message_keeps_its_priority(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = priority_queue(bench, &channel, 5).await;
    put_with_priority(&channel, &queue, "low", Some(1)).await;
    let low = fetch(&channel, &queue).await;
    for (body, priority) in [("later", Some(1)), ("high", Some(2))] {
        put_with_priority(&channel, &queue, body, priority).await;
    }
    until_ready(&channel, &queue, 2).await;
    low.reject(BasicRejectOptions { requeue: true }).await.expect("requeued");
    until_ready(&channel, &queue, 3).await;
    assert_eq!(drain(&channel, &queue).await, ["high", "low", "later"]);
}

async fn priorities_do_not_count_in_other_queues(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    put_with_priority(&channel, &queue, "a", Some(1)).await;
    put_with_priority(&channel, &queue, "b", Some(5)).await;
    until_ready(&channel, &queue, 2).await;
    assert_eq!(drain(&channel, &queue).await, ["a", "b"]);
}

async fn is_refused_with_406(bench: &Bench, arguments: FieldTable) {
    let channel = bench.channel().await;
    let declared = channel.queue_declare(bench.name("queue"), Default::default(), arguments.clone()).await;
    assert_eq!(code_of(declared), 406, "{arguments:?}");
}

async fn a_priority_out_of_range_is_refused_406(bench: &Bench) {
    for highest in [AMQPValue::LongInt(256), AMQPValue::LongInt(-1), text("high")] {
        is_refused_with_406(bench, table(&[("x-max-priority", highest)])).await;
    }
}

async fn consumer_of_priority(channel: &Channel, queue: &ShortString, priority: i32) -> Consumer {
    let arguments = table(&[("x-priority", AMQPValue::LongInt(priority))]);
    let options = BasicConsumeOptions::default();
    channel.basic_consume(queue.clone(), "".into(), options, arguments).await.expect("a consumer")
}

async fn a_consumer_of_higher_priority_comes_first(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    channel.basic_qos(2, BasicQosOptions::default()).await.expect("prefetch");
    let mut low = consumer_of_priority(&channel, &queue, -1).await;
    let mut plain = consume(&channel, &queue).await;
    let mut high = consumer_of_priority(&channel, &queue, 10).await;
    put(&channel, &queue, &["a", "b", "c", "d", "e"]).await;
    assert_eq!(next_bodies(&mut high, 2).await, ["a", "b"]);
    // It has no room, so those below come.
    assert_eq!(next_bodies(&mut plain, 2).await, ["c", "d"]);
    assert_eq!(next_bodies(&mut low, 1).await, ["e"]);
}

async fn a_consumer_priority_is_a_number_406(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    let arguments = table(&[("x-priority", text("high"))]);
    assert_eq!(code_of(channel.basic_consume(queue, "".into(), Default::default(), arguments).await), 406);
}

async fn single_active(bench: &Bench, channel: &Channel) -> ShortString {
    bench.queue_with(channel, "queue", &[("x-single-active-consumer", AMQPValue::Boolean(true))]).await
}

async fn one_consumer_at_a_time_can_be_active(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = single_active(bench, &channel).await;
    let (active, waiting) = (bench.channel().await, bench.channel().await);
    active.basic_qos(1, BasicQosOptions::default()).await.expect("prefetch");
    let mut first = consume(&active, &queue).await;
    let mut second = consume(&waiting, &queue).await;
    put(&channel, &queue, &["a", "b"]).await;
    let a = next(&mut first).await;
    assert_eq!(body_of(&a), "a");
    // The first one has no room, and the second one waits all the same.
    until_ready(&channel, &queue, 1).await;
    a.ack(Default::default()).await.expect("acknowledged");
    assert_eq!(next_bodies(&mut first, 1).await, ["b"]);
    active.close(200, "bye".into()).await.expect("a closed channel");
    let b = next(&mut second).await;
    assert_eq!((body_of(&b), b.redelivered), ("b".into(), true));
}

async fn a_single_active_consumer_cannot_be_exclusive_403(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = single_active(bench, &channel).await;
    let options = BasicConsumeOptions { exclusive: true, ..BasicConsumeOptions::default() };
    let consumed = channel.basic_consume(queue, "".into(), options, FieldTable::default()).await;
    assert_eq!(code_of(consumed), 403);
}

async fn a_queue_of_limited_bytes_makes_room(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue_with(&channel, "queue", &[("x-max-length-bytes", AMQPValue::LongInt(5))]).await;
    put(&channel, &queue, &["aa", "bb", "cc", "d"]).await;
    until_ready(&channel, &queue, 3).await;
    assert_eq!(drain(&channel, &queue).await, ["bb", "cc", "d"]);
}

async fn an_unused_queue_expires(bench: &Bench) {
    const EXPIRES: AMQPValue = AMQPValue::LongInt(100);
    let channel = bench.confirming_channel().await;
    let consumed = bench.queue_with(&channel, "consumed", &[("x-expires", EXPIRES)]).await;
    let _consumer = consume(&channel, &consumed).await;
    let unused = bench.queue_with(&channel, "unused", &[("x-expires", EXPIRES)]).await;
    // A publish is no use of the queue, and finds out whether it is there.
    let mandatory = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let returned = async || {
        let properties = BasicProperties::default();
        let sent = channel.basic_publish("".into(), unused.clone(), mandatory, b"", properties).await;
        sent.expect("a message is sent").await.expect("a confirm").take_message().is_some()
    };
    while !returned().await {}
    assert_eq!(counts(&channel, &consumed).await, (0, 1));
}

async fn an_expiry_of_zero_is_refused_406(bench: &Bench) {
    is_refused_with_406(bench, table(&[("x-expires", AMQPValue::LongInt(0))])).await;
}

async fn unknown_arguments_are_accepted(bench: &Bench) {
    let channel = bench.channel().await;
    let arguments = [("x-of-another-broker", text("yes")), ("x-queue-mode", text("lazy"))];
    let queue = bench.queue_with(&channel, "queue", &arguments).await;
    put(&channel, &queue, &["a"]).await;
    until_ready(&channel, &queue, 1).await;
}
