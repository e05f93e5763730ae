//! What differs between a profile and what was observed. Pure.

use protocol::{ClientMessage, CloseCode, Dialect, ErrorCode, ErrorCodes, ServerMessage};
use scenarios::RequirementId;
use scenarios::scenario::Limits;
use serde_json::json;

use super::Comparison;
use super::candidates::{Person, Place};
use super::claims;
use super::heartbeat::PingKind;
use super::hints::written;
use super::observed::ObservedGateway;
use super::rooms::NamedRooms;
use super::sign_in::Entry;
use super::spelling::{Spelling, shown};
use super::talk::RequestAnswer;
use crate::amqp::Queues;
use crate::profile::{Audience, GatewayAccess, Profile};

/// Holds a profile of a gateway against what was observed of it. What was not observed differs from nothing, and is
/// named.
pub fn gateway(profile: &Profile, seen: &ObservedGateway) -> Comparison {
    let mut found = Comparison::default();
    let Some(entry) = &seen.sign_in.entry else {
        let place = Place::declared(&profile.dialect);
        let says = format!("{place}, with {}", claims::described(&profile.token.style));
        let mut answers: Vec<String> = seen
            .sign_in
            .vain
            .iter()
            .filter(|(tried, _)| tried.ends_with(&place.to_string()))
            .flat_map(|(_, answers)| answers.keys().cloned())
            .collect();
        answers.dedup();
        let answers = if answers.is_empty() { "no answer".to_owned() } else { answers.join("; ") };
        found.add("dialect.token and [token]", says, format!("that no one signs in so: {answers}"));
        return found;
    };
    let spelling = Spelling::of(seen);
    if let Some(gateway) = &profile.gateway {
        found.unless_equal("gateway.path", &gateway.path, &entry.path);
        if let (GatewayAccess::Spawn { .. }, Some(topology)) = (&gateway.access, &seen.topology) {
            if let Some(exchange) = topology.exchange() {
                found.unless_equal("gateway.exchange", gateway.exchange.as_str(), exchange);
            }
            let consumed: Vec<&str> = topology.consumed().map(|queue| queue.name.as_str()).collect();
            if let Queues::Named(names) = &gateway.queues
                && !names.iter().all(|name| consumed.contains(&name.as_str()))
            {
                let consumed =
                    if consumed.is_empty() { "no queue consumed".to_owned() } else { consumed.join(", ") };
                found.add("gateway.queues", names.join(", "), consumed);
            }
        }
        for (kind, declared) in
            profile.events.exchanges(&gateway.exchange).unwrap_or_default().iter().filter_map(|exchange| {
                let topology = seen.topology.as_ref()?;
                Some((topology.exchanges.get(&exchange.name)?, exchange))
            })
        {
            let says = format!("{:?}", declared.kind).to_lowercase();
            found.unless_equal(&format!("the exchange {}", declared.name), says.as_str(), kind.as_str());
        }
    }
    frames(&mut found, &profile.dialect, entry, seen);
    dialect(&mut found, &profile.dialect, &spelling);
    rooms(&mut found, profile, entry, seen);
    errors(&mut found, profile, seen);
    match seen.unfinished.expired {
        Some(code) if !profile.dialect.expires_with(CloseCode(code)) => {
            found.add("dialect.closes.expired", profile.dialect.expiry().0, code);
        }
        None if profile.dialect.closes.expired.is_some() => {
            found.unobserved("dialect.closes.expired", "no connection ended as its token expired");
        }
        Some(_) | None => {}
    }
    limits(&mut found, profile);
    heartbeat(&mut found, profile, seen);
    gives_up(&mut found, profile, seen);
    events(&mut found, profile, seen);
    found
}

fn dialect(found: &mut Comparison, says: &Dialect, spelling: &Spelling) {
    let observed = &spelling.dialect;
    if spelling.seen.contains_key("token") {
        found.unless_equal("dialect.token", says.token.to_string(), observed.token.to_string());
    }
    if spelling.seen.contains_key("refusal") {
        found.unless_equal("dialect.refusal", says.refusal.to_string(), observed.refusal.to_string());
    }
    let has_welcome = observed.welcome_type().is_some();
    if spelling.seen.contains_key("welcome") && has_welcome != says.welcome_type().is_some() {
        let named =
            |dialect: &Dialect| dialect.welcome_type().map_or("none".to_owned(), |name| format!("`{name}`"));
        found.add("dialect.welcome", named(says), named(observed));
    }
}

