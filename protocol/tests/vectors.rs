//! Golden vectors pin every message, in the seed's dialect and in another one that differs wherever a dialect can. A change of
//! the wire shows here first, and in a review.

use protocol::{ClientMessage, Dialect, PendingRequests, ServerMessage, Timestamp};
use serde::Deserialize;

const VECTORS: &str = include_str!("../../scenarios/vectors/messages.toml");

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vectors {
    timestamp: Timestamp,
    dialect: Vec<Named>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Named {
    name: String,
    spelling: Dialect,
    client: Vec<Vector<ClientMessage>>,
    server: Vec<Vector<ServerMessage>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector<M> {
    message: M,
    id: Option<String>,
    /// The request that it answers, where its reference alone says that.
    answers: Option<ClientMessage>,
    text: String,
}

fn vectors() -> Vectors {
    toml::from_str(VECTORS).unwrap_or_else(|error| panic!("{error}"))
}

/// Each message is written as its vector says, and read back from it.
#[test]
fn every_message_is_pinned() {
    let Vectors { timestamp, dialect: dialects } = vectors();
    for Named { name, spelling, client, server } in dialects {
        spelling.check().unwrap();
        for Vector { message, id, text, .. } in client {
            assert_eq!(spelling.encode_request(&message, timestamp, id.as_deref(), None), text, "{name}");
            assert_eq!(spelling.decode_client(&text).unwrap().message, message, "{name}: {text}");
        }
        for Vector { message, id, answers, text } in server {
            assert_eq!(spelling.encode_server(&message, timestamp, id.as_deref()), text, "{name}");
            let mut pending = PendingRequests::default();
            let asked = answers.iter().zip(&id);
            asked.for_each(|(request, reference)| pending.sent(reference, request));
            let decoded = spelling.decode_answer(&text, Some(&pending)).unwrap();
            assert_eq!((decoded.message, decoded.id), (message, id), "{name}: {text}");
        }
    }
}

/// No kind of message is left out.
#[test]
fn every_kind_has_a_vector() {
    for Named { name, client, server, .. } in vectors().dialect {
        let (mut from_client, mut from_server) = ([false; 5], [false; 7]);
        for Vector { message, .. } in client {
            from_client[match message {
                ClientMessage::Ping => 0,
                ClientMessage::Pong => 1,
                ClientMessage::Subscribe(_) => 2,
                ClientMessage::Unsubscribe(_) => 3,
                ClientMessage::Other { .. } => 4,
            }] = true;
        }
        for Vector { message, .. } in server {
            from_server[match message {
                ServerMessage::Ping => 0,
                ServerMessage::Pong => 1,
                ServerMessage::Welcome { .. } => 2,
                ServerMessage::Subscribed(_) => 3,
                ServerMessage::Unsubscribed(_) => 4,
                ServerMessage::Error { .. } => 5,
                ServerMessage::Event { .. } => 6,
            }] = true;
        }
        assert!(from_client.iter().all(|seen| *seen) && from_server.iter().all(|seen| *seen), "{name}");
    }
}
