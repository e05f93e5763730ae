//! What only the embedded broker does: outages on demand, snapshots, limits of the driver, and a clean end.

use crate::bench::{code_of, connect, consume, ended, next, put, table, text};
use crate::raw::{GREETING, RawClient};
use amq_protocol::protocol::{AMQPClass, basic, channel, tx};
use embedded_broker::{BindingStats, Broker, BrokerConfig, ConsumerStats, Limits, Users};
use lapin::options::QueueDeclareOptions;
use lapin::types::{AMQPValue, FieldTable};
use lapin::{BasicProperties, Channel, ErrorKind, Event};
use libtest_mimic::Trial;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::runtime::Runtime;

/// Shows one ability, and panics where it is missing.
type Show = fn() -> Pin<Box<dyn Future<Output = ()> + Send>>;

/// A trial for each ability.
pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let abilities: [(&str, Show); 17] = [
        ("an_outage_gives_back_what_clients_held", || Box::pin(an_outage_gives_back_what_clients_held())),
        ("a_channel_that_consumes_can_be_closed", || Box::pin(a_channel_that_consumes_can_be_closed())),
        ("a_queue_of_a_connection_can_be_deleted", || Box::pin(a_queue_of_a_connection_can_be_deleted())),
        ("a_lasting_outage_refuses_redials", || Box::pin(a_lasting_outage_refuses_redials())),
        ("a_stalled_broker_misses_its_heartbeats", || Box::pin(a_stalled_broker_misses_its_heartbeats())),
        ("a_snapshot_tells_what_there_is", || Box::pin(a_snapshot_tells_what_there_is())),
        ("a_queue_says_what_it_is_bound_to", || Box::pin(a_queue_says_what_it_is_bound_to())),
        ("refused_logins_are_counted", || Box::pin(refused_logins_are_counted())),
        ("a_state_can_be_waited_for", || Box::pin(a_state_can_be_waited_for())),
        ("ignored_arguments_are_reported", || Box::pin(ignored_arguments_are_reported())),
        ("what_is_not_implemented_is_refused_540", || Box::pin(what_is_not_implemented_is_refused_540())),
        ("several_users_may_log_in", || Box::pin(several_users_may_log_in())),
        ("one_connection_too_many_is_reset", || Box::pin(one_connection_too_many_is_reset())),
        ("a_handshake_that_hangs_is_dropped", || Box::pin(a_handshake_that_hangs_is_dropped())),
        ("a_reader_that_stops_holds_back_the_rest", || Box::pin(a_reader_that_stops_holds_back_the_rest())),
        ("a_shutdown_tells_clients_and_closes_the_port", || {
            Box::pin(a_shutdown_tells_clients_and_closes_the_port())
        }),
        ("a_dropped_broker_leaves_no_socket", || Box::pin(a_dropped_broker_leaves_no_socket())),
    ];
    let trials = abilities.map(|(name, show)| {
        let runtime = Arc::clone(runtime);
        Trial::test(format!("embedded-only/{name}"), move || {
            runtime.block_on(crate::in_time("showing it", show()))
        })
    });
    trials.into()
}

/// What no other client may delete goes, too, and its consumer is told.
async fn a_queue_of_a_connection_can_be_deleted() {
    let broker = start(BrokerConfig::default()).await;
    let (_connection, channel) = client(&broker).await;
    let exclusive = QueueDeclareOptions { exclusive: true, ..QueueDeclareOptions::default() };
    let own = channel.queue_declare("".into(), exclusive, FieldTable::default()).await.expect("a queue");
    let own = own.name().clone();
    let mut deliveries = consume(&channel, &own).await;
    broker.delete_queues([own.to_string(), "no such queue".to_owned()].into()).await.expect("a broker");
    let left = broker.snapshot().await.expect("a broker").queues;
    assert_eq!(left.keys().collect::<Vec<_>>(), ["q"]);
    assert!(ended(&mut deliveries).await, "lapin ends a consumer that was cancelled");
}

async fn start(config: BrokerConfig) -> Broker {
    Broker::start(config).await.expect("a broker")
}

/// A channel on a connection of its own, with the queue `q`.
async fn client(broker: &Broker) -> (lapin::Connection, Channel) {
    let connection = connect(&broker.url()).await.expect("a connection");
    let channel = connection.create_channel().await.expect("a channel");
    channel.queue_declare("q".into(), Default::default(), FieldTable::default()).await.expect("a queue");
    (connection, channel)
}

