//! Placeholders of one run: names in braces become the run's own values, in parsed values and not in the file's text.

mod pages;
mod rooms;

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};

use protocol::{Dialect, Role, TokenPlace};
use serde_json::Value;

use super::addressed::OWNER;
use super::file;
use super::step::{GatewayAction, PairAction, ScriptedClientAct, Waits};
use super::{ClientSpec, PairScript, Resemblance, Scenario, Script, step};
use crate::audience::Audiences;
use crate::identity::{RoleNames, UserIds};
use crate::pages::PagePaths;
use crate::room_names::{RoomKind, RoomName, RoomNames};
use crate::stats::StatsPlaces;

/// Placeholders that every scenario has. No scripted client is called so.
pub(super) const RESERVED: [&str; 5] = ["case", "subscribe", "room_key", "path", "odd_token"];

/// The bindings of one run: the values of its placeholders, so that cases on one gateway do not interfere, and the dialect.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bindings {
    /// A word that no other case of the run has.
    pub case: String,
    /// How the subject spells the wire.
    pub dialect: Dialect,
    /// What user ids are there.
    pub users: UserIds,
    /// What roles are called there.
    pub roles: RoleNames,
    /// What the rooms of a user and of a role are called there.
    pub rooms: RoomNames,
    /// What event types are called there, where that is not what scenarios call them.
    pub event_names: BTreeMap<String, String>,
    /// Whether the rooms of everybody, of a user and of a role are called as the seed calls them. What they are called elsewhere, no
    /// profile says: a page is not expected to list them.
    pub seed_rooms: bool,
    /// What its pages are called.
    pub pages: PagePaths,
    /// Where a page has its figures.
    pub stats: StatsPlaces,
    /// Which events there are, and for whom.
    pub audiences: Audiences,
    /// The key of an event's data that names its owner, by the type that scenarios use, where that is not the dialect's.
    pub owner_keys: BTreeMap<String, String>,
}

impl Bindings {
    /// The key of an event's data that names its owner.
    pub(crate) fn owner_key(&self, kind: Option<&str>) -> &str {
        let own = kind.and_then(|kind| self.owner_keys.get(kind));
        own.unwrap_or(&self.dialect.user_key)
    }

    /// Whether users, or administrators, have rooms of their own.
    pub fn has_rooms(&self, kind: RoomKind) -> bool {
        match kind {
            RoomKind::User => self.rooms.user != RoomName::Absent,
            RoomKind::Role => self.rooms.of_role(Role::Admin, &self.roles).is_some(),
        }
    }
}

impl Scenario {
    /// The scenario of one run: `{alice}` becomes the user id of the client `alice`, in data as a number where ids are numbers, `{case}` the run's own word, `{subscribe}` and
    /// `{room_key}` what the dialect calls a request to join and the room in it, `{odd_token}` a token of whatever its place can carry, `payment:created` whatever that is called, and
    /// `as_declared` the dialect's refusal. What the dialect lacks is left out.
    /// Where the events are not there that it needs, it stands as if they were: it cannot be played then.
    pub fn bind(&self, bindings: &Bindings) -> Self {
        let addressed = self.addressed(&bindings.audiences);
        let addressed =
            addressed.or_else(|_| self.addressed(&Audiences::default())).unwrap_or_else(|_| self.clone());
        addressed.owned(bindings).bound(bindings)
    }

    /// The scenario with the owner in an event's data where the subject has it.
    fn owned(mut self, bindings: &Bindings) -> Self {
        let rename = |kind: Option<&str>, data: &mut Value| {
            if let Some(members) = data.as_object_mut()
                && let Some(owner) = members.remove(OWNER)
            {
                members.insert(bindings.owner_key(kind).to_owned(), owner);
            }
        };
        match &mut self.script {
            Script::Gateway(script) => {
                for step in &mut script.steps {
                    if let GatewayAction::Publish { publication, .. } = &mut step.action {
                        publication.rename_owner(&rename);
                    }
                    step.action.patterns_mut().into_iter().for_each(|pattern| pattern.rename_owner(&rename));
                }
            }
            Script::Pair(script) => {
                for step in &mut script.steps {
                    if let PairAction::Publish { publication, .. } = &mut step.action {
                        publication.rename_owner(&rename);
                    }
                    step.action.patterns_mut().into_iter().for_each(|pattern| pattern.rename_owner(&rename));
                }
            }
            Script::Client(_) => return self,
        }
        self.expectations.iter_mut().for_each(|expectation| expectation.rename_owner(&rename));
        self
    }

