//! Handshakes, errors and their reach, heartbeats.

use super::behaviours;
use crate::bench::{Bench, bind, body_of, code_of, connect, consume, counts, get, next, put};
use crate::raw::{GREETING, RawClient};
use amq_protocol::frame::AMQPFrame;
use amq_protocol::protocol::{AMQPClass, basic, channel, connection, queue};
use lapin::options::{BasicPublishOptions, ChannelFlowOptions, QueueDeclareOptions};
use lapin::types::FieldTable;
use lapin::{BasicProperties, ExchangeKind};
use std::time::Duration;
use tokio::time::timeout;

behaviours![
    a_wrong_password_is_refused_with_403,
    an_unknown_virtual_host_is_refused_with_530,
    amqplain_logs_in,
    an_unknown_mechanism_is_refused,
    other_protocols_get_the_right_header_and_an_end,
    a_frame_beyond_the_limit_closes_with_501,
    an_unknown_frame_type_closes_only_its_connection,
    a_method_before_the_handshake_is_over_closes,
    a_channel_that_is_not_open_closes_with_504,
    a_second_open_closes_with_504,
    a_body_without_a_publish_closes_with_505,
    a_method_inside_a_message_closes_with_505,
    a_channel_error_leaves_other_channels_alone,
    a_failed_channel_ignores_everything_until_its_close_is_answered,
    a_connection_error_leaves_other_connections_alone,
    a_lower_frame_size_is_kept_to,
    heartbeats_come_in_time,
    a_silent_peer_is_dropped,
    a_peer_with_heartbeats_is_kept,
    flow_is_answered,
];

async fn a_wrong_password_is_refused_with_403(bench: &Bench) {
    let url = bench.url.replace("guest:guest", "guest:guess");
    assert_eq!(code_of(connect(&url).await), 403);
}

async fn an_unknown_virtual_host_is_refused_with_530(bench: &Bench) {
    let url = bench.url.replace("%2f", "nowhere");
    assert_eq!(code_of(connect(&url).await), 530);
}

async fn amqplain_logs_in(bench: &Bench) {
    let connection = connect(&bench.url_with("auth_mechanism=amqplain")).await.expect("a login");
    connection.create_channel().await.expect("a channel");
}

async fn an_unknown_mechanism_is_refused(bench: &Bench) {
    let mut client = RawClient::dial(&bench.url).await;
    client.send_bytes(GREETING).await;
    client.method().await;
    let start_ok = connection::StartOk { mechanism: "MAGIC".into(), ..connection::StartOk::default() };
    client.send(0, AMQPClass::Connection(connection::AMQPMethod::StartOk(start_ok))).await;
    assert!(client.rest().await.is_empty(), "an end without a close frame");
}

async fn other_protocols_get_the_right_header_and_an_end(bench: &Bench) {
    for greeting in [b"GET / HTTP/1.1\r\n\r\n".as_slice(), b"AMQP\0\x02\0\0"] {
        let mut client = RawClient::dial(&bench.url).await;
        client.send_bytes(greeting).await;
        assert_eq!(client.rest().await, GREETING);
    }
    bench.channel().await;
}

async fn a_frame_beyond_the_limit_closes_with_501(bench: &Bench) {
    for (agreed, sent) in [(u32::MAX, 140_000), (4096, 5000)] {
        let mut client = RawClient::open_with(&bench.url, 0, agreed).await;
        client.open_channel(1).await;
        let publish = basic::Publish { routing_key: "nowhere".into(), ..basic::Publish::default() };
        client.send(1, AMQPClass::Basic(basic::AMQPMethod::Publish(publish))).await;
        client.send_frame(&AMQPFrame::Body(1, vec![0; sent])).await;
        assert_eq!(client.closed_with().await, 501, "{sent} bytes where {agreed} were agreed");
    }
}

async fn an_unknown_frame_type_closes_only_its_connection(bench: &Bench) {
    let mut client = RawClient::open(&bench.url, 0).await;
    client.send_bytes(&[42, 0, 0, 0, 0, 0, 0, 0xCE]).await;
    assert_eq!(client.closed_with().await, 501);
    bench.channel().await;
}

async fn a_method_before_the_handshake_is_over_closes(bench: &Bench) {
    let mut client = RawClient::dial(&bench.url).await;
    client.send_bytes(GREETING).await;
    client.method().await;
    client.send(1, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {}))).await;
    client.rest().await;
    bench.channel().await;
}

async fn a_channel_that_is_not_open_closes_with_504(bench: &Bench) {
    let mut client = RawClient::open(&bench.url, 0).await;
    let qos = basic::Qos { prefetch_count: 1, global: false };
    client.send(5, AMQPClass::Basic(basic::AMQPMethod::Qos(qos))).await;
    assert_eq!(client.closed_with().await, 504);
}

async fn a_second_open_closes_with_504(bench: &Bench) {
    let mut client = RawClient::open(&bench.url, 0).await;
    client.open_channel(1).await;
    client.send(1, AMQPClass::Channel(channel::AMQPMethod::Open(channel::Open {}))).await;
    assert_eq!(client.closed_with().await, 504);
}

async fn a_body_without_a_publish_closes_with_505(bench: &Bench) {
    let mut client = RawClient::open(&bench.url, 0).await;
    client.open_channel(1).await;
    client.send_frame(&AMQPFrame::Body(1, b"lost".to_vec())).await;
    assert_eq!(client.closed_with().await, 505);
}

async fn a_method_inside_a_message_closes_with_505(bench: &Bench) {
    let mut client = RawClient::open(&bench.url, 0).await;
    client.open_channel(1).await;
    let publish = basic::Publish { routing_key: "nowhere".into(), ..basic::Publish::default() };
    client.send(1, AMQPClass::Basic(basic::AMQPMethod::Publish(publish))).await;
    let qos = basic::Qos { prefetch_count: 1, global: false };
    client.send(1, AMQPClass::Basic(basic::AMQPMethod::Qos(qos))).await;
    assert_eq!(client.closed_with().await, 505);
}

