//! What differs between a profile and what was observed. Pure.

use std::fmt;

use protocol::{ClientMessage, Dialect, Heartbeat as HeartbeatKind, Target, Timestamp};

use super::form;
use super::heartbeat::PingKind;
use super::observed::ObservedGateway;
use super::spelling::{Spelling, shown};
use crate::amqp::Queues;
use crate::profile::{GatewayAccess, Profile};

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Difference {
    /// The key in the profile.
    pub key: String,
    /// What the profile says.
    pub says: String,
    /// What was observed.
    pub observed: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { key, says, observed } = self;
        write!(f, "{key}: the profile says {says}, observed {observed}")
    }
}

/// Differences that are being collected.
#[derive(Default)]
struct Differences(Vec<Difference>);

impl Differences {
    fn add(&mut self, key: &str, says: impl fmt::Display, observed: impl fmt::Display) {
        self.0.push(Difference {
            key: key.to_owned(),
            says: says.to_string(),
            observed: observed.to_string(),
        });
    }

    fn unless_equal<T: PartialEq + fmt::Display>(&mut self, key: &str, says: T, observed: T) {
        if says != observed {
            self.add(key, says, observed);
        }
    }
}

/// What differs between a profile of a gateway and what was observed of it. What was not observed differs from nothing.
pub fn gateway(profile: &Profile, seen: &ObservedGateway) -> Vec<Difference> {
    let mut found = Differences::default();
    let Some(entry) = &seen.sign_in.entry else {
        let place = profile.dialect.token.to_string();
        found.add("dialect.token", format!("`{place}`"), "no place in which a token is accepted");
        return found.0;
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
    let claim = profile.token.style.names.get("userId").map_or("userId", String::as_str);
    // `userId` is called as the profile says: its tokens are tried first.
    if entry.claims.claim != "userId" {
        found.unless_equal("token.names.userId", claim, entry.claims.claim);
    }
    dialect(&mut found, &profile.dialect, &spelling, seen);
    heartbeat(&mut found, profile, seen);
    events(&mut found, seen);
    found.0
}

fn dialect(found: &mut Differences, says: &Dialect, spelling: &Spelling, seen: &ObservedGateway) {
    let observed = &spelling.dialect;
    if spelling.seen.contains_key("token") {
        found.unless_equal("dialect.token", says.token.to_string(), observed.token.to_string());
    }
    if spelling.seen.contains_key("refusal") {
        found.unless_equal("dialect.refusal", says.refusal.to_string(), observed.refusal.to_string());
    }
    if spelling.seen.contains_key("user_key") {
        found.unless_equal("dialect.user_key", says.user_key.as_str(), observed.user_key.as_str());
    }
    let has_welcome = observed.welcome_type().is_some();
    if spelling.seen.contains_key("welcome") && has_welcome != says.welcome_type().is_some() {
        let named =
            |dialect: &Dialect| dialect.welcome_type().map_or("none".to_owned(), |name| format!("`{name}`"));
        found.add("dialect.welcome", named(says), named(observed));
    }
    if spelling.seen.contains_key("acks") {
        let word = |acks: bool| if acks { "requests are acknowledged" } else { "none of them" };
        found.unless_equal("dialect.acks", word(says.acks), word(observed.acks));
    }
    request(found, says, seen);
    for frame in frames(seen) {
        let read = |dialect: &Dialect| match dialect.decode_server(&frame) {
            Ok(read) => format!("{:?}", read.message),
            Err(error) => format!("nothing ({error})"),
        };
        let (by_profile, by_observation) = (read(says), read(observed));
        // What is read as an event by both, neither understands.
        if by_profile != by_observation {
            found.add(
                &format!("dialect, of the frame {}", shown(&frame)),
                shown(&by_profile),
                shown(&by_observation),
            );
        }
    }
}

/// The profile's request to join is one of those that are understood.
fn request(found: &mut Differences, says: &Dialect, seen: &ObservedGateway) {
    let acknowledged = seen.talk.acknowledged().map(|(shape, _)| shape);
    let understood: Vec<&str> = match seen.events.understood.is_empty() {
        true => acknowledged.collect(),
        false => seen.events.understood.clone(),
    };
    if understood.is_empty() {
        return;
    }
    let plain = |text: &str| form::parsed(text).map(|(_, value)| super::spelling::without_extras(value));
    let targets = [Target::EventType(seen.room.clone()), Target::Room(seen.room.clone())];
    for (key, target) in ["event_type", "room"].into_iter().zip(targets) {
        let request = says.encode_client(&ClientMessage::Subscribe(target), Timestamp::EPOCH);
        let is_understood =
            understood.iter().any(|shape| plain(&shape.replace("{room}", &seen.room)) == plain(&request));
        if !is_understood {
            let request = plain(&request).map_or(request, |value| value.to_string());
            let others = understood
                .iter()
                .map(|shape| shape.replace("{room}", &seen.room))
                .collect::<Vec<_>>()
                .join(" or ");
            found.add(
                &format!("dialect.subscribe.{key}"),
                request,
                format!("what is understood is {others}"),
            );
        }
    }
}

/// The frames that were seen and have a meaning.
fn frames(seen: &ObservedGateway) -> Vec<String> {
    let mut frames: Vec<String> = seen.talk.first.iter().take(1).cloned().collect();
    frames.extend(seen.talk.pong.iter().filter_map(|pong| pong.answer.clone()));
    frames.extend(seen.talk.error().map(str::to_owned));
    frames.extend(seen.talk.acknowledged().take(1).map(|(_, answer)| answer.to_owned()));
    frames.extend(seen.left.clone());
    // Candidates come in bodies of the search's own: what a profile declares is compared by itself.
    if seen.events.declared.is_empty() {
        frames.extend(seen.events.events.iter().take(1).map(|event| event.frame.clone()));
    }
    frames
}

fn heartbeat(found: &mut Differences, profile: &Profile, seen: &ObservedGateway) {
    let Some((kind, period)) = &seen.heartbeat.pings else {
        let interval = profile.timing.ping_interval;
        if interval * 3 < seen.heartbeat.watched_for {
            let watched = seen.heartbeat.watched_for;
            found.add(
                "timing.ping_interval",
                protocol::format_duration(interval),
                format!("no ping in {watched:.0?}"),
            );
        }
        return;
    };
    let by = match kind {
        PingKind::Control => HeartbeatKind::Control,
        PingKind::Message(_) => HeartbeatKind::Message,
    };
    let word = |kind: HeartbeatKind| match kind {
        HeartbeatKind::Control => "control",
        HeartbeatKind::Message => "message",
    };
    found.unless_equal("dialect.heartbeat", word(profile.dialect.heartbeat), word(by));
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

fn events(found: &mut Differences, seen: &ObservedGateway) {
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
        } else if declared.seen_as.as_ref().is_some_and(|name| *name != declared.name) {
            let name = declared.seen_as.clone().unwrap_or_default();
            found.add(
                &format!("the event `{}`", declared.name),
                "that clients see it so",
                format!("`{name}`"),
            );
        }
    }
}
