use std::sync::Arc;
use std::time::Duration;

use scenarios::trace::Observation;
use tokio::io::{AsyncReadExt, duplex};

use super::*;
use crate::journal::journal;
use crate::script::tests::setting;

/// A client's end that has ended its direction reads on: a ping that it can no longer answer does not end the connection.
#[tokio::test(start_paused = true)]
async fn a_half_closed_end_reads_on() {
    let (recorder, mut journal) = journal(Arc::new(|| Duration::ZERO));
    let (mut gateway, stream) = duplex(1024);
    let setup = PeerSetup {
        side: Side::Client,
        actor: Actor::client(),
        connection: 0,
        pings_to_answer: u32::MAX,
        answers_ping_messages: true,
        stalled: false,
        recorder,
        setting: setting("{}"),
        compression: None,
        pending: PendingRequests::default(),
    };
    let peer = Peer::start(stream, Vec::new(), setup);
    assert!(peer.order(PeerCommand::HalfClose).await);
    assert_eq!(gateway.read(&mut [0]).await.unwrap(), 0, "its direction has ended");
    for frame in [RawFrame::control(Control::Ping, "a"), RawFrame::text("{}")] {
        gateway.write_all(&frame.encode(None)).await.unwrap();
    }
    let is_text = |seen: &Observation| matches!(&seen.event, Event::Received(frame) if frame.body == "{}");
    assert!(journal.until_count(is_text, 1, 0, Duration::from_secs(3)).await.unwrap());
    assert!(!journal.trace().observations.iter().any(|seen| matches!(seen.event, Event::Closed { .. })));
}
