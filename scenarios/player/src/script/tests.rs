use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use protocol::{Dialect, Timing};
use scenarios::design::ClientDesign;
use scenarios::scenario::{Bindings, OnDial, OnDials};
use scenarios::times::Times;
use scenarios::token::Issuer;
use scenarios::trace::Observation;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, ReadBuf, duplex};

use super::*;
use crate::journal::{Journal, journal};
use crate::stage::PlayError;

/// The example of RFC 6455, section 1.3.
const REQUEST: &[u8] = b"GET /ws HTTP/1.1\r\nHost: gateway\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
/// One whose events say to which subscription they belong.
const REFERRING: &str = r#"{"welcome":false,"acks":false,"frames":{
    "message":"{\"type\":\"{type}\",\"payload\":\"{payload}\"}",
    "subscribe":"{\"id\":\"{ref}\",\"type\":\"subscribe\",\"payload\":\"{room}\"}",
    "unsubscribe":"{\"id\":\"{subscription}\",\"type\":\"complete\"}",
    "event":"{\"id\":\"{subscription}\",\"type\":\"next\",\"payload\":{\"type\":\"{type}\",\"data\":\"{payload}\"}}"}}"#;
const PATIENCE: Duration = Duration::from_secs(3);

/// Dials that come one after the other; once there are no more, the listening socket has failed.
struct Dials(mpsc::Receiver<Lingering>);

impl Accept for Dials {
    type Stream = Lingering;

    async fn accept(&mut self) -> io::Result<Lingering> {
        self.0.recv().await.ok_or_else(|| io::ErrorKind::InvalidInput.into())
    }

    fn reset(stream: Lingering) {
        drop(stream);
    }
}

/// A stream whose end is seen by the other side at once, and by this one never: as where the host stops this thread just then.
struct Lingering(DuplexStream);

impl AsyncRead for Lingering {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(cx, buf)
    }
}

impl AsyncWrite for Lingering {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let _ = Pin::new(&mut self.0).poll_shutdown(cx);
        Poll::Pending
    }
}

/// A gateway, the trace, and what dials.
struct Rig {
    gateway: ScriptedGateway,
    journal: Journal,
    dials: mpsc::Sender<Lingering>,
}

impl Rig {
    fn new(on_dial: OnDial, dialect: &str) -> Self {
        let setting = setting(dialect);
        let spec = GatewaySpec { on_dial: OnDials::Always(on_dial), pong: true, welcome: false };
        let (recorder, journal) = journal(Arc::new(|| Duration::ZERO));
        let (dials, listener) = mpsc::channel(1);
        Self { gateway: ScriptedGateway::start(Dials(listener), spec, setting, recorder), journal, dials }
    }

    async fn dial(&self) -> DuplexStream {
        self.dial_with(64 * 1024).await
    }

    /// Dials with so many bytes under way at once.
    async fn dial_with(&self, bytes: usize) -> DuplexStream {
        let (mut near, far) = duplex(bytes);
        self.dials.send(Lingering(far)).await.unwrap();
        near.write_all(REQUEST).await.unwrap();
        near
    }

    async fn sees(&mut self, event: impl Fn(&Event) -> bool) -> bool {
        self.journal.until_count(|seen: &Observation| event(&seen.event), 1, 0, PATIENCE).await.unwrap()
    }
}

pub(crate) fn setting(dialect: &str) -> Setting {
    let dialect: Dialect = dialect.parse().unwrap();
    Setting {
        bindings: Bindings {
            case: "c".to_owned(),
            dialect: dialect.clone(),
            users: Default::default(),
            roles: Default::default(),
            event_names: Default::default(),
            rooms: Default::default(),
            seed_rooms: true,
            pages: scenarios::pages::PagePaths::default(),
            stats: scenarios::stats::StatsPlaces::default(),
            audiences: Default::default(),
            owner_keys: Default::default(),
        },
        times: Times {
            timing: Timing::default(),
            patience: PATIENCE,
            slack: Duration::ZERO,
            fleet: 1,
            slow_reader: Duration::ZERO,
            design: ClientDesign::default(),
        },
        dialect,
        issuer: Issuer::with_secret(""),
        path: "/ws".to_owned(),
        unix_ms: Arc::new(|| 0),
        seed: 1,
        keeps_handshakes: true,
    }
}