    fn bound(&self, bindings: &Bindings) -> Self {
        let mut words = vec![
            ("{case}".to_owned(), bindings.case.clone()),
            ("{subscribe}".to_owned(), bindings.dialect.requests.subscribe.clone()),
            ("{room_key}".to_owned(), bindings.dialect.subscribe.room.clone()),
            ("{odd_token}".to_owned(), odd_token(&bindings.dialect.token).to_owned()),
        ];
        let mut users = Vec::new();
        if let Script::Gateway(script) = &self.script {
            let user = |name: &String| (format!("{{{name}}}"), self.user_id(name, bindings));
            users.extend(script.clients.keys().map(user));
        }
        if let Script::Pair(_) = &self.script {
            users.extend(PairScript::USERS.map(|name| (format!("{{{name}}}"), self.user_id(name, bindings))));
        }
        let numbers = users.iter().filter(|_| bindings.users == UserIds::Integers);
        // Within JSON that is a text, quotes go with them.
        words.splice(0..0, numbers.map(|(name, id)| (format!("\"{name}\""), id.clone())));
        words.extend(users.iter().cloned());
        let rename = |text: &mut String| {
            for (placeholder, word) in &words {
                if text.contains(placeholder.as_str()) {
                    *text = text.replace(placeholder, word);
                }
            }
            bindings.rooms.rename(text, &bindings.roles);
            // Each text once: the name of one type may be what scenarios call another.
            if let Some(name) = bindings.event_names.get(text) {
                text.clone_from(name);
            }
        };
        let mut asked = self.clone();
        asked.leave_out_rooms_of_roles(bindings);
        let mut value = file::to_value(&asked);
        each_datum(&mut value, false, &|text| {
            let (_, id) = users.iter().find(|(name, _)| name == text)?;
            Some(bindings.users.value(id))
        });
        let rename_key = |key: &mut String| {
            let role = Role::ALL.into_iter().find(|role| role.as_str() == key);
            match role.and_then(|role| bindings.roles.name(role)) {
                Some(name) => name.clone_into(key),
                None => rename(key),
            }
        };
        rooms::bind(&mut value, bindings);
        pages::bind(&mut value, bindings);
        each_text(&mut value, &rename, &rename_key);
        let count = Cell::new(0);
        each_frame(&mut value, &|text| {
            // Apart from those that clients draw themselves.
            count.set(count.get() + 1);
            *text = bindings.dialect.respell(text, Some(&format!("s{}", count.get())));
        });
        let mut bound = file::from_value(self.id.clone(), value);
        bound.expectations.iter_mut().for_each(|expectation| expectation.declare(&bindings.dialect));
        if let Script::Gateway(script) = &mut bound.script {
            for step in &mut script.steps {
                step::declare(&mut step.action, &bindings.dialect);
            }
        }
        if let Script::Pair(script) = &mut bound.script {
            for step in &mut script.steps {
                step::declare(&mut step.action, &bindings.dialect);
            }
        }
        bound.bindings = Some(bindings.clone());
        bound.in_dialect(&bindings.dialect)
    }

    /// Who may join a room that is no role's is no question of roles: steps that ask for the room of a role which has none are left out
    /// where others do not.
    fn leave_out_rooms_of_roles(&mut self, bindings: &Bindings) {
        if !bindings.has_rooms(RoomKind::Role) {
            return;
        }
        let Script::Gateway(script) = &mut self.script else { return };
        script.steps.retain(|step| match &step.action {
            GatewayAction::ScriptedClient(_, ScriptedClientAct::Subscribe(target)) => {
                !bindings.rooms.lack(target.name(), &bindings.roles)
            }
            _ => true,
        });
    }

    /// Whether it means nothing where there are no roles: it names the room of one, publishes for one, or is about that claim. What may be
    /// left out, and what never comes, is no reason.
    pub fn needs_roles(&self) -> bool {
        let Script::Gateway(script) = &self.script else { return false };
        let is_claim = |spec: &ClientSpec| {
            let ClientSpec { token, .. } = spec;
            token.without.iter().chain(token.claims.keys()).any(|claim| claim == "role")
        };
        let found = Cell::new(script.clients.values().any(is_claim));
        let look = |text: &mut String| {
            found.set(found.get() || RoomKind::Role.is_named_in(text) || text.starts_with("admin:"));
        };
        let look_at_key = |key: &mut String| found.set(found.get() || key == "byRole");
        let mut needed = self.clone();
        needed.expectations.retain(|expectation| expectation.forbidden().is_none());
        if let Script::Gateway(script) = &mut needed.script {
            let is_needed =
                |action: &GatewayAction| !matches!(action, GatewayAction::Publish { optional: true, .. });
            script.steps.retain(|step| is_needed(&step.action));
        }
        each_text(&mut file::to_value(&needed), &look, &look_at_key);
        found.get()
    }

