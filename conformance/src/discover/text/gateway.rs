//! `[gateway]` and `[token]`.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::Role;
use scenarios::{RoleNames, UserIds};
use serde_json::{Value, json};

use super::Page;
use crate::discover::claims;
use crate::discover::heartbeat::is_in_seconds;
use crate::discover::observed::{ObservedGateway, Reach};
use crate::discover::rooms::NamedRooms;
use crate::discover::spelling::shown;
use crate::discover::topology::{ObservedQueue, Topology};

/// A start that costs as much as most cases do.
const SLOW_START: Duration = Duration::from_millis(150);
/// Fewest rooms that a profile can declare as a limit.
const FEWEST_ROOMS: usize = 20;

pub(super) fn write(page: &mut Page, seen: &ObservedGateway) {
    page.table("gateway");
    match &seen.reach {
        Reach::Started { command, took, ignored_port, .. } => {
            page.comment(&format!("its port was open {:.1} s after its start", took.as_secs_f64()));
            if let Some(port) = ignored_port {
                page.comment(&format!(
                    "it listened on {port} whatever it was given: cases run side by side, so it must take `{{port}}` from an argument or \
                     from its environment"
                ));
            }
            page.set("command", &json!(command.words));
            if *took >= SLOW_START && !page.is_given("process") {
                page.comment("such a start is long beside most cases, so that one process serves one case after another");
                page.set("process", &json!("shared"));
            }
        }
        Reach::Attached(authority) => {
            let path = seen.sign_in.entry.as_ref().map_or("/ws", |entry| entry.path.as_str());
            page.comment("it ran already");
            page.set("attach", &json!(format!("ws://{authority}{path}")));
            page.comment(
                "the secret that it verifies tokens with; the command line had it, and a file may be shared",
            );
            page.line("jwt_secret = \"FILL IN\"");
        }
    }
    if let Some(path) = seen.ready_path {
        page.comment(&format!("{path} answered 200"));
        page.set("ready", &json!({ "path": path }));
    }
    if !seen.pages.is_empty() {
        page.comment("these answered 200, and the usual ones did not");
        page.set("pages", &json!(seen.pages));
    }
    path(page, seen);
    match &seen.topology {
        Some(topology) => broker(page, topology),
        None => {
            page.comment(
                "what it has at its broker was not observed: name its exchange and its queue, or `*` for any",
            );
            page.open("exchange", "\"…\"");
            page.open("queue", "\"*\"");
        }
    }
    rooms(page, seen);
    limits(page, seen);
    if let Reach::Started { command, .. } = &seen.reach
        && !command.env.is_empty()
    {
        page.table("gateway.env");
        page.comment("what it was started with; leave out what it does not read");
        let mut env: Vec<(&str, &str)> =
            command.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let heartbeat = &seen.heartbeat;
        let variables = [
            (heartbeat.interval_variable.as_deref(), ["{ping_interval_ms}", "{ping_interval_s}"]),
            (heartbeat.timeout_variable.as_deref(), ["{pong_timeout_ms}", "{pong_timeout_s}"]),
        ];
        let values =
            |(name, values): (Option<_>, [_; 2])| Some((name?, values[usize::from(is_in_seconds(name?))]));
        let given = |name: &str| command.env.contains_key(name);
        env.extend(variables.into_iter().filter_map(values).filter(|(name, _)| !given(name)));
        for (name, value) in env {
            page.set(name, &json!(value));
        }
    }
}

/// What one connection may do, where that is less than usual.
fn limits(page: &mut Page, seen: &ObservedGateway) {
    let Some(entry) = &seen.sign_in.entry else { return };
    let mut limits: BTreeMap<&str, usize> = BTreeMap::new();
    if let Some(bytes) = seen.talk.limits.message_bytes {
        page.comment(&format!("a message of {} bytes was answered by a close with 1009", bytes + 1));
        limits.insert("message_bytes", bytes);
    }
    if let Some((granted, exchange)) = &seen.talk.limits.rooms {
        let own = NamedRooms::said(&seen.talk.first, entry).own();
        let answer = exchange.answer.as_deref().unwrap_or_default();
        page.comment(&format!(
            "{granted} rooms were granted, and the next was answered by {}",
            shown(answer)
        ));
        match own.map(|own| own + granted) {
            Some(rooms) if rooms >= FEWEST_ROOMS => drop(limits.insert("rooms", rooms)),
            Some(_) => page.comment("that is fewer than can be tried: `claims.without = [\"ROOM-5\"]`"),
            None => page
                .comment("its own are counted, too, and which it has was not seen: `limits = { rooms = … }`"),
        }
    }
    if !limits.is_empty() {
        page.set("limits", &json!(limits));
    }
}

