//! The provider and its hooks against a scripted gateway.

mod scripted;

use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use protocol::Timestamp;
use reference_client::hooks::{
    DashboardUpdates, Events, PaymentUpdates, ProfileUpdates, RealTimeQueryUpdate, RealTimeUpdates,
    Subscription,
};
use reference_client::provider::ConnectError;
use reference_client::query::{QueryClient, QueryKey, QueryObserver};
use reference_client::{Client, ClientConfig, Provider, Status, TcpDial, WallClock};
use scripted::{PATIENCE, ScriptedGateway, Seen};
use serde_json::{Value, json};
use tokio::sync::{mpsc, watch};

fn wall() -> WallClock {
    Arc::new(|| Timestamp::EPOCH)
}

fn client(gateway: &ScriptedGateway, token: &str) -> Client {
    let mut config = ClientConfig::new(&gateway.url(), token).expect("a URL");
    config.timing.reconnect_delay = Duration::from_millis(1);
    config.timing.max_reconnect_delay = Duration::from_millis(4);
    Client::start(config, TcpDial, wall())
}

async fn provider(gateway: &mut ScriptedGateway) -> Provider {
    let provider = Provider::signed_in(client(gateway, "t"), true).await.expect("a client that lives");
    gateway.opened().await;
    provider
}

async fn soon<T>(what: &str, work: impl Future<Output = T>) -> T {
    match tokio::time::timeout(PATIENCE, work).await {
        Ok(done) => done,
        Err(_) => panic!("in vain: {what}"),
    }
}

async fn reaches(provider: &Provider, status: Status) {
    let mut statuses = provider.watch_status();
    soon("a status", statuses.wait_for(|now| *now == status)).await.expect("a client that lives");
}

/// An observed query, and a word for each time that it is fetched.
fn observed(queries: &QueryClient, key: &Value) -> (QueryObserver, mpsc::UnboundedReceiver<Value>) {
    let (sender, fetched) = mpsc::unbounded_channel();
    let fetched_key = key.clone();
    let parts = key.as_array().expect("an array").clone();
    let observer = queries.observe(QueryKey::from(parts), move || {
        // The receiver is dropped once the test has ended.
        let _ = sender.send(fetched_key.clone());
        async { Ok(Value::Null) }
    });
    (observer, fetched)
}

/// PROV-1, PROV-3: consumers share one connection and one status; it closes with 1000 when the last one goes, not before.
#[tokio::test]
async fn consumers_share_one_connection() {
    let mut gateway = ScriptedGateway::start().await;
    let provider = provider(&mut gateway).await;
    let panel = provider.clone();
    let subscription = Subscription::mount(&panel, "catalog:changed", |_| ()).await.unwrap();
    gateway.subscribed("catalog:changed").await;
    reaches(&provider, Status::Connected).await;
    assert_eq!(panel.status(), Status::Connected);
    drop(provider);
    drop(panel);
    assert!(gateway.is_quiet(), "the subscription is a consumer too");
    drop(subscription);
    assert_eq!(gateway.next().await, Seen::Closed { code: Some(1000) });
}

/// PROV-2, TOKEN-1: nothing is dialled before there is a token; one that appears connects, another one replaces the
/// connection, the same one changes nothing, none closes it.
#[tokio::test]
async fn tokens_make_and_end_the_connection() {
    let mut gateway = ScriptedGateway::start().await;
    let (tokens, shown) = watch::channel(None);
    let provider = Provider::signed_out(client(&gateway, ""), true);
    provider.follow(shown);
    assert_eq!(provider.connect().await, Err(ConnectError::SignedOut));
    assert!(gateway.is_quiet());

    tokens.send_replace(Some("first".to_owned()));
    assert_eq!(gateway.opened().await, "token=first");
    reaches(&provider, Status::Connected).await;
    provider.set_token(Some("first".to_owned())).await.unwrap();
    assert!(gateway.is_quiet());
    tokens.send_replace(Some("second".to_owned()));
    assert_eq!(gateway.next().await, Seen::Closed { code: Some(1000) });
    assert_eq!(gateway.opened().await, "token=second");
    reaches(&provider, Status::Connected).await;
    tokens.send_replace(None);
    assert_eq!(gateway.next().await, Seen::Closed { code: Some(1000) });
    reaches(&provider, Status::Disconnected).await;
    assert_eq!(provider.connect().await, Err(ConnectError::SignedOut));
}

