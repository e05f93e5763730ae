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
}

impl Adversary {
    pub(super) const ALL: [Self; 3] = [Self::Stalled, Self::Flooding, Self::Garbage];

    /// Does harm until `over`, and says how often the gateway put an end to it.
    pub(super) async fn run(self, dialer: Dialer, seed: u64, mut over: watch::Receiver<bool>) -> Ended {
        let mut random = fastrand::Rng::with_seed(seed);
        let mut ended = Ended::default();
        loop {
            let once = async {
                let was_ended = match self {
                    Self::Stalled => stall(&dialer).await,
                    Self::Flooding => flood(&dialer).await,
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

/// Sends until the gateway has enough, reading what it says.
async fn flood(dialer: &Dialer) -> Result<bool, DialError> {
    let mut socket = dialer.enter("flooding", Role::Customer).await?;
    let ping = Dialect::default().encode_client(&ClientMessage::Ping, Timestamp::EPOCH);
    let frame = RawFrame::text(ping).encode(Some([1, 2, 3, 4]));
    let (mut reader, mut writer) = socket.stream.split();
    let read = async {
        let mut buffer = vec![0; 16 * 1024];
        while matches!(reader.read(&mut buffer).await, Ok(count) if count > 0) {}
    };
    let write = async {
        while writer.write_all(&frame).await.is_ok() {}
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
