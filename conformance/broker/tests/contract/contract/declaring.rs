//! Declaring, deleting and binding.

use super::behaviours;
use crate::bench::{
    Bench, bind, body_of, code_of, consume, counts, drain, message_of, publish, put, table, text,
};
use lapin::options::{
    BasicCancelOptions, ExchangeDeclareOptions, ExchangeDeleteOptions, QueueBindOptions, QueueDeclareOptions,
    QueueDeleteOptions, QueuePurgeOptions,
};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{Channel, ExchangeKind};

behaviours![
    declaring_again_alike_changes_nothing,
    an_exchange_declared_differently_is_refused_with_406,
    a_queue_declared_differently_is_refused_with_406,
    passive_declarations_of_nothing_fail_with_404,
    passive_declarations_compare_nothing,
    binding_to_nothing_fails_with_404,
    reserved_names_are_refused_with_403,
    the_default_exchange_is_not_to_be_touched,
    predeclared_exchanges_work,
    an_unknown_exchange_type_is_refused_with_503,
    nonsensical_queue_arguments_are_refused_with_406,
    server_named_queues_are_unique_and_remembered,
    no_queue_to_remember_is_404,
    an_exclusive_queue_is_locked_to_others_with_405,
    an_exclusive_queue_dies_with_its_connection,
    an_auto_delete_queue_dies_with_its_last_consumer,
    an_auto_delete_exchange_dies_with_its_last_binding,
    deleting_what_is_in_use_can_be_refused,
    deleting_nothing_succeeds,
    deleting_and_purging_count_messages,
];

const PLAIN: QueueDeclareOptions = QueueDeclareOptions {
    passive: false,
    durable: false,
    exclusive: false,
    auto_delete: false,
    nowait: false,
};
const PASSIVE: QueueDeclareOptions = QueueDeclareOptions { passive: true, ..PLAIN };

async fn declaring_again_alike_changes_nothing(bench: &Bench) {
    let channel = bench.channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Topic).await;
    assert_eq!(bench.exchange(&channel, ExchangeKind::Topic).await, exchange);
    let arguments = [("x-message-ttl", AMQPValue::LongInt(60_000)), ("x-unheard-of", text("a"))];
    let queue = bench.queue_with(&channel, "queue", &arguments).await;
    put(&channel, &queue, &["kept"]).await;
    // The same number in another type is the same argument; arguments that mean nothing are not compared.
    let alike = [("x-message-ttl", AMQPValue::LongLongInt(60_000))];
    bench.queue_with(&channel, "queue", &alike).await;
    assert_eq!(drain(&channel, &queue).await, ["kept"]);
}

async fn an_exchange_declared_differently_is_refused_with_406(bench: &Bench) {
    let exchange = bench.exchange(&bench.channel().await, ExchangeKind::Topic).await;
    let plain = ExchangeDeclareOptions::default();
    let differences = [
        ("type", ExchangeKind::Fanout, plain),
        ("durable", ExchangeKind::Topic, ExchangeDeclareOptions { durable: true, ..plain }),
        ("auto_delete", ExchangeKind::Topic, ExchangeDeclareOptions { auto_delete: true, ..plain }),
        ("internal", ExchangeKind::Topic, ExchangeDeclareOptions { internal: true, ..plain }),
    ];
    for (what, kind, options) in differences {
        let channel = bench.channel().await;
        let declared =
            channel.exchange_declare(exchange.clone(), kind.clone(), options, FieldTable::default());
        let message = message_of(declared.await);
        let expected = format!("PRECONDITION_FAILED - inequivalent arg '{what}' for exchange '{exchange}'");
        assert!(message.starts_with(&expected), "{message}");
    }
}

async fn a_queue_declared_differently_is_refused_with_406(bench: &Bench) {
    let queue = bench.queue(&bench.channel().await, "queue").await;
    let differences = [
        ("durable", QueueDeclareOptions { durable: true, ..PLAIN }, FieldTable::default()),
        ("auto_delete", QueueDeclareOptions { auto_delete: true, ..PLAIN }, FieldTable::default()),
        ("x-message-ttl", PLAIN, table(&[("x-message-ttl", AMQPValue::LongInt(1))])),
        ("x-max-length", PLAIN, table(&[("x-max-length", AMQPValue::LongInt(1))])),
        ("x-dead-letter-exchange", PLAIN, table(&[("x-dead-letter-exchange", text(""))])),
    ];
    for (what, options, arguments) in differences {
        let channel = bench.channel().await;
        let message = message_of(channel.queue_declare(queue.clone(), options, arguments).await);
        let expected = format!("PRECONDITION_FAILED - inequivalent arg '{what}' for queue '{queue}'");
        assert!(message.starts_with(&expected), "{message}");
    }
}

