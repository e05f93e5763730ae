//! Exchanges and bindings: which queues a message reaches.

use super::behaviours;
use crate::bench::{Bench, drain, get, publish, publish_with, put, table, text};
use lapin::options::{ExchangeBindOptions, ExchangeUnbindOptions};
use lapin::types::{AMQPValue, FieldTable, ShortString};
use lapin::{BasicProperties, ExchangeKind};

behaviours![
    the_default_exchange_routes_by_queue_name,
    direct_routes_by_equal_keys,
    fanout_routes_to_all,
    topic_patterns_route,
    headers_route,
    overlapping_bindings_deliver_once,
    unbinding_stops_routing,
    exchanges_bind_to_exchanges,
    an_alternate_exchange_takes_what_finds_no_queue,
];

async fn the_default_exchange_routes_by_queue_name(bench: &Bench) {
    let channel = bench.channel().await;
    let (mine, other) = (bench.queue(&channel, "mine").await, bench.queue(&channel, "other").await);
    put(&channel, &mine, &["a"]).await;
    let message = get(&channel, &mine).await.expect("a message");
    assert_eq!((message.exchange.as_str(), &message.routing_key), ("", &mine));
    assert!(get(&channel, &other).await.is_none());
}

async fn direct_routes_by_equal_keys(bench: &Bench) {
    let channel = bench.channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Direct).await;
    let one = bench.bound_queue(&channel, &exchange, &["one"]).await;
    let both = bench.bound_queue(&channel, &exchange, &["one", "two"]).await;
    for key in ["one", "two", "one.*", ""] {
        publish(&channel, &exchange, key, key).await;
    }
    assert_eq!(drain(&channel, &one).await, ["one"]);
    assert_eq!(drain(&channel, &both).await, ["one", "two"]);
}

async fn fanout_routes_to_all(bench: &Bench) {
    let channel = bench.channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Fanout).await;
    let one = bench.bound_queue(&channel, &exchange, &["one"]).await;
    let two = bench.bound_queue(&channel, &exchange, &["two"]).await;
    publish(&channel, &exchange, "whatever", "a").await;
    assert_eq!(
        (drain(&channel, &one).await, drain(&channel, &two).await),
        (vec!["a".into()], vec!["a".into()])
    );
}

async fn topic_patterns_route(bench: &Bench) {
    let channel = bench.channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Topic).await;
    let keys =
        ["", "payment", "payment.created", "payment.created.late", "order.created", "payment..late", "."];
    let cases: [(&str, &[&str]); 10] = [
        ("#", &keys),
        ("payment.created", &["payment.created"]),
        ("payment.*", &["payment.created"]),
        ("payment.#", &["payment", "payment.created", "payment.created.late", "payment..late"]),
        ("*.created", &["payment.created", "order.created"]),
        ("#.late", &["payment.created.late", "payment..late"]),
        ("*", &["payment"]),
        ("payment.*.late", &["payment.created.late", "payment..late"]),
        ("#.created.#", &["payment.created", "payment.created.late", "order.created"]),
        (
            "*.#",
            &["payment", "payment.created", "payment.created.late", "order.created", "payment..late", "."],
        ),
    ];
    let mut queues = Vec::new();
    for (pattern, expected) in cases {
        queues.push((pattern, bench.bound_queue(&channel, &exchange, &[pattern]).await, expected));
    }
    for key in keys {
        publish(&channel, &exchange, key, key).await;
    }
    for (pattern, queue, expected) in queues {
        assert_eq!(drain(&channel, &queue).await, expected, "{pattern}");
    }
}