/// PROV-2: with `auto_connect = false` a token dials nothing until `connect()` is called.
#[tokio::test]
async fn without_auto_connect_a_token_does_not_dial() {
    let mut gateway = ScriptedGateway::start().await;
    let provider = Provider::signed_in(client(&gateway, "t"), false).await.unwrap();
    provider.set_token(Some("newer".to_owned())).await.unwrap();
    assert!(gateway.is_quiet() && provider.status() == Status::Disconnected);
    provider.connect().await.unwrap();
    assert_eq!(gateway.opened().await, "token=newer");
}

/// HOOK-1: unmounting takes the listener off and keeps the subscription, which is renewed after a reconnect.
#[tokio::test]
async fn unmounting_keeps_the_subscription() {
    let mut gateway = ScriptedGateway::start().await;
    let provider = provider(&mut gateway).await;
    let (sender, mut received) = mpsc::unbounded_channel();
    let subscription = Subscription::mount(&provider, "catalog:changed", move |payload| {
        sender.send(payload.clone()).unwrap_or(());
    })
    .await
    .unwrap();
    gateway.subscribed("catalog:changed").await;
    gateway.publish("catalog:changed", &json!(1));
    assert_eq!(soon("a call", received.recv()).await, Some(json!(1)));
    drop(subscription);
    assert_eq!(received.recv().await, None, "the listener is gone, and what it held");

    gateway.drop_connections();
    assert_eq!(gateway.next().await, Seen::Closed { code: None });
    gateway.opened().await;
    gateway.subscribed("catalog:changed").await;
}

/// Events arrive as a stream too.
#[tokio::test]
async fn events_are_a_stream() {
    let mut gateway = ScriptedGateway::start().await;
    let provider = provider(&mut gateway).await;
    let mut events = Events::mount(&provider, "catalog:changed").await.unwrap();
    gateway.subscribed("catalog:changed").await;
    gateway.publish("catalog:changed", &json!(1));
    gateway.publish("catalog:changed", &json!(2));
    assert_eq!(soon("an event", events.next()).await, Some(Ok(json!(1))));
    assert_eq!(soon("an event", events.next()).await, Some(Ok(json!(2))));
}

/// HOOK-2, HOOK-7: keys are invalidated before the handler runs, and again after a reconnect, when no handler runs.
#[tokio::test]
async fn updates_invalidate_and_then_call() {
    let mut gateway = ScriptedGateway::start().await;
    let provider = provider(&mut gateway).await;
    let queries = QueryClient::default();
    let (_page, mut fetched) = observed(&queries, &json!(["orders", { "page": 1 }]));
    let (_other, mut elsewhere) = observed(&queries, &json!(["users"]));
    assert!(
        fetched.try_recv().is_ok() && elsewhere.try_recv().is_ok(),
        "what is observed is fetched at first"
    );
    let (sender, mut handled) = mpsc::unbounded_channel();
    let asked = queries.clone();
    let handler = move |payload: &Value| {
        let fetching = asked.snapshot(&QueryKey::from([json!("orders"), json!({ "page": 1 })])).fetching;
        sender.send((payload.clone(), fetching)).unwrap_or(());
    };
    let keys = vec![QueryKey::from(["orders"])];
    let _updates = RealTimeUpdates::mount(&provider, &queries, "order:updated", keys, handler).await.unwrap();
    gateway.subscribed("order:updated").await;
    reaches(&provider, Status::Connected).await;
    gateway.publish("order:updated", &json!({ "id": 7 }));
    assert_eq!(soon("the handler", handled.recv()).await, Some((json!({ "id": 7 }), true)));
    assert!(fetched.try_recv().is_ok() && fetched.try_recv().is_err());

    gateway.drop_connections();
    assert!(soon("a fetch after the reconnect", fetched.recv()).await.is_some());
    assert!(handled.try_recv().is_err() && elsewhere.try_recv().is_err());
}