async fn a_channel_error_leaves_other_channels_alone(bench: &Bench) {
    let (good, bad) = (bench.channel().await, bench.channel().await);
    let queue = bench.queue(&good, "queue").await;
    let mut consumer = consume(&good, &queue).await;
    let passive = QueueDeclareOptions { passive: true, ..QueueDeclareOptions::default() };
    let missing = bad.queue_declare(bench.name("missing"), passive, FieldTable::default());
    assert_eq!(code_of(missing.await), 404);
    put(&good, &queue, &["still here"]).await;
    assert_eq!(body_of(&next(&mut consumer).await), "still here");
}

/// Publishers do not wait for answers: requests after the failed one on the channel must be ignored.
async fn a_failed_channel_ignores_everything_until_its_close_is_answered(bench: &Bench) {
    let observer = bench.channel().await;
    let queue = bench.queue(&observer, "queue").await;
    let mut client = RawClient::open(&bench.url, 0).await;
    client.open_channel(1).await;
    for exchange in [bench.name("missing").to_string(), String::new()] {
        let publish = basic::Publish {
            exchange: exchange.into(),
            routing_key: queue.clone(),
            ..basic::Publish::default()
        };
        client.send(1, AMQPClass::Basic(basic::AMQPMethod::Publish(publish))).await;
        let header = amq_protocol::frame::AMQPContentHeader {
            class_id: 60,
            body_size: 4,
            properties: basic::AMQPProperties::default(),
        };
        client.send_frame(&AMQPFrame::Header(1, header)).await;
        client.send_frame(&AMQPFrame::Body(1, b"body".to_vec())).await;
    }
    let AMQPClass::Channel(channel::AMQPMethod::Close(close)) = client.method().await else {
        panic!("no close")
    };
    assert_eq!((close.reply_code, close.class_id, close.method_id), (404, 60, 40));
    client.send(1, AMQPClass::Channel(channel::AMQPMethod::CloseOk(channel::CloseOk {}))).await;
    // The number is free again, and the second message went nowhere.
    client.open_channel(1).await;
    let declare = queue::Declare { queue: queue.clone(), passive: true, ..queue::Declare::default() };
    client.send(1, AMQPClass::Queue(queue::AMQPMethod::Declare(declare))).await;
    let AMQPClass::Queue(queue::AMQPMethod::DeclareOk(ok)) = client.method().await else {
        panic!("no answer")
    };
    assert_eq!(ok.message_count, 0);
}

async fn a_connection_error_leaves_other_connections_alone(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    let other = bench.connect().await;
    let doomed = other.create_channel().await.expect("a channel");
    let kind = ExchangeKind::Custom("no-such-type".into());
    let declared =
        doomed.exchange_declare(bench.name("exchange"), kind, Default::default(), FieldTable::default());
    assert_eq!(code_of(declared.await), 503);
    assert!(other.create_channel().await.is_err(), "the connection is closed");
    put(&channel, &queue, &["still here"]).await;
    assert!(get(&channel, &queue).await.is_some());
}

async fn a_lower_frame_size_is_kept_to(bench: &Bench) {
    let connection = connect(&bench.url_with("frame_max=4096")).await.expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    let exchange = bench.exchange(&channel, ExchangeKind::Fanout).await;
    let queue = bench.queue(&channel, "queue").await;
    bind(&channel, &queue, &exchange, "").await;
    let body: Vec<u8> = (0..50_000u32).map(|n| n as u8).collect();
    let options = BasicPublishOptions::default();
    let sent = channel.basic_publish(exchange, "".into(), options, &body, BasicProperties::default());
    sent.await.expect("a message is sent");
    let mut consumer = consume(&channel, &queue).await;
    // lapin itself would close on a frame that is longer than agreed.
    assert_eq!(next(&mut consumer).await.data, body);
}

async fn heartbeats_come_in_time(bench: &Bench) {
    const INTERVAL: Duration = Duration::from_secs(1);
    let mut client = RawClient::open(&bench.url, 1).await;
    for _ in 0..2 {
        let frame = timeout(INTERVAL * 2, client.frame()).await.expect("a heartbeat in time");
        assert_eq!(frame, Some(AMQPFrame::Heartbeat));
        client.send_frame(&AMQPFrame::Heartbeat).await;
    }
}

async fn a_silent_peer_is_dropped(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    let mut client = RawClient::open(&bench.url, 1).await;
    client.open_channel(1).await;
    let consume = basic::Consume { queue: queue.clone(), ..basic::Consume::default() };
    client.send(1, AMQPClass::Basic(basic::AMQPMethod::Consume(consume))).await;
    client.method().await;
    assert_eq!(counts(&channel, &queue).await.1, 1);
    client.rest().await;
    let gone = async {
        while counts(&channel, &queue).await.1 > 0 {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(5), gone).await.expect("its consumer goes with it");
}

async fn a_peer_with_heartbeats_is_kept(bench: &Bench) {
    let connection = connect(&bench.url_with("heartbeat=1")).await.expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    let queue = bench.queue(&channel, "queue").await;
    let mut silent = RawClient::open(&bench.url, 1).await;
    // However long it takes until a silent peer is dropped, the other one is kept meanwhile.
    while silent.frame().await.is_some() {}
    assert_eq!(counts(&channel, &queue).await, (0, 0));
}

async fn flow_is_answered(bench: &Bench) {
    let channel = bench.channel().await;
    let active = channel.channel_flow(ChannelFlowOptions { active: true }).await.expect("an answer");
    assert!(active);
}
