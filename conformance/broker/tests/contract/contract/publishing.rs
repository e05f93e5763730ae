//! Publishing: confirms, returns, bodies, refusals.

use super::behaviours;
use crate::bench::{
    Bench, body_of, code_of, consume, consume_with, counts, drain, get, next, next_bodies, publish, put,
    table, text,
};
use lapin::options::{BasicConsumeOptions, BasicPublishOptions, ExchangeDeclareOptions};
use lapin::types::{AMQPValue, DecimalValue, FieldArray, FieldTable, ShortString};
use lapin::{BasicProperties, Channel, Confirmation, ExchangeKind};

behaviours![
    every_publish_is_confirmed,
    a_confirmed_message_is_in_its_queue,
    a_mandatory_message_without_a_queue_is_returned_before_its_confirm,
    an_unroutable_message_is_confirmed_and_gone,
    publishing_to_a_missing_exchange_closes_the_channel_with_404,
    publishing_to_an_internal_exchange_is_refused_with_403,
    immediate_is_not_implemented_540,
    another_users_id_is_refused_with_406,
    an_expiration_that_is_no_number_is_refused_with_406,
    properties_and_headers_arrive_unchanged,
    bodies_of_every_size_arrive_whole,
    the_order_of_publishing_is_the_order_of_delivery,
    a_full_queue_can_refuse_with_a_nack,
];

const MANDATORY: BasicPublishOptions = BasicPublishOptions { mandatory: true, immediate: false };

async fn send(channel: &Channel, exchange: &str, key: &str, options: BasicPublishOptions) -> Confirmation {
    let sent =
        channel.basic_publish(exchange.into(), key.into(), options, b"body", BasicProperties::default());
    sent.await.expect("a message is sent").await.expect("a confirm")
}

async fn every_publish_is_confirmed(bench: &Bench) {
    let channel = bench.confirming_channel().await;
    let queue = bench.queue(&channel, "queue").await;
    let mut confirms = Vec::new();
    for _ in 0..500 {
        let sent = channel.basic_publish(
            "".into(),
            queue.clone(),
            BasicPublishOptions::default(),
            b"body",
            BasicProperties::default(),
        );
        confirms.push(sent.await.expect("a message is sent"));
    }
    for confirm in confirms {
        assert_eq!(confirm.await.expect("a confirm"), Confirmation::Ack(None));
    }
    assert_eq!(counts(&channel, &queue).await.0, 500);
}

async fn a_confirmed_message_is_in_its_queue(bench: &Bench) {
    let channel = bench.confirming_channel().await;
    let queue = bench.queue(&channel, "queue").await;
    send(&channel, "", queue.as_str(), MANDATORY).await;
    let elsewhere = bench.connect().await;
    let channel = elsewhere.create_channel().await.expect("a channel");
    assert!(get(&channel, &queue).await.is_some());
}

async fn a_mandatory_message_without_a_queue_is_returned_before_its_confirm(bench: &Bench) {
    let channel = bench.confirming_channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Direct).await;
    let Confirmation::Ack(Some(returned)) = send(&channel, exchange.as_str(), "nowhere", MANDATORY).await
    else {
        panic!("neither returned nor confirmed")
    };
    assert_eq!((returned.reply_code, returned.reply_text.as_str()), (312, "NO_ROUTE"));
    assert_eq!((&returned.delivery.exchange, returned.delivery.routing_key.as_str()), (&exchange, "nowhere"));
    assert_eq!(body_of(&returned.delivery), "body");
}

async fn an_unroutable_message_is_confirmed_and_gone(bench: &Bench) {
    let channel = bench.confirming_channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Topic).await;
    let confirm = send(&channel, exchange.as_str(), "nowhere", BasicPublishOptions::default()).await;
    assert_eq!(confirm, Confirmation::Ack(None));
}

async fn publishing_to_a_missing_exchange_closes_the_channel_with_404(bench: &Bench) {
    let channel = bench.confirming_channel().await;
    let missing = bench.name("missing");
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(missing, "key".into(), options, b"body", BasicProperties::default());
    assert_eq!(code_of(sent.await.expect("a message is sent").await), 404);
}

async fn publishing_to_an_internal_exchange_is_refused_with_403(bench: &Bench) {
    let channel = bench.confirming_channel().await;
    let exchange = bench.name("internal");
    let internal = ExchangeDeclareOptions { internal: true, ..ExchangeDeclareOptions::default() };
    let declared =
        channel.exchange_declare(exchange.clone(), ExchangeKind::Fanout, internal, FieldTable::default());
    declared.await.expect("an exchange");
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(exchange, "key".into(), options, b"body", BasicProperties::default());
    assert_eq!(code_of(sent.await.expect("a message is sent").await), 403);
}

async fn immediate_is_not_implemented_540(bench: &Bench) {
    let connection = bench.connect().await;
    let channel = connection.create_channel().await.expect("a channel");
    channel.confirm_select(Default::default()).await.expect("confirms");
    let options = BasicPublishOptions { immediate: true, mandatory: false };
    let sent = channel.basic_publish("".into(), "key".into(), options, b"body", BasicProperties::default());
    assert_eq!(code_of(sent.await.expect("a message is sent").await), 540);
}

