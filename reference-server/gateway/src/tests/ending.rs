//! Connections that the gateway ends: all of them when it shuts down, and those that read too slowly.

use std::collections::BTreeMap;

use protocol::{CloseCode, Dialect};
use serde_json::json;

use super::{at, event, machine, open, say, take};
use crate::{Backlog, ConnectionId, Input, Output, close_frame};

/// CONN-6: every connection is closed with 1001, and no state is left.
#[test]
fn shutdown_leaves_nothing() {
    let mut gateway = machine(Dialect::default());
    open(&mut gateway, 1, "a");
    open(&mut gateway, 2, "b");
    let closed = [1, 2].map(|id| Output::Close(ConnectionId(id), CloseCode::GOING_AWAY));
    assert_eq!(take(&mut gateway, Input::Shutdown), closed);
    assert!(gateway.is_empty());
    assert!(say(&mut gateway, 1, r#"{"type":"ping"}"#).is_empty(), "a late sign changes nothing");
    let late = [Output::Close(ConnectionId(3), CloseCode::GOING_AWAY)];
    assert_eq!(open(&mut gateway, 3, "c"), late, "its handshake ended during the drain");
    assert!(gateway.is_empty());
}

/// BRIDGE-12: of readers that are as slow as can be, each is shed once and delays no other; what waits for them is bounded.
#[test]
fn slow_readers_are_shed() {
    const LIMIT: usize = 1000;
    const LAST: u64 = 4;
    let mut gateway = machine(Dialect::default());
    let mut backlogs = BTreeMap::new();
    let (mut shed, mut read) = (Vec::new(), 0);
    for id in 1..=LAST {
        open(&mut gateway, id, "u");
        backlogs.insert(ConnectionId(id), Backlog::new(LIMIT, CloseCode::TRY_AGAIN_LATER));
    }
    for number in 0..100 {
        gateway.handle(at(0), event("payment:created", &json!({ "n": number })));
        while let Some(output) = gateway.poll() {
            match output {
                Output::Send(id, frames) => {
                    let backlog = backlogs.get_mut(&id).unwrap();
                    let length = frames.len();
                    backlog.append(frames);
                    if id == ConnectionId(LAST) {
                        read += 1;
                        backlog.written(length);
                    }
                    assert!(backlog.bytes() <= LIMIT + length);
                    if backlog.is_over() {
                        gateway.handle(at(0), Input::Slow(id));
                        gateway.handle(at(0), Input::Slow(id));
                    }
                }
                Output::Shed(id) => {
                    let backlog = backlogs.get_mut(&id).unwrap();
                    backlog.shed();
                    assert_eq!(backlog.front(), Some(&close_frame(CloseCode::TRY_AGAIN_LATER)));
                    shed.push(id.0);
                }
                other => panic!("{other:?} of readers that are slow"),
            }
        }
    }
    assert_eq!((shed, read), (vec![1, 2, 3], 100));
    assert_eq!(gateway.stats().connections.total, 1, "nothing of theirs is left");
}
