//! The conversation between a person and a gateway.

use std::io::Write;

use anstyle::{AnsiColor, Style};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::sync::mpsc;

use super::lines::{Line, LineError, target};
use crate::client::{Client, SendError, system_clock};
use crate::config::ClientConfig;
use crate::net::TcpDial;
use crate::session::Status;

/// Things to print that wait for the terminal; beyond it a slow terminal loses events rather than the connection.
const PRINTS: usize = 4096;

const STATUS: Style = AnsiColor::Cyan.on_default();
const EVENT: Style = AnsiColor::Green.on_default();
const TROUBLE: Style = AnsiColor::Yellow.on_default();

enum Print {
    Status(Status),
    Event { name: String, payload: Value },
}

/// Runs until the person, or the client, has had enough; true when it was the person.
pub(super) async fn run(config: ClientConfig, subscriptions: Vec<String>, json: bool) -> bool {
    let client = Client::start(config, TcpDial, system_clock());
    let (prints, mut printed) = mpsc::channel(PRINTS);
    let statuses = prints.clone();
    client.on_status(move |_, new| {
        // A terminal that is too slow misses something; the connection goes on.
        let _ = statuses.try_send(Print::Status(new));
    });
    client.on_any(move |name, payload| {
        let _ = prints.try_send(Print::Event { name: name.to_owned(), payload: payload.clone() });
        Ok(())
    });
    for name in subscriptions {
        if client.subscribe(target(&name)).await.is_err() {
            return false;
        }
    }
    if client.connect().await.is_err() {
        return false;
    }
    let mut lines = BufReader::new(tokio::io::stdin()).lines();
    let mut wanted = false;
    loop {
        tokio::select! {
            biased;
            Ok(()) = tokio::signal::ctrl_c() => wanted = true,
            Some(print) = printed.recv() => {
                if show(&print, json).is_err() {
                    return wanted;
                }
                if matches!(print, Print::Status(Status::Disconnected)) {
                    // What was emitted with it comes right behind.
                    while let Ok(print) = printed.try_recv() {
                        let _ = show(&print, json);
                    }
                    return wanted;
                }
                continue;
            }
            line = lines.next_line(), if !wanted => match line {
                Ok(Some(line)) => wanted = obey(&client, &line, json).await,
                Ok(None) | Err(_) => wanted = true,
            },
        }
        if wanted && client.disconnect().await.is_err() {
            return wanted;
        }
        if wanted && client.status() == Status::Disconnected && printed.is_empty() {
            return wanted;
        }
    }
}

/// Does what a line says; true when it asks for the end.
async fn obey(client: &Client, line: &str, json: bool) -> bool {
    let outcome: Result<Result<(), SendError>, LineError> = match Line::parse(line) {
        Ok(Line::Subscribe(target)) => Ok(client.subscribe(target).await),
        Ok(Line::Unsubscribe(target)) => Ok(client.unsubscribe(target).await),
        Ok(Line::Send { kind, payload }) => Ok(client.send(kind, payload).await),
        Ok(Line::Status) => {
            let _ = show(&Print::Status(client.status()), json);
            Ok(Ok(()))
        }
        Ok(Line::Quit) => return true,
        Ok(Line::Empty) => Ok(Ok(())),
        Err(error) => Err(error),
    };
    let trouble = match outcome {
        Ok(Ok(())) => return false,
        Ok(Err(error)) => error.to_string(),
        Err(error) => error.to_string(),
    };
    // Where nobody reads standard error, the line is simply not obeyed.
    let _ = writeln!(anstream::stderr(), "{TROUBLE}{trouble}{TROUBLE:#}");
    false
}

fn show(print: &Print, json: bool) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    match (print, json) {
        (Print::Status(status), true) => writeln!(out, "{}", json!({ "status": status.as_str() }))?,
        (Print::Event { name, payload }, true) => {
            writeln!(out, "{}", json!({ "event": name, "payload": payload }))?;
        }
        (Print::Status(status), false) => writeln!(out, "{STATUS}● {status}{STATUS:#}")?,
        (Print::Event { name, payload }, false) if payload.is_null() => {
            writeln!(out, "{EVENT}{name}{EVENT:#}")?;
        }
        (Print::Event { name, payload }, false) => writeln!(out, "{EVENT}{name}{EVENT:#} {payload}")?,
    }
    out.flush()
}
