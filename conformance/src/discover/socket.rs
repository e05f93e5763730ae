//! One connection to a gateway that is observed: it keeps RFC 6455, and says all that it sees.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use protocol::{ClientMessage, Dialect, ServerMessage, Timestamp, TokenPlace};
use scenarios::frame::RawFrame;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_util::task::AbortOnDropHandle;
use wire::frame::FrameReader;
use wire::handshake::{UpgradeError, UpgradeRequest, agreed_subprotocol, read_head};

use super::candidates::PING_WORDS;
use super::flood_meter::FloodMeter;
use super::{form, now};

/// How long the answer to an upgrade is waited for.
const ANSWERS_WITHIN: Duration = Duration::from_secs(3);
/// Most of what is seen in one go.
const MAX_SEEN: usize = 2000;
/// The same, in bytes of texts.
const MAX_SEEN_BYTES: usize = 4 * 1024 * 1024;
/// What waits to be looked at; the gateway waits with the rest.
const WAITING: usize = 64;
/// The name of a ping is no longer than this.
const MAX_PING: usize = 40;
/// Orders that wait.
const COMMANDS: usize = 16;
/// Longest message that is put together.
const MAX_MESSAGE_BYTES: usize = 128 * 1024;

/// What came from the gateway.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Seen {
    Text(String),
    Binary,
    Ping,
    Pong,
    /// Its close, with its code.
    Close(Option<u16>),
    /// No ping was answered that came after this.
    Muted,
    /// The connection ended without a close.
    End,
}

/// How an attempt to open a connection ended.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Refused {
    /// By this HTTP status.
    Status(u16),
    /// It opened, and was closed with this code.
    Close(Option<u16>),
    /// Without an answer.
    Dropped(String),
}

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Status(status) => write!(f, "HTTP {status}"),
            Self::Close(Some(code)) => write!(f, "a close with {code}"),
            Self::Close(None) => f.write_str("the end of the connection"),
            Self::Dropped(reason) => write!(f, "no answer ({reason})"),
        }
    }
}

/// An open connection. It answers pings whether or not it is looked at.
pub(super) struct Socket {
    commands: mpsc::Sender<SocketCommand>,
    seen: mpsc::Receiver<Seen>,
    /// What came while something was sent.
    early: VecDeque<Seen>,
    is_over: bool,
    /// The subprotocol that the gateway has agreed to.
    pub(super) agreed: Option<String>,
    _task: AbortOnDropHandle<()>,
}

enum SocketCommand {
    Send(String),
    /// Answers no ping any more.
    Mute,
}

impl Socket {
    /// Dials, and asks for the upgrade, offering subprotocols where there are any.
    pub(super) async fn dial(
        authority: &str,
        path: &str,
        token: Option<(TokenPlace, String)>,
        subprotocols: Option<&str>,
        (meter, pings): (FloodMeter, Pings),
    ) -> Result<Self, Refused> {
        let dropped = |reason: &dyn ToString| Refused::Dropped(reason.to_string());
        let request = UpgradeRequest {
            subprotocol: subprotocols.map(str::to_owned),
            ..UpgradeRequest::new(authority, path, token)
        };
        let opening = async {
            let mut stream = TcpStream::connect(authority).await.map_err(|error| dropped(&error))?;
            stream.write_all(request.head().as_bytes()).await.map_err(|error| dropped(&error))?;
            let (head, leftover) = read_head(&mut stream).await.map_err(|error| dropped(&error))?;
            match request.check_answer(&head) {
                Ok(()) => Ok((stream, leftover, agreed_subprotocol(&head))),
                Err(UpgradeError::Status { status }) => Err(Refused::Status(status)),
                Err(error) => Err(dropped(&error)),
            }
        };
        let opened = timeout(ANSWERS_WITHIN, opening).await;
        let (stream, leftover, agreed) = opened.map_err(|_| dropped(&"it takes too long"))??;
        let (commands, inbox) = mpsc::channel(COMMANDS);
        let (found, seen) = mpsc::channel(WAITING);
        let end =
            End { stream, masks: fastrand::Rng::with_seed(1), partial: None, answers: true, meter, pings };
        let task = tokio::spawn(end.run(FrameReader::after(leftover), inbox, found));
        Ok(Self {
            commands,
            seen,
            early: VecDeque::new(),
            is_over: false,
            agreed,
            _task: AbortOnDropHandle::new(task),
        })
    }

    /// Whether its end has been seen.
    pub(super) fn is_over(&self) -> bool {
        self.is_over
    }

    /// Sends a text; one that cannot be sent is noticed when nothing comes back.
    pub(super) async fn send(&mut self, text: &str) {
        self.order(SocketCommand::Send(text.to_owned())).await;
    }

    /// Hands on an order. What comes meanwhile is kept: the other end does not obey while it waits to be looked at.
    async fn order(&mut self, order: SocketCommand) {
        loop {
            tokio::select! {
                biased;
                free = self.commands.reserve() => {
                    if let Ok(free) = free {
                        free.send(order);
                    }
                    return;
                }
                Some(seen) = self.seen.recv() => {
                    // More is not looked at in one go, either.
                    if self.early.len() < MAX_SEEN {
                        self.early.push_back(seen);
                    }
                }
            }
        }
    }

