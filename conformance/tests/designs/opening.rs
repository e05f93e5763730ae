//! What goes out first as a connection opens, and what is left out where a listener's exception is fatal.

use crate::client::Behaviour;
use crate::{findings, judged, passes, verdicts};

/// The declared order passes, and the other one does not, either way.
#[tokio::test]
async fn the_declared_order_is_judged() {
    for (design, declared) in [("", false), ("[client.design]\non_opening = \"subscriptions-first\"", true)] {
        for subscribes_first in [false, true] {
            let behaviour = Behaviour { subscribes_first, ..Behaviour::default() };
            let report = judged(design, behaviour, &["client/queue/order-on-opening"]).await;
            assert_eq!(passes(&report), declared == subscribes_first, "{design}: {:?}", findings(&report));
        }
    }
}

/// No listener is told to fail where that ends the client.
#[tokio::test]
async fn fatal_exceptions_are_left_out() {
    let fatal = "[client.design]\nlisteners = \"fatal\"";
    let cases = ["client/subscriptions/listeners", "client/state/connect-and-lose"];
    let report = judged(fatal, Behaviour::default(), &cases).await;
    let why = "not run: has a listener fail, which is fatal to this client, as declared";
    assert_eq!(
        verdicts(&report),
        [("connect-and-lose", "pass".to_owned()), ("listeners", why.to_owned())],
        "{:?}",
        findings(&report)
    );
}
