//! The events of a profile that is checked: whom they reach.

use std::time::Duration;

use serde_json::json;

use super::field::Field;
use super::{DELIVERS_WITHIN, DeclaredEvent, QUIET, audience};
use crate::amqp::Outgoing;
use crate::discover::DiscoverError;
use crate::discover::candidates::Person;
use crate::discover::protocols::asked;
use crate::discover::socket::Socket;
use crate::profile::{Audience, Profile};

impl Field<'_> {
    /// Publishes the events of a profile as it says, each once.
    pub(super) async fn declared(&mut self, profile: &Profile) -> Result<Vec<DeclaredEvent>, DiscoverError> {
        let own = profile.gateway.as_ref().map_or("", |gateway| gateway.exchange.as_str()).to_owned();
        let (names, owner_keys) = (profile.events.names(), profile.events.owner_keys());
        let mut published = Vec::new();
        for audience in Audience::ALL {
            for kind in audience.types() {
                let routing_key = kind.replace(':', ".");
                let name = names.get(*kind).map_or(*kind, String::as_str).to_owned();
                if !profile.events.declares(kind) {
                    continue;
                }
                let owner_key = owner_keys.get(*kind).unwrap_or(&profile.dialect.user_key);
                let (marker, data) = self.data(&[owner_key]);
                let body = json!({ "type": name, "data": data }).to_string();
                published.push((
                    audience,
                    name,
                    marker,
                    data,
                    profile.events.outgoing(&own, &routing_key, &body),
                ));
            }
        }
        self.revive().await;
        let shapes = self.shapes.clone();
        let subscriber = &mut self.sockets[3];
        let requests =
            published.iter().flat_map(|(_, name, ..)| shapes.iter().map(move |shape| (shape, name)));
        for (number, (shape, name)) in requests.enumerate() {
            subscriber.send(&asked(shape, name, &format!("gcs-{number}"))).await;
        }
        subscriber.listen(QUIET, DELIVERS_WITHIN).await;
        let messages: Vec<Outgoing> = published.iter().map(|(.., outgoing)| outgoing.clone()).collect();
        // What goes to an exchange that is not there reaches no one.
        let frames = self.publish(&messages).await.unwrap_or_default();
        if self.sockets.iter().any(Socket::is_over) {
            // Who has been given up meanwhile, on a busy host, shows nothing.
            return Ok(Vec::new());
        }
        let declared = published.into_iter().map(|(audience_said, name, marker, data, _)| {
            let of = |texts: &Vec<String>| texts.iter().any(|text| text.contains(&marker));
            let frame = frames.iter().flatten().find(|text| text.contains(&marker));
            DeclaredEvent {
                name,
                audience: Some(audience_said),
                observed: audience(std::array::from_fn(|number| frames.get(number).is_some_and(of))),
                frame: frame.cloned(),
                data,
            }
        });
        Ok(declared.collect())
    }

    /// Opens the connections again that have ended.
    async fn revive(&mut self) {
        for (person, socket) in Person::ALL.into_iter().zip(&mut self.sockets) {
            socket.listen(Duration::ZERO, Duration::from_millis(5)).await;
            if socket.is_over()
                && let Ok(opened) = self.dialer.open(self.entry, person).await
            {
                *socket = opened.socket;
            }
        }
    }
}
