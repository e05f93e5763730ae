//! A gateway that opens every connection and says nothing.

use std::io;
use std::net::Ipv4Addr;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

pub(super) struct Listener {
    url: String,
    opened: watch::Receiver<bool>,
    _task: AbortOnDropHandle<()>,
}

impl Listener {
    pub(super) async fn start() -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("ws://{}/ws", listener.local_addr()?);
        let (open, opened) = watch::channel(false);
        Ok(Self { url, opened, _task: AbortOnDropHandle::new(tokio::spawn(accept(listener, open))) })
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// Whether a connection was opened, now or within `patience`.
    pub(super) async fn opened(&mut self, patience: Duration) -> bool {
        matches!(tokio::time::timeout(patience, self.opened.wait_for(|opened| *opened)).await, Ok(Ok(_)))
    }
}

/// Connections end with the task that owns them.
async fn accept(listener: TcpListener, open: watch::Sender<bool>) {
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        connections.spawn(serve(stream, open.clone()));
    }
}

/// Reads on, so that pings and closes are answered.
async fn serve(stream: TcpStream, open: watch::Sender<bool>) {
    let Ok(mut socket) = tokio_tungstenite::accept_async(stream).await else { return };
    open.send_replace(true);
    while let Some(Ok(_)) = socket.next().await {}
}
