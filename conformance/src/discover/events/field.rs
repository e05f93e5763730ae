//! The broker and the users between whom events are tried.

use futures_util::future::{join, join_all};
use serde_json::{Map, Value, json};

use super::body::filled;
use super::{CONFIRMS_WITHIN, Candidate, DELIVERS_WITHIN, MAX_REQUESTS, MAX_SHAPES, ObservedEvent, QUIET};
use crate::amqp::{BrokerLink, Feed, Outgoing, Queues};
use crate::discover::DiscoverError;
use crate::discover::candidates::{OWNER_KEYS, Person};
use crate::discover::heartbeat::{Heartbeat, Watch};
use crate::discover::protocols::asked;
use crate::discover::sign_in::{Dialer, Entry};
use crate::discover::socket::Socket;
use crate::discover::subject::{Gateway, Start};

/// What it takes to publish and to look.
pub(super) struct Field<'a> {
    pub(super) gateway: &'a mut Gateway,
    pub(super) start: &'a Start,
    pub(super) dialer: Dialer,
    pub(super) entry: &'a Entry,
    pub(super) link: BrokerLink,
    pub(super) sockets: Vec<Socket>,
    /// Shapes of requests that may be understood.
    pub(super) shapes: Vec<String>,
    /// What the subscriber has sent.
    pub(super) requests: Vec<String>,
    pub(super) count: usize,
    /// How often the gateway was started again.
    pub(super) restarts: usize,
    /// Pings that are being watched, on the gateway as it was started first.
    pub(super) watch: Option<Watch>,
    pub(super) heartbeat: Option<Heartbeat>,
}

/// Connects to the broker.
pub(super) async fn link(url: &str) -> Result<BrokerLink, DiscoverError> {
    let feed = Feed { exchange: String::new(), exchanges: Vec::new(), queues: Queues::Any };
    let link = BrokerLink::open(url, feed, CONFIRMS_WITHIN).await;
    Ok(link.map_err(|error| DiscoverError::Host(error.to_string()))?.publishing_unconsumed())
}

impl Field<'_> {
    /// The subscriber asks for everything, in shapes that were acknowledged, or else in those that were not refused.
    pub(super) async fn subscribe(&mut self, candidates: &[Candidate]) {
        let rooms: Vec<&String> =
            candidates.iter().flat_map(|candidate| candidate.names.iter().take(2)).collect();
        // Where there are too many, the less likely shapes are left out.
        let requests = self.shapes.iter().flat_map(|shape| rooms.iter().map(move |room| (shape, room)));
        let requests = requests.take(MAX_REQUESTS).enumerate();
        self.requests =
            requests.map(|(number, (shape, room))| asked(shape, room, &format!("gcs-{number}"))).collect();
        self.subscribe_again().await;
    }

    pub(super) async fn subscribe_again(&mut self) {
        let subscriber = &mut self.sockets[3];
        for request in &self.requests {
            subscriber.send(request).await;
        }
        subscriber.listen(QUIET, DELIVERS_WITHIN).await;
    }

    /// The first key that suffices.
    pub(super) async fn owner_key(
        &mut self,
        event: &ObservedEvent,
    ) -> Result<Option<&'static str>, DiscoverError> {
        let keyed = OWNER_KEYS.map(|key| (key, self.data(&[key])));
        let outgoing: Vec<Outgoing> = keyed.iter().map(|(_, (_, data))| self.outgoing(event, data)).collect();
        let frames = self.publish(&outgoing).await?;
        let reached = |marker: &str| frames[0].iter().any(|frame| frame.contains(marker));
        Ok(keyed.iter().find(|(_, (marker, _))| reached(marker)).map(|(key, _)| *key))
    }

    /// The shapes of requests to join `room` after which the event comes: each is sent on a connection of its own.
    pub(super) async fn understood(
        &mut self,
        event: &ObservedEvent,
        room: &str,
    ) -> Result<Vec<String>, DiscoverError> {
        let mut shapes = self.shapes.clone();
        shapes.truncate(MAX_SHAPES);
        // A gateway may limit the connections of one user, of whom this is one more.
        let (dialer, entry) = (&self.dialer, self.entry);
        let opened = join_all(shapes.iter().map(|_| dialer.open(entry, Person::Subscriber))).await;
        let mut asking: Vec<(String, Socket)> = Vec::new();
        for (shape, opened) in shapes.into_iter().zip(opened) {
            if let Ok(mut opened) = opened {
                opened.socket.send(&asked(&shape, room, "gcu-1")).await;
                asking.push((shape, opened.socket));
            }
        }
        join_all(asking.iter_mut().map(|(_, socket)| socket.listen(QUIET, DELIVERS_WITHIN))).await;
        let (marker, data) = self.data(&OWNER_KEYS);
        let outgoing = self.outgoing(event, &data);
        self.publish(&[outgoing]).await?;
        let texts = join_all(asking.iter_mut().map(|(_, socket)| socket.texts(QUIET, DELIVERS_WITHIN))).await;
        let reached =
            asking.iter().zip(&texts).filter(|(_, texts)| texts.iter().any(|text| text.contains(&marker)));
        Ok(reached.map(|((shape, _), _)| shape.clone()).collect())
    }

    /// Publishes.
    pub(super) async fn send(&mut self, messages: &[Outgoing]) -> Result<(), DiscoverError> {
        let published = self.link.publish_all(messages).await;
        published.map_err(|error| DiscoverError::Host(format!("the broker: {error}")))
    }

    fn outgoing(&self, event: &ObservedEvent, data: &Value) -> Outgoing {
        Outgoing {
            exchange: event.exchange.clone(),
            routing_key: event.routing_key.clone(),
            body: filled(&event.body, data, &self.owner()),
        }
    }

    /// The id of the one whom events name.
    pub(super) fn owner(&self) -> Value {
        Person::Owner.id(self.entry.claims.users)
    }

    /// Publishes, and says which texts came to each of the four.
    pub(super) async fn publish(&mut self, messages: &[Outgoing]) -> Result<Vec<Vec<String>>, DiscoverError> {
        let (link, sockets) = (&mut self.link, &mut self.sockets);
        let listening = join_all(sockets.iter_mut().map(|socket| socket.texts(QUIET * 2, DELIVERS_WITHIN)));
        let (published, frames) = join(link.publish_all(messages), listening).await;
        published.map_err(|error| DiscoverError::Host(format!("the broker: {error}")))?;
        Ok(frames)
    }

    /// Data that no other event has, which names the owner by these keys.
    pub(super) fn data(&mut self, keys: &[&str]) -> (String, Value) {
        self.count += 1;
        let marker = format!("gcm-{}-x", self.count);
        let id = self.owner();
        let mut data =
            Map::from_iter([("id".to_owned(), json!(marker)), ("n".to_owned(), json!(self.count))]);
        data.extend(keys.iter().map(|key| ((*key).to_owned(), id.clone())));
        (marker, Value::Object(data))
    }
}