async fn an_outage_gives_back_what_clients_held() {
    let broker = start(BrokerConfig::default()).await;
    let (_connection, channel) = client(&broker).await;
    put(&channel, &"q".into(), &["a"]).await;
    let mut consumer = consume(&channel, &"q".into()).await;
    assert!(!next(&mut consumer).await.redelivered);
    broker.drop_connections().await.expect("the broker runs");
    let snapshot = broker.snapshot().await.expect("the broker runs");
    assert_eq!((snapshot.connections, snapshot.queues["q"].ready, snapshot.queues["q"].consumers), (0, 1, 0));
    let (_connection, channel) = client(&broker).await;
    assert!(next(&mut consume(&channel, &"q".into()).await).await.redelivered);
    broker.shutdown().await;
}

async fn a_channel_that_consumes_can_be_closed() {
    let broker = start(BrokerConfig::default()).await;
    let (connection, channel) = client(&broker).await;
    put(&channel, &"q".into(), &["a"]).await;
    let mut consumer = consume(&channel, &"q".into()).await;
    next(&mut consumer).await;
    broker.close_consuming_channels(["q".to_owned()].into()).await.expect("the broker runs");
    let snapshot = broker.snapshot().await.expect("the broker runs");
    assert_eq!(snapshot.queues["q"].consumers, 1, "its queue is spared");
    broker.close_consuming_channels([].into()).await.expect("the broker runs");
    let snapshot = broker.snapshot().await.expect("the broker runs");
    assert_eq!((snapshot.connections, snapshot.queues["q"].ready, snapshot.queues["q"].consumers), (1, 1, 0));
    // The connection goes on.
    let channel = connection.create_channel().await.expect("a channel");
    assert!(next(&mut consume(&channel, &"q".into()).await).await.redelivered);
    broker.shutdown().await;
}

async fn a_lasting_outage_refuses_redials() {
    let broker = start(BrokerConfig::default()).await;
    let (connection, _channel) = client(&broker).await;
    broker.refuse_connections(true).await.expect("the broker runs");
    broker.drop_connections().await.expect("the broker runs");
    assert!(connect(&broker.url()).await.is_err());
    broker.refuse_connections(false).await.expect("the broker runs");
    connect(&broker.url()).await.expect("it is over");
    drop(connection);
    broker.shutdown().await;
}

async fn a_stalled_broker_misses_its_heartbeats() {
    let broker = start(BrokerConfig::default()).await;
    let connection = connect(&format!("{}?heartbeat=1", broker.url())).await.expect("a connection");
    let mut events = Box::pin(connection.events_listener());
    broker.stall(true).await.expect("the broker runs");
    let missed = async {
        while let Some(event) = futures_util::StreamExt::next(&mut events).await {
            if let Event::Error(error) = event
                && matches!(error.kind(), ErrorKind::MissingHeartbeatError)
            {
                return;
            }
        }
        panic!("no heartbeat was missed");
    };
    tokio::time::timeout(Duration::from_secs(20), missed).await.expect("the client notices");
    broker.stall(false).await.expect("the broker runs");
    connect(&broker.url()).await.expect("it goes on");
    broker.shutdown().await;
}

async fn a_snapshot_tells_what_there_is() {
    let broker = start(BrokerConfig::default()).await;
    let (_connection, channel) = client(&broker).await;
    put(&channel, &"q".into(), &["a", "b", "c"]).await;
    channel.basic_get("q".into(), Default::default()).await.expect("an answer").expect("a message");
    put(&channel, &"nowhere".into(), &["d"]).await;
    channel
        .queue_bind("q".into(), "amq.topic".into(), "#".into(), Default::default(), FieldTable::default())
        .await
        .expect("a binding");
    let snapshot = broker.snapshot().await.expect("the broker runs");
    let queue = &snapshot.queues["q"];
    assert_eq!((queue.ready, queue.unacked, queue.consumers, queue.durable), (2, 1, 0, false));
    assert_eq!((snapshot.connections, snapshot.channels), (1, 1));
    assert_eq!((snapshot.published, snapshot.unroutable, snapshot.refused), (4, 1, 0));
    let topic = &snapshot.exchanges["amq.topic"];
    assert_eq!((topic.kind.as_str(), topic.bindings, topic.durable), ("topic", 1, true));
    let [binding] = &snapshot.bindings[..] else { panic!("{:?}", snapshot.bindings) };
    let BindingStats { exchange, key, queue } = binding;
    assert_eq!((exchange.as_str(), key.as_str(), queue.as_deref()), ("amq.topic", "#", Some("q")));
    channel.basic_qos(7, Default::default()).await.expect("a limit");
    let _consumer = consume(&channel, &"q".into()).await;
    let snapshot = broker.snapshot().await.expect("the broker runs");
    let consumer = ConsumerStats { queue: "q".to_owned(), prefetch: 7, acknowledges: true, heartbeat: 60 };
    assert_eq!(snapshot.consumers, [consumer]);
    broker.shutdown().await;
}

