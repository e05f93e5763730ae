//! Queues.

use crate::client::{Behaviour, Queue};
use crate::{findings, judged, passes, verdicts};

fn with(queue: Queue) -> Behaviour {
    Behaviour { queue, ..Behaviour::default() }
}

/// A full queue does what is declared: a client with that policy passes, and no other one does.
#[tokio::test]
async fn the_declared_overflow_is_judged() {
    let policies = [
        ("refuse", Queue::RefuseNewest),
        ("drop-oldest", Queue::DropOldest),
        ("drop-newest", Queue::DropNewest),
    ];
    for (name, declared) in policies {
        for (other, queue) in policies {
            let design = format!("[client.design]\nqueue = \"{name}\"");
            let report = judged(&design, with(queue), &["client/queue/overflow"]).await;
            assert_eq!(passes(&report), declared == queue, "{other} as {name}: {:?}", findings(&report));
        }
    }
}

/// Without a queue each message arrives or is refused; what is kept, or lost in silence, is a finding.
#[tokio::test]
async fn no_queue_is_judged() {
    let none = "[client.design]\nqueue = \"none\"";
    let cases =
        ["client/queue/during-reconnection", "client/queue/offline-in-order", "client/queue/overflow"];
    let report = judged(none, with(Queue::RefuseAll), &cases).await;
    assert!(passes(&report), "{:?}", findings(&report));
    assert_eq!(report.design, [scenarios::Foreign::from("queue: none")]);
    let why = "not run: sends while there is no connection; the design has no queue".to_owned();
    assert_eq!(
        verdicts(&report),
        [("during-reconnection", "pass".to_owned()), ("offline-in-order", why.clone()), ("overflow", why),]
    );
    for queue in [Queue::DropAll, Queue::RefuseNewest] {
        let report = judged(none, with(queue), &cases[..1]).await;
        assert!(
            findings(&report).iter().any(|found| found.starts_with("QUEUE-1")),
            "{:?}",
            verdicts(&report)
        );
    }
}

/// A client that keeps nothing before its first connection is judged by what it keeps later: the same cases, after a connection that broke.
#[tokio::test]
async fn a_queue_from_the_first_connection_on_is_judged() {
    let later = "[client.design]\nbefore_first_connection = false";
    let cases = [
        "client/queue/during-reconnection",
        "client/queue/offline-in-order",
        "client/queue/order-of-types",
        "client/queue/order-on-opening",
        "client/queue/overflow",
        "client/queue/polite-cut",
        "client/queue/rough-cut",
        "client/queue/sent-and-cut",
        "client/queue/sent-while-connecting",
    ];
    let keeps = Behaviour { before_first: false, ..Behaviour::default() };
    let report = judged(later, keeps, &cases).await;
    assert!(
        verdicts(&report).iter().all(|(_, verdict)| verdict == "pass"),
        "{:?} {:?}",
        verdicts(&report),
        report.cases
    );
    let cases = ["client/queue/during-reconnection", "client/queue/offline-in-order"];
    assert!(!passes(&judged("", keeps, &cases).await), "that is not declared");
    assert!(!passes(&judged(later, with(Queue::DropAll), &cases).await));
    let drops_newest = "[client.design]\nbefore_first_connection = false\nqueue = \"drop-newest\"";
    for (queue, is_declared) in [(Queue::DropNewest, true), (Queue::DropOldest, false)] {
        let behaviour = Behaviour { queue, ..keeps };
        let report = judged(drops_newest, behaviour, &["client/queue/overflow"]).await;
        assert_eq!(passes(&report), is_declared, "{:?}", findings(&report));
    }
}