async fn passive_declarations_of_nothing_fail_with_404(bench: &Bench) {
    let name = bench.name("missing");
    let declared = bench.channel().await.queue_declare(name.clone(), PASSIVE, FieldTable::default()).await;
    assert_eq!(message_of(declared), format!("NOT_FOUND - no queue '{name}' in vhost '/'"));
    let options = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let channel = bench.channel().await;
    let declared =
        channel.exchange_declare(name.clone(), ExchangeKind::Topic, options, FieldTable::default());
    assert_eq!(message_of(declared.await), format!("NOT_FOUND - no exchange '{name}' in vhost '/'"));
}

async fn passive_declarations_compare_nothing(bench: &Bench) {
    let channel = bench.channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Topic).await;
    let options =
        ExchangeDeclareOptions { passive: true, durable: true, ..ExchangeDeclareOptions::default() };
    let declared = channel.exchange_declare(exchange, ExchangeKind::Fanout, options, FieldTable::default());
    declared.await.expect("it is there");
    let queue = bench.queue(&channel, "queue").await;
    let options = QueueDeclareOptions { durable: true, ..PASSIVE };
    channel.queue_declare(queue, options, FieldTable::default()).await.expect("it is there");
}

async fn binding_to_nothing_fails_with_404(bench: &Bench) {
    let channel = bench.channel().await;
    let (queue, exchange) =
        (bench.queue(&channel, "queue").await, bench.exchange(&channel, ExchangeKind::Topic).await);
    let missing = bench.name("missing");
    for (queue, exchange) in [(&missing, &exchange), (&queue, &missing)] {
        let channel = bench.channel().await;
        let options = QueueBindOptions::default();
        let bound =
            channel.queue_bind(queue.clone(), exchange.clone(), "key".into(), options, FieldTable::default());
        assert_eq!(code_of(bound.await), 404);
    }
}

async fn reserved_names_are_refused_with_403(bench: &Bench) {
    let declared = bench.channel().await.queue_declare("amq.mine".into(), PLAIN, FieldTable::default()).await;
    assert_eq!(code_of(declared), 403);
    let channel = bench.channel().await;
    let declared = channel.exchange_declare(
        "amq.mine".into(),
        ExchangeKind::Topic,
        Default::default(),
        FieldTable::default(),
    );
    assert_eq!(code_of(declared.await), 403);
    let deleted = bench.channel().await.exchange_delete("amq.topic".into(), Default::default()).await;
    assert_eq!(code_of(deleted), 403);
}

async fn the_default_exchange_is_not_to_be_touched(bench: &Bench) {
    let queue = bench.queue(&bench.channel().await, "queue").await;
    let channel = bench.channel().await;
    let declared =
        channel.exchange_declare("".into(), ExchangeKind::Direct, Default::default(), FieldTable::default());
    assert_eq!(code_of(declared.await), 403);
    let channel = bench.channel().await;
    let bound = channel.queue_bind(queue, "".into(), "key".into(), Default::default(), FieldTable::default());
    assert_eq!(code_of(bound.await), 403);
    let deleted = bench.channel().await.exchange_delete("".into(), Default::default()).await;
    assert_eq!(code_of(deleted), 403);
}

async fn predeclared_exchanges_work(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    let key = bench.name("key");
    for exchange in ["amq.direct", "amq.topic", "amq.fanout", "amq.headers", "amq.match"] {
        let durable = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
        let declared =
            channel.exchange_declare(exchange.into(), ExchangeKind::Direct, durable, FieldTable::default());
        declared.await.expect("it is there");
    }
    bind(&channel, &queue, &"amq.topic".into(), key.as_str()).await;
    publish(&channel, &"amq.topic".into(), key.as_str(), "a").await;
    assert_eq!(drain(&channel, &queue).await, ["a"]);
}

async fn an_unknown_exchange_type_is_refused_with_503(bench: &Bench) {
    let connection = bench.connect().await;
    let channel = connection.create_channel().await.expect("a channel");
    let kind = ExchangeKind::Custom("no-such-type".into());
    let declared =
        channel.exchange_declare(bench.name("exchange"), kind, Default::default(), FieldTable::default());
    let message = message_of(declared.await);
    assert!(message.starts_with("COMMAND_INVALID - "), "{message}");
}

