//! Who the clients are, and what they say to get in: the same for every thread, and for every process of a divided load.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Range;
use std::sync::Arc;

use conformance::profile::Profile;
use protocol::{ClientMessage, Dialect, Opener, Role, Target, Timestamp, TokenPlace};
use scenarios::frame::RawFrame;
use scenarios::token::{Bearer, Issuer, TokenSpec};
use scenarios::{RoleNames, UserIds};
use wire::handshake::UpgradeRequest;

use crate::generator::Opening;
use crate::marker::MarkFinder;
use crate::plan::Plan;
use crate::run::Shard;
use crate::workload::{Audience, Workload};

/// How long tokens are good, in seconds: longer than any run.
const LIFETIME_S: i64 = 36 * 3600;
/// Any mask will do; the gateway removes it.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x0f, 0x99];
/// The references of requests, where a dialect has a place for one: of a subscription, and of the one to the spare room. Those of
/// what a client opens with count from 1.
const REFERENCES: [&str; 2] = ["1001", "1002"];
/// A type of which no events are published, so that joining and leaving changes nothing in ledgers.
const SPARE_TYPE: &str = "stock:changed";
/// What the first integer is, where user ids are integers.
const FIRST_USER: usize = 500_001;

/// Who the clients are.
#[derive(Debug)]
pub(crate) struct Crowd {
    pub(crate) address: SocketAddr,
    pub(crate) dialect: Dialect,
    pub(crate) plan: Arc<Plan>,
    pub(crate) finder: MarkFinder,
    /// The clients of this process.
    pub(crate) members: Range<usize>,
    host: String,
    path: String,
    clients_of_user: usize,
    /// Clients that are administrators, from the first.
    administrators: usize,
    users: UserIds,
    roles: RoleNames,
    tokens: BTreeMap<(usize, bool), String>,
    /// What subscribers send once they are in.
    subscribe: Vec<u8>,
    /// What asks to join and to leave a room for which there are no events.
    spare: [Vec<u8>; 2],
    ping: Vec<u8>,
    pong: Vec<u8>,
}

/// Where the gateway is, and who signs its tokens.
pub(crate) struct GatewayEndpoint<'a> {
    pub(crate) address: SocketAddr,
    pub(crate) host: String,
    pub(crate) path: String,
    pub(crate) issuer: &'a Issuer,
    pub(crate) unix_s: i64,
}

impl Crowd {
    /// The clients of a workload; `run` is what this run's marks have.
    pub(crate) fn new(
        workload: &Workload,
        profile: &Profile,
        plan: Arc<Plan>,
        shard: Option<Shard>,
        run: u32,
        endpoint: GatewayEndpoint<'_>,
    ) -> Self {
        let members = shard.map_or(0..workload.clients, |shard| shard.part(workload.clients));
        let role = workload.audiences.iter().find(|share| share.to == Audience::Role);
        let (administrators, clients_of_user) =
            (role.map_or(0, |share| share.members), workload.clients_of_user());
        let users = profile.token.style.users;
        let mint = |(user, is_administrator): (usize, bool)| {
            let id = user_id(users, user);
            let email = format!("{id}@example.org");
            let role = if is_administrator { Role::Admin } else { Role::Customer };
            let bearer = Bearer { user_id: &id, email: &email, role };
            let recipe = TokenSpec { expires_in: Some(LIFETIME_S), ..TokenSpec::default() };
            recipe.mint(&bearer, endpoint.issuer, endpoint.unix_s).unwrap_or_default()
        };
        let mut tokens = BTreeMap::new();
        for client in members.clone() {
            let key = (client / clients_of_user, client < administrators);
            tokens.entry(key).or_insert_with(|| mint(key));
        }
        let bindings = profile.bindings(run.to_string());
        let room = |kind: &str| Target::Room(bindings.room_called(kind));
        let dialect = profile.dialect.clone();
        let frame_of = |message: &ClientMessage, reference: &str| {
            text_frame(&dialect.encode_request(message, Timestamp::EPOCH, Some(reference), Some(reference)))
        };
        let [reference, spare_reference] = REFERENCES;
        let frame = |message: &ClientMessage| frame_of(message, reference);
        let spare = room(SPARE_TYPE);
        Self {
            address: endpoint.address,
            finder: MarkFinder::new(run),
            members,
            host: endpoint.host,
            path: endpoint.path,
            clients_of_user,
            administrators,
            users,
            roles: profile.token.style.roles.clone(),
            tokens,
            subscribe: frame(&ClientMessage::Subscribe(room(Audience::Subscribers.event_type()))),
            spare: [
                frame_of(&ClientMessage::Subscribe(spare.clone()), spare_reference),
                frame_of(&ClientMessage::Unsubscribe(spare), spare_reference),
            ],
            ping: frame(&ClientMessage::Ping),
            pong: frame(&ClientMessage::Pong),
            dialect,
            plan,
        }
    }