/// Directly, or through an exchange that is bound to another; not to the default exchange, as every queue is.
async fn a_queue_says_what_it_is_bound_to() {
    let broker = start(BrokerConfig::default()).await;
    let (_connection, channel) = client(&broker).await;
    let unbound = broker.snapshot().await.expect("the broker runs");
    assert!(unbound.queues["q"].bound_to.is_empty());
    let (none, no_key) = (FieldTable::default, "".into());
    channel
        .queue_bind("q".into(), "amq.direct".into(), no_key, Default::default(), none())
        .await
        .expect("a binding");
    channel
        .exchange_bind("amq.direct".into(), "amq.topic".into(), "#".into(), Default::default(), none())
        .await
        .expect("a binding");
    let snapshot = broker.snapshot().await.expect("the broker runs");
    let bound_to: Vec<&str> = snapshot.queues["q"].bound_to.iter().map(String::as_str).collect();
    assert_eq!(bound_to, ["amq.direct", "amq.topic"]);
    broker.shutdown().await;
}

async fn refused_logins_are_counted() {
    let broker = start(BrokerConfig::default()).await;
    let stranger = broker.url().replace("guest:guest", "app:wrong");
    for _ in 0..2 {
        assert!(connect(&stranger).await.is_err());
    }
    let snapshot = broker.snapshot().await.expect("the broker runs");
    assert_eq!(snapshot.refused_logins, [("app".to_owned(), 2)].into());
    broker.shutdown().await;
}

async fn a_state_can_be_waited_for() {
    let broker = start(BrokerConfig::default()).await;
    let (_connection, channel) = client(&broker).await;
    let ready = |count| broker.until(move |snapshot| snapshot.queues["q"].ready == count);
    let (none, two) = tokio::join!(ready(0), async {
        put(&channel, &"q".into(), &["a", "b"]).await;
        ready(2).await
    });
    assert_eq!((none.expect("the broker runs").published, two.expect("the broker runs").published), (0, 2));
    let ended = broker.until(|_| false);
    let given_up = tokio::time::timeout(Duration::ZERO, ended).await;
    assert!(given_up.is_err(), "a wait that was given up is forgotten");
    broker.shutdown().await;
}

async fn ignored_arguments_are_reported() {
    let broker = start(BrokerConfig::default()).await;
    let (_connection, channel) = client(&broker).await;
    for queue in ["one", "two"] {
        let arguments = table(&[("x-queue-mode", text("lazy")), ("x-max-length", AMQPValue::LongInt(9))]);
        channel.queue_declare(queue.into(), Default::default(), arguments).await.expect("a queue");
    }
    let arguments = table(&[("x-typo", text("yes"))]);
    channel
        .exchange_declare("e".into(), lapin::ExchangeKind::Topic, Default::default(), arguments.clone())
        .await
        .expect("an exchange");
    channel.basic_consume("q".into(), "".into(), Default::default(), arguments).await.expect("a consumer");
    let ignored = broker.snapshot().await.expect("the broker runs").ignored_arguments;
    assert_eq!(ignored, [("x-queue-mode".to_owned(), 2), ("x-typo".to_owned(), 2)].into());
    broker.shutdown().await;
}

/// What RabbitMQ has and this broker does not is an error, and no silence.
async fn what_is_not_implemented_is_refused_540() {
    let broker = start(BrokerConfig::default()).await;
    let mut transactional = RawClient::open(&broker.url(), 0).await;
    transactional.open_channel(1).await;
    transactional.send(1, AMQPClass::Tx(tx::AMQPMethod::Select(tx::Select {}))).await;
    assert_eq!(transactional.closed_with().await, 540);
    for argument in [("x-queue-type", text("stream")), ("x-overflow", text("reject-publish-dlx"))] {
        let (_connection, channel) = client(&broker).await;
        let declared = channel.queue_declare("other".into(), Default::default(), table(&[argument])).await;
        assert_eq!(code_of(declared), 540);
    }
    for name in ["CC", "BCC"] {
        let (_connection, channel) = client(&broker).await;
        channel.confirm_select(Default::default()).await.expect("confirms");
        let copies = AMQPValue::FieldArray(vec![text("elsewhere")].into());
        let properties = BasicProperties::default().with_headers(table(&[(name, copies)]));
        let sent = channel.basic_publish("".into(), "q".into(), Default::default(), b"a", properties);
        assert_eq!(code_of(sent.await.expect("a message is sent").await), 540);
    }
    broker.shutdown().await;
}