async fn nonsensical_queue_arguments_are_refused_with_406(bench: &Bench) {
    let cases = [
        table(&[("x-message-ttl", text("soon"))]),
        table(&[("x-message-ttl", AMQPValue::LongInt(-1))]),
        table(&[("x-max-length", AMQPValue::LongInt(-1))]),
        table(&[("x-dead-letter-exchange", AMQPValue::LongInt(1))]),
        table(&[("x-dead-letter-routing-key", text("key"))]),
        table(&[("x-overflow", text("explode"))]),
    ];
    for arguments in cases {
        let channel = bench.channel().await;
        let declared = channel.queue_declare(bench.name("queue"), PLAIN, arguments.clone()).await;
        assert_eq!(code_of(declared), 406, "{arguments:?}");
    }
}

async fn server_named_queues_are_unique_and_remembered(bench: &Bench) {
    let channel = bench.channel().await;
    let exclusive = QueueDeclareOptions { exclusive: true, ..PLAIN };
    let declare = || channel.queue_declare("".into(), exclusive, FieldTable::default());
    let first = declare().await.expect("a queue").name().clone();
    let second = declare().await.expect("a queue").name().clone();
    assert!(first.as_str().starts_with("amq.gen-") && first != second, "{first} {second}");
    // An empty name means the one declared last, as name and, where it is empty too, as key.
    let bound = channel.queue_bind(
        "".into(),
        "amq.direct".into(),
        "".into(),
        Default::default(),
        FieldTable::default(),
    );
    bound.await.expect("a binding");
    publish(&channel, &"amq.direct".into(), second.as_str(), "a").await;
    let message =
        channel.basic_get("".into(), Default::default()).await.expect("an answer").expect("a message");
    assert_eq!(body_of(&message.delivery), "a");
    assert_eq!(counts(&channel, &first).await, (0, 0));
}

async fn no_queue_to_remember_is_404(bench: &Bench) {
    let purged = bench.channel().await.queue_purge("".into(), QueuePurgeOptions::default()).await;
    assert_eq!(code_of(purged), 404);
}

async fn an_exclusive_queue_is_locked_to_others_with_405(bench: &Bench) {
    let owner = bench.channel().await;
    let queue = bench.name("queue");
    let exclusive = QueueDeclareOptions { exclusive: true, ..PLAIN };
    owner.queue_declare(queue.clone(), exclusive, FieldTable::default()).await.expect("a queue");
    let other = bench.connect().await;
    let channel = async || other.create_channel().await.expect("a channel");
    let none = FieldTable::default;
    let results = [
        code_of(channel().await.queue_declare(queue.clone(), exclusive, none()).await),
        code_of(channel().await.queue_declare(queue.clone(), PLAIN, none()).await),
        code_of(channel().await.queue_declare(queue.clone(), PASSIVE, none()).await),
        code_of(channel().await.basic_consume(queue.clone(), "".into(), Default::default(), none()).await),
        code_of(channel().await.basic_get(queue.clone(), Default::default()).await),
        code_of(channel().await.queue_purge(queue.clone(), Default::default()).await),
        code_of(channel().await.queue_delete(queue.clone(), Default::default()).await),
        code_of(
            channel()
                .await
                .queue_bind(queue.clone(), "amq.topic".into(), "a".into(), Default::default(), none())
                .await,
        ),
        // The owner cannot have it as anything but exclusive either.
        code_of(bench.channel().await.queue_declare(queue.clone(), PLAIN, none()).await),
    ];
    assert_eq!(results, [405; 9]);
    // Any connection may publish to it.
    put(&channel().await, &queue, &["a"]).await;
    crate::bench::until_ready(&owner, &queue, 1).await;
}

async fn an_exclusive_queue_dies_with_its_connection(bench: &Bench) {
    let connection = bench.connect().await;
    let queue = bench.name("queue");
    let exclusive = QueueDeclareOptions { exclusive: true, ..PLAIN };
    let channel = connection.create_channel().await.expect("a channel");
    channel.queue_declare(queue.clone(), exclusive, FieldTable::default()).await.expect("a queue");
    channel.close(200, "bye".into()).await.expect("a closed channel");
    let channel = connection.create_channel().await.expect("a channel");
    assert_eq!(counts(&channel, &queue).await, (0, 0));
    connection.close(200, "bye".into()).await.expect("a closed connection");
    assert_eq!(
        code_of(bench.channel().await.queue_declare(queue, PASSIVE, FieldTable::default()).await),
        404
    );
}

