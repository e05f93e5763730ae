//! A client that reads all the time, and notes which events it sees.

use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::Failed;
use protocol::{Role, TokenPlace};
use scenarios::frame::RawFrame;
use scenarios::token::{Bearer, Issuer, TokenSpec};
use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, OpCode};
use wire::frame::FrameReader;
use wire::handshake::UpgradeRequest;

use crate::PATIENCE;
use crate::gateway::{Gateway, JWT_SECRET};

pub(crate) struct Reader {
    seen: watch::Receiver<Seen>,
}

/// What a client saw.
#[derive(Debug, Default)]
struct Seen {
    /// The numbers of the events, as they came.
    numbers: Vec<u64>,
    /// How the connection ended, once it has.
    end: Option<String>,
}

impl Reader {
    /// Signs in, and reads from then on.
    pub(crate) async fn connect(gateway: &Gateway) -> Result<Self, Failed> {
        let now_s = unix_s();
        let bearer = Bearer { user_id: "reader", email: "reader@example.org", role: Role::Customer };
        let issuer = Issuer::with_secret(JWT_SECRET);
        let token = TokenSpec::default().mint(&bearer, &issuer, now_s);
        let token = token.map(|token| (TokenPlace::Query, token));
        let request = UpgradeRequest::new(gateway.authority(), "/ws", token);
        let mut stream = TcpStream::connect(gateway.authority()).await.map_err(|error| error.to_string())?;
        let leftover = request.send(&mut stream).await.map_err(|error| error.to_string())?;
        let mut frames = FrameReader::after(leftover);
        // Behind the welcome it is in its rooms.
        let welcome = timeout(PATIENCE, frames.next(&mut stream)).await.map_err(|_| "no welcome")?;
        welcome.map_err(|error| error.to_string())?.ok_or("no welcome")?;
        let (sender, seen) = watch::channel(Seen::default());
        tokio::spawn(async move {
            let end = match read(&mut stream, &mut frames, &sender).await {
                Ok(how) => how.to_owned(),
                Err(error) => error.to_string(),
            };
            sender.send_modify(|seen| seen.end = Some(end));
        });
        Ok(Self { seen })
    }

    /// Waits until what was seen suits. That the connection ends before is a failure.
    pub(crate) async fn until(&mut self, suits: impl Fn(&[u64]) -> bool) -> Result<Vec<u64>, Failed> {
        let settled = self.seen.wait_for(|seen| seen.end.is_some() || suits(&seen.numbers));
        let outcome = match timeout(PATIENCE, settled).await {
            Ok(Ok(seen)) if suits(&seen.numbers) => return Ok(seen.numbers.clone()),
            Ok(Ok(seen)) => format!("the connection ended: {}", seen.end.as_deref().unwrap_or_default()),
            Ok(Err(_)) => "the reader is gone".to_owned(),
            Err(_) => format!("after {PATIENCE:?} it had not all come"),
        };
        Err(format!("{outcome}; {}", summary(&self.seen.borrow().numbers)).into())
    }

    /// Waits until so many more have come.
    pub(crate) async fn more(&mut self, count: usize) -> Result<(), Failed> {
        let enough = self.seen.borrow().numbers.len() + count;
        self.until(|seen| seen.len() >= enough).await.map(|_| ())
    }

    /// The rest of a connection whose gateway has ended.
    pub(crate) async fn rest(&mut self) -> Result<Vec<u64>, Failed> {
        let ended = timeout(PATIENCE, self.seen.wait_for(|seen| seen.end.is_some())).await;
        let seen = ended.map_err(|_| "the connection does not end")?.map_err(|error| error.to_string())?;
        Ok(seen.numbers.clone())
    }

    /// The numbers of the events so far.
    pub(crate) fn seen(&self) -> Vec<u64> {
        self.seen.borrow().numbers.clone()
    }

    /// How the connection ended, where it has.
    pub(crate) fn end(&self) -> Option<String> {
        self.seen.borrow().end.clone()
    }
}

/// Reads to the end, and answers pings, since an outage may last longer than a gateway waits for a pong.
async fn read(
    stream: &mut TcpStream,
    frames: &mut FrameReader,
    sender: &watch::Sender<Seen>,
) -> std::io::Result<&'static str> {
    while let Some(frame) = frames.next(stream).await? {
        match frame.opcode {
            OpCode::Control(Control::Ping) => {
                let pong = RawFrame::control(Control::Pong, frame.payload).encode(Some([1, 2, 3, 4]));
                stream.write_all(&pong).await?;
            }
            OpCode::Control(Control::Close) => return Ok("the gateway said goodbye"),
            _ => {
                let message: Value = serde_json::from_slice(&frame.payload).unwrap_or_default();
                if let Some(number) = message["payload"]["seq"].as_u64() {
                    sender.send_modify(|seen| seen.numbers.push(number));
                }
            }
        }
    }
    Ok("without a close frame")
}

/// The first and the last of what was seen, and how many there were.
pub(crate) fn summary(seen: &[u64]) -> String {
    match seen {
        [] => "nothing was seen".to_owned(),
        [first, .., last] => format!("{} were seen, from {first} to {last}", seen.len()),
        [only] => format!("{only} alone was seen"),
    }
}

#[expect(clippy::disallowed_methods, reason = "tokens are checked by the real clock of the gateway")]
fn unix_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().cast_signed()
}
