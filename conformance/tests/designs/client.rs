//! A small client whose design is a matter of configuration, behind an adapter: what the reference client does not speak.

use std::collections::VecDeque;
use std::time::Duration;

use conformance::in_process::{Adapter, Reports};
use futures_util::{SinkExt, StreamExt};
use protocol::Target;
use protocol::adapter::{Configure, Message, Operation, Outcome, ReportEvent};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::{mpsc, oneshot};
use tokio_tungstenite::tungstenite::protocol::frame::CloseFrame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{self, Message as Frame};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How the client behaves, whatever its profile declares.
#[derive(Clone, Copy)]
pub(crate) struct Behaviour {
    /// The delay before a redial, counted from 0, at the configured `reconnect_delay`.
    pub(crate) delay: fn(u32, Duration) -> Duration,
    /// Redials without success, where that is not what is configured.
    pub(crate) attempts: Option<u32>,
    /// How long a connection must live to begin the count again.
    pub(crate) stable_after: Duration,
    /// Whether a close with this code is final.
    pub(crate) is_final: fn(u16) -> bool,
    /// Whether a dial that is answered with this status is not tried again.
    pub(crate) is_final_status: fn(u16) -> bool,
    /// What becomes of what is sent while there is no connection.
    pub(crate) queue: Queue,
    /// Whether that is kept before the first connection.
    pub(crate) before_first: bool,
    /// Whether subscriptions go out before what waited.
    pub(crate) subscribes_first: bool,
    /// What it calls a status; nothing where it does not report it.
    pub(crate) status_name: fn(&'static str) -> Option<&'static str>,
}

#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Queue {
    RefuseNewest,
    DropOldest,
    DropNewest,
    RefuseAll,
    DropAll,
}

impl Default for Behaviour {
    /// What the requirements say.
    fn default() -> Self {
        Self {
            delay: |attempt, base| (base * 2_u32.pow(attempt.min(10))).min(base * 8),
            attempts: None,
            stable_after: Duration::from_millis(150),
            is_final: |code| code == 1000,
            is_final_status: |_| false,
            queue: Queue::RefuseNewest,
            before_first: true,
            subscribes_first: false,
            status_name: Some,
        }
    }
}

pub(crate) struct Driven {
    behaviour: Behaviour,
    reports: Reports,
    commands: Option<mpsc::Sender<Command>>,
}

enum Command {
    Connect,
    Disconnect,
    Subscribe(Target),
    Send(Message, oneshot::Sender<Result<(), String>>),
}

impl Driven {
    pub(crate) fn new(behaviour: Behaviour, reports: Reports) -> Self {
        Self { behaviour, reports, commands: None }
    }
}

impl Adapter for Driven {
    async fn perform(&mut self, operation: Operation) -> Outcome {
        match (operation, &self.commands) {
            (Operation::Configure(with), _) => {
                let (sender, commands) = mpsc::channel(1024);
                self.commands = Some(sender);
                tokio::spawn(Client::new(self.behaviour, *with, self.reports.clone(), commands).run());
            }
            (Operation::Connect, Some(client)) => drop(client.send(Command::Connect).await),
            (Operation::Disconnect, Some(client)) => drop(client.send(Command::Disconnect).await),
            (Operation::Send { message }, Some(client)) => {
                let (reply, answer) = oneshot::channel();
                drop(client.send(Command::Send(message, reply)).await);
                if let Ok(Err(error)) = answer.await {
                    return Outcome::Error { error };
                }
            }
            (Operation::Subscribe { target }, Some(client)) => {
                drop(client.send(Command::Subscribe(target)).await);
            }
            (Operation::On { .. } | Operation::Exit, _) => {}
            (Operation::Status, Some(_)) => return Outcome::status("connected"),
            _ => return Outcome::UNSUPPORTED,
        }
        Outcome::DONE
    }
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

struct Client {
    behaviour: Behaviour,
    with: Configure,
    reports: Reports,
    commands: mpsc::Receiver<Command>,
    status: &'static str,
    attempts: u32,
    queue: VecDeque<Message>,
    subscriptions: Vec<Target>,
    has_been_connected: bool,
}

/// What follows the end of a connection, or of a dial.
enum Next {
    Redial,
    Stop,
}

impl Client {
    fn new(
        behaviour: Behaviour,
        with: Configure,
        reports: Reports,
        commands: mpsc::Receiver<Command>,
    ) -> Self {
        let queue = VecDeque::new();
        Self {
            behaviour,
            with,
            reports,
            commands,
            status: (behaviour.status_name)("disconnected").unwrap_or("disconnected"),
            attempts: 0,
            queue,
            subscriptions: Vec::new(),
            has_been_connected: false,
        }
    }

    async fn run(mut self) {
        while let Some(command) = self.commands.recv().await {
            match command {
                Command::Connect => {
                    self.attempts = 0;
                    while let Next::Redial = self.dial().await {
                        if !self.pause().await {
                            break;
                        }
                    }
                    self.become_status("disconnected");
                }
                Command::Disconnect => {}
                Command::Subscribe(target) => self.subscriptions.push(target),
                Command::Send(message, reply) => drop(reply.send(self.keep(message))),
            }
        }
    }

