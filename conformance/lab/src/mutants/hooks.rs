//! Clients whose hooks do not hold.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use sim::boundary::Boundary;

use super::Mutant;
use super::lines::{Change, answered, asked, lines, reported};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "client/consumers-miss-statuses",
        requirement: "PROV-1",
        about: "Consumers see the status of the moment at which they were made.",
        boundary: || {
            lines(|| {
                let mut seen = BTreeMap::<String, u32>::new();
                Change::default().report(move |line| {
                    let Some(consumer) = line["consumer"].as_str() else { return reported([line]) };
                    let times = seen.entry(consumer.to_owned()).or_default();
                    *times += 1;
                    if *times > 1 { reported([]) } else { reported([line]) }
                })
            })
        },
    },
    Mutant {
        id: "client/unmounting-changes-nothing",
        requirement: "HOOK-1",
        about: "The listener stays when its component goes.",
        boundary: || {
            lines(|| {
                Change::default()
                    .request(|line| if line["op"] == "unmount" { answered(&line) } else { asked([line]) })
            })
        },
    },
    Mutant {
        id: "client/only-the-very-key",
        requirement: "HOOK-2",
        about: "Keys are compared, not matched by their beginning.",
        boundary: || refetching(|key| key.len() == 1),
    },
    Mutant {
        id: "client/nothing-is-invalidated",
        requirement: "HOOK-2",
        about: "The handler runs, and the cache is not told.",
        boundary: || refetching(|_| false),
    },
    Mutant {
        id: "client/the-cache-is-not-written",
        requirement: "HOOK-3",
        about: "The updater's result is thrown away.",
        boundary: || not_mounting("real_time_query_update"),
    },
    Mutant {
        id: "client/single-payments-stay-old",
        requirement: "HOOK-4",
        about: "Only the list of payments is invalidated.",
        boundary: || refetching(|key| key.first() != Some(&json!("payment"))),
    },
    Mutant {
        id: "client/the-list-of-payments-stays-old",
        requirement: "HOOK-4",
        about: "Only single payments are invalidated.",
        boundary: || refetching(|key| key.first() != Some(&json!("payments"))),
    },
    Mutant {
        id: "client/oldest-activity-first",
        requirement: "HOOK-5",
        about: "Activities are appended.",
        boundary: || reading(|activities| activities.reverse()),
    },
    Mutant {
        id: "client/nineteen-activities",
        requirement: "HOOK-5",
        about: "The list is cut before the newest joins it.",
        boundary: || reading(|activities| activities.truncate(19)),
    },
    Mutant {
        id: "client/profiles-stay-old",
        requirement: "HOOK-6",
        about: "The hook for profiles listens to another event.",
        boundary: || not_mounting("profile_updates"),
    },
    Mutant {
        id: "client/what-was-missed-stays-missed",
        requirement: "HOOK-7",
        about: "After a reconnect nothing is fetched anew.",
        boundary: || {
            lines(|| {
                let mut lost = false;
                Change::default().report(move |line| {
                    lost |= line["status"] == "reconnecting";
                    if lost && line["event"] == "refetch" { reported([]) } else { reported([line]) }
                })
            })
        },
    },
];

/// Lets only those keys be fetched again; the first fetch of each is no refetch.
fn refetching(which: fn(&[Value]) -> bool) -> Boundary {
    lines(move || {
        let mut fetched = Vec::new();
        Change::default().report(move |line| {
            let Some(key) = line["key"].as_array().filter(|_| line["event"] == "refetch") else {
                return reported([line]);
            };
            let first = !fetched.contains(key);
            if first {
                fetched.push(key.clone());
            }
            if first || which(key) { reported([line]) } else { reported([]) }
        })
    })
}

/// Answers that a hook is mounted, and does not mount it.
fn not_mounting(kind: &'static str) -> Boundary {
    lines(move || {
        Change::default().request(move |mut line| {
            if line["op"] == "mount" && line["hook"]["kind"] == kind {
                // Something must hold the connection.
                line["hook"] = json!({ "kind": "subscription", "eventType": "nobody:cares" });
            }
            asked([line])
        })
    })
}

/// Changes what a dashboard shows.
fn reading(change: fn(&mut Vec<Value>)) -> Boundary {
    lines(move || {
        Change::default().report(move |mut line| {
            if let Some(activities) = line["value"].as_array_mut() {
                change(activities);
            }
            reported([line])
        })
    })
}
