//! A healthy client: it connects, answers pings, keeps its ledger, and disconnects on request.

use std::sync::Arc;

use protocol::{ClientMessage, Dialect, Role, ServerMessage, Target, Timestamp};
use scenarios::frame::RawFrame;
use serde_json::Value;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tungstenite::protocol::frame::coding::{Control, Data, OpCode};

use super::config::PATIENCE;
use super::dial::{DialError, Dialer, Socket};
use super::feed::{CATALOGUE, Feed, user_id, users};
use super::ledger::{Identity, Ledger};
use super::summary::Problem;

/// One in so many is an administrator.
const ADMINISTRATORS: u64 = 10;
/// One in so many subscribes.
const SUBSCRIBERS: u64 = 3;
/// A close with 1000.
const NORMAL: [u8; 2] = [0x03, 0xe8];

/// A client that is in its rooms.
pub(super) struct Member {
    client: u64,
    socket: Socket,
    ledger: Ledger,
    feed: Arc<Feed>,
}

/// How a client leaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Teardown {
    /// By the closing handshake.
    Close,
    /// By dropping the TCP connection.
    Drop,
}

impl Member {
    /// Comes, joins its rooms, and makes sure that it is in them.
    pub(super) async fn arrive(
        client: u64,
        clients: usize,
        dialer: Dialer,
        feed: Arc<Feed>,
    ) -> Result<Self, DialError> {
        let identity = Identity {
            client,
            user: client % users(clients).max(1),
            is_administrator: client.is_multiple_of(ADMINISTRATORS),
            is_subscriber: client.is_multiple_of(SUBSCRIBERS),
        };
        let role = if identity.is_administrator { Role::Admin } else { Role::Customer };
        let mut socket = dialer.enter(&user_id(identity.user), role).await?;
        if identity.is_subscriber {
            let subscribe = ClientMessage::Subscribe(Target::Room(CATALOGUE.to_owned()));
            let text = Dialect::default().encode_client(&subscribe, Timestamp::EPOCH);
            socket.send(RawFrame::text(text)).await?;
        }
        let ping = Dialect::default().encode_client(&ClientMessage::Ping, Timestamp::EPOCH);
        socket.send(RawFrame::text(ping)).await?;
        // Events may come before the answer; they were under way, and need not be accounted for.
        let settled = async {
            loop {
                match socket.next().await? {
                    Some(frame) if is_pong(&frame.payload) => return Ok(()),
                    Some(_) => {}
                    None => return Err(DialError::Gateway("the connection ended".to_owned())),
                }
            }
        };
        let settled = timeout(PATIENCE, settled).await;
        settled.map_err(|_| DialError::Gateway("no answer to a ping".to_owned()))??;
        // Messages are answered in their order, so the subscription stands: whatever is published from now on must come.
        // A ping frame would not do, since gateways may answer those before they have looked at the messages before.
        let ledger = Ledger::new(identity, feed.next());
        Ok(Self { client, socket, ledger, feed })
    }

    /// Stays connected until a `Teardown` arrives, and reports every problem.
    pub(super) async fn stay(
        mut self,
        mut leave: watch::Receiver<Option<Teardown>>,
        problems: mpsc::Sender<Problem>,
    ) {
        let outcome = self.converse(&mut leave).await;
        if let Err(problem) = outcome {
            // The receiver is dropped once the soak is over.
            let _ = problems.send(problem).await;
        }
    }

    async fn converse(&mut self, leave: &mut watch::Receiver<Option<Teardown>>) -> Result<(), Problem> {
        let teardown = loop {
            tokio::select! {
                biased;
                teardown = teardown_requested(leave) => break teardown,
                frame = self.socket.next() => self.take(frame).await?,
            }
        };
        // What was confirmed by now must still come.
        let until = self.feed.confirmed();
        let complete = async {
            while self.feed.with(|audiences| self.ledger.missing(until, audiences)).is_some() {
                let frame = self.socket.next().await;
                self.take(frame).await?;
            }
            Ok(())
        };
        match timeout(PATIENCE, complete).await {
            Ok(complete) => complete?,
            Err(_) => self.feed.with(|audiences| self.ledger.close(until, audiences))?,
        }
        if teardown == Teardown::Close {
            // The gateway may have ended already.
            let _ = self.socket.send(RawFrame::control(Control::Close, NORMAL)).await;
            let _ =
                timeout(PATIENCE, async { while matches!(self.socket.next().await, Ok(Some(_))) {} }).await;
        }
        Ok(())
    }

    async fn take(&mut self, frame: Result<Option<RawFrame>, DialError>) -> Result<(), Problem> {
        let client = self.client;
        let cut = |seen: String| Problem::Cut { client, seen };
        let failed = |error: DialError| cut(error.to_string());
        let frame = frame.map_err(failed)?.ok_or_else(|| cut("it ended".to_owned()))?;
        match frame.opcode {
            OpCode::Control(Control::Ping) => {
                self.socket.send(RawFrame::control(Control::Pong, frame.payload)).await.map_err(failed)
            }
            OpCode::Control(Control::Close) => {
                let code = frame.payload.get(..2).map(|code| u16::from_be_bytes([code[0], code[1]]));
                Err(cut(format!("it was closed with {}", code.unwrap_or(1005))))
            }
            OpCode::Data(Data::Text) => {
                let message: Value = serde_json::from_slice(&frame.payload).unwrap_or_default();
                let Some(number) = message["payload"]["seq"].as_u64() else { return Ok(()) };
                self.feed.check();
                self.feed.with(|audiences| self.ledger.take(number, audiences))
            }
            _ => Ok(()),
        }
    }
}

/// Whether it is the answer to a `ping` message.
fn is_pong(payload: &[u8]) -> bool {
    let text = std::str::from_utf8(payload).unwrap_or_default();
    Dialect::default().decode_server(text).is_ok_and(|decoded| decoded.message == ServerMessage::Pong)
}

/// How to disconnect; `Drop` once the sender is dropped.
async fn teardown_requested(leave: &mut watch::Receiver<Option<Teardown>>) -> Teardown {
    let requested = leave.wait_for(Option::is_some).await;
    requested.ok().and_then(|teardown| *teardown).unwrap_or(Teardown::Drop)
}
