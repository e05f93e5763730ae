//! The conversation between a person and a gateway.

use std::io::Write;
use std::time::Duration;

use anstyle::{AnsiColor, Style};
use futures_util::StreamExt;
use serde_json::{Value, json};
use tokio::io::Stdin;
use tokio::sync::mpsc;
use tokio_util::codec::{FramedRead, LinesCodec};

use super::lines::{Line, LineError, target};
use crate::client::{Client, SendError, system_clock};
use crate::config::ClientConfig;
use crate::net::{Redial, TcpDial};
use reference_session::Status;

/// Things to print that wait for the terminal; beyond it a slow terminal loses events rather than the connection.
const PRINTS: usize = 4096;

const STATUS: Style = AnsiColor::Cyan.on_default();
const EVENT: Style = AnsiColor::Green.on_default();
const TROUBLE: Style = AnsiColor::Yellow.on_default();

/// Longest time that a connection may take to end after the last word.
const LEAVING: Duration = Duration::from_secs(1);

/// What the person types.
pub(super) type Typed = FramedRead<Stdin, LinesCodec>;

/// Longest line that a person, or a script in their place, may type: more than any gateway takes as a message.
const TYPED_BYTES: usize = 4 * 1024 * 1024;

/// What will be typed.
pub(super) fn typed() -> Typed {
    FramedRead::new(tokio::io::stdin(), LinesCodec::new_with_max_length(TYPED_BYTES))
}

enum Print {
    /// The status, what it waits for, and why it is one of failure.
    Status {
        status: Status,
        redial: Option<Redial>,
        reason: Option<String>,
    },
    Event {
        name: String,
        payload: Value,
    },
}

/// Runs until the person, or the client, has had enough; true when it was the person.
pub(super) async fn run(
    config: ClientConfig,
    subscriptions: Vec<String>,
    json: bool,
    mut lines: Typed,
) -> bool {
    let client = Client::start(config, TcpDial, system_clock());
    let mut status = client.watch_status();
    let wanted = converse(&client, subscriptions, json, &mut lines).await;
    drop(client);
    // The close goes out before the program ends (STATE-6). The status has no source any more once everything is over.
    let over = async { while status.changed().await.is_ok() {} };
    let _ = tokio::time::timeout(LEAVING, over).await;
    wanted
}

async fn converse(client: &Client, subscriptions: Vec<String>, json: bool, lines: &mut Typed) -> bool {
    let (prints, mut printed) = mpsc::channel(PRINTS);
    let statuses = prints.clone();
    let (redial, failure) = (client.watch_redial(), client.watch_failure());
    client.on_status(move |_, status| {
        let redial = redial.borrow().filter(|_| status == Status::Reconnecting);
        let reason = failure.borrow().clone().filter(|_| status == Status::Error);
        // A slow terminal misses events; the connection is unaffected.
        let _ = statuses.try_send(Print::Status { status, redial, reason });
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
    let mut wanted = false;
    loop {
        tokio::select! {
            biased;
            Ok(()) = tokio::signal::ctrl_c() => wanted = true,
            Some(print) = printed.recv() => {
                if show(&print, json).is_err() {
                    return wanted;
                }
                if matches!(print, Print::Status { status: Status::Disconnected, .. }) {
                    // What was emitted with it comes right behind.
                    while let Ok(print) = printed.try_recv() {
                        let _ = show(&print, json);
                    }
                    return wanted;
                }
                continue;
            }
            line = lines.next(), if !wanted => match line {
                Some(Ok(line)) => wanted = obey(client, &line, json).await,
                Some(Err(error)) => {
                    complain(&format!("cannot read what is typed: {error}"));
                    wanted = true;
                }
                None => wanted = true,
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

/// Executes a line; true when it asks to quit.
async fn obey(client: &Client, line: &str, json: bool) -> bool {
    let outcome: Result<Result<(), SendError>, LineError> = match Line::parse(line) {
        Ok(Line::Subscribe(target)) => Ok(client.subscribe(target).await),
        Ok(Line::Unsubscribe(target)) => Ok(client.unsubscribe(target).await),
        Ok(Line::Send { kind, payload }) => Ok(client.send(kind, payload).await),
        Ok(Line::Status) => {
            let (status, redial) = (client.status(), *client.watch_redial().borrow());
            let reason = client.watch_failure().borrow().clone();
            let _ = show(&Print::Status { status, redial, reason }, json);
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
    complain(&trouble);
    false
}

fn complain(trouble: &str) {
    // Standard error may be closed; the line is ignored all the same.
    let _ = writeln!(anstream::stderr(), "{TROUBLE}{trouble}{TROUBLE:#}");
}

fn show(print: &Print, json: bool) -> std::io::Result<()> {
    let mut out = anstream::stdout().lock();
    match print {
        Print::Status { status, redial, reason } if json => {
            let mut line = json!({ "status": status.as_str() });
            if let Some(Redial { attempt, delay, .. }) = redial {
                line["attempt"] = json!(attempt);
                line["delayMs"] = json!(u64::try_from(delay.as_millis()).unwrap_or(u64::MAX));
            }
            if let Some(reason) = reason {
                line["reason"] = json!(reason);
            }
            writeln!(out, "{line}")?;
        }
        Print::Event { name, payload } if json => {
            writeln!(out, "{}", json!({ "event": name, "payload": payload }))?;
        }
        Print::Status { status, redial, reason } => {
            write!(out, "{STATUS}● {status}")?;
            if let Some(Redial { attempt, delay, .. }) = redial {
                write!(out, " in {:.1} s (attempt {attempt})", delay.as_secs_f64())?;
            }
            if let Some(reason) = reason {
                write!(out, ": {reason}")?;
            }
            writeln!(out, "{STATUS:#}")?;
        }
        Print::Event { name, payload } if payload.is_null() => writeln!(out, "{EVENT}{name}{EVENT:#}")?,
        Print::Event { name, payload } => writeln!(out, "{EVENT}{name}{EVENT:#} {payload}")?,
    }
    out.flush()
}