/// What its first message calls the rooms of a user and of a role.
fn rooms(page: &mut Page, seen: &ObservedGateway) {
    let Some(entry) = &seen.sign_in.entry else { return };
    let named = NamedRooms::said(&seen.talk.first, entry);
    let of_admins =
        named.of_admins_alone(&seen.events.first_of_admin, entry).filter(|_| named.role.is_none());
    let own = [("user", "user:{user}", named.user), ("role", "role:{role}", named.role)];
    let mut rooms: BTreeMap<&str, Value> = BTreeMap::new();
    for (kind, usual, seen) in own {
        if let Some((_, template)) = seen.filter(|(_, template)| template != usual) {
            rooms.insert(kind, json!(template));
        }
    }
    let is_unnamed = of_admins.is_some();
    if let Some(room) = of_admins {
        rooms.insert("role", json!({ "ADMIN": room }));
    }
    if !rooms.is_empty() {
        page.comment(if is_unnamed {
            "its first message named these rooms; that of an administrator's one more"
        } else {
            "its first message named these rooms"
        });
        page.set("rooms", &json!(rooms));
    }
}

fn path(page: &mut Page, seen: &ObservedGateway) {
    page.comment(&format!("without a token: {}", unsigned(seen)));
    match &seen.sign_in.entry {
        Some(entry) => {
            let plain = seen.sign_in.plain_get.map(|status| format!("a plain GET there: HTTP {status}"));
            let elsewhere = seen.sign_in.elsewhere.as_ref();
            let elsewhere = elsewhere.map(|refused| format!("a path that is none: {refused}"));
            let also: Vec<String> = plain.into_iter().chain(elsewhere).collect();
            if !also.is_empty() {
                page.comment(&also.join("; "));
            }
            page.set("path", &json!(entry.path));
        }
        None => {
            let opens = |path: &&String| seen.sign_in.unsigned.get(*path) == Some(&None);
            let mut open = seen.sign_in.unsigned.keys().filter(opens);
            match (open.next(), open.next()) {
                (Some(path), None) => page.set("path", &json!(path)),
                _ => page.open("path", "\"/ws\""),
            }
        }
    }
}

/// What became of attempts without a token: those that came to the same stand together.
pub(super) fn unsigned(seen: &ObservedGateway) -> String {
    let mut answers = BTreeMap::<String, Vec<&str>>::new();
    for (path, refused) in &seen.sign_in.unsigned {
        let answer = match refused {
            Some(refused) => refused.to_string(),
            None => match &seen.sign_in.left_unsigned {
                Some((end, after)) => {
                    format!(
                        "it opens, and after {:.1} s comes {end}: it waits for a first message",
                        after.as_secs_f64()
                    )
                }
                None => "it opens".to_owned(),
            },
        };
        answers.entry(answer).or_default().push(path);
    }
    let lines: Vec<String> =
        answers.into_iter().map(|(answer, paths)| format!("{}: {answer}", paths.join(", "))).collect();
    lines.join("; ")
}

