//! What the client does with a connection.

use std::time::Duration;

use futures_util::StreamExt;
use protocol::{CloseCode, Target};
use reference_client::{ListenerError, Status};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::tungstenite::{Bytes, Message};

use crate::gateway::{Gateway, client, reaches, soon};

/// STATE-1, DIAL-1, QUEUE-1, IN-1: a message sent before connecting arrives, and what the gateway sends is emitted.
#[tokio::test]
async fn a_client_connects_and_delivers() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    let (sender, mut events) = mpsc::unbounded_channel();
    client.on("payment:created", move |payload| {
        sender.send(payload.clone()).map_err(|error| ListenerError(error.to_string()))
    });
    soon("the queue", client.send("note", json!(1))).await.unwrap();
    soon("the order", client.connect()).await.unwrap();

    let mut accepted = gateway.accept().await;
    assert_eq!(accepted.query, "v=1&token=a%2Bb");
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
    assert_eq!(accepted.message().await, json!({ "type": "note", "payload": 1 }));
    soon("the order", client.send("note", json!(2))).await.unwrap();
    assert_eq!(accepted.message().await, json!({ "type": "note", "payload": 2 }));

    accepted.send(Message::text("{")).await;
    accepted.send(Message::binary(vec![0, 1])).await;
    accepted.send(Message::text(r#"{"type":"payment:created","payload":{"id":7}}"#)).await;
    assert_eq!(soon("the event", events.recv()).await, Some(json!({ "id": 7 })));
}

/// STATE-3, QUEUE-4, SUB-2: after a drop without a close frame the client reconnects, subscribes again, and resends nothing.
#[tokio::test]
async fn a_client_comes_back_after_a_drop() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    soon("the order", client.subscribe(Target::Room("r".to_owned()))).await.unwrap();
    soon("the order", client.connect()).await.unwrap();
    let subscribe = json!({ "type": "subscribe", "payload": { "room": "r" } });

    let mut first = gateway.accept().await;
    assert_eq!(first.message().await, subscribe);
    soon("the order", client.send("note", json!(1))).await.unwrap();
    assert_eq!(first.message().await["payload"], 1);
    drop(first);

    let mut second = gateway.accept().await;
    let path =
        [Status::Connecting, Status::Connected, Status::Reconnecting, Status::Connecting, Status::Connected];
    reaches(&mut statuses, &path).await;
    assert_eq!(second.message().await, subscribe);
    soon("the order", client.send("note", json!(2))).await.unwrap();
    assert_eq!(second.message().await["payload"], 2);
}

/// STATE-6: disconnecting, and letting go of the last handle too, closes with 1000.
#[tokio::test]
async fn leaving_closes_with_1000() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    soon("the order", client.connect()).await.unwrap();
    let mut accepted = gateway.accept().await;
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
    soon("the order", client.disconnect()).await.unwrap();
    assert_eq!(accepted.close_code().await, CloseCode::NORMAL);
    reaches(&mut statuses, &[Status::Disconnected]).await;
    drop(accepted);

    soon("the order", client.connect()).await.unwrap();
    let mut accepted = gateway.accept().await;
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
    drop(client);
    assert_eq!(accepted.close_code().await, CloseCode::NORMAL);
}

/// TOKEN-1, QUEUE-4: a message and at once a new token: the old connection gets the message and 1000, and only once
/// it is over the new one is dialled, which does not get the message again.
#[tokio::test]
async fn a_new_token_repeats_no_message() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    soon("the order", client.connect()).await.unwrap();
    let mut old = gateway.accept().await;
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
    let orders = async {
        tokio::join!(client.send("note", json!(1)), client.set_token("new"), client.send("note", json!(2)))
    };
    assert_eq!(soon("the orders", orders).await, (Ok(()), Ok(()), Ok(())));
    assert_eq!(old.message().await["payload"], 1);
    assert_eq!(old.close_code().await, CloseCode::NORMAL);
    assert!(soon("the end", old.socket.next()).await.is_none());
    drop(old);

    let mut new = gateway.accept().await;
    assert_eq!(new.query, "v=1&token=new");
    assert_eq!(new.message().await["payload"], 2);
}

