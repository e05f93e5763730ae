//! The gateway that a watched client dials: it follows a plan, one step for each dial.

use std::io;
use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use protocol::Dialect;
use scenarios::frame::RawFrame;
use tokio::io::AsyncWriteExt;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite::protocol::frame::coding::{Control, Data, OpCode};
use tokio_util::task::AbortOnDropHandle;
use wire::frame::FrameReader;
use wire::handshake::{ReceivedRequest, answer_status};

use crate::auto_reply::AutoReply;
use crate::discover::flood_meter::FloodMeter;
use crate::discover::now;

/// How long a request may take to come.
const ASKS_WITHIN: Duration = Duration::from_secs(2);
/// How long a connection lives that is ended on purpose.
const LIVES_FOR: Duration = Duration::from_millis(120);
/// Most dials, and most frames, that are kept.
const MAX_KEPT: usize = 500;
/// Longest text that is kept, in bytes: what a client was asked to send is shorter.
const MAX_TEXT_BYTES: usize = 16 * 1024;

/// What becomes of a dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// It opens, and stays.
    Open,
    /// It opens, and is closed with this code soon; none for a close without one.
    Close(Option<u16>),
    /// It opens, and the connection is dropped soon.
    Drop,
    /// It is answered with this status.
    Status(u16),
}

/// What was seen.
#[derive(Debug, Clone, Default)]
pub(super) struct Dials {
    /// When each dial came.
    pub(super) began: Vec<Instant>,
    /// When each ended, as far as that is known.
    pub(super) ended: Vec<Instant>,
    /// The subprotocols that were offered first.
    pub(super) offered: Option<String>,
    /// The query of the first request.
    pub(super) query: String,
    /// The texts that came, each with the number of its connection.
    pub(super) texts: Vec<(usize, String)>,
}

/// A running gateway.
pub(super) struct Gateway {
    url: String,
    seen: watch::Receiver<Dials>,
    steps: watch::Sender<Arc<Vec<Step>>>,
    _task: AbortOnDropHandle<()>,
}

impl Gateway {
    /// Starts one; the last step is that of every further dial.
    pub(super) async fn start(steps: Vec<Step>, dialect: Dialect, meter: FloodMeter) -> io::Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let url = format!("ws://{}/ws", listener.local_addr()?);
        let (noted, seen) = watch::channel(Dials::default());
        let (steps, planned) = watch::channel(Arc::new(steps));
        let setting = ConnectionSetting { dialect: Arc::new(dialect), meter };
        let task = tokio::spawn(accept(listener, planned, noted, setting));
        Ok(Self { url, seen, steps, _task: AbortOnDropHandle::new(task) })
    }

    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What becomes of further dials, counted from the first.
    pub(super) fn plan(&self, steps: Vec<Step>) {
        self.steps.send_replace(Arc::new(steps));
    }

    pub(super) fn dials(&self) -> Dials {
        self.seen.borrow().clone()
    }

    /// Waits until what was seen suits, for so long.
    pub(super) async fn until(&mut self, most: Duration, suits: impl Fn(&Dials) -> bool) -> bool {
        timeout(most, self.seen.wait_for(|dials| suits(dials))).await.is_ok_and(|seen| seen.is_ok())
    }

    /// Waits until no dial has come for so long, or for much longer than before the last, or so many have come.
    pub(super) async fn quiet(&mut self, time: Duration, most: usize) {
        loop {
            let began = self.dials().began;
            let last =
                began.windows(2).last().map(|pair| pair[1].duration_since(pair[0])).unwrap_or_default();
            let count = began.len();
            if count >= most || !self.until(time.max(last * 3), |dials| dials.began.len() > count).await {
                return;
            }
        }
    }
}

/// What every connection is setting, and what is said on all of them.
#[derive(Clone)]
struct ConnectionSetting {
    dialect: Arc<Dialect>,
    meter: FloodMeter,
}

async fn accept(
    listener: TcpListener,
    planned: watch::Receiver<Arc<Vec<Step>>>,
    noted: watch::Sender<Dials>,
    setting: ConnectionSetting,
) {
    // Connections end with the task that owns them.
    let mut connections = JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let number = noted.borrow().began.len();
        if number >= MAX_KEPT {
            return;
        }
        noted.send_modify(|dials| dials.began.push(now()));
        let steps = planned.borrow().clone();
        let step = steps.get(number).or(steps.last()).copied().unwrap_or(Step::Open);
        let (noted, setting) = (noted.clone(), setting.clone());
        connections.spawn(async move {
            // A client that breaks off has ended its dial, too.
            let _ = serve(stream, step, number, &noted, &setting).await;
            noted.send_modify(|dials| dials.ended.push(now()));
        });
    }
}

async fn serve(
    mut stream: TcpStream,
    step: Step,
    number: usize,
    noted: &watch::Sender<Dials>,
    setting: &ConnectionSetting,
) -> io::Result<()> {
    let dialect = &setting.dialect;
    let request = timeout(ASKS_WITHIN, ReceivedRequest::read(&mut stream)).await??;
    if let Step::Status(status) = step {
        return answer_status(&mut stream, status).await;
    }
    if number == 0 {
        noted.send_modify(|dials| {
            dials.offered.clone_from(&request.subprotocol);
            dials.query.clone_from(&request.query);
        });
    }
    request.accept(&mut stream, dialect).await?;
    let mut reader = FrameReader::after(request.leftover);
    let note = |frame: &RawFrame| {
        setting.meter.add(frame.payload.len());
        if frame.opcode == OpCode::Data(Data::Text) && frame.payload.len() <= MAX_TEXT_BYTES {
            let text = String::from_utf8_lossy(&frame.payload).into_owned();
            noted.send_modify(|dials| {
                if dials.texts.len() < MAX_KEPT {
                    dials.texts.push((number, text));
                }
            });
        }
    };
    let answering = AutoReply::new(dialect).serve(&mut stream, &mut reader, note);
    match step {
        Step::Open | Step::Status(_) => answering.await,
        Step::Close(code) => {
            // What comes meanwhile is read.
            let _ = timeout(LIVES_FOR, answering).await;
            let payload = code.map(|code| code.to_be_bytes().to_vec()).unwrap_or_default();
            stream.write_all(&RawFrame::control(Control::Close, payload).encode(None)).await?;
            // The client answers, or ends the connection.
            let _ = timeout(LIVES_FOR, reader.next(&mut stream)).await;
            stream.shutdown().await
        }
        Step::Drop => {
            let _ = timeout(LIVES_FOR, answering).await;
            sleep(Duration::ZERO).await;
            Ok(())
        }
    }
}
