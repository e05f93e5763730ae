//! Patterns of events that are for certain clients, whatever the gateway's event for them is.

use serde_json::Value;

use super::{MessagePattern, Pattern, What, acknowledges};

/// What such an event is called in a file. No profile can call an event so.
pub(crate) const EVENT: &str = "its event";

impl Pattern {
    /// That a client receives a message of this name.
    pub(crate) fn receives(client: &str, name: &str) -> Self {
        let message = MessagePattern { name: Some(name.to_owned()), ..MessagePattern::default() };
        let what = What::Receives(message);
        Self { client: Some(client.to_owned()), consumer: None, connection: None, what }
    }

    /// Whether it looks for an event that is for certain clients.
    pub(crate) fn is_addressed(&self) -> bool {
        matches!(&self.what, What::Receives(message)
            if message.name.as_deref() == Some(EVENT) || message.any.iter().any(|name| name == EVENT))
    }

    /// What is wrong with it, where it looks for such an event and cannot.
    pub(crate) fn misaddressed(&self) -> Option<&'static str> {
        let What::Receives(message) = &self.what else { return None };
        if message.any.iter().any(|name| name == EVENT) {
            return Some(
                "`its event` stands alone, as `type`: it is whatever the gateway has for these clients",
            );
        }
        (self.is_addressed() && message.data.is_some())
            .then_some("`its event` has data of its own beside what is published: use `with`")
    }

    /// Has it look for these types, with this in their payload.
    pub(crate) fn address(&mut self, kinds: &[&str], marks: &Value) {
        let What::Receives(message) = &mut self.what else { return };
        match kinds {
            [kind] => message.name = Some((*kind).to_owned()),
            kinds => {
                message.name = None;
                message.any = kinds.iter().map(|kind| (*kind).to_owned()).collect();
            }
        }
        merge(message.with.get_or_insert_with(|| Value::Object(Default::default())), marks);
    }

    /// Has it pass over events with this key, where it looks for one of these types.
    pub(crate) fn pass_over(&mut self, kinds: &[&'static str], key: &str) {
        let What::Receives(message) = &mut self.what else { return };
        if message.name.iter().chain(&message.any).any(|name| kinds.contains(&name.as_str())) {
            message.lacking = Some(key.to_owned());
        }
    }

    /// Has it pass over acknowledgements of a room that the scenario itself does not ask for.
    pub(crate) fn pass_over_room(&mut self, room: &str) {
        let What::Receives(message) = &mut self.what else { return };
        if message.target.is_none() && message.name.iter().chain(&message.any).any(|name| acknowledges(name))
        {
            message.other_targets.push(room.to_owned());
        }
    }

    /// Has it look for these types no more. Answers whether something is left to look for.
    pub(crate) fn forget_types(&mut self, is_forgotten: impl Fn(&str) -> bool) -> bool {
        let What::Receives(message) = &mut self.what else { return true };
        if message.any.is_empty() {
            return !message.name.as_deref().is_some_and(is_forgotten);
        }
        message.any.retain(|name| !is_forgotten(name));
        !message.any.is_empty()
    }

    /// Has events of its types name their owner by another key.
    pub(crate) fn rename_owner(&mut self, rename: &impl Fn(Option<&str>, &mut Value)) {
        let What::Receives(message) = &mut self.what else { return };
        let kind = message.name.as_deref().or(message.any.first().map(String::as_str));
        message.data.iter_mut().chain(&mut message.with).for_each(|data| rename(kind, data));
    }
}

/// Adds the members of one object to another.
pub(crate) fn merge(into: &mut Value, more: &Value) {
    if let (Value::Object(into), Value::Object(more)) = (into, more) {
        into.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
    }
}