async fn an_auto_delete_queue_dies_with_its_last_consumer(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.name("queue");
    let auto_delete = QueueDeclareOptions { auto_delete: true, ..PLAIN };
    channel.queue_declare(queue.clone(), auto_delete, FieldTable::default()).await.expect("a queue");
    assert_eq!(counts(&channel, &queue).await, (0, 0), "it waits for its first consumer");
    let (first, second) = (consume(&channel, &queue).await, consume(&channel, &queue).await);
    cancel(&channel, &first.tag()).await;
    assert_eq!(counts(&channel, &queue).await, (0, 1));
    cancel(&channel, &second.tag()).await;
    assert_eq!(
        code_of(bench.channel().await.queue_declare(queue, PASSIVE, FieldTable::default()).await),
        404
    );
}

async fn an_auto_delete_exchange_dies_with_its_last_binding(bench: &Bench) {
    let channel = bench.channel().await;
    let exchange = bench.name("exchange");
    let auto_delete = ExchangeDeclareOptions { auto_delete: true, ..ExchangeDeclareOptions::default() };
    let declared =
        channel.exchange_declare(exchange.clone(), ExchangeKind::Direct, auto_delete, FieldTable::default());
    declared.await.expect("an exchange");
    let (one, two) = (
        bench.bound_queue(&channel, &exchange, &["one"]).await,
        bench.bound_queue(&channel, &exchange, &["two"]).await,
    );
    let unbound = channel.queue_unbind(one, exchange.clone(), "one".into(), FieldTable::default());
    unbound.await.expect("unbound");
    publish(&channel, &exchange, "two", "a").await;
    assert_eq!(drain(&channel, &two).await, ["a"]);
    channel.queue_delete(two, QueueDeleteOptions::default()).await.expect("deleted");
    let passive = ExchangeDeclareOptions { passive: true, ..ExchangeDeclareOptions::default() };
    let declared = channel.exchange_declare(exchange, ExchangeKind::Direct, passive, FieldTable::default());
    assert_eq!(code_of(declared.await), 404);
}

async fn deleting_what_is_in_use_can_be_refused(bench: &Bench) {
    let channel = bench.channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Direct).await;
    let queue = bench.bound_queue(&channel, &exchange, &["key"]).await;
    put(&channel, &queue, &["a"]).await;
    let if_empty = QueueDeleteOptions { if_empty: true, ..QueueDeleteOptions::default() };
    assert_eq!(code_of(bench.channel().await.queue_delete(queue.clone(), if_empty).await), 406);
    let _consumer = consume(&channel, &queue).await;
    let if_unused = QueueDeleteOptions { if_unused: true, ..QueueDeleteOptions::default() };
    assert_eq!(code_of(bench.channel().await.queue_delete(queue.clone(), if_unused).await), 406);
    let if_unused = ExchangeDeleteOptions { if_unused: true, ..ExchangeDeleteOptions::default() };
    assert_eq!(code_of(bench.channel().await.exchange_delete(exchange, if_unused).await), 406);
    assert_eq!(counts(&channel, &queue).await.1, 1);
}

async fn deleting_nothing_succeeds(bench: &Bench) {
    let channel = bench.channel().await;
    let missing = bench.name("missing");
    let deleted = channel.queue_delete(missing.clone(), QueueDeleteOptions::default()).await;
    assert_eq!(deleted.expect("it is gone already"), 0);
    channel.exchange_delete(missing, Default::default()).await.expect("it is gone already");
}

async fn deleting_and_purging_count_messages(bench: &Bench) {
    let channel = bench.channel().await;
    let queue = bench.queue(&channel, "queue").await;
    put(&channel, &queue, &["a", "b", "c"]).await;
    let held =
        channel.basic_get(queue.clone(), Default::default()).await.expect("an answer").expect("a message");
    let purged = channel.queue_purge(queue.clone(), QueuePurgeOptions::default()).await;
    assert_eq!(purged.expect("purged"), 2, "what is held is not purged");
    held.reject(lapin::options::BasicRejectOptions { requeue: true }).await.expect("requeued");
    put(&channel, &queue, &["d"]).await;
    crate::bench::until_ready(&channel, &queue, 2).await;
    assert_eq!(channel.queue_delete(queue, QueueDeleteOptions::default()).await.expect("deleted"), 2);
}

async fn cancel(channel: &Channel, tag: &ShortString) {
    channel.basic_cancel(tag.clone(), BasicCancelOptions::default()).await.expect("cancelled");
}
