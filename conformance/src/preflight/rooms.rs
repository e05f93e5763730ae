//! What the rooms of a user and of a role are called, by a gateway's first message: cases ask for the rooms that the profile names, and
//! prove nothing where these are none (ROOM-3).

use miette::miette;
use protocol::{Role, ServerMessage};
use scenarios::RoomKind;
use scenarios::trace::{Event, Message, Trace};

use super::SetupError;
use crate::discover::rooms::NamedRooms;
use crate::exit::Exit;
use crate::profile::Profile;

/// What to write where a first message names rooms of other names.
pub(super) fn unlike(trace: &Trace, profile: &Profile) -> Option<SetupError> {
    let welcome = trace.observations.iter().find_map(|seen| match &seen.event {
        Event::Received(frame) => match &frame.message {
            Some(Message::Server(ServerMessage::Welcome { user_id, rooms })) => Some((user_id, rooms)),
            _ => None,
        },
        _ => None,
    });
    let (id, rooms) = welcome?;
    let gateway = profile.gateway.as_ref()?;
    let roles = &profile.token.style.roles;
    let named = NamedRooms::among(rooms, id, Role::Customer, roles);
    let other = named.unlike(&gateway.rooms, id, Role::Customer, roles);
    let (_, declared, _) = other.first()?;
    let keys: Vec<String> = other
        .iter()
        .map(|(kind, _, template)| {
            let key = if *kind == RoomKind::User { "user" } else { "role" };
            format!("{key} = \"{template}\"")
        })
        .collect();
    let says = declared.as_ref().map_or("that there is none".to_owned(), |room| format!("`{room}`"));
    let help = format!("write into the profile:\n  [gateway]\n  rooms = {{ {} }}", keys.join(", "));
    let report = miette!(
        help = help,
        "the gateway's first message names the rooms `{}`, and the profile says {says}",
        rooms.join("`, `")
    );
    Some(SetupError { exit: Exit::Usage, report })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use scenarios::trace::{Actor, Frame, FrameKind, Observation};

    use super::*;

    fn welcomed(rooms: &[&str]) -> Trace {
        let rooms = rooms.iter().map(|room| (*room).to_owned()).collect();
        let message = Message::Server(ServerMessage::Welcome { user_id: "17".to_owned(), rooms });
        let frame = Frame { kind: FrameKind::Text, body: String::new(), message: Some(message), form: None };
        let event = Event::Received(frame);
        let seen = Observation { at_us: 0, actor: Actor("ada".to_owned()), connection: Some(0), event };
        Trace { observations: vec![seen] }
    }

    /// Rooms of other names end the run before it blames ROOM-3 on them; those that are declared, or not named, do not.
    #[test]
    fn rooms_of_other_names_are_told() {
        let profile = |rooms: &str| {
            let text = format!("[gateway]\ncommand = [\"a\"]\n{rooms}");
            Profile::parse("gatecheck.toml", &text, Path::new(".")).unwrap()
        };
        let own = welcomed(&["all", "user/17", "team/customer"]);
        let told = unlike(&own, &profile("")).unwrap();
        let help = miette::Diagnostic::help(&told).unwrap().to_string();
        assert!(help.contains(r#"rooms = { user = "user/{user}", role = "team/{role}" }"#), "{help}");
        let declared = "rooms = { user = \"user/{user}\", role = \"team/{role}\" }";
        assert!(unlike(&own, &profile(declared)).is_none());
        assert!(unlike(&welcomed(&["user:17", "role:customer"]), &profile("")).is_none());
        assert!(unlike(&welcomed(&["all"]), &profile("")).is_none());
    }
}
