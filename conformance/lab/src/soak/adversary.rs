//! Misbehaving clients. The gateway closes them, and they reconnect.

use std::time::Duration;

use protocol::{ClientMessage, Dialect, Role, Target, Timestamp};
use scenarios::frame::RawFrame;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use super::dial::{DialError, Dialer};
use super::feed::HEAVY;
use super::summary::Ended;

/// Pause before one reconnects.
const REST: Duration = Duration::from_millis(500);
/// How long a stalled reader stalls before it looks what became of it.
const STALL: Duration = Duration::from_secs(20);
/// Longest wait for a gateway to end a connection that earned it.
const PATIENCE: Duration = Duration::from_secs(20);
/// Receive buffer of a stalled reader, so that not the kernel reads for it.
const SMALL_BUFFER: u32 = 4096;
/// Any mask will do; the gateway removes it.
const MASK: [u8; 4] = [1, 2, 3, 4];
/// The first fragment of a text message, which is empty.
const EMPTY_BEGINNING: [u8; 6] = [0x01, 0x80, 1, 2, 3, 4];
/// Another one, which is not the last.
const EMPTY_FRAGMENT: [u8; 6] = [0x00, 0x80, 1, 2, 3, 4];
/// Fragments that are written at once.
const FRAGMENTS: usize = 1000;
/// Most bytes of garbage at once.
const GARBAGE_BYTES: usize = 4096;

/// What harm it does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Adversary {
    /// It does not read.
    Stalled,
    /// It sends as fast as it can.
    Flooding,
    /// It sends random bytes, before or after its handshake.
    Garbage,
    /// It sends empty fragments, which are no message, as fast as it can.
    Fragments,
    /// It connects and says nothing.
    Silent,
}

impl Adversary {
    pub(super) const ALL: [Self; 5] =
        [Self::Stalled, Self::Flooding, Self::Garbage, Self::Fragments, Self::Silent];

    /// Does harm until `over`, and says how often the gateway put an end to it.
    pub(super) async fn run(self, dialer: Dialer, seed: u64, mut over: watch::Receiver<bool>) -> Ended {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut ended = Ended::default();
        loop {
            let once = async {
                let was_ended = match self {
                    Self::Stalled => stall(&dialer).await,
                    Self::Flooding => {
                        let ping = Dialect::default().encode_client(&ClientMessage::Ping, Timestamp::EPOCH);
                        flood(&dialer, &[], &RawFrame::text(ping).encode(Some(MASK))).await
                    }
                    Self::Fragments => {
                        flood(&dialer, &EMPTY_BEGINNING, &EMPTY_FRAGMENT.repeat(FRAGMENTS)).await
                    }
                    Self::Silent => stay_silent(&dialer).await,
                    Self::Garbage => send_garbage(&dialer, &mut random).await,
                };
                sleep(REST).await;
                was_ended.unwrap_or(false)
            };
            let was_ended = tokio::select! {
                biased;
                _ = over.wait_for(|over| *over) => return ended,
                was_ended = once => was_ended,
            };
            match self {
                Self::Stalled => ended.stalled += u64::from(was_ended),
                Self::Flooding => ended.flooding += u64::from(was_ended),
                Self::Garbage => ended.garbage += u64::from(was_ended),
                Self::Fragments => ended.fragments += u64::from(was_ended),
                Self::Silent => ended.silent += u64::from(was_ended),
            }
        }
    }
}

/// Joins the heavy room and does not read for a while; then reads to see whether it was ended.
async fn stall(dialer: &Dialer) -> Result<bool, DialError> {
    let address = dialer.authority.parse().map_err(|_| DialError::Gateway("no address".to_owned()))?;
    let socket = TcpSocket::new_v4()?;
    socket.set_recv_buffer_size(SMALL_BUFFER)?;
    let stream = socket.connect(address).await?;
    let mut socket = dialer.enter_by(stream, "stalled", Role::Vendor).await?;
    let subscribe = ClientMessage::Subscribe(Target::Room(HEAVY.to_owned()));
    socket.send(RawFrame::text(Dialect::default().encode_client(&subscribe, Timestamp::EPOCH))).await?;
    sleep(STALL).await;
    Ok(ends(&mut socket.stream).await)
}

/// Sends this, and then that until the gateway has enough, reading what it says.
async fn flood(dialer: &Dialer, first: &[u8], bytes: &[u8]) -> Result<bool, DialError> {
    let mut socket = dialer.enter("flooding", Role::Customer).await?;
    socket.stream.write_all(first).await?;
    let (mut reader, mut writer) = socket.stream.split();
    let read = async {
        let mut buffer = vec![0; 16 * 1024];
        while matches!(reader.read(&mut buffer).await, Ok(count) if count > 0) {}
    };
    let write = async {
        while writer.write_all(bytes).await.is_ok() {}
        std::future::pending::<()>().await;
    };
    let both = async {
        tokio::select! {
            biased;
            () = read => {}
            () = write => {}
        }
    };
    Ok(timeout(PATIENCE, both).await.is_ok())
}

/// Connects, and waits for the gateway to give it up.
async fn stay_silent(dialer: &Dialer) -> Result<bool, DialError> {
    let mut stream = dialer.connect_tcp().await?;
    Ok(ends(&mut stream).await)
}

/// Sends random bytes, before or after signing in.
async fn send_garbage(dialer: &Dialer, random: &mut fastrand::Rng) -> Result<bool, DialError> {
    let mut stream = if random.bool() {
        dialer.connect_tcp().await?
    } else {
        dialer.enter("garbage", Role::Customer).await?.stream
    };
    let length = random.usize(1..GARBAGE_BYTES);
    let garbage: Vec<u8> = std::iter::repeat_with(|| random.u8(..)).take(length).collect();
    // A gateway that has enough already reads no more.
    let _ = stream.write_all(&garbage).await;
    Ok(ends(&mut stream).await)
}

/// Whether the gateway ends the connection.
async fn ends(stream: &mut TcpStream) -> bool {
    let mut buffer = vec![0; 64 * 1024];
    let to_the_end = async { while matches!(stream.read(&mut buffer).await, Ok(count) if count > 0) {} };
    timeout(PATIENCE, to_the_end).await.is_ok()
}
