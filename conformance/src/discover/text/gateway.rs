//! `[gateway]`, `[token]` and `[timing]`.

use std::collections::BTreeMap;
use std::time::Duration;

use protocol::{Role, format_duration};
use scenarios::{RoleNames, UserIds};
use serde_json::{Value, json};

use super::Page;
use crate::discover::claims;
use crate::discover::heartbeat::PingKind;
use crate::discover::observed::{ObservedGateway, Reach};
use crate::discover::rooms::NamedRooms;
use crate::discover::told;
use crate::discover::topology::{ObservedQueue, Topology};

/// How near to each other two times are that count as equal, as a share.
const NEAR: f64 = 0.15;
/// Most pings that are missed before a client is given up, where that is how a timeout is counted.
const MAX_PERIODS: u32 = 4;
/// A start that costs as much as most cases do.
const SLOW_START: Duration = Duration::from_millis(150);
/// What a measured time is rounded to.
const ROUNDED_MS: u128 = 50;

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
                page.comment("which is long beside most cases: one process serves one case after another");
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
    if let Reach::Started { command, .. } = &seen.reach
        && !command.env.is_empty()
    {
        page.table("gateway.env");
        page.comment("what it was started with; leave out what it does not read");
        let mut env: Vec<(&str, &str)> =
            command.env.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
        let heartbeat = &seen.heartbeat;
        let variables = [
            (heartbeat.interval_variable.as_deref(), "{ping_interval_ms}"),
            (heartbeat.timeout_variable.as_deref(), "{pong_timeout_ms}"),
        ];
        env.extend(variables.into_iter().filter_map(|(name, value)| Some((name?, value))));
        for (name, value) in env {
            page.set(name, &json!(value));
        }
    }
}

/// What its first message calls the rooms of a user and of a role.
fn rooms(page: &mut Page, seen: &ObservedGateway) {
    let Some(entry) = &seen.sign_in.entry else { return };
    let named = NamedRooms::said(&seen.talk.first, entry);
    let own = [("user", "user:{user}", named.user), ("role", "role:{role}", named.role)];
    let mut rooms: BTreeMap<&str, String> = BTreeMap::new();
    for (kind, usual, seen) in own {
        if let Some((_, template)) = seen.filter(|(_, template)| template != usual) {
            rooms.insert(kind, template);
        }
    }
    if !rooms.is_empty() {
        page.comment("its first message named these rooms");
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
        Some(exchange) => page.set("exchange", &json!(exchange)),
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

pub(super) fn timing(page: &mut Page, seen: &ObservedGateway) {
    page.table("timing");
    let heartbeat = &seen.heartbeat;
    let told_interval = told().ping_interval;
    let is_told = is_near(heartbeat.pings.as_ref().map(|(_, period)| *period), told_interval);
    match (&heartbeat.pings, &heartbeat.interval_variable) {
        (Some((kind, period)), Some(variable)) => {
            page.comment(&format!("{} came every {period:.1?} as `{variable}` said", by(kind)));
            page.set("ping_interval", &duration(told_interval));
        }
        (Some((kind, period)), None) => {
            let whose = if is_told { ", as it was told" } else { ", whatever it was told" };
            page.comment(&format!("{} came every {period:.1?}{whose}", by(kind)));
            page.set("ping_interval", &duration(if is_told { told_interval } else { rounded(*period) }));
        }
        (None, _) if seen.sign_in.entry.is_none() => {
            page.comment("pings were not looked for: no one could sign in");
            page.open("ping_interval", "\"30s\"");
            return page.open("pong_timeout", "\"10s\"");
        }
        (None, _) if seen.talk.protocol.is_some_and(|protocol| !protocol.pings()) => {
            page.comment("clients send the heartbeats; short, so that a run takes seconds");
            page.set("ping_interval", &duration(told_interval));
            return page.set("pong_timeout", &duration(told_interval));
        }
        (None, _) => {
            if !heartbeat.tried.is_empty() {
                page.comment(&format!("set in vain: {}", heartbeat.tried.join(", ")));
            }
            page.comment(&format!(
                "no ping was seen in {:.0?}: say how often it pings, and hand over `{{ping_interval_ms}}` where it can be told, so that a run \
                 takes seconds",
                heartbeat.watched_for
            ));
            page.open("ping_interval", "\"30s\"");
        }
    }
    let interval = heartbeat.pings.as_ref().map(|(_, period)| *period);
    match (heartbeat.gives_up_after, &heartbeat.timeout_variable) {
        (Some(after), Some(variable)) => {
            page.comment(&format!(
                "without pongs the connection ended {after:.1?} after a ping, as `{variable}` said"
            ));
            page.set("pong_timeout", &duration(told().pong_timeout));
        }
        (Some(after), None) => {
            page.comment(&format!("without pongs the connection ended {after:.1?} after the first ping"));
            let timeout = if is_near(Some(after), told().pong_timeout) && is_told {
                told().pong_timeout
            } else if let Some(periods) = periods(after, interval) {
                page.comment(&match periods {
                    1 => "that is at the next ping: it has no timeout of its own".to_owned(),
                    periods => format!("those are {periods} periods: it has no timeout of its own"),
                });
                let is_set = heartbeat.interval_variable.is_some() || is_told;
                if is_set { told_interval * periods } else { rounded(after) }
            } else {
                rounded(after)
            };
            page.set("pong_timeout", &duration(timeout));
        }
        (None, _) => {
            page.comment("that a client without pongs is given up was not seen: say after how long it is");
            page.open("pong_timeout", "\"10s\"");
        }
    }
    if let Reach::Started { command, .. } = &seen.reach
        && (command.uses("connect_timeout") || command.uses("connect_timeout_ms"))
    {
        page.comment("it is told this; short, so that a run takes seconds");
        return page.set("connect_timeout", &duration(told().connect_timeout));
    }
    let ended = [
        ("a request that stayed without its second half", seen.unfinished.handshake),
        ("a connection that did not sign in", seen.unfinished.sign_in),
    ];
    let ended = ended.into_iter().filter_map(|(what, after)| Some((what, after?)));
    let lines: Vec<String> =
        ended.clone().map(|(what, after)| format!("{what} was ended after {after:.1?}")).collect();
    // The shorter one is within it, too (CONN-8).
    if let Some(longest) = ended.map(|(_, after)| after).max() {
        page.comment(&lines.join("; "));
        page.set("connect_timeout", &duration(rounded(longest)));
    }
}

fn by(kind: &PingKind) -> &'static str {
    match kind {
        PingKind::Control => "pings (control frames)",
        PingKind::Message(_) => "pings (messages)",
    }
}

/// How many periods a time is, where it is a whole number of them.
fn periods(time: Duration, period: Option<Duration>) -> Option<u32> {
    (1..=MAX_PERIODS).find(|count| is_near(Some(time), period.unwrap_or_default() * *count))
}

fn duration(time: Duration) -> Value {
    json!(format_duration(time))
}

/// Whether a time is near another.
pub(in crate::discover) fn is_near(time: Option<Duration>, other: Duration) -> bool {
    time.is_some_and(|time| {
        let (time, other) = (time.as_secs_f64(), other.as_secs_f64());
        (time - other).abs() <= NEAR * other.max(0.001)
    })
}

/// A measured time, rounded: a host is late rather than early, by less than that.
fn rounded(time: Duration) -> Duration {
    let ms = ((time.as_millis() + ROUNDED_MS / 2) / ROUNDED_MS).max(1) * ROUNDED_MS;
    Duration::from_millis(u64::try_from(ms).unwrap_or(u64::MAX))
}