/// STATE-8: a gateway that answers 401 is dialled once.
#[tokio::test]
async fn a_refusal_is_final() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    soon("the order", client.connect()).await.unwrap();
    let mut stream = gateway.stream().await;
    let answer = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    soon("the answer", stream.write_all(answer)).await.unwrap();
    reaches(&mut statuses, &[Status::Connecting, Status::Error, Status::Disconnected]).await;
}

/// STATE-7: the gateway's 1000 is final; its 1001 is not.
#[tokio::test]
async fn the_close_code_decides() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    soon("the order", client.connect()).await.unwrap();
    for (code, after) in
        [(CloseCode::GOING_AWAY, Status::Reconnecting), (CloseCode::NORMAL, Status::Disconnected)]
    {
        let mut accepted = gateway.accept().await;
        reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
        accepted.send(Message::Close(Some(CloseFrame { code: code.0.into(), reason: "".into() }))).await;
        assert_eq!(accepted.close_code().await, code, "the client echoes it");
        drop(accepted);
        reaches(&mut statuses, &[after]).await;
    }
}

/// PING-4: a ping frame is answered by a pong frame with its payload.
#[tokio::test]
async fn ping_frames_are_answered() {
    let gateway = Gateway::start().await;
    let (client, _statuses) = client(gateway.config());
    soon("the order", client.connect()).await.unwrap();
    let mut accepted = gateway.accept().await;
    let payload = Bytes::from_static(b"\x00are you there\xff");
    accepted.send(Message::Ping(payload.clone())).await;
    assert_eq!(accepted.next().await, Message::Pong(payload));
}

/// PING-1, PING-3: pings go out by the clock, and a gateway that answers none loses the connection.
#[tokio::test]
async fn a_silent_gateway_is_left() {
    let gateway = Gateway::start().await;
    let mut config = gateway.config();
    config.timing.ping_interval = Duration::from_millis(20);
    config.timing.pong_timeout = Duration::from_millis(10);
    let (client, mut statuses) = client(config.check().unwrap());
    soon("the order", client.connect()).await.unwrap();
    let mut accepted = gateway.accept().await;
    assert_eq!(accepted.message().await["type"], "ping");
    let path = [Status::Connecting, Status::Connected, Status::Reconnecting, Status::Connecting];
    reaches(&mut statuses, &path).await;
}

/// DIAL-2: a gateway that accepts and never answers the handshake is given up: its stream ends, and another is dialled.
#[tokio::test]
async fn a_hanging_handshake_is_given_up() {
    let gateway = Gateway::start().await;
    let mut config = gateway.config();
    config.timing.connect_timeout = Duration::from_millis(50);
    let (client, mut statuses) = client(config.check().unwrap());
    soon("the order", client.connect()).await.unwrap();
    let mut hanging = gateway.stream().await;
    reaches(&mut statuses, &[Status::Connecting, Status::Error, Status::Reconnecting, Status::Connecting])
        .await;
    soon("its end", hanging.read_to_end(&mut Vec::new())).await.unwrap();
    gateway.stream().await;
}

/// QUEUE-4, STATE-5: after `disconnect()` and an immediate `connect()`, the second socket opens only once the first has
/// ended, and no message is sent twice.
#[tokio::test]
async fn leaving_and_coming_back_repeats_no_message() {
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(gateway.config());
    soon("the order", client.connect()).await.unwrap();
    let mut old = gateway.accept().await;
    reaches(&mut statuses, &[Status::Connecting, Status::Connected]).await;
    let orders = async {
        tokio::join!(
            client.send("note", json!(1)),
            client.disconnect(),
            client.connect(),
            client.send("note", json!(2))
        )
    };
    assert_eq!(soon("the orders", orders).await, (Ok(()), Ok(()), Ok(()), Ok(())));
    reaches(&mut statuses, &[Status::Disconnected, Status::Connecting]).await;
    assert_eq!(old.message().await["payload"], 1);
    assert_eq!(old.close_code().await, CloseCode::NORMAL);
    assert!(soon("the end", old.socket.next()).await.is_none());
    drop(old);
    assert_eq!(gateway.accept().await.message().await["payload"], 2);
}
