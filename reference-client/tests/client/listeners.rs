//! Listeners that act on the client which calls them (SUB-3).

use std::sync::{Arc, Mutex};

use reference_client::{ListenerError, ListenerId, TooManyReactions};
use serde_json::json;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;

use crate::gateway::{Gateway, client, soon};

/// SUB-3: while it is called, a listener removes itself, adds another, and removes one whose turn has not come: there is no
/// deadlock, and a removed listener is not called.
#[tokio::test]
async fn a_listener_may_change_the_listeners() {
    let gateway = Gateway::start().await;
    let (client, _statuses) = client(gateway.config());
    let (sender, mut received) = mpsc::unbounded_channel();
    let say = move |word: &'static str| sender.send(word).map_err(|error| ListenerError(error.to_string()));
    let victims: Arc<Mutex<Vec<ListenerId>>> = Arc::default();

    let (doomed, acting, speaking) = (victims.clone(), client.clone(), say.clone());
    let own = client.on("a:b", move |_| {
        for id in doomed.lock().unwrap().drain(..) {
            acting.off(id);
        }
        let speaking_again = speaking.clone();
        acting.on("a:b", move |_| speaking_again("successor"));
        speaking("first")
    });
    let speaking = say.clone();
    let second = client.on("a:b", move |_| speaking("second"));
    victims.lock().unwrap().extend([own, second]);
    client.on("a:b", move |_| say("third"));

    soon("the order", client.connect()).await.unwrap();
    let mut accepted = gateway.accept().await;
    for _ in 0..2 {
        accepted.send(Message::text(r#"{"type":"a:b","payload":1}"#)).await;
    }
    for expected in ["first", "third", "third", "successor"] {
        assert_eq!(soon(expected, received.recv()).await, Some(expected));
    }
}

/// IN-3: what listeners send goes out in the order of the events, and a message that comes after them stands behind.
#[tokio::test]
async fn what_listeners_send_keeps_its_place() {
    let gateway = Gateway::start().await;
    let (client, _statuses) = client(gateway.config());
    for name in ["a:b", "c:d"] {
        let reactions = client.reactions();
        client.on(name, move |payload| {
            let sent = reactions.send("reply", payload.clone());
            sent.map_err(|refused| ListenerError(refused.to_string()))
        });
    }
    soon("the order", client.connect()).await.unwrap();
    let mut accepted = gateway.accept().await;
    accepted.send(Message::text(r#"{"type":"a:b","payload":1}"#)).await;
    accepted.send(Message::text(r#"{"type":"c:d","payload":2}"#)).await;
    for number in 1..=2 {
        let reply = accepted.message().await;
        assert_eq!(reply, json!({ "type": "reply", "payload": number }));
    }
}

/// IN-3: what is asked for within a listener is bounded, and what is too much is refused.
#[tokio::test]
async fn too_many_reactions_are_refused() {
    let gateway = Gateway::start().await;
    let (client, _statuses) = client(gateway.config());
    let reactions = client.reactions();
    // The client's task does not run meanwhile: a test has one thread.
    let taken = (0..10_000).take_while(|_| reactions.connect().is_ok()).count();
    assert_eq!(taken, 256);
    assert_eq!(reactions.disconnect(), Err(TooManyReactions));
    gateway.accept().await;
}