/// Each frame that was seen is what the profile reads it as.
fn frames(found: &mut Comparison, says: &Dialect, entry: &Entry, seen: &ObservedGateway) {
    let read = |frame: &str| match says.decode_server(frame) {
        Ok(read) => described(&read.message),
        Err(error) => format!("nothing ({error})"),
    };
    let granted = usize::from(says.sign_in.as_ref().is_some_and(|sign_in| sign_in.answer.is_some()));
    if let Some(welcome) = seen.talk.first.get(granted).filter(|_| says.welcome_type().is_some()) {
        let user = entry.id_text(Person::Owner);
        let is_welcome = says.decode_server(welcome).is_ok_and(
            |read| matches!(read.message, ServerMessage::Welcome { user_id, .. } if user_id == user),
        );
        if !is_welcome {
            let key = "dialect, of the first message of a connection";
            found.add(key, format!("that it is {}", read(welcome)), shown(welcome));
        }
    }
    let ping = written(says, &ClientMessage::Ping);
    match &seen.talk.pong {
        Some(pong) => {
            let answer = pong.answer.as_deref().unwrap_or_default();
            if says.decode_server(answer).map(|read| read.message) != Ok(ServerMessage::Pong) {
                let key = format!("dialect.pong, of the answer to {ping}");
                found.add(&key, format!("that it is {}", read(answer)), shown(answer));
            }
        }
        // What a profile leaves as it usually is may not have been seen either.
        None if ping == written(&Dialect::default(), &ClientMessage::Ping) => {}
        None => found.add("dialect.ping", format!("that {ping} is answered"), "no answer, or an error"),
    }
    if let Some(error) = seen.talk.error() {
        let is_error =
            says.decode_server(error).is_ok_and(|read| matches!(read.message, ServerMessage::Error { .. }));
        if !is_error {
            found.add("dialect.error", format!("that it is {}", read(error)), shown(error));
        }
    }
    requests(found, says, seen, &read);
    for declared in &seen.events.declared {
        let Some(frame) = &declared.frame else { continue };
        let key = format!("the event `{}`", declared.name);
        // Its type is what the profile reads as that: its template for events may have other keys beside.
        match says.decode_server(frame).map(|read| read.message) {
            // Its owner may have another key than scenarios give it.
            Ok(ServerMessage::Event { name, payload }) if payload.get("id") == declared.data.get("id") => {
                if name != declared.name {
                    found.add(&key, "that clients see it so", format!("`{name}`"));
                }
            }
            Ok(_) | Err(_) => found.add(&key, format!("that its frame is {}", read(frame)), shown(frame)),
        }
    }
}

/// The profile's requests to join and to leave are answered as it says.
fn requests(found: &mut Comparison, says: &Dialect, seen: &ObservedGateway, read: &dyn Fn(&str) -> String) {
    for request in &seen.talk.requests {
        let asked = request.shape.replace("{room}", &seen.room);
        let is_granted = |answer: &str| {
            says.decode_server(answer).is_ok_and(
                |read| matches!(read.message, ServerMessage::Subscribed(target) if target.name() == seen.room),
            )
        };
        match (&request.answer, says.acks) {
            (RequestAnswer::Acknowledged(answer) | RequestAnswer::Answered(answer), true) => {
                if !is_granted(answer) {
                    let key = format!("dialect, of the answer to {asked}");
                    found.add(&key, format!("that it is {}", read(answer)), shown(answer));
                }
            }
            (RequestAnswer::Acknowledged(answer) | RequestAnswer::Answered(answer), false) => {
                found.add("dialect.acks", format!("that {asked} is not answered"), shown(answer));
            }
            (RequestAnswer::Silence, true) => {
                found.add("dialect.acks", format!("that {asked} is answered"), "no answer");
            }
            (RequestAnswer::Silence, false) => {}
            // A request for a room that is none is understood all the same.
            (RequestAnswer::Refused(answer), _) if refuses_the_room(says, answer) => {
                let why = format!("{asked} was refused for its room: {}", shown(answer));
                found.unobserved("dialect.subscribe", &why);
            }
            (RequestAnswer::Refused(answer), _) => {
                let observed = format!("that it is refused: {}", shown(answer));
                found.add("dialect.subscribe", asked, observed);
            }
            (RequestAnswer::Closed, _) => {
                found.add("dialect.subscribe", asked, "that the connection is closed over it");
            }
        }
    }
    // What is known by a reference alone cannot be told here from the answer to a request to join.
    if let Some(left) = seen.left.as_deref().filter(|_| says.acks && !says.has_references()) {
        let is_left = says.decode_server(left).is_ok_and(
            |read| matches!(read.message, ServerMessage::Unsubscribed(target) if target.name() == seen.room),
        );
        if !is_left {
            let key = "dialect, of the answer to a request to leave";
            found.add(key, format!("that it is {}", read(left)), shown(left));
        }
    }
}