    /// The kinds of private rooms that it is about: its clients ask for them, and it shows that they do not get in (ROOM-3).
    pub fn private_rooms(&self) -> BTreeSet<RoomKind> {
        let Script::Gateway(script) = &self.script else { return BTreeSet::new() };
        if !self.requirements().iter().any(|id| id.to_string() == "ROOM-3") {
            return BTreeSet::new();
        }
        let asked = script.steps.iter().filter_map(|step| match &step.action {
            GatewayAction::ScriptedClient(_, ScriptedClientAct::Subscribe(target)) => Some(target.name()),
            _ => None,
        });
        asked.flat_map(|name| RoomKind::ALL.into_iter().filter(|kind| kind.is_named_in(name))).collect()
    }

    /// The user id of a scripted client in one run.
    pub fn user_id(&self, client: &str, bindings: &Bindings) -> String {
        let Script::Gateway(script) = &self.script else {
            return bindings.users.id(client, 0, &bindings.case);
        };
        let owner = script.clients.get(client).and_then(|spec| spec.user.as_deref()).unwrap_or(client);
        if let Some(Resemblance { of, by }) =
            script.clients.get(owner).and_then(|spec| spec.resembles.as_ref())
        {
            return bindings.users.like(&self.user_id(of, bindings), *by);
        }
        // Clients that come after the steps are none of the script's, and their names end in another letter.
        let after = script.clients.len() + usize::from(owner.bytes().last().unwrap_or_default());
        let place = script.clients.keys().position(|name| name == owner).unwrap_or(after);
        bindings.users.id(owner, place, &bindings.case)
    }
}

/// A token of the characters that its place can carry, among them those that go wrong where they are not written as they must be.
fn odd_token(place: &TokenPlace) -> &'static str {
    match place {
        TokenPlace::Query | TokenPlace::QueryAs(_) | TokenPlace::Path | TokenPlace::Message => {
            "a+b/c=d&e f%20g.é"
        }
        // `b64token` of RFC 6750, section 2.1.
        TokenPlace::Bearer => "a+b/c~d.e-f_g==",
        // `cookie-octet` of RFC 6265, section 4.1.1.
        TokenPlace::Cookie(_) => "a+b/c=d&e.f",
        // `token` of RFC 9110, section 5.6.2, as RFC 6455, section 4.1 has subprotocols.
        TokenPlace::Subprotocol | TokenPlace::SubprotocolAfter(_) => "a+b~c&d.e-f_g",
    }
}

/// Keys of what is data, in which a placeholder need not stay a text.
const DATA: [&str; 5] = ["data", "with", "json", "payload", "claims"];

/// Replaces each text of what is data by another value, where there is one for it.
fn each_datum(value: &mut Value, is_data: bool, other: &impl Fn(&str) -> Option<Value>) {
    match value {
        Value::String(text) if is_data => {
            if let Some(other) = other(text) {
                *value = other;
            }
        }
        Value::Array(values) => values.iter_mut().for_each(|value| each_datum(value, is_data, other)),
        Value::Object(fields) => {
            for (key, value) in fields {
                each_datum(value, is_data || DATA.contains(&key.as_str()), other);
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Calls `change` on each text of a value. The keys of objects that stand for data are texts too, of their own kind: `{room_key}` is
/// one.
fn each_text(value: &mut Value, change: &impl Fn(&mut String), change_key: &impl Fn(&mut String)) {
    match value {
        Value::String(text) => change(text),
        Value::Array(values) => values.iter_mut().for_each(|value| each_text(value, change, change_key)),
        Value::Object(fields) => {
            let old = std::mem::take(fields);
            for (mut key, mut value) in old {
                each_text(&mut value, change, change_key);
                change_key(&mut key);
                fields.insert(key, value);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Calls `change` on each text that a scripted client sends as it is.
fn each_frame(value: &mut Value, change: &impl Fn(&mut String)) {
    match value {
        Value::Array(values) => values.iter_mut().for_each(|value| each_frame(value, change)),
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::String(text) if key == "send_text" || key == "text" => change(text),
                    value => each_frame(value, change),
                }
            }
        }
        Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// The placeholders in a text: lower-case words in braces.
pub(super) fn placeholders(text: &str) -> BTreeSet<&str> {
    let begins = text.match_indices('{').map(|(at, _)| &text[at + 1..]);
    begins
        .filter_map(|rest| rest.split_once('}'))
        .map(|(word, _)| word)
        .filter(|word| {
            let is_plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            !word.is_empty() && word.bytes().all(is_plain)
        })
        .collect()
}
