//! Each fault does what it says: what a plan with it leaves in its trace, and no trace without it does.

use scenarios::trace::{Frame, FrameKind, Side};
use scenarios::{Event, Observation, Plan, ScenarioId, Trace};
use swarm::{Options, play};

const HEAD: &str = r#"
version = 2
title = "a fault"
subject = "system"
expect = "rules"

[clients.ada]
provider = true

[[at]]
time = "0s"
client = "ada"
do = "connect"

[[at]]
time = "1s"
client = "ada"
subscribe = "catalog:changed"
"#;

/// What goes on behind the fault.
const TAIL: &str = r#"
[[at]]
time = "25s"
client = "ada"
send = { type = "note", payload = {}, count = 5 }

[[at]]
time = "40s"
publish = { type = "payment:created", data = {}, count = 3 }
"#;

fn trace(fault: &str) -> Trace {
    let text = match fault {
        "" => format!("{HEAD}{TAIL}"),
        fault => format!("{HEAD}\n[[at]]\ntime = \"20s\"\n{fault}\n{TAIL}"),
    };
    let plan =
        Plan::parse(ScenarioId("fault".to_owned()), &text).unwrap_or_else(|error| panic!("{error}: {text}"));
    let played = play(&plan, Options { keeps_trace: true, ..Options::default() });
    assert_eq!(played.violations, [], "{fault}");
    played.trace.expect("it was kept")
}

fn is_note(seen: &Observation) -> bool {
    matches!(&seen.event, Event::Sent(Frame { kind: FrameKind::Text, body, .. }) if body.contains("note"))
}

fn is_answer(seen: &Observation) -> bool {
    matches!(&seen.event, Event::Received(Frame { body, .. }) if body.contains("unknown_type"))
}

fn is_event(seen: &Observation) -> bool {
    matches!(&seen.event, Event::Received(Frame { body, .. }) if body.contains("payment:created"))
}

fn is_closed(seen: &Observation, code: Option<u16>, side: Side) -> bool {
    matches!(&seen.event, Event::Closed { code: closed, by } if closed.map(|code| code.0) == code && *by == side)
}

fn between(seen: &Observation, from_s: u64, to_s: u64) -> bool {
    (from_s * 1_000_000..to_s * 1_000_000).contains(&seen.at_us)
}

