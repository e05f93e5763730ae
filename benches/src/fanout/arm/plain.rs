//! The plain program: what the libraries' examples add up to.

use std::io;

use futures_util::{SinkExt, StreamExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::broadcast;
use tokio::sync::broadcast::error::RecvError;
use tokio_tungstenite::tungstenite::Message;

use super::{WELCOME, fail_or_end, follow, report_address};
use crate::fanout::event::EventSize;

/// Events that the channel holds: more than any burst has, so that no socket can miss one.
const CAPACITY: usize = 4096;

pub(super) fn run(size: EventSize) -> io::Result<()> {
    let (events, _) = broadcast::channel(CAPACITY);
    let sender = events.clone();
    let mut next = 0;
    follow(move |count| {
        for number in next..next + count {
            // `send` fails only when there is no subscriber.
            let _ = sender.send(Message::text(size.message(number)));
        }
        next += count;
    })?;
    // As many workers as there are cores, which is how many shards the gateway has.
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        report_address(listener.local_addr()?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(serve(stream, events.subscribe()));
        }
    })
}

async fn serve(stream: TcpStream, mut events: broadcast::Receiver<Message>) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
    if socket.send(Message::text(WELCOME)).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            event = events.recv() => match event {
                Ok(event) => {
                    if socket.send(event).await.is_err() {
                        return;
                    }
                }
                Err(RecvError::Closed) => return,
                // A figure without these deliveries would be a lie.
                Err(lagged @ RecvError::Lagged(_)) => fail_or_end(Some(io::Error::other(lagged))),
            },
            message = socket.next() => {
                let Some(Ok(_)) = message else { return };
            }
        }
    }
}