/// Whether an answer says, in the profile's words, that the room that was asked for may not be joined.
fn refuses_the_room(says: &Dialect, answer: &str) -> bool {
    let refusals = [ErrorCode::BadRoom, ErrorCode::Forbidden, ErrorCode::TooManyRooms];
    says.decode_server(answer).is_ok_and(|read| match read.message {
        ServerMessage::Error { code, .. } => {
            refusals.iter().any(|refusal| says.errors.spelled(refusal.as_str()) == Some(code.as_str()))
        }
        _ => false,
    })
}

/// What a message is, as JSON says it.
fn described(message: &ServerMessage) -> String {
    let (what, members) = match message {
        ServerMessage::Ping => return "a ping".to_owned(),
        ServerMessage::Pong => return "a pong".to_owned(),
        ServerMessage::Welcome { user_id, rooms } => {
            ("a welcome", json!({ "user": user_id, "rooms": rooms }))
        }
        ServerMessage::Subscribed(target) => ("the answer to a request to join", json!(target.name())),
        ServerMessage::Unsubscribed(target) => ("the answer to a request to leave", json!(target.name())),
        ServerMessage::Error { code, message } => ("an error", json!({ "code": code, "message": message })),
        ServerMessage::Event { name, payload } => ("an event", json!({ "type": name, "payload": payload })),
    };
    shown(&format!("{what}, {members}"))
}

fn heartbeat(found: &mut Comparison, profile: &Profile, seen: &ObservedGateway) {
    let Some((kind, period)) = &seen.heartbeat.pings else {
        let interval = profile.timing.ping_interval;
        let is_hb = |id: &RequirementId| id.to_string() == "HB-1";
        // A profile may say that there are none.
        if profile.no_place.keys().chain(&profile.without).any(is_hb) {
            return;
        }
        let watched = seen.heartbeat.watched_for;
        let key = "timing.ping_interval";
        match interval * 3 < watched {
            true => found.add(key, protocol::format_duration(interval), format!("no ping in {watched:.0?}")),
            false => found.unobserved(
                key,
                &format!("pings were waited for {watched:.0?}, which is too short to count them"),
            ),
        }
        return;
    };
    let word = |by_message| if by_message { "message" } else { "control" };
    let by_message = matches!(kind, PingKind::Message(_));
    found.unless_equal("dialect.heartbeat", word(profile.dialect.beats_by_message()), word(by_message));
    let told = profile.timing.ping_interval;
    // A busy host is late; what was meant otherwise differs by more.
    if *period > told * 3 / 2 || *period < told * 3 / 4 {
        found.add(
            "timing.ping_interval",
            protocol::format_duration(profile.timing.ping_interval),
            format!("a ping every {period:.0?}"),
        );
    }
}

/// When a client without pongs is given up, counted from its first ping (HB-2): at the declared timeout, or at a later ping.
fn gives_up(found: &mut Comparison, profile: &Profile, seen: &ObservedGateway) {
    let (Some(after), Some((_, period))) = (seen.heartbeat.gives_up_after, &seen.heartbeat.pings) else {
        let is_declared = |id: &RequirementId| ["HB-1", "HB-2"].contains(&id.to_string().as_str());
        // A profile may say that it gives up no one.
        if !profile.no_place.keys().chain(&profile.without).any(is_declared) {
            let why = "no client without pongs was given up after a ping while it was watched";
            found.unobserved("timing.pong_timeout", why);
        }
        return;
    };
    let told = profile.timing.pong_timeout;
    if after < told * 3 / 4 || after > (told + *period) * 5 / 4 {
        let says = protocol::format_duration(told);
        found.add(
            "timing.pong_timeout",
            says,
            format!("that a client without pongs is given up {after:.1?} after a ping"),
        );
    }
}

