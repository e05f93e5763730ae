//! How long a gateway waits for what does not come: the rest of a request, a first message, a pong; and how it ends a connection whose token
//! expires.

use std::time::Duration;

use futures_util::future::join4;
use scenarios::token::TokenSpec;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::candidates::{Person, Place};
use super::sign_in::{Dialer, Entry};
use super::socket::Seen;
use super::{heartbeat, now};

/// How long a token is good that is to expire, in seconds, and how long its end may take.
const EXPIRES_IN_S: i64 = 3;
const EXPIRES_WITHIN: Duration = Duration::from_secs(6);
/// How long it is watched.
pub(super) const WATCHES_FOR: Duration = Duration::from_secs(12);

/// After how long a gateway ended what was left unfinished; none where it was not seen to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Unfinished {
    /// A request whose second half did not come.
    pub handshake: Option<Duration>,
    /// A connection on which no first message came that signs in.
    pub sign_in: Option<Duration>,
    /// The connection of a client that answers no ping, after its first ping.
    pub pong: Option<Duration>,
    /// The code of the close at the expiry of a token.
    pub expired: Option<u16>,
}

/// Watches in the background.
pub(super) struct Watch(JoinHandle<Unfinished>);

impl Watch {
    /// Begins; for so long it is waited for a client without pongs to be given up.
    pub(super) fn begin(dialer: &Dialer, entry: &Entry, patience: Duration) -> Self {
        let (dialer, entry) = (dialer.clone(), entry.clone());
        Self(tokio::spawn(async move {
            let signs_in = matches!(entry.place, Place::FirstMessage(_));
            let sign_in = async {
                let left = if signs_in { dialer.leaves(&entry.path).await } else { None };
                left.map(|(_, after)| after)
            };
            let handshake = half_request(&dialer.authority, &entry.path);
            let pong = heartbeat::gives_up(&dialer, &entry, patience);
            let expired = expired(&dialer, &entry);
            let (handshake, sign_in, pong, expired) = join4(handshake, sign_in, pong, expired).await;
            Unfinished { handshake, sign_in, pong, expired }
        }))
    }

    /// What it has seen.
    pub(super) async fn end(self) -> Unfinished {
        self.0.await.unwrap_or_default()
    }
}

/// The code with which a connection ends whose token expires (AUTH-6).
async fn expired(dialer: &Dialer, entry: &Entry) -> Option<u16> {
    let end = now() + EXPIRES_WITHIN;
    let token = TokenSpec { expires_in: Some(EXPIRES_IN_S), ..TokenSpec::default() };
    let mut socket = dialer.open_with(entry, Person::Other, token).await.ok()?.socket;
    loop {
        if let Seen::Close(code) = socket.next(end).await? {
            return code;
        }
    }
}

/// After how long half a request is answered, or its connection ended.
async fn half_request(authority: &str, path: &str) -> Option<Duration> {
    let begun = now();
    let waiting = async {
        let mut stream = TcpStream::connect(authority).await.ok()?;
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {authority}\r\n").as_bytes()).await.ok()?;
        // However it ends.
        let _: std::io::Result<usize> = stream.read(&mut [0; 64]).await;
        Some(begun.elapsed())
    };
    timeout(WATCHES_FOR, waiting).await.ok().flatten()
}