    /// Answers no ping any more; what came before is not seen any more.
    pub(super) async fn mute(&mut self) {
        self.order(SocketCommand::Mute).await;
        self.early.clear();
        while let Some(seen) = self.seen.recv().await {
            match seen {
                Seen::Muted => return,
                Seen::Close(_) | Seen::End => break,
                Seen::Text(_) | Seen::Binary | Seen::Ping | Seen::Pong => {}
            }
        }
        self.is_over = true;
    }

    /// What comes until `quiet` has passed without anything, or `most` altogether.
    pub(super) async fn listen(&mut self, quiet: Duration, most: Duration) -> Vec<Seen> {
        let end = now() + most;
        let mut seen = Vec::new();
        let mut bytes = 0;
        while seen.len() < MAX_SEEN
            && bytes < MAX_SEEN_BYTES
            && let Some(next) = self.next((now() + quiet).min(end)).await
        {
            if let Seen::Text(text) = &next {
                bytes += text.len();
            }
            seen.push(next);
        }
        seen
    }

    /// The texts among what comes.
    pub(super) async fn texts(&mut self, quiet: Duration, most: Duration) -> Vec<String> {
        let texts = self.listen(quiet, most).await.into_iter().filter_map(|seen| match seen {
            Seen::Text(text) => Some(text),
            _ => None,
        });
        texts.collect()
    }

    /// Whether a text like this comes by then.
    pub(super) async fn until(&mut self, by: Instant, is_wanted: impl Fn(&str) -> bool) -> bool {
        while let Some(seen) = self.next(by).await {
            if matches!(&seen, Seen::Text(text) if is_wanted(text)) {
                return true;
            }
        }
        false
    }

    /// The next that comes by then.
    pub(super) async fn next(&mut self, by: Instant) -> Option<Seen> {
        if self.is_over {
            return None;
        }
        let seen = match self.early.pop_front() {
            Some(seen) => seen,
            None => timeout_at(by, self.seen.recv()).await.ok()?.unwrap_or(Seen::End),
        };
        self.is_over = matches!(seen, Seen::Close(_) | Seen::End);
        Some(seen)
    }
}

/// How a gateway's pings by messages are known and answered: as its dialect has them, where that is known, or else by their names.
#[derive(Debug, Clone, Default)]
pub(super) struct Pings(Option<Arc<Dialect>>);

impl Pings {
    pub(super) fn of(dialect: Option<&Dialect>) -> Self {
        Self(dialect.filter(|dialect| dialect.beats_by_message()).cloned().map(Arc::new))
    }

    fn declared(&self, text: &str) -> Option<&Dialect> {
        let is_ping = |dialect: &Dialect| {
            dialect.decode_server(text).is_ok_and(|read| read.message == ServerMessage::Ping)
        };
        self.0.as_deref().filter(|dialect| is_ping(dialect))
    }

    /// Whether a text is a ping.
    pub(super) fn know(&self, text: &str) -> bool {
        self.declared(text).is_some() || is_ping(text)
    }

    /// What answers it: without a dialect, a message of the same form.
    pub(super) fn answer(&self, ping: &str) -> String {
        match self.declared(ping) {
            Some(dialect) => dialect.encode_client(&ClientMessage::Pong, Timestamp::EPOCH),
            None => ping.replacen("ping", "pong", 1),
        }
    }
}

/// Whether a text is a gateway's ping, by its name.
fn is_ping(text: &str) -> bool {
    let kind = form::kind(text).unwrap_or_else(|| text.to_owned());
    let mut words = kind.split(|letter: char| !letter.is_alphanumeric()).map(str::to_lowercase);
    kind.len() < MAX_PING && words.any(|word| PING_WORDS.contains(&word.as_str()))
}

/// The end of a connection.
struct End {
    stream: TcpStream,
    masks: fastrand::Rng,
    partial: Option<RawFrame>,
    answers: bool,
    meter: FloodMeter,
    pings: Pings,
}

impl End {
    /// Reads, and obeys, until the connection is over or no one looks any more.
    async fn run(
        mut self,
        mut reader: FrameReader,
        mut inbox: mpsc::Receiver<SocketCommand>,
        found: mpsc::Sender<Seen>,
    ) {
        loop {
            let frame = tokio::select! {
                command = inbox.recv() => {
                    match command {
                        Some(SocketCommand::Send(text)) => self.write(RawFrame::text(text)).await,
                        Some(SocketCommand::Mute) => {
                            self.answers = false;
                            if found.send(Seen::Muted).await.is_err() {
                                return;
                            }
                        }
                        None => return,
                    }
                    continue;
                }
                frame = reader.next(&mut self.stream) => frame,
            };
            let seen = match frame {
                Ok(Some(frame)) => {
                    self.meter.add(frame.payload.len());
                    self.take(frame).await
                }
                Ok(None) | Err(_) => Some(Seen::End),
            };
            let is_over = matches!(seen, Some(Seen::Close(_) | Seen::End));
            let is_unseen = match seen {
                Some(seen) => found.send(seen).await.is_err(),
                None => false,
            };
            if is_unseen || is_over {
                return;
            }
        }
    }

