//! Protocols that are known by name. What else is said to their gateways ends the connection, so that their forms cannot be found out by
//! trying each.

use protocol::Frames;

use super::candidates::{JOIN, Person};
use super::sign_in::Entry;

/// A protocol whose frames are known beforehand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Protocol {
    /// `graphql-transport-ws`: the subscriptions are those of a schema, which introspection names.
    GraphQl,
    /// Phoenix channels: `[join_ref, ref, topic, event, payload]`, version 2 of its serializer.
    Phoenix,
}

/// The subprotocol of GraphQL over WebSocket.
pub(super) const GRAPHQL: &str = "graphql-transport-ws";
/// The heartbeat of Phoenix' clients.
pub(super) const PHOENIX_PING: &str = r#"[null,"{ref}","phoenix","heartbeat",{}]"#;
/// Subprotocols that are offered. Who agrees to the first knows none of them: some libraries agree to whatever comes first.
pub(super) const OFFERED: &str = "gatecheck-nonsense, graphql-transport-ws";

impl Protocol {
    /// The one that a subprotocol stands for.
    pub(super) fn of_subprotocol(name: &str) -> Option<Self> {
        (name == GRAPHQL).then_some(Self::GraphQl)
    }

    /// The one whose ping this is.
    pub(super) fn of_ping(ping: &str) -> Option<Self> {
        (ping == PHOENIX_PING).then_some(Self::Phoenix)
    }

    /// What it is called.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::GraphQl => "the protocol `graphql-transport-ws`",
            Self::Phoenix => "the protocol of Phoenix' channels",
        }
    }

    /// The forms of its frames that its specification fixes.
    pub(super) fn frames(self) -> Frames {
        let template = |text: &str| text.parse().expect("it is a constant");
        let own = |text: &str| Some(template(text));
        match self {
            Self::GraphQl => Frames {
                message: template(r#"{"type":"{type}","payload":"{payload}"}"#),
                unsubscribe: own(r#"{"id":"{subscription}","type":"complete"}"#),
                error: own(
                    r#"{"id":"{ref}","type":"error","payload":[{"message":"{message}","extensions":{"code":"{code}"}}]}"#,
                ),
                ..Frames::default()
            },
            Self::Phoenix => Frames {
                message: template(r#"["{subscription}","{id}","{room}","{type}","{payload}"]"#),
                ping: own(PHOENIX_PING),
                pong: own(r#"[null,"{ref}","phoenix","phx_reply",{"status":"ok","response":{}}]"#),
                subscribe: own(JOIN),
                subscribed: own(
                    r#"["{subscription}","{ref}","{room}","phx_reply",{"status":"ok","response":"{payload}"}]"#,
                ),
                unsubscribe: own(r#"["{subscription}","{ref}","{room}","phx_leave",{}]"#),
                unsubscribed: own(
                    r#"["{subscription}","{ref}","{room}","phx_reply",{"status":"ok","response":"{payload}"}]"#,
                ),
                error: own(
                    r#"["{subscription}","{ref}","{room}","phx_reply",{"status":"error","response":{"reason":"{code}"}}]"#,
                ),
                ..Frames::default()
            },
        }
    }

    /// Whether it acknowledges requests.
    pub(super) fn has_acks(self) -> bool {
        self == Self::Phoenix
    }

    /// Whether its gateways ping by control frames, if at all: those of Phoenix leave that to clients.
    pub(super) fn pings(self) -> bool {
        self == Self::GraphQl
    }

    /// What it has no place for, and why.
    pub(super) fn no_place(self) -> &'static [(&'static str, &'static str)] {
        const CLIENTS: &str = "clients send the heartbeats";
        match self {
            Self::GraphQl => &[
                ("MSG-3", "what breaks the protocol closes the connection"),
                ("ROOM-5", "each `subscribe` is a subscription of its own, with events of its own"),
            ],
            Self::Phoenix => &[
                ("HB-1", CLIENTS),
                ("HB-2", CLIENTS),
                ("HB-3", CLIENTS),
                ("PAIR-4", CLIENTS),
                ("MSG-3", "what is no frame of five crashes the connection's process, which closes it"),
            ],
        }
    }
}

/// What is sent on each connection as soon as it is signed in: without it nothing comes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Opening {
    /// The room that is subscribed to, with `{user}` and `{role}` in it; none for any other frame.
    pub room: Option<String>,
    /// The frame, with `{ref}` in it, too.
    pub frame: String,
}

impl Opening {
    /// For each of these rooms, a request of this shape.
    pub(super) fn of(shape: &str, rooms: &[&str]) -> Vec<Self> {
        let opening =
            |room: &&str| Self { room: Some((*room).to_owned()), frame: shape.replace("{room}", room) };
        rooms.iter().map(opening).collect()
    }

    /// The text for a person, under a reference.
    fn with(text: &str, entry: &Entry, person: Person, reference: &str) -> String {
        let role = person.role();
        let role =
            entry.claims.roles.name(role).map_or_else(|| role.lower_case().to_owned(), str::to_lowercase);
        text.replace("{user}", &entry.id_text(person)).replace("{role}", &role).replace("{ref}", reference)
    }

    /// The frame as a person sends it who opens with that of this number.
    pub(super) fn written(&self, entry: &Entry, person: Person, number: usize) -> String {
        Self::with(&self.frame, entry, person, &reference(number))
    }

    /// Whether an event's frame has come by it: the frame names the request, or the room.
    pub(super) fn has_brought(&self, frame: &str, entry: &Entry, number: usize) -> bool {
        let quoted = |text: &str| serde_json::Value::from(text).to_string();
        let room = self.room.as_deref().unwrap_or_default();
        let mut rooms = Person::ALL.into_iter().map(|person| Self::with(room, entry, person, ""));
        frame.contains(&quoted(&reference(number))) || rooms.any(|room| frame.contains(&quoted(&room)))
    }
}

fn reference(number: usize) -> String {
    format!("gco-{number}")
}

/// A request for a room, under a reference.
pub(super) fn asked(shape: &str, room: &str, reference: &str) -> String {
    shape.replace("{room}", room).replace("{ref}", reference)
}

#[cfg(test)]
mod tests {
    use protocol::{Dialect, ServerMessage};

    use super::*;

    /// What a protocol's frames say is read by its forms, and a dialect can have them.
    #[test]
    fn frames_are_sound() {
        for protocol in [Protocol::GraphQl, Protocol::Phoenix] {
            let frames = Frames { subscribe: Some(JOIN.parse().unwrap()), ..protocol.frames() };
            let dialect = Dialect { frames: Some(Box::new(frames)), ..Dialect::default() };
            assert_eq!(dialect.check(), Ok(()), "{protocol:?}");
            let error = match protocol {
                Protocol::GraphQl => {
                    r#"{"id":"1","type":"error","payload":[{"message":"no","extensions":{"code":"x"}}]}"#
                }
                Protocol::Phoenix => {
                    r#"["1","1","a","phx_reply",{"status":"error","response":{"reason":"no"}}]"#
                }
            };
            let read = dialect.decode_server(error).unwrap().message;
            assert!(matches!(read, ServerMessage::Error { .. }), "{protocol:?}: {read:?}");
        }
    }
}