    async fn dial(&mut self) -> Next {
        self.become_status("connecting");
        let url = format!(
            "{}?token={}",
            self.with.url.as_deref().unwrap_or_default(),
            self.with.token.as_deref().unwrap_or_default()
        );
        let mut dialling = Box::pin(connect_async(url));
        let dialled = loop {
            tokio::select! {
                dialled = &mut dialling => break dialled,
                command = self.commands.recv() => match command {
                    None | Some(Command::Disconnect) => return Next::Stop,
                    Some(Command::Connect) => {}
                    Some(Command::Subscribe(target)) => self.subscriptions.push(target),
                    Some(Command::Send(message, reply)) => drop(reply.send(self.keep(message))),
                },
            }
        };
        match dialled {
            Ok((socket, _)) => self.serve(socket).await,
            Err(error) => {
                self.become_status("error");
                self.emit("error", json!({ "code": "dial" }));
                match error {
                    tungstenite::Error::Http(answer)
                        if (self.behaviour.is_final_status)(answer.status().as_u16()) =>
                    {
                        Next::Stop
                    }
                    _ => Next::Redial,
                }
            }
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the client lives in real time")]
    async fn serve(&mut self, mut socket: Socket) -> Next {
        let since = std::time::Instant::now();
        self.has_been_connected = true;
        self.become_status("connected");
        let subscriptions: Vec<_> = self.subscriptions.iter().map(subscribe).collect();
        if self.behaviour.subscribes_first {
            for subscription in &subscriptions {
                drop(socket.send(subscription.clone()).await);
            }
        }
        while let Some(message) = self.queue.pop_front() {
            if socket.send(frame(&message)).await.is_err() {
                return Next::Redial;
            }
        }
        if !self.behaviour.subscribes_first {
            for subscription in subscriptions {
                drop(socket.send(subscription).await);
            }
        }
        self.emit("connected", Value::Null);
        let mut code = None;
        loop {
            tokio::select! {
                read = socket.next() => match read {
                    Some(Ok(Frame::Close(close))) => code = close.map(|close| u16::from(close.code)),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => break,
                },
                command = self.commands.recv(), if code.is_none() => match command {
                    None => return Next::Stop,
                    Some(Command::Connect) => {}
                    Some(Command::Subscribe(target)) => self.subscriptions.push(target),
                    Some(Command::Disconnect) => {
                        let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                        drop(socket.close(Some(normal)).await);
                        while let Some(Ok(_)) = socket.next().await {}
                        return Next::Stop;
                    }
                    Some(Command::Send(message, reply)) => {
                        let sent = socket.send(frame(&message)).await;
                        drop(reply.send(sent.map_err(|error| error.to_string())));
                    }
                },
            }
        }
        if since.elapsed() >= self.behaviour.stable_after {
            self.attempts = 0;
        }
        if code.is_some_and(self.behaviour.is_final) { Next::Stop } else { Next::Redial }
    }

    /// Waits for the next redial; whether there is one.
    async fn pause(&mut self) -> bool {
        let options = &self.with.options;
        let most = self.behaviour.attempts.or(options.max_reconnect_attempts).unwrap_or(10);
        if options.auto_reconnect == Some(false) {
            return false;
        }
        if self.attempts >= most {
            self.become_status("disconnected");
            self.emit("max_reconnect_attempts", json!({ "attempts": self.attempts }));
            return false;
        }
        let base = Duration::from_millis(options.reconnect_delay.unwrap_or(1000));
        let delay = (self.behaviour.delay)(self.attempts, base);
        self.attempts += 1;
        self.become_status("reconnecting");
        let mut slept = Box::pin(tokio::time::sleep(delay));
        loop {
            tokio::select! {
                () = &mut slept => return true,
                command = self.commands.recv() => match command {
                    None | Some(Command::Disconnect) => return false,
                    Some(Command::Connect) => {}
                    Some(Command::Subscribe(target)) => self.subscriptions.push(target),
                    Some(Command::Send(message, reply)) => drop(reply.send(self.keep(message))),
                },
            }
        }
    }

    /// Keeps what is sent while there is no connection, or does not.
    fn keep(&mut self, message: Message) -> Result<(), String> {
        let is_full = self.queue.len() >= self.with.options.queue_capacity.unwrap_or(1000);
        if !self.behaviour.before_first && !self.has_been_connected {
            return Err("not connected yet".to_owned());
        }
        match self.behaviour.queue {
            Queue::RefuseAll => return Err("not connected".to_owned()),
            Queue::DropAll => return Ok(()),
            Queue::RefuseNewest if is_full => return Err("the queue is full".to_owned()),
            Queue::DropNewest if is_full => return Ok(()),
            Queue::DropOldest if is_full => drop(self.queue.pop_front()),
            Queue::RefuseNewest | Queue::DropNewest | Queue::DropOldest => {}
        }
        self.queue.push_back(message);
        Ok(())
    }

    fn become_status(&mut self, status: &'static str) {
        let Some(name) = (self.behaviour.status_name)(status) else { return };
        if name != self.status {
            let old = Some(self.status.to_owned());
            self.status = name;
            self.reports.send(ReportEvent::Status { old, status: name.to_owned() });
        }
    }

    fn emit(&self, name: &str, payload: Value) {
        let listener = Some("main".to_owned());
        self.reports.send(ReportEvent::Emit { name: name.to_owned(), payload: Some(payload), listener });
    }
}

fn subscribe(target: &Target) -> Frame {
    let payload = json!({ "eventType": target.name() });
    frame(&Message { kind: "subscribe".to_owned(), payload })
}

fn frame(message: &Message) -> Frame {
    let Message { kind, payload } = message;
    Frame::text(
        json!({ "type": kind, "payload": payload, "timestamp": "2026-01-01T00:00:00.000Z" }).to_string(),
    )
}
