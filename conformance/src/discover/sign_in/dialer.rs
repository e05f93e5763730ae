//! The way in to one gateway.

use std::time::Duration;

use protocol::TokenPlace;
use scenarios::token::{Bearer, Issuer, TokenSpec, TokenStyle};

use super::Entry;
use crate::discover::candidates::{Person, Place};
use crate::discover::flood_meter::FloodMeter;
use crate::discover::protocols::{OFFERED, Protocol};
use crate::discover::socket::{Pings, Refused, Seen, Socket};
use crate::discover::{now, unix_s};

/// How long a connection that opens must live to count as accepted.
const STAYS_FOR: Duration = Duration::from_millis(350);
/// How long a connection that has not signed in is watched.
const LEAVES_WITHIN: Duration = Duration::from_secs(12);

/// Signs in to one gateway.
#[derive(Clone)]
pub(in crate::discover) struct Dialer {
    pub(in crate::discover) authority: String,
    /// Who signs its tokens.
    pub(in crate::discover) issuer: Issuer,
    /// What is said on all connections.
    pub(in crate::discover) meter: FloodMeter,
    /// How its pings are known and answered.
    pub(in crate::discover) pings: Pings,
}

/// What an attempt came to: a connection that stays, and what it said meanwhile.
pub(in crate::discover) struct Opened {
    pub(in crate::discover) socket: Socket,
    pub(in crate::discover) said: Vec<String>,
}

impl Dialer {
    async fn dial(
        &self,
        path: &str,
        token: Option<(TokenPlace, String)>,
        subprotocols: Option<&str>,
    ) -> Result<Socket, Refused> {
        Socket::dial(&self.authority, path, token, subprotocols, (self.meter.clone(), self.pings.clone()))
            .await
    }

    /// A token for a person.
    fn token(&self, entry: &Entry, person: Person, spec: &TokenSpec) -> String {
        let id = entry.id_text(person);
        let bearer = Bearer { user_id: &id, email: "gc@example.org", role: person.role() };
        let issuer = Issuer { style: entry.claims.clone(), ..self.issuer.clone() };
        spec.mint(&bearer, &issuer, unix_s()).unwrap_or_default()
    }

    /// Opens a connection for a person, and waits until it has stayed.
    pub(in crate::discover) async fn open(&self, entry: &Entry, person: Person) -> Result<Opened, Refused> {
        self.open_with(entry, person, TokenSpec::default()).await
    }

    pub(in crate::discover) async fn open_with(
        &self,
        entry: &Entry,
        person: Person,
        spec: TokenSpec,
    ) -> Result<Opened, Refused> {
        let (socket, said, refused) = self.heard(entry, person, spec).await?;
        refused.map_or(Ok(Opened { socket, said }), Err)
    }

    /// Opens a connection for a person: what is said on it, and how it ends, where it does.
    pub(super) async fn heard(
        &self,
        entry: &Entry,
        person: Person,
        spec: TokenSpec,
    ) -> Result<Heard, Refused> {
        let token = self.token(entry, person, &spec);
        let in_request = match &entry.place {
            Place::Request(place) => Some((place.clone(), token.clone())),
            Place::FirstMessage(_) => None,
        };
        let subprotocol = entry.subprotocol.as_deref();
        let mut socket = self.dial(&entry.path, in_request, subprotocol).await?;
        if let Place::FirstMessage(template) = &entry.place {
            socket.send(&template.replace("{token}", &token)).await;
        }
        let (mut socket, said, refused) = hear(socket).await;
        if refused.is_some() || entry.opening.is_empty() {
            return Ok((socket, said, refused));
        }
        for (number, opening) in entry.opening.iter().enumerate() {
            socket.send(&opening.written(entry, person, number)).await;
        }
        // Its answers are none to what is asked later.
        let (socket, _, refused) = hear(socket).await;
        Ok((socket, said, refused))
    }

    /// Opens a connection without a token; how that is refused, where it is.
    pub(super) async fn without_token(&self, path: &str, subprotocol: Option<&str>) -> Option<Refused> {
        match self.dial(path, None, subprotocol).await {
            Ok(socket) => hear(socket).await.2,
            Err(refused) => Some(refused),
        }
    }

    /// The subprotocol that the gateway agrees to, where it knows one that is offered.
    pub(super) async fn subprotocol(&self, path: &str) -> Option<String> {
        let socket = self.dial(path, None, Some(OFFERED)).await.ok()?;
        socket.agreed.clone().filter(|agreed| Protocol::of_subprotocol(agreed).is_some())
    }

    /// What a first message that signs no one in is answered by.
    pub(super) async fn after(&self, path: &str, text: &str) -> Result<Vec<String>, Refused> {
        let mut socket = self.dial(path, None, None).await?;
        socket.send(text).await;
        let (_, said, refused) = hear(socket).await;
        refused.map_or(Ok(said), Err)
    }

    /// How a connection without a token ends that was let in, and after how long.
    pub(in crate::discover) async fn leaves(&self, path: &str) -> Option<(Refused, Duration)> {
        let begun = now();
        let mut socket = self.dial(path, None, None).await.ok()?;
        loop {
            match socket.next(begun + LEAVES_WITHIN).await? {
                Seen::Close(code) => return Some((Refused::Close(code), begun.elapsed())),
                Seen::End => return Some((Refused::Close(None), begun.elapsed())),
                Seen::Text(_) | Seen::Binary | Seen::Ping | Seen::Pong | Seen::Muted => {}
            }
        }
    }

    /// The style of its tokens that is known beforehand.
    pub(super) fn style(&self) -> &TokenStyle {
        &self.issuer.style
    }
}

/// A connection, what was said on it, and how it ended, where it did.
pub(super) type Heard = (Socket, Vec<String>, Option<Refused>);

/// Waits until a connection has stayed open for a while.
async fn hear(mut socket: Socket) -> Heard {
    let (mut said, mut refused) = (Vec::new(), None);
    for seen in socket.listen(STAYS_FOR, STAYS_FOR * 3).await {
        match seen {
            Seen::Text(text) => said.push(text),
            Seen::Close(code) => refused = Some(Refused::Close(code)),
            Seen::End => refused = Some(Refused::Close(None)),
            Seen::Binary | Seen::Ping | Seen::Pong | Seen::Muted => {}
        }
    }
    (socket, said, refused)
}
