//! A gateway that opens every connection and answers what comes.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use protocol::Dialect;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Data, OpCode};
use tokio_util::task::AbortOnDropHandle;
use wire::frame::FrameReader;
use wire::handshake::ReceivedRequest;

use crate::auto_reply::AutoReply;

pub(super) struct Listener {
    url: String,
    seen: watch::Receiver<Seen>,
    _task: AbortOnDropHandle<()>,
}

/// What clients have done.
#[derive(Debug, Default)]
struct Seen {
    /// Whether a connection was opened.
    opened: bool,
    /// The first text that came.
    first_text: Option<String>,
}

impl Listener {
    /// Starts one that speaks this dialect.
    pub(super) async fn start(dialect: Dialect) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("ws://{}/ws", listener.local_addr()?);
        let (noted, seen) = watch::channel(Seen::default());
        let task = tokio::spawn(accept(listener, noted, Arc::new(dialect)));
        Ok(Self { url, seen, _task: AbortOnDropHandle::new(task) })
    }

    pub(super) fn url(&self) -> String {
        self.url.clone()
    }

    /// Whether a connection was opened, now or within `patience`.
    pub(super) async fn opened(&mut self, patience: Duration) -> bool {
        let opened = self.seen.wait_for(|seen| seen.opened);
        matches!(tokio::time::timeout(patience, opened).await, Ok(Ok(_)))
    }

    /// The first text that came, now or within `patience`.
    pub(super) async fn first_text(&mut self, patience: Duration) -> Option<String> {
        let came = self.seen.wait_for(|seen| seen.first_text.is_some());
        tokio::time::timeout(patience, came).await.ok()?.ok()?.first_text.clone()
    }
}

/// Connections end with the task that owns them.
async fn accept(listener: TcpListener, noted: watch::Sender<Seen>, dialect: Arc<Dialect>) {
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (noted, dialect) = (noted.clone(), Arc::clone(&dialect));
        // A client may end its connection however it likes.
        connections.spawn(async move { drop(serve(stream, &noted, &dialect).await) });
    }
}

async fn serve(mut stream: TcpStream, noted: &watch::Sender<Seen>, dialect: &Dialect) -> io::Result<()> {
    let request = ReceivedRequest::read(&mut stream).await?;
    request.accept(&mut stream, dialect).await?;
    noted.send_modify(|seen| seen.opened = true);
    let mut reader = FrameReader::after(request.leftover);
    let note = |frame: &scenarios::frame::RawFrame| {
        if frame.opcode == OpCode::Data(Data::Text) {
            noted.send_if_modified(|seen| {
                let is_first = seen.first_text.is_none();
                if is_first {
                    seen.first_text = Some(String::from_utf8_lossy(&frame.payload).into_owned());
                }
                is_first
            });
        }
    };
    AutoReply::new(dialect).serve(&mut stream, &mut reader, note).await
}