async fn refused_for_its_properties(bench: &Bench, properties: BasicProperties) {
    let channel = bench.confirming_channel().await;
    let sent =
        channel.basic_publish("".into(), "key".into(), BasicPublishOptions::default(), b"body", properties);
    assert_eq!(code_of(sent.await.expect("a message is sent").await), 406);
}

async fn another_users_id_is_refused_with_406(bench: &Bench) {
    refused_for_its_properties(bench, BasicProperties::default().with_user_id("mallory".into())).await;
}

async fn an_expiration_that_is_no_number_is_refused_with_406(bench: &Bench) {
    refused_for_its_properties(bench, BasicProperties::default().with_expiration("soon".into())).await;
}

async fn properties_and_headers_arrive_unchanged(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    let mut array = FieldArray::default();
    array.push(AMQPValue::LongInt(-1));
    array.push(text("zwölf"));
    let headers = table(&[
        ("array", AMQPValue::FieldArray(array)),
        ("boolean", AMQPValue::Boolean(true)),
        ("byte", AMQPValue::ShortShortInt(-5)),
        ("bytes", AMQPValue::ByteArray(vec![0, 255].into())),
        ("decimal", AMQPValue::DecimalValue(DecimalValue { scale: 2, value: 314 })),
        ("double", AMQPValue::Double(2.5)),
        ("empty", AMQPValue::Void),
        ("float", AMQPValue::Float(1.5)),
        ("long", AMQPValue::LongLongInt(i64::MIN)),
        ("short", AMQPValue::ShortInt(-300)),
        ("table", AMQPValue::FieldTable(table(&[("nested", AMQPValue::Timestamp(1))]))),
        ("time", AMQPValue::Timestamp(1_700_000_000)),
    ]);
    let properties = BasicProperties::default()
        .with_app_id("app".into())
        .with_content_encoding("identity".into())
        .with_content_type("application/json".into())
        .with_correlation_id("c-1".into())
        .with_delivery_mode(2)
        .with_headers(headers)
        .with_message_id("m-1".into())
        .with_priority(3)
        .with_reply_to("somewhere".into())
        .with_timestamp(1_700_000_001)
        .with_type("payment:created".into())
        .with_user_id("guest".into());
    crate::bench::publish_with(&channel, &"".into(), queue.as_str(), "a", properties.clone()).await;
    let mut consumer = consume(&channel, &queue).await;
    assert_eq!(next(&mut consumer).await.properties, properties);
}

async fn bodies_of_every_size_arrive_whole(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    // Around the size of one frame (131072 less its envelope of 8), and far beyond it.
    let sizes = [0, 1, 131_063, 131_064, 131_065, 262_128, 3_000_000];
    let body = |size: usize| (0..size).map(|n| (n % 251) as u8).collect::<Vec<u8>>();
    for size in sizes {
        let options = BasicPublishOptions::default();
        let body = body(size);
        let sent =
            channel.basic_publish("".into(), queue.clone(), options, &body, BasicProperties::default());
        sent.await.expect("a message is sent");
    }
    let mut consumer = consume(&channel, &queue).await;
    for size in sizes {
        let delivery = next(&mut consumer).await;
        assert!(delivery.data == body(size), "{} bytes for {size}", delivery.data.len());
    }
    put(&channel, &queue, &[""]).await;
    assert_eq!(body_of(&next(&mut consumer).await), "");
}

async fn the_order_of_publishing_is_the_order_of_delivery(bench: &Bench) {
    const COUNT: usize = 2_000;
    let channel = bench.channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Topic).await;
    let queue = bench.bound_queue(&channel, &exchange, &["#"]).await;
    let options = BasicConsumeOptions { no_ack: true, ..BasicConsumeOptions::default() };
    let expected: Vec<String> = (0..COUNT).map(|n| n.to_string()).collect();
    for body in &expected[..COUNT / 2] {
        publish(&channel, &exchange, body, body).await;
    }
    let mut consumer = consume_with(&channel, &queue, options).await;
    for body in &expected[COUNT / 2..] {
        publish(&channel, &exchange, body, body).await;
    }
    assert_eq!(next_bodies(&mut consumer, COUNT).await, expected);
}

async fn a_full_queue_can_refuse_with_a_nack(bench: &Bench) {
    let channel = bench.confirming_channel().await;
    let arguments = [("x-max-length", AMQPValue::LongInt(2)), ("x-overflow", text("reject-publish"))];
    let queue = bench.queue_with(&channel, "queue", &arguments).await;
    let mut refused = Vec::new();
    for _ in 0..4 {
        refused.push(send(&channel, "", queue.as_str(), BasicPublishOptions::default()).await.is_nack());
    }
    assert_eq!(refused, [false, false, true, true]);
    assert_eq!(drain(&channel, &queue).await.len(), 2);
    assert!(send(&channel, &ShortString::default().to_string(), queue.as_str(), MANDATORY).await.is_ack());
}