fn broker(page: &mut Page, topology: &Topology) {
    for (user, times) in &topology.refused_logins {
        page.comment(&format!(
            "the broker refused the login of `{user}`, {times} times: is `{{amqp_url}}` handed over whole?"
        ));
    }
    for (name, kind) in &topology.exchanges {
        let keys: Vec<String> = topology
            .bindings
            .iter()
            .filter(|(exchange, _, _)| exchange == name)
            .map(|(_, key, queue)| format!("`{key}` to {}", called(queue)))
            .collect();
        let bound = if keys.is_empty() { "nothing bound".to_owned() } else { keys.join(", ") };
        page.comment(&format!("exchange {name} ({kind}): {bound}"));
    }
    match topology.exchange() {
        Some(exchange) => {
            if topology.exchanges.len() > 1 {
                page.comment(
                    "the one that most keys lead from; each `[[event]]` names its own where that is another",
                );
            }
            page.set("exchange", &json!(exchange));
        }
        None => {
            page.comment("no queue was consumed that is bound to an exchange: name the exchange that events come through");
            page.open("exchange", "\"…\"");
        }
    }
    for queue in &topology.queues {
        page.comment(&described(queue));
    }
    let consumed: Vec<&ObservedQueue> = topology.consumed().collect();
    let has_names =
        consumed.iter().all(|queue| queue.is_durable && !queue.is_exclusive && !queue.is_server_named);
    match (&consumed[..], has_names) {
        ([], _) => {
            page.comment("it consumed no queue: `*` stands for any that is bound to its exchange");
            page.open("queue", "\"*\"");
        }
        ([one], true) => page.set("queue", &json!(one.name)),
        (several, true) => {
            let names: Vec<&str> = several.iter().map(|queue| queue.name.as_str()).collect();
            page.set("queues", &json!(names));
        }
        (_, false) => page.set("queue", &json!("*")),
    }
}

fn called(queue: &str) -> &str {
    if queue.starts_with("amq.gen") { "a queue without a name" } else { queue }
}

fn described(queue: &ObservedQueue) -> String {
    let mut words = vec![queue.kind.clone()];
    let is = |is: bool, word: &str| is.then(|| word.to_owned());
    words.extend(is(queue.is_durable, "durable"));
    words.extend(is(queue.is_exclusive, "exclusive"));
    words.push(match queue.consumer {
        Some((0, acknowledges)) => format!("no prefetch limit, {}", acknowledging(acknowledges)),
        Some((prefetch, acknowledges)) => format!("prefetch {prefetch}, {}", acknowledging(acknowledges)),
        None => "not consumed".to_owned(),
    });
    format!("queue {}: {}", called(&queue.name), words.join(", "))
}

fn acknowledging(acknowledges: bool) -> &'static str {
    if acknowledges { "acknowledges" } else { "acknowledges nothing (no-ack)" }
}

pub(super) fn token(page: &mut Page, seen: &ObservedGateway) {
    page.table("token");
    let Some(entry) = &seen.sign_in.entry else {
        page.comment("which claims it reads was not seen");
        page.open("users", "\"integers\"                        # or \"words\", \"uuids\"");
        page.open("names", "{ userId = \"sub\" }                # what `userId`, `email`, `role` are called");
        page.open(
            "claims",
            "{ roles = [\"{role}\"] }            # claims of its own; `{user}`, `{email}`, `{role}` in them",
        );
        return page.open("roles", "{ ADMIN = \"admin\", CUSTOMER = \"customer\", VENDOR = \"vendor\" }");
    };
    let style = &entry.claims;
    let how =
        if entry.is_confirmed { "its first message named that user" } else { "no message named the user" };
    page.comment(&format!("accepted: {}, with {}; {how}", style.algorithm, claims::described(style)));
    for style in &seen.sign_in.also {
        page.comment(&format!("accepted as well: {}", claims::described(style)));
    }
    if !style.names.is_empty() {
        page.set("names", &json!(style.names));
    }
    if style.users != UserIds::default() {
        page.set("users", &json!(style.users));
    }
    if !style.claims.is_empty() {
        page.set("claims", &json!(style.claims));
    }
    match &style.roles {
        RoleNames::Absent => page.set("roles", &json!(false)),
        RoleNames::Called(names) if !names.is_empty() => {
            let names: BTreeMap<&str, &String> =
                names.iter().map(|(role, name)| (role.as_str(), name)).collect();
            page.set("roles", &json!(names));
        }
        RoleNames::Called(_) => {}
    }
    let admin = style.roles.name(Role::Admin).unwrap_or_default();
    let role = seen.events.events.iter().find(|event| event.audience == Some(crate::profile::Audience::Role));
    match role {
        Some(role) => page.comment(&format!("an administrator, \"{admin}\", got `{}`", role.name)),
        None => page.comment(&format!(
            "no event came to \"{admin}\" alone: whether that is what makes an administrator was not seen"
        )),
    }
}
