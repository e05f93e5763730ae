//! A client to begin with: it connects, and comes back by itself. Replace it by yours.

use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{CloseFrame, Message};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

pub(crate) struct Settings {
    pub(crate) url: String,
    pub(crate) token: String,
    /// Milliseconds.
    pub(crate) reconnect_delay: u64,
}

/// What the client reports.
pub(crate) enum Report {
    Status { old: &'static str, new: &'static str },
    Event { name: String, payload: Value },
}

pub(crate) struct Client {
    commands: mpsc::UnboundedSender<Command>,
    task: JoinHandle<()>,
}

enum Command {
    Connect,
    Disconnect,
    Send(String),
}

impl Client {
    pub(crate) fn start(settings: Settings, reports: mpsc::UnboundedSender<Report>) -> Self {
        let (commands, commanded) = mpsc::unbounded_channel();
        let session = Session { settings, reports, commands: commanded, status: "disconnected" };
        Self { commands, task: tokio::spawn(session.run()) }
    }

    pub(crate) fn connect(&self) {
        self.order(Command::Connect);
    }

    pub(crate) fn disconnect(&self) {
        self.order(Command::Disconnect);
    }

    pub(crate) fn send(&self, kind: &Value, payload: &Value) {
        self.order(Command::Send(json!({ "type": kind, "payload": payload }).to_string()));
    }

    /// Disconnects, and waits until that is done.
    pub(crate) async fn leave(self) {
        self.disconnect();
        drop(self.commands);
        // A task that failed has left, too.
        let _ = self.task.await;
    }

    fn order(&self, command: Command) {
        // The task ends only with the client.
        let _ = self.commands.send(command);
    }
}

struct Session {
    settings: Settings,
    reports: mpsc::UnboundedSender<Report>,
    commands: mpsc::UnboundedReceiver<Command>,
    status: &'static str,
}

impl Session {
    async fn run(mut self) {
        while let Some(command) = self.commands.recv().await {
            if matches!(command, Command::Connect) {
                self.stay_connected().await;
                self.become_status("disconnected");
            }
        }
    }

    /// Returns once `disconnect` is requested.
    async fn stay_connected(&mut self) {
        let url = format!("{}?token={}", self.settings.url, percent_encoded(&self.settings.token));
        loop {
            self.become_status("connecting");
            let dialled = tokio::select! {
                dialled = connect_async(url.as_str()) => dialled,
                () = disconnect_asked(&mut self.commands) => return,
            };
            match dialled {
                Ok((socket, _)) => {
                    self.become_status("connected");
                    self.emit("connected", json!({}));
                    if self.talk(socket).await {
                        return;
                    }
                }
                Err(_) => self.become_status("error"),
            }
            self.become_status("reconnecting");
            tokio::select! {
                () = tokio::time::sleep(Duration::from_millis(self.settings.reconnect_delay)) => {}
                () = disconnect_asked(&mut self.commands) => return,
            }
        }
    }

    /// Talks until the connection ends; true where that was asked for.
    async fn talk(&mut self, mut socket: WebSocketStream<MaybeTlsStream<TcpStream>>) -> bool {
        loop {
            tokio::select! {
                command = self.commands.recv() => match command {
                    Some(Command::Connect) => {}
                    Some(Command::Send(text)) => {
                        if socket.send(Message::text(text)).await.is_err() {
                            return false;
                        }
                    }
                    Some(Command::Disconnect) | None => {
                        let normal = CloseFrame { code: CloseCode::Normal, reason: "".into() };
                        // A socket that is gone already is as closed as can be.
                        let _ = socket.close(Some(normal)).await;
                        return true;
                    }
                },
                message = socket.next() => match message {
                    Some(Ok(Message::Text(text))) => self.received(&text),
                    Some(Ok(_)) => {}
                    Some(Err(_)) | None => return false,
                },
            }
        }
    }

    fn received(&self, text: &str) {
        match serde_json::from_str::<Value>(text) {
            Ok(message) => match message["type"].as_str() {
                Some(kind) => self.emit(kind, message["payload"].clone()),
                None => eprintln!("ignored: a message has a `type`"),
            },
            Err(error) => eprintln!("ignored: {error}"),
        }
    }

    fn become_status(&mut self, new: &'static str) {
        let old = std::mem::replace(&mut self.status, new);
        if old != new {
            self.report(Report::Status { old, new });
        }
    }

    fn emit(&self, name: &str, payload: Value) {
        self.report(Report::Event { name: name.to_owned(), payload });
    }

    fn report(&self, report: Report) {
        // The receiver may have been dropped.
        let _ = self.reports.send(report);
    }
}

async fn disconnect_asked(commands: &mut mpsc::UnboundedReceiver<Command>) {
    while !matches!(commands.recv().await, Some(Command::Disconnect) | None) {}
}

fn percent_encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}