fn event() -> GatewayAct {
    GatewayAct::Event { name: "a:b".to_owned(), data: json!({}), count: 1 }
}

/// The frame that an event is, behind the upgrade.
async fn read_until(stream: &mut DuplexStream, text: &str) {
    let mut read = Vec::new();
    while !String::from_utf8_lossy(&read).contains(text) {
        assert!(stream.read_buf(&mut read).await.unwrap() > 0, "{}", String::from_utf8_lossy(&read));
    }
}

/// A refusal stands in the trace before its dial sees it: a delay that begins with it is never measured too short.
#[tokio::test(start_paused = true)]
async fn a_refusal_is_noted_before_it_is_seen() {
    for on_dial in [OnDial::Refuse, OnDial::Unavailable, OnDial::Garbage, OnDial::Unauthorized] {
        let mut rig = Rig::new(on_dial, "{}");
        let mut answer = Vec::new();
        rig.dial().await.read_to_end(&mut answer).await.unwrap();
        assert!(rig.sees(|event| matches!(event, Event::Refused { .. })).await, "{on_dial:?}");
    }
}

/// A listening socket that fails takes no connection with it, and acts still reach what is connected.
#[tokio::test(start_paused = true)]
async fn acts_outlive_the_listening_socket() {
    let rig = Rig::new(OnDial::Accept, "{}");
    let mut client = rig.dial().await;
    read_until(&mut client, "\r\n\r\n").await;
    let Rig { gateway, journal: _journal, dials } = rig;
    drop(dials);
    tokio::task::yield_now().await;
    gateway.act(event()).await;
    read_until(&mut client, "a:b").await;
}

/// How a client is treated is settled before the next step: a gateway that is told to stop reading reads nothing that comes later.
#[tokio::test(start_paused = true)]
async fn treatment_is_in_force_at_once() {
    let rig = Rig::new(OnDial::Accept, "{}");
    let mut client = rig.dial_with(64).await;
    // The dial is granted, and its answer waits to be read.
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
    let stalls = rig.gateway.act(GatewayAct::Stall(true));
    let read = read_until(&mut client, "\r\n\r\n");
    assert!(tokio::time::timeout(PATIENCE, stalls).await.is_err(), "its connection is not open");
    read.await;
}

/// Where events name their subscription, one in fragments waits for it like one that is whole.
#[tokio::test(start_paused = true)]
async fn fragments_wait_for_their_subscription() {
    let mut rig = Rig::new(OnDial::Accept, REFERRING);
    let mut client = rig.dial().await;
    read_until(&mut client, "\r\n\r\n").await;
    let act = GatewayAct::Fragmented {
        name: "a:b".to_owned(),
        data: json!({}),
        fragments: 3,
        between: b"be".to_vec(),
    };
    rig.gateway.act(act).await;
    let is_event = |event: &Event| matches!(event, Event::Received(frame) if frame.body.contains("a:b"));
    assert!(!rig.sees(is_event).await, "it came before it was asked for");
    let subscribe = RawFrame::text(r#"{"id":"7","type":"subscribe","payload":"a:b"}"#).encode(Some([0; 4]));
    client.write_all(&subscribe).await.unwrap();
    assert!(rig.sees(|event| is_event(event) && format!("{event:?}").contains(r#"\"id\":\"7\""#)).await);
}

/// A frame with a reserved opcode is a wrong one (RFC 6455 section 5.2), one that is too long is too much: neither is taken for the other.
#[tokio::test(start_paused = true)]
async fn a_wrong_frame_is_no_flood() {
    let is_wrong = |event: &Event| matches!(event, Event::BadFrame { by: Side::Client, .. });
    for (header, floods) in [(&[0x83, 0x80][..], false), (&[0x82, 0xff, 0, 0, 0, 1, 0, 0, 0, 0][..], true)] {
        let mut rig = Rig::new(OnDial::Accept, "{}");
        let mut client = rig.dial().await;
        read_until(&mut client, "\r\n\r\n").await;
        client.write_all(&[header, &[0; 4][..]].concat()).await.unwrap();
        let flood = rig.journal.flood();
        let ended = flood.end(async {
            assert!(rig.sees(is_wrong).await);
            Ok(())
        });
        assert_eq!(matches!(ended.await, Err(PlayError::Flooded(_))), floods, "{header:x?}");
    }
}