/// What the rooms of a user and of a role are called, where the first message names them.
fn rooms(found: &mut Comparison, profile: &Profile, entry: &Entry, seen: &ObservedGateway) {
    let Some(gateway) = &profile.gateway else { return };
    let (id, role) = (entry.id_text(Person::Owner), Person::Owner.role());
    let named = NamedRooms::said(&seen.talk.first, entry);
    for (kind, says, observed) in named.unlike(&gateway.rooms, &id, role, &profile.token.style.roles) {
        let says = says.map_or("that there is none".to_owned(), |room| format!("`{room}`"));
        found.add(kind.key(), says, format!("`{observed}` in its first message"));
    }
}

/// What is too dear to be tried where it is declared.
fn limits(found: &mut Comparison, profile: &Profile) {
    if profile.gateway.as_ref().is_some_and(|gateway| gateway.limits != Limits::default()) {
        found.unobserved("gateway.limits", "neither long messages nor many rooms are tried");
    }
    let closes = &profile.dialect.closes;
    for (key, code) in [("bad_message", closes.bad_message), ("unknown_type", closes.unknown_type)] {
        if code.is_some() {
            found.unobserved(&format!("dialect.closes.{key}"), "what junk ends is not told apart");
        }
    }
}

/// What errors are called that were provoked.
fn errors(found: &mut Comparison, profile: &Profile, seen: &ObservedGateway) {
    let says = &profile.dialect;
    let ErrorCodes::Named(names) = &says.errors else { return };
    if !says.error_messages {
        return;
    }
    let private = seen.talk.private.as_ref().map(|(_, exchange)| exchange);
    let provoked = [
        (ErrorCode::Forbidden, private, "a request for another user's room"),
        (ErrorCode::BadRoom, seen.talk.nameless.as_ref(), "a request for a room without a name"),
    ];
    for (code, exchange, request) in provoked {
        let key = format!("dialect.errors.{}", code.as_str());
        let Some(answer) = exchange.and_then(|exchange| exchange.answer.as_deref()) else {
            let how = if exchange.is_some() { "was not answered by a message" } else { "was not made" };
            found.unobserved(&key, &format!("{request} {how}"));
            continue;
        };
        let word = says.errors.spelled(code.as_str()).unwrap_or_default();
        match says.decode_server(answer).map(|read| read.message) {
            Ok(ServerMessage::Error { code: observed, .. }) if !observed.is_empty() => {
                found.unless_equal(&key, format!("`{word}`"), format!("`{observed}`"));
            }
            // A number that the profile declares nowhere is read as none.
            Ok(ServerMessage::Error { .. }) if word.parse::<u64>().is_ok() => {
                found.add(&key, format!("`{word}`"), shown(answer));
            }
            Ok(ServerMessage::Error { .. }) => {
                found.unobserved(
                    &key,
                    &format!("{request} was answered by an error without a code, {}", shown(answer)),
                );
            }
            Ok(_) | Err(_) => {
                found.unobserved(
                    &key,
                    &format!("{request} was answered by what is no error, {}", shown(answer)),
                );
            }
        }
    }
    for code in names.keys().filter(|code| ![ErrorCode::Forbidden, ErrorCode::BadRoom].contains(code)) {
        found.unobserved(&format!("dialect.errors.{}", code.as_str()), "this error is not provoked");
    }
}

fn events(found: &mut Comparison, profile: &Profile, seen: &ObservedGateway) {
    let declares =
        Audience::ALL.iter().flat_map(|audience| audience.types()).any(|kind| profile.events.declares(kind));
    if seen.events.declared.is_empty() && declares {
        let why = match seen.topology {
            None => "what a gateway that runs already has at its broker is not seen",
            Some(_) => "connections ended while they were published",
        };
        found.unobserved("events", why);
    }
    for declared in &seen.events.declared {
        if declared.audience != declared.observed {
            let reached = declared.observed.map_or("that it reaches none of them".to_owned(), |audience| {
                format!("that it is for {audience}")
            });
            found.add(
                &format!("the event `{}`", declared.name),
                format!("that it is for {}", declared.audience_word()),
                reached,
            );
        }
    }
}

#[cfg(test)]
mod tests;