async fn headers_route(bench: &Bench) {
    let channel = bench.channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Headers).await;
    let (all, any) = (bench.queue(&channel, "all").await, bench.queue(&channel, "any").await);
    for (queue, matching) in [(&all, "all"), (&any, "any")] {
        let arguments = table(&[
            ("x-match", text(matching)),
            ("kind", text("payment")),
            ("retry", AMQPValue::Boolean(true)),
        ]);
        let bound =
            channel.queue_bind(queue.clone(), exchange.clone(), "".into(), Default::default(), arguments);
        bound.await.expect("a binding");
    }
    let messages: [(&str, FieldTable); 4] = [
        (
            "both",
            table(&[("kind", text("payment")), ("retry", AMQPValue::Boolean(true)), ("more", text("x"))]),
        ),
        ("one", table(&[("kind", text("payment")), ("retry", AMQPValue::Boolean(false))])),
        ("none", table(&[("kind", text("refund"))])),
        ("bare", FieldTable::default()),
    ];
    for (body, headers) in messages {
        let properties = BasicProperties::default().with_headers(headers);
        publish_with(&channel, &exchange, "", body, properties).await;
    }
    assert_eq!(drain(&channel, &all).await, ["both"]);
    assert_eq!(drain(&channel, &any).await, ["both", "one"]);
}

async fn overlapping_bindings_deliver_once(bench: &Bench) {
    let channel = bench.channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Topic).await;
    let queue = bench.bound_queue(&channel, &exchange, &["#", "payment.*", "payment.created", "#"]).await;
    publish(&channel, &exchange, "payment.created", "a").await;
    assert_eq!(drain(&channel, &queue).await, ["a"]);
}

async fn unbinding_stops_routing(bench: &Bench) {
    let channel = bench.channel().await;
    let exchange = bench.exchange(&channel, ExchangeKind::Direct).await;
    let queue = bench.bound_queue(&channel, &exchange, &["key"]).await;
    let unbind =
        |key: &str| channel.queue_unbind(queue.clone(), exchange.clone(), key.into(), FieldTable::default());
    unbind("another").await.expect("a binding that is not there is gone already");
    publish(&channel, &exchange, "key", "bound").await;
    unbind("key").await.expect("unbound");
    publish(&channel, &exchange, "key", "unbound").await;
    assert_eq!(drain(&channel, &queue).await, ["bound"]);
}

async fn exchanges_bind_to_exchanges(bench: &Bench) {
    let channel = bench.channel().await;
    let source = bench.exchange(&channel, ExchangeKind::Topic).await;
    let target = bench.exchange(&channel, ExchangeKind::Fanout).await;
    let queue = bench.bound_queue(&channel, &target, &[""]).await;
    let bind = |from: &ShortString, to: &ShortString, key: &str| {
        let options = ExchangeBindOptions::default();
        channel.exchange_bind(to.clone(), from.clone(), key.into(), options, FieldTable::default())
    };
    bind(&source, &target, "payment.#").await.expect("a binding");
    // A circle must not make messages go round.
    bind(&target, &source, "").await.expect("a binding");
    publish(&channel, &source, "payment.created", "a").await;
    publish(&channel, &source, "order.created", "b").await;
    assert_eq!(drain(&channel, &queue).await, ["a"]);
    let options = ExchangeUnbindOptions::default();
    let unbound = channel.exchange_unbind(
        target.clone(),
        source.clone(),
        "payment.#".into(),
        options,
        FieldTable::default(),
    );
    unbound.await.expect("unbound");
    publish(&channel, &source, "payment.created", "c").await;
    assert!(drain(&channel, &queue).await.is_empty());
}

async fn an_alternate_exchange_takes_what_finds_no_queue(bench: &Bench) {
    let channel = bench.channel().await;
    let fallback = bench.exchange(&channel, ExchangeKind::Fanout).await;
    let main = bench.name("main");
    let arguments = table(&[("alternate-exchange", text(fallback.as_str()))]);
    let declared =
        channel.exchange_declare(main.clone(), ExchangeKind::Direct, Default::default(), arguments);
    declared.await.expect("an exchange");
    let routed = bench.bound_queue(&channel, &main, &["known"]).await;
    let rest = bench.bound_queue(&channel, &fallback, &[""]).await;
    publish(&channel, &main, "known", "a").await;
    publish(&channel, &main, "unknown", "b").await;
    assert_eq!(drain(&channel, &routed).await, ["a"]);
    assert_eq!(drain(&channel, &rest).await, ["b"]);
}