async fn several_users_may_log_in() {
    let users = Users::new("ada", "s3cret/").and("carl", "other");
    let broker = start(BrokerConfig { users, ..BrokerConfig::default() }).await;
    let address = broker.addr();
    assert_eq!(broker.url(), format!("amqp://ada:s3cret%2F@{address}/%2f"));
    let (_connection, _channel) = client(&broker).await;
    let as_user = async |login: &str| connect(&format!("amqp://{login}@{address}/%2f")).await;
    let carl = as_user("carl:other").await.expect("a connection");
    for login in ["carl:s3cret%2F", "guest:guest", "ada:"] {
        assert_eq!(code_of(as_user(login).await), 403, "{login}");
    }
    // A message may name the user who sends it, and no other one.
    for (user, expected) in [("carl", None), ("ada", Some(406))] {
        let channel = carl.create_channel().await.expect("a channel");
        channel.confirm_select(Default::default()).await.expect("confirms");
        let properties = BasicProperties::default().with_user_id(user.into());
        let sent = channel.basic_publish("".into(), "q".into(), Default::default(), b"a", properties);
        let outcome = sent.await.expect("a message is sent").await;
        match expected {
            None => assert!(outcome.expect("a confirm").is_ack()),
            Some(code) => assert_eq!(code_of(outcome), code),
        }
    }
    broker.shutdown().await;
}

async fn one_connection_too_many_is_reset() {
    let limits = Limits { connections: 1, ..Limits::default() };
    let broker = start(BrokerConfig { limits, ..BrokerConfig::default() }).await;
    let (_connection, channel) = client(&broker).await;
    assert!(connect(&broker.url()).await.is_err());
    put(&channel, &"q".into(), &["a"]).await;
    channel.basic_get("q".into(), Default::default()).await.expect("the first one is well");
    broker.shutdown().await;
}

async fn a_handshake_that_hangs_is_dropped() {
    let handshake_timeout = Duration::from_millis(100);
    let broker = start(BrokerConfig { handshake_timeout, ..BrokerConfig::default() }).await;
    let (_connection, channel) = client(&broker).await;
    for said in [b"".as_slice(), b"AMQ", GREETING] {
        let mut slow = RawClient::dial(&broker.url()).await;
        slow.send_bytes(said).await;
        slow.rest().await;
    }
    put(&channel, &"q".into(), &["a"]).await;
    channel.basic_get("q".into(), Default::default()).await.expect("an open connection stays open");
    broker.shutdown().await;
}

async fn a_reader_that_stops_holds_back_the_rest() {
    const COUNT: usize = 200;
    const BYTES: usize = 200_000;
    let broker = start(BrokerConfig::default()).await;
    let mut reader = RawClient::open(&broker.url(), 0).await;
    reader.open_channel(1).await;
    let (_connection, channel) = client(&broker).await;
    let consume = basic::Consume { queue: "q".into(), nowait: true, ..basic::Consume::default() };
    reader.send(1, AMQPClass::Basic(basic::AMQPMethod::Consume(consume))).await;
    let flow = AMQPClass::Channel(channel::AMQPMethod::Flow(channel::Flow { active: true }));
    reader.send(1, flow).await;
    reader.method().await;
    let body = "x".repeat(BYTES);
    put(&channel, &"q".into(), &vec![body.as_str(); COUNT]).await;
    channel
        .queue_declare("q".into(), Default::default(), FieldTable::default())
        .await
        .expect("all is published");
    // 40 MB were published: a few are in the sockets' buffers and in the outbox, and most wait in the queue.
    let queue = broker.snapshot().await.expect("the broker runs").queues["q"].clone();
    assert_eq!(queue.ready + queue.unacked, COUNT);
    assert!(queue.ready > COUNT / 2, "{} wait", queue.ready);
    let mut read = 0;
    while read < COUNT * BYTES {
        if let amq_protocol::frame::AMQPFrame::Body(_, part) = reader.frame().await.expect("the rest follows")
        {
            read += part.len();
        }
    }
    assert_eq!(broker.snapshot().await.expect("the broker runs").queues["q"].ready, 0);
    broker.shutdown().await;
}

async fn a_shutdown_tells_clients_and_closes_the_port() {
    let broker = start(BrokerConfig::default()).await;
    let mut polite = RawClient::open(&broker.url(), 0).await;
    let (_connection, _channel) = client(&broker).await;
    let address = broker.addr();
    let (code, ()) = tokio::join!(polite.closed_with(), broker.shutdown());
    assert_eq!(code, 320);
    assert!(TcpStream::connect(address).await.is_err());
}

async fn a_dropped_broker_leaves_no_socket() {
    let broker = start(BrokerConfig::default()).await;
    let client = RawClient::open(&broker.url(), 0).await;
    drop(broker);
    client.rest().await;
}
