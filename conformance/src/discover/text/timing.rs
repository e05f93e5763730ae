//! `[timing]`.

use std::time::Duration;

use protocol::format_duration;
use serde_json::{Value, json};

use super::Page;
use crate::discover::heartbeat::PingKind;
use crate::discover::observed::{ObservedGateway, Reach};
use crate::discover::short_timing;

/// How near to each other two times are that count as equal, as a share.
const NEAR: f64 = 0.15;
/// Most pings that are missed before a client is given up, where that is how a timeout is counted.
const MAX_PERIODS: u32 = 4;
/// What a measured time is rounded to.
const ROUNDED_MS: u128 = 50;

pub(super) fn write(page: &mut Page, seen: &ObservedGateway) {
    page.table("timing");
    let heartbeat = &seen.heartbeat;
    let told_interval = short_timing().ping_interval;
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
            page.set("pong_timeout", &duration(short_timing().pong_timeout));
        }
        (Some(after), None) => {
            page.comment(&format!("without pongs the connection ended {after:.1?} after the first ping"));
            let timeout = if is_near(Some(after), short_timing().pong_timeout) && is_told {
                short_timing().pong_timeout
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
        return page.set("connect_timeout", &duration(short_timing().connect_timeout));
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
