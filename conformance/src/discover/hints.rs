//! What is known of a gateway before it is observed: by the command line, by a profile that is checked, or by one that is half filled in.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{ClientMessage, Dialect, Target, Timestamp};
use scenarios::token::{Issuer, TokenStyle};
use scenarios::{RoomNames, UserIds};
use serde_json::Value;

use super::candidates::{PING_WORDS, PINGS, Place, SUBSCRIBES};
use super::protocols::{Opening, PHOENIX_PING};
use super::socket::Pings;
use super::{claims, events};
use crate::profile::Profile;

/// Longest time that a client without pongs is watched.
const LONGEST_PATIENCE: Duration = Duration::from_secs(30);

/// What is known beforehand.
#[derive(Debug, Clone, Default)]
pub struct Hints {
    /// The path that upgrades.
    pub path: Option<String>,
    /// The profile that is checked: what it says is tried, and nothing else where that works.
    pub profile: Option<Profile>,
    /// A profile that is half filled in: what is active in it is taken as given.
    pub given: Option<Given>,
    /// The claims of a token, with `{user}`, `{email}` and `{role}` in them.
    pub claims: BTreeMap<String, Value>,
    /// What user ids are.
    pub users: Option<UserIds>,
}

/// A profile that is half filled in.
#[derive(Debug, Clone)]
pub struct Given {
    /// As it is read.
    pub profile: Profile,
    /// As it is written.
    pub table: toml::Table,
}

impl Given {
    /// The events that it describes, as they are written.
    pub(super) fn events(&self) -> &[toml::Value] {
        self.table.get("event").and_then(toml::Value::as_array).map_or(&[], Vec::as_slice)
    }

    /// Whether a key is active in it: `dialect.token`.
    fn has(&self, path: &str) -> bool {
        let mut keys = path.split('.');
        let first = keys.next().and_then(|key| self.table.get(key));
        keys.try_fold(first, |value, key| Some(value?.get(key))).flatten().is_some()
    }
}

impl Hints {
    /// Who signs the tokens of a gateway that has this secret.
    pub(super) fn issuer(&self, secret: String) -> Issuer {
        match self.known() {
            Some(profile) => profile.token.issuer(secret),
            None => Issuer::new(secret, TokenStyle::default()),
        }
    }

    /// Whether a profile is checked.
    pub(super) fn checks(&self) -> bool {
        self.profile.is_some()
    }

    fn known(&self) -> Option<&Profile> {
        self.profile.as_ref().or(self.given.as_ref().map(|given| &given.profile))
    }

    /// How a gateway pings by messages, where that is known.
    pub(super) fn heartbeat(&self) -> Pings {
        Pings::of(self.known().map(|profile| &profile.dialect))
    }

    /// The profile, where it says this.
    fn saying(&self, path: &str) -> Option<&Profile> {
        self.profile.as_ref().or_else(|| {
            let given = self.given.as_ref().filter(|given| given.has(path))?;
            Some(&given.profile)
        })
    }

    /// The forms of claims that are tried, where they are given.
    pub(super) fn styles(&self) -> Option<Vec<TokenStyle>> {
        if let Some(profile) = self.saying("token") {
            return Some(vec![profile.token.style.clone()]);
        }
        if !self.claims.is_empty() {
            return Some(claims::given(&self.claims, self.users));
        }
        None
    }

    /// Whether user ids may be of this kind.
    pub(super) fn allows(&self, style: &TokenStyle) -> bool {
        self.users.is_none_or(|users| users == style.users)
    }

    /// Where a token travels, where that is given.
    pub(super) fn place(&self) -> Option<Place> {
        let profile = self.saying("dialect.token").or_else(|| self.saying("dialect.sign_in"))?;
        Some(Place::declared(&profile.dialect))
    }

    /// The subprotocol that is offered, where that is given.
    pub(super) fn subprotocol(&self) -> Option<&str> {
        self.saying("dialect.subprotocol")?.dialect.subprotocol.as_deref()
    }