/// HOOK-3: the cached value becomes what the updater makes of it.
#[tokio::test]
async fn a_query_is_updated() {
    let mut gateway = ScriptedGateway::start().await;
    let provider = provider(&mut gateway).await;
    let queries = QueryClient::default();
    let total = QueryKey::from(["total"]);
    queries.set(&total, json!(40));
    let mut observer = queries.observe(total.clone(), || async { Ok(Value::Null) });
    let sum = |old: Option<&Value>, payload: &Value| {
        json!(
            old.and_then(Value::as_u64).unwrap_or_default() + payload["amount"].as_u64().unwrap_or_default()
        )
    };
    let _update =
        RealTimeQueryUpdate::mount(&provider, &queries, "payment:created", total, sum).await.unwrap();
    gateway.subscribed("payment:created").await;
    gateway.publish("payment:created", &json!({ "amount": 2 }));
    let snapshot = soon("an update", observer.changed()).await.unwrap();
    assert_eq!(snapshot.data.as_deref(), Some(&json!(42)));
}

/// HOOK-4: a created payment changes the list, any other event the payment too, and no other payment.
#[tokio::test]
async fn payments_are_kept_up_to_date() {
    let mut gateway = ScriptedGateway::start().await;
    let provider = provider(&mut gateway).await;
    let queries = QueryClient::default();
    let (_list, mut list) = observed(&queries, &json!(["payments", { "page": 1 }]));
    let (_one, mut one) = observed(&queries, &json!(["payment", "p-1"]));
    let (_two, mut two) = observed(&queries, &json!(["payment", "p-2"]));
    let _updates = PaymentUpdates::mount(&provider, &queries).await.unwrap();
    for name in ["payment:created", "payment:updated", "payment:completed", "payment:failed"] {
        gateway.subscribed(name).await;
    }
    for fetched in [&mut list, &mut one, &mut two] {
        assert!(fetched.try_recv().is_ok(), "what is observed is fetched at first");
    }
    gateway.publish("payment:created", &json!({ "paymentId": "p-1" }));
    soon("the list", list.recv()).await;
    assert!(one.try_recv().is_err());
    for name in ["payment:updated", "payment:completed", "payment:failed"] {
        gateway.publish(name, &json!({ "paymentId": "p-1" }));
        soon("the list", list.recv()).await;
        soon("the payment", one.recv()).await;
    }
    assert!(two.try_recv().is_err());
}

/// HOOK-6: the profile is out of date when it was updated.
#[tokio::test]
async fn the_profile_is_kept_up_to_date() {
    let mut gateway = ScriptedGateway::start().await;
    let provider = provider(&mut gateway).await;
    let queries = QueryClient::default();
    let (_profile, mut fetched) = observed(&queries, &json!(["profile"]));
    assert!(fetched.try_recv().is_ok());
    let _updates = ProfileUpdates::mount(&provider, &queries).await.unwrap();
    gateway.subscribed("profile:updated").await;
    gateway.publish("profile:updated", &json!({ "userId": "u1" }));
    assert!(soon("the profile", fetched.recv()).await.is_some());
}

/// HOOK-5: the dashboard has every kind of payment event, newest first.
#[tokio::test]
async fn the_dashboard_shows_the_newest_first() {
    let mut gateway = ScriptedGateway::start().await;
    let provider = provider(&mut gateway).await;
    let dashboard = DashboardUpdates::mount(&provider, wall()).await.unwrap();
    let names = ["payment:created", "payment:updated", "payment:completed", "payment:failed"];
    for name in names {
        gateway.subscribed(name).await;
    }
    for (number, name) in names.into_iter().enumerate() {
        gateway.publish(name, &json!(number));
    }
    let mut recent = dashboard.watch();
    soon("four activities", recent.wait_for(|recent| recent.len() == 4)).await.unwrap();
    let kinds: Vec<_> = dashboard.recent().into_iter().map(|activity| activity.kind).collect();
    assert_eq!(kinds, ["payment:failed", "payment:completed", "payment:updated", "payment:created"]);
}
