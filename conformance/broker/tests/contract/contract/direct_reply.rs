//! Direct reply-to: replies without a queue.

use super::behaviours;
use crate::bench::{
    Bench, body_of, code_of, consume_with, fetch, message_of, next, next_bodies, publish, publish_with,
};
use lapin::options::{BasicCancelOptions, BasicConsumeOptions, BasicPublishOptions, QueueDeclareOptions};
use lapin::types::{FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, Consumer};

behaviours![
    a_reply_comes_straight_to_the_requester,
    a_reply_consumer_must_not_acknowledge_406,
    a_second_reply_consumer_of_a_channel_is_refused_406,
    a_cancelled_reply_consumer_can_be_replaced,
    a_request_without_a_reply_consumer_is_refused_406,
    a_replier_can_ask_whether_its_requester_is_there,
    a_late_reply_is_dropped,
    a_mandatory_reply_is_returned_and_delivered,
    the_reply_queue_cannot_be_fetched_from_or_purged_404,
];

const REPLY_TO: &str = "amq.rabbitmq.reply-to";
const AUTOMATIC: BasicConsumeOptions =
    BasicConsumeOptions { no_local: false, no_ack: true, exclusive: false, nowait: false };
const PASSIVE: QueueDeclareOptions = QueueDeclareOptions {
    passive: true,
    durable: false,
    exclusive: false,
    auto_delete: false,
    nowait: false,
};

fn asking() -> BasicProperties {
    BasicProperties::default().with_reply_to(REPLY_TO.into()).with_correlation_id("c-1".into())
}

/// A channel that takes replies, and the name under which a replier reaches it.
async fn requester(bench: &Bench) -> (Channel, Consumer, ShortString) {
    let channel = bench.channel().await;
    let requests = bench.queue(&channel, "requests").await;
    let replies = consume_with(&channel, &REPLY_TO.into(), AUTOMATIC).await;
    publish_with(&channel, &"".into(), requests.as_str(), "request", asking()).await;
    let request = fetch(&channel, &requests).await;
    assert_eq!(request.properties.correlation_id(), &Some("c-1".into()));
    let name = request.properties.reply_to().clone().expect("somewhere to reply to");
    assert!(name.as_str().starts_with("amq.rabbitmq.reply-to."), "{name}");
    (channel, replies, name)
}

async fn a_reply_comes_straight_to_the_requester(bench: &Bench) {
    let (_channel, mut replies, name) = requester(bench).await;
    let replier = bench.channel().await;
    let properties = BasicProperties::default().with_correlation_id("c-1".into());
    publish_with(&replier, &"".into(), name.as_str(), "reply", properties).await;
    let reply = next(&mut replies).await;
    assert_eq!((body_of(&reply), reply.redelivered), ("reply".into(), false));
    assert_eq!((reply.exchange.as_str(), &reply.routing_key), ("", &name));
    assert_eq!(reply.properties.correlation_id(), &Some("c-1".into()));
    publish(&replier, &"".into(), name.as_str(), "another").await;
    assert_eq!(next_bodies(&mut replies, 1).await, ["another"]);
}

async fn a_reply_consumer_must_not_acknowledge_406(bench: &Bench) {
    let channel = bench.channel().await;
    let consumed =
        channel.basic_consume(REPLY_TO.into(), "".into(), Default::default(), FieldTable::default());
    let refused = consumed.await;
    assert!(message_of(refused).contains("reply consumer cannot acknowledge"));
}

async fn a_second_reply_consumer_of_a_channel_is_refused_406(bench: &Bench) {
    let channel = bench.channel().await;
    let _replies = consume_with(&channel, &REPLY_TO.into(), AUTOMATIC).await;
    let second = channel.basic_consume(REPLY_TO.into(), "".into(), AUTOMATIC, FieldTable::default()).await;
    assert!(message_of(second).contains("reply consumer already set"));
}

async fn a_cancelled_reply_consumer_can_be_replaced(bench: &Bench) {
    let channel = bench.channel().await;
    let replies = consume_with(&channel, &REPLY_TO.into(), AUTOMATIC).await;
    channel.basic_cancel(replies.tag(), BasicCancelOptions::default()).await.expect("cancelled");
    consume_with(&channel, &REPLY_TO.into(), AUTOMATIC).await;
}

async fn a_request_without_a_reply_consumer_is_refused_406(bench: &Bench) {
    let channel = bench.confirming_channel().await;
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish("".into(), "nowhere".into(), options, b"request", asking()).await;
    assert!(
        message_of(sent.expect("a message is sent").await).contains("fast reply consumer does not exist")
    );
}

async fn a_replier_can_ask_whether_its_requester_is_there(bench: &Bench) {
    let (channel, _replies, name) = requester(bench).await;
    let replier = bench.channel().await;
    for options in [PASSIVE, QueueDeclareOptions::default()] {
        for name in [&name, &REPLY_TO.into()] {
            let there = replier.queue_declare(name.clone(), options, FieldTable::default()).await;
            let there = there.expect("the requester is there");
            assert_eq!((there.message_count(), there.consumer_count()), (0, 1));
        }
    }
    channel.close(200, "bye".into()).await.expect("a closed channel");
    assert_eq!(code_of(replier.queue_declare(name, PASSIVE, FieldTable::default()).await), 404);
}

async fn a_late_reply_is_dropped(bench: &Bench) {
    let (channel, _replies, name) = requester(bench).await;
    channel.close(200, "bye".into()).await.expect("a closed channel");
    let replier = bench.confirming_channel().await;
    let options = BasicPublishOptions::default();
    let sent = replier.basic_publish("".into(), name, options, b"late", BasicProperties::default());
    assert!(sent.await.expect("a message is sent").await.expect("a confirm").is_ack());
}

async fn a_mandatory_reply_is_returned_and_delivered(bench: &Bench) {
    let (_channel, mut replies, name) = requester(bench).await;
    let replier = bench.confirming_channel().await;
    let options = BasicPublishOptions { mandatory: true, ..BasicPublishOptions::default() };
    let sent = replier.basic_publish("".into(), name, options, b"reply", BasicProperties::default());
    match sent.await.expect("a message is sent").await.expect("a confirm") {
        Confirmation::Ack(Some(returned)) => assert_eq!(returned.reply_code, 312),
        other => panic!("not returned: {other:?}"),
    }
    assert_eq!(next_bodies(&mut replies, 1).await, ["reply"]);
}

async fn the_reply_queue_cannot_be_fetched_from_or_purged_404(bench: &Bench) {
    let fetched = bench.channel().await.basic_get(REPLY_TO.into(), Default::default()).await;
    assert_eq!(code_of(fetched), 404);
    let purged = bench.channel().await.queue_purge(REPLY_TO.into(), Default::default()).await;
    assert_eq!(code_of(purged), 404);
}