    /// What is sent on each connection as soon as it is signed in, where that is given.
    pub(super) fn opening(&self) -> Vec<Opening> {
        let Some(profile) = self.saying("dialect.opening") else { return Vec::new() };
        let of = |opening: &protocol::Opening| match &opening.subscribe {
            Some(room) => Opening {
                room: Some(room.clone()),
                frame: written(&profile.dialect, &ClientMessage::Subscribe(Target::Room(room.clone()))),
            },
            None => Opening {
                room: None,
                frame: opening.send.as_ref().map(ToString::to_string).unwrap_or_default(),
            },
        };
        profile.dialect.opening.iter().map(of).collect()
    }

    /// The dialect that is checked, or that is given in part.
    fn dialect(&self) -> Option<&Dialect> {
        self.saying("dialect").map(|profile| &profile.dialect)
    }

    /// What the rooms of a user and of a role are called, where that is given.
    pub(super) fn rooms(&self) -> Option<&RoomNames> {
        self.saying("gateway.rooms")?.gateway.as_ref().map(|gateway| &gateway.rooms)
    }

    /// What a room is called that anybody may join, where that is given.
    pub(super) fn free_room(&self) -> Option<String> {
        self.known()?.bindings(String::new()).room(events::LIKELY_ROOM)
    }

    /// Whether limits on one connection need not be found out.
    pub(super) fn knows_limits(&self) -> bool {
        self.checks() || self.saying("gateway.limits").is_some()
    }

    /// How long a client without pongs may stay, by the profile that is checked.
    pub(super) fn gives_up_within(&self) -> Option<Duration> {
        let timing = &self.profile.as_ref()?.timing;
        Some((timing.ping_interval * 2 + timing.pong_timeout * 2).min(LONGEST_PATIENCE))
    }

    /// Ping messages that are tried: those of the usual names under this key, too, where there is one.
    pub(super) fn pings(&self, key: Option<&str>) -> Vec<String> {
        let words = key
            .filter(|_| !self.checks())
            .map(|key| PING_WORDS.map(|word| serde_json::json!({ key: word }).to_string()));
        let own = self.dialect().map(|dialect| written(dialect, &ClientMessage::Ping));
        let usual = own.into_iter().chain(self.usual(&PINGS)).chain(words.into_iter().flatten());
        let mut pings: Vec<String> = Vec::new();
        for ping in usual.chain(self.usual(&[PHOENIX_PING])) {
            if !pings.contains(&ping) {
                pings.push(ping);
            }
        }
        pings
    }

    /// Requests to join `{room}` that are tried.
    pub(super) fn subscribes(&self) -> Vec<String> {
        let own = self.dialect().map(|dialect| {
            let targets = [Target::EventType("{room}".to_owned()), Target::Room("{room}".to_owned())];
            targets.map(|target| written(dialect, &ClientMessage::Subscribe(target)))
        });
        let mut shapes: Vec<String> = own.into_iter().flatten().collect();
        for shape in self.usual(&SUBSCRIBES) {
            if !shapes.contains(&shape) {
                shapes.push(shape);
            }
        }
        shapes.dedup();
        shapes
    }

    /// The request to leave of the profile whose request to join this is.
    pub(super) fn leave_of(&self, shape: &str) -> Option<String> {
        let dialect = self.dialect()?;
        let targets = [Target::EventType("{room}".to_owned()), Target::Room("{room}".to_owned())];
        let target = targets
            .into_iter()
            .find(|target| written(dialect, &ClientMessage::Subscribe(target.clone())) == shape)?;
        Some(written(dialect, &ClientMessage::Unsubscribe(target)))
    }

    /// What is tried where nothing is checked.
    fn usual(&self, texts: &[&str]) -> impl Iterator<Item = String> {
        let texts = if self.checks() { &[] } else { texts };
        texts.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>().into_iter()
    }
}

/// A message as a dialect writes it, without its time; `{ref}` stands for what refers to it.
pub(super) fn written(dialect: &Dialect, message: &ClientMessage) -> String {
    let text = dialect.encode_request(message, Timestamp::EPOCH, Some("{ref}"), Some("{ref}"));
    match super::form::parsed(&text) {
        Some((prefix, value)) => format!("{prefix}{}", super::spelling::without_extras(value)),
        None => text,
    }
}