    async fn take(&mut self, frame: RawFrame) -> Option<Seen> {
        match frame.opcode {
            OpCode::Control(Control::Ping) => {
                if self.answers {
                    self.write(RawFrame::control(Control::Pong, frame.payload)).await;
                }
                Some(Seen::Ping)
            }
            OpCode::Control(Control::Pong) => Some(Seen::Pong),
            OpCode::Control(Control::Close) => {
                let code = frame.payload.first_chunk().map(|bytes| u16::from_be_bytes(*bytes));
                self.write(RawFrame::control(Control::Close, frame.payload)).await;
                Some(Seen::Close(code))
            }
            _ => {
                let whole = match self.partial.take() {
                    Some(mut whole) => {
                        whole.payload.extend(frame.payload);
                        whole.fin = frame.fin;
                        whole
                    }
                    None => frame,
                };
                if whole.payload.len() > MAX_MESSAGE_BYTES {
                    return Some(Seen::End);
                }
                if !whole.fin {
                    self.partial = Some(whole);
                    return None;
                }
                Some(match whole.opcode {
                    OpCode::Data(Data::Text) => {
                        let text = String::from_utf8_lossy(&whole.payload).into_owned();
                        if self.answers && self.pings.know(&text) {
                            self.write(RawFrame::text(self.pings.answer(&text))).await;
                        }
                        Seen::Text(text)
                    }
                    _ => Seen::Binary,
                })
            }
        }
    }

    async fn write(&mut self, frame: RawFrame) {
        let bytes = frame.encode(Some(self.masks.u32(..).to_be_bytes()));
        // A gateway that reads no more has a reason, which it may have sent.
        let _ = timeout(ANSWERS_WITHIN, self.stream.write_all(&bytes)).await;
    }
}

#[cfg(test)]
mod tests {
    use futures_util::{SinkExt, StreamExt};
    use tokio::net::TcpListener;
    use tokio::sync::oneshot;
    use tokio_tungstenite::tungstenite::Message;

    use super::*;

    /// A ping that was answered does not count as the first one that was not.
    #[tokio::test]
    async fn what_came_before_muting_is_not_seen() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let (answered, is_answered) = oneshot::channel();
        let gateway = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut gateway = tokio_tungstenite::accept_async(stream).await.unwrap();
            let ping = |payload: &'static [u8]| Message::Ping(payload.into());
            gateway.send(ping(b"answered")).await.unwrap();
            assert_eq!(gateway.next().await.unwrap().unwrap(), Message::Pong(b"answered".as_slice().into()));
            answered.send(()).unwrap();
            assert_eq!(gateway.next().await.unwrap().unwrap(), Message::text("muted"));
            gateway.send(ping(b"unanswered")).await.unwrap();
            gateway.close(None).await.unwrap();
            gateway
        };
        let client = async {
            let mut socket =
                Socket::dial(&authority, "/", None, None, (FloodMeter::default(), Pings::default()))
                    .await
                    .unwrap();
            is_answered.await.unwrap();
            socket.mute().await;
            socket.send("muted").await;
            socket.listen(Duration::from_secs(5), Duration::from_secs(5)).await
        };
        let (_gateway, seen) = tokio::join!(gateway, client);
        assert_eq!(seen, [Seen::Ping, Seen::Close(None)]);
    }

    /// A gateway that says much while it is asked much does not hold up who asks.
    #[tokio::test]
    async fn what_comes_does_not_hold_up_what_is_sent() {
        const MANY: usize = 4 * WAITING;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let authority = listener.local_addr().unwrap().to_string();
        let gateway = async {
            let (stream, _) = listener.accept().await.unwrap();
            let mut gateway = tokio_tungstenite::accept_async(stream).await.unwrap();
            for _ in 0..MANY {
                gateway.send(Message::text("said")).await.unwrap();
            }
            for _ in 0..MANY {
                assert_eq!(gateway.next().await.unwrap().unwrap(), Message::text("asked"));
            }
            gateway.close(None).await.unwrap();
            gateway
        };
        let client = async {
            let mut socket =
                Socket::dial(&authority, "/", None, None, (FloodMeter::default(), Pings::default()))
                    .await
                    .unwrap();
            for _ in 0..MANY {
                socket.send("asked").await;
            }
            socket.listen(Duration::from_secs(5), Duration::from_secs(5)).await
        };
        let both = async { tokio::join!(gateway, client) };
        let (_gateway, seen) = timeout(Duration::from_secs(20), both).await.expect("neither waits for ever");
        let mut all = vec![Seen::Text("said".to_owned()); MANY];
        all.push(Seen::Close(None));
        assert_eq!(seen, all);
    }
}