    /// A client's user.
    pub(crate) fn user(&self, client: usize) -> usize {
        client / self.clients_of_user
    }

    fn token(&self, client: usize) -> &str {
        &self.tokens[&(self.user(client), client < self.administrators)]
    }

    /// A client's request for an upgrade.
    pub(crate) fn request(&self, client: usize) -> UpgradeRequest {
        let place = self.dialect.token.clone();
        let token = (place != TokenPlace::Message).then(|| (place, self.token(client).to_owned()));
        UpgradeRequest {
            subprotocol: self.dialect.subprotocol.clone(),
            ..UpgradeRequest::new(self.host.as_str(), self.path.as_str(), token)
        }
    }

    /// What a client sends first, where its token travels in a message.
    pub(crate) fn first_message(&self, client: usize) -> Option<Vec<u8>> {
        let text = self.dialect.sign_in.as_ref()?.write(Some(self.token(client)));
        Some(text_frame(&text))
    }

    /// What a client sends as soon as it is connected, or signed in, where the dialect says so.
    pub(crate) fn opening(&self, client: usize) -> Option<Opening> {
        let role = if client < self.administrators { Role::Admin } else { Role::Customer };
        let called = self.roles.name(role).map_or_else(|| role.lower_case().to_owned(), str::to_lowercase);
        let user_id = user_id(self.users, self.user(client));
        Opening::of(&self.dialect, Opener { user_id: &user_id, role: &called })
    }

    /// Whether a gateway says something when a client is in.
    pub(crate) fn is_greeted(&self) -> bool {
        self.dialect.sign_in.is_some() || self.dialect.welcome_type().is_some()
    }

    /// What a client sends once it is in, where it subscribes.
    pub(crate) fn subscription(&self, channels: impl Iterator<Item = u32>) -> Option<&[u8]> {
        let kinds = self.plan.channels();
        let mut kinds = channels.map(|channel| kinds[channel as usize].to);
        kinds.any(|to| to == Audience::Subscribers).then_some(self.subscribe.as_slice())
    }

    /// What joins a room without events, or leaves it again.
    pub(crate) fn spare_request(&self, leaves: bool) -> &[u8] {
        &self.spare[usize::from(leaves)]
    }

    /// A ping message.
    pub(crate) fn ping(&self) -> &[u8] {
        &self.ping
    }

    /// The answer to a gateway's ping message.
    pub(crate) fn pong(&self) -> &[u8] {
        &self.pong
    }
}

/// A text of a client.
pub(crate) fn text_frame(text: &str) -> Vec<u8> {
    RawFrame::text(text).encode(Some(MASK))
}

/// A control frame of a client.
pub(crate) fn control(control: tungstenite::protocol::frame::coding::Control, payload: &[u8]) -> Vec<u8> {
    RawFrame::control(control, payload).encode(Some(MASK))
}

/// The id of a user.
pub(crate) fn user_id(users: UserIds, user: usize) -> String {
    match users {
        UserIds::Words => format!("bench-{user}"),
        UserIds::Integers => (FIRST_USER + user).to_string(),
        UserIds::Uuids => format!("{user:08x}-be7c-4000-8000-000000000000"),
    }
}

impl Shard {
    /// Its part of so many: as even as can be.
    pub(crate) fn part(self, count: usize) -> Range<usize> {
        let (index, of) = (self.index as usize, self.count as usize);
        (index - 1) * count / of..index * count / of
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The parts of a crowd are all of it, each client once.
    #[test]
    fn parts_are_the_whole() {
        for (clients, count) in [(10, 3), (2, 3), (1000, 7)] {
            let parts = (1..=count).map(|index| Shard { index, count }.part(clients));
            let all: Vec<usize> = parts.flatten().collect();
            assert_eq!(all, (0..clients).collect::<Vec<_>>());
        }
    }
}