#[test]
fn each_fault_does_what_it_says() {
    type Check = fn(&Observation) -> bool;
    let faults: [(&str, Check); 15] = [
        // The client takes the gateway for dead: its ping at 30 s finds no answer.
        ("lasts = \"60s\"\nclient = \"ada\"\nnetwork = { both = { black_hole = true } }", |seen| {
            is_closed(seen, None, Side::Client) && between(seen, 40, 41)
        }),
        // So does it where only the answers are held back.
        ("lasts = \"60s\"\nclient = \"ada\"\nnetwork = { to_client = { black_hole = true } }", |seen| {
            is_closed(seen, None, Side::Client) && between(seen, 40, 41)
        }),
        // What is held back comes when the hole is over: the messages of 25 s are answered at 28 s.
        ("lasts = \"8s\"\nclient = \"ada\"\nnetwork = { to_gateway = { black_hole = true } }", |seen| {
            is_answer(seen) && between(seen, 28, 29)
        }),
        ("lasts = \"30s\"\nclient = \"ada\"\nnetwork = { both = { delay = \"3s\" } }", |seen| {
            is_event(seen) && between(seen, 43, 44)
        }),
        // Some hundred bytes at 100 bytes a second.
        ("lasts = \"25s\"\nclient = \"ada\"\nnetwork = { to_client = { rate = 100 } }", |seen| {
            is_event(seen) && between(seen, 42, 50)
        }),
        ("lasts = \"30s\"\nclient = \"ada\"\nnetwork = { both = { corrupt = true } }", |seen| {
            seen.event == Event::GatewayClosed && between(seen, 25, 26)
        }),
        ("client = \"ada\"\nnetwork = \"end\"", |seen| {
            is_closed(seen, None, Side::Gateway) && between(seen, 20, 21)
        }),
        ("client = \"ada\"\nnetwork = \"reset\"", |seen| {
            is_closed(seen, None, Side::Gateway) && between(seen, 20, 21)
        }),
        // The connection is never heard of again, and the next one is whole.
        ("client = \"ada\"\nnetwork = \"lose\"", |seen| {
            is_closed(seen, None, Side::Client) && between(seen, 40, 41)
        }),
        // What the application wants at 25 s it wants when it wakes.
        ("lasts = \"9s\"\nclient = \"ada\"\nprocess = \"sleeps\"", |seen| {
            is_note(seen) && seen.at_us == 29_000_000
        }),
        ("lasts = \"25s\"\nclient = \"ada\"\nprocess = \"does_not_read\"", |seen| {
            is_closed(seen, None, Side::Client) && between(seen, 40, 41)
        }),
        ("lasts = \"25s\"\nbroker = \"down\"", |seen| is_event(seen) && between(seen, 45, 60)),
        ("lasts = \"25s\"\nbroker = { to_subject = { black_hole = true } }", |seen| {
            is_event(seen) && seen.at_us == 45_005_000
        }),
        // The kernel ends the connection of a process that is killed, and no one that of a host without power.
        ("lasts = \"5s\"\ngateway = \"killed\"", |seen| {
            is_closed(seen, None, Side::Gateway) && between(seen, 20, 21)
        }),
        ("lasts = \"5s\"\ngateway = \"drained\"", |seen| is_closed(seen, Some(1001), Side::Gateway)),
    ];
    let whole = trace("");
    for (fault, sign) in faults {
        let shown = |trace: &Trace| trace.observations.iter().any(sign);
        let played = trace(fault);
        assert!(shown(&played), "{}\n{fault}", played.to_json_lines());
        assert!(!shown(&whole), "{fault}: without it, too");
    }
}

/// A host that loses power tells no one: the client is told by the reset of the host that is up again.
#[test]
fn power_loss_is_silent() {
    let trace = trace("lasts = \"4s\"\ngateway = \"power_lost\"");
    let closed = trace.observations.iter().find(|seen| matches!(seen.event, Event::Closed { .. }));
    assert!(closed.is_some_and(|seen| between(seen, 25, 26)), "{closed:?}");
}

/// A reader that is too slow for what is published is shed (BRIDGE-12).
#[test]
fn a_slow_reader_is_shed() {
    let text = format!(
        "{HEAD}\n[[at]]\ntime = \"20s\"\nlasts = \"3s\"\nclient = \"ada\"\nprocess = \"does_not_read\"\n\n\
         [[at]]\ntime = \"21s\"\npublish = {{ type = \"payment:created\", data = {{}}, count = 500 }}"
    );
    let plan = Plan::parse(ScenarioId("slow".to_owned()), &text).expect("it is a plan");
    let played = play(&plan, Options { keeps_trace: true, ..Options::default() });
    assert_eq!(played.violations, []);
    let trace = played.trace.expect("it was kept");
    assert!(trace.observations.iter().any(|seen| is_closed(seen, Some(1013), Side::Gateway)));
}

/// A provider that fails, or hangs, is a dial that fails (TOKEN-4).
#[test]
fn a_provider_fails() {
    for fault in ["fails", "hangs"] {
        let text = HEAD.replace(
            "[[at]]\ntime = \"0s\"",
            &format!("[[at]]\ntime = \"0s\"\nlasts = \"5s\"\nclient = \"ada\"\nprovider = \"{fault}\"\n\n[[at]]\ntime = \"0s\""),
        );
        let plan = Plan::parse(ScenarioId("provider".to_owned()), &text).expect("it is a plan");
        let played = play(&plan, Options { keeps_trace: true, ..Options::default() });
        assert_eq!(played.violations, [], "{fault}");
        let errors = |seen: &&Observation| matches!(&seen.event, Event::Status { new, .. } if new == "error");
        assert!(played.trace.expect("it was kept").observations.iter().any(|seen| errors(&seen)), "{fault}");
    }
}
