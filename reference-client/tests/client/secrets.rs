//! TOKEN-3: whatever a gateway does, nothing that is logged or reported holds the token. CONF-1: and nothing is logged at all
//! unless `debug` says so.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use reference_client::{Client, ClientConfig, Status, TcpDial, TokenError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio_tungstenite::tungstenite::Message;
use tracing_subscriber::fmt::MakeWriter;

use crate::gateway::{Gateway, reaches, soon, wall};

/// Both forms begin so.
const SECRET: &str = "s3cr3t-t0k3n";
const TOKEN: &str = "s3cr3t-t0k3n+/=";
const ENCODED: &str = "s3cr3t-t0k3n%2B%2F%3D";

/// Keeps what is logged.
#[derive(Clone, Default)]
struct Kept(Arc<Mutex<Vec<u8>>>);

impl Kept {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("no panic").clone()).expect("UTF-8")
    }

    fn add(&self, line: &str) {
        writeln!(self.0.lock().expect("no panic"), "{line}").expect("memory");
    }
}

impl Write for Kept {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        Write::write(&mut *self.0.lock().expect("no panic"), bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Kept {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

/// The log of this thread, which is the whole of a test's runtime.
fn logging() -> (Kept, tracing::subscriber::DefaultGuard) {
    let kept = Kept::default();
    let log = tracing_subscriber::fmt()
        .with_max_level(tracing::Level::TRACE)
        .with_writer(kept.clone())
        .with_ansi(false)
        .finish();
    let guard = tracing::subscriber::set_default(log);
    (kept, guard)
}

/// A client whose reports, and whose reasons for failing, are kept with the log.
fn client(url: &str, kept: &Kept, debug: bool) -> (Client, mpsc::UnboundedReceiver<Status>) {
    let mut config = ClientConfig::new(url, TOKEN).expect("a URL");
    config.auto_reconnect = false;
    config.debug = debug;
    kept.add(&format!("{config:?}"));
    let client = Client::start(config, TcpDial, wall());
    let (reports, reasons, failure) = (kept.clone(), kept.clone(), client.watch_failure());
    client.on_report(move |report| reports.add(&format!("{report:?}")));
    let (sender, statuses) = mpsc::unbounded_channel();
    client.on_status(move |_, new| {
        reasons.add(&format!("failure: {:?}", failure.borrow()));
        sender.send(new).unwrap_or(());
    });
    (client, statuses)
}

const FAILED: [Status; 3] = [Status::Connecting, Status::Error, Status::Disconnected];

/// The port is closed, or the handshake is answered with garbage, with a refusal, or with an echo of the request.
#[tokio::test]
async fn a_failed_dial_keeps_the_token_out_of_the_log() {
    let (kept, _guard) = logging();
    let listener = soon("a port", TcpListener::bind(("127.0.0.1", 0))).await.unwrap();
    let url = format!("ws://{}/ws?v=1", listener.local_addr().unwrap());
    let echo = format!("HTTP/1.1 101 {ENCODED}\r\nX: {TOKEN}\r\n\r\n");
    let refusal = format!("HTTP/1.1 401 {TOKEN}\r\nContent-Length: 0\r\nX: {ENCODED}\r\n\r\n");
    for answer in [TOKEN, &format!("{TOKEN}\r\n\r\n"), &echo, &refusal] {
        let (client, mut statuses) = client(&url, &kept, true);
        soon("the order", client.connect()).await.unwrap();
        let (mut stream, _) = soon("a dial", listener.accept()).await.unwrap();
        let mut request = [0; 1024];
        let length = soon("the request", stream.read(&mut request)).await.unwrap();
        assert!(String::from_utf8_lossy(&request[..length]).contains(ENCODED));
        soon("the answer", stream.write_all(answer.as_bytes())).await.unwrap();
        drop(stream);
        reaches(&mut statuses, &FAILED).await;
    }
    drop(listener);
    let (client, mut statuses) = client(&url, &kept, true);
    soon("the order", client.connect()).await.unwrap();
    reaches(&mut statuses, &FAILED).await;
    let text = kept.text();
    assert_eq!(text.matches("the dial failed").count(), 5, "{text}");
    assert!(!text.contains(SECRET), "{text}");
}

/// A gateway that sends the token back, in what can be read and in what cannot.
#[tokio::test]
async fn an_echo_keeps_the_token_out_of_the_log() {
    let (kept, _guard) = logging();
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(&gateway.url(), &kept, true);
    soon("the order", client.connect()).await.unwrap();
    let mut accepted = gateway.accept().await;
    for garbage in
        [format!("\"{TOKEN}\""), format!(r#"{{"type":["{TOKEN}"]}}"#), format!(r#"{{"{ENCODED}":"#)]
    {
        accepted.send(Message::text(garbage)).await;
    }
    drop(accepted);
    reaches(&mut statuses, &[Status::Connecting, Status::Connected, Status::Disconnected]).await;
    let text = kept.text();
    assert_eq!(text.matches("a message cannot be read").count(), 3, "{text}");
    assert!(!text.contains(SECRET), "{text}");
}

/// A provider whose error quotes the token that it answered before.
#[tokio::test]
async fn a_provider_s_error_is_redacted() {
    let (kept, _guard) = logging();
    let gateway = Gateway::start().await;
    let mut config = gateway.config();
    let asked = AtomicBool::new(false);
    config.token_provider = Some(Arc::new(move || {
        let again = asked.swap(true, Ordering::Relaxed);
        async move { if again { Err(TokenError(format!("{TOKEN} is stale"))) } else { Ok(TOKEN.to_owned()) } }
    }));
    config.timing.max_reconnect_attempts = 1;
    config.debug = true;
    let (client, mut statuses) = crate::gateway::client(config);
    soon("the order", client.connect()).await.unwrap();
    drop(gateway.accept().await);
    let lost = [Status::Connecting, Status::Connected, Status::Reconnecting];
    reaches(&mut statuses, &lost).await;
    reaches(&mut statuses, &FAILED).await;
    let reason = client.watch_failure().borrow().clone();
    assert_eq!(reason.as_deref(), Some("no token: [redacted] is stale"));
    assert!(kept.text().contains("[redacted] is stale") && !kept.text().contains(SECRET), "{}", kept.text());
}

/// CONF-1: by default a client logs none of this.
#[tokio::test]
async fn without_debug_nothing_is_logged() {
    let (kept, _guard) = logging();
    let gateway = Gateway::start().await;
    let (client, mut statuses) = client(&gateway.url(), &kept, false);
    soon("the order", client.connect()).await.unwrap();
    gateway.accept().await.send(Message::text("{")).await;
    reaches(&mut statuses, &[Status::Connecting, Status::Connected, Status::Disconnected]).await;
    let text = kept.text();
    assert!(!text.contains("DEBUG") && !text.contains("TRACE"), "{text}");
}
