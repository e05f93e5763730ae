//! The reference client on a host of its own, behind its adapter, judged by a scripted gateway.

use std::sync::Mutex;

use reference_client::adapter;
use scenarios::player::{ClientStage, journal, play_client};
use tokio::io::{BufReader, DuplexStream, duplex};
use turmoil::Sim;
use turmoil::net::TcpStream;

use crate::network::{PORT, SimDial, SimListener};
use crate::world::{Context, clock, wall};

/// The client's host.
const CLIENT: &str = "client";
/// The player's host, and the scripted gateway's.
const STAGE: &str = "stage";
/// What a pipe between player and adapter holds.
const PIPE_BYTES: usize = 64 * 1024;

/// Adds both hosts.
pub(crate) fn populate(sim: &mut Sim<'_>, context: Context) {
    let (requests, input) = duplex(PIPE_BYTES);
    let (output, reports) = duplex(PIPE_BYTES);
    let pipes = Mutex::new(Some((input, output)));
    sim.host(CLIENT, move || {
        let pipes = pipes.lock().ok().and_then(|mut pipes| pipes.take());
        async move {
            let (input, output) = pipes.ok_or("the client is started once")?;
            adapter::run(BufReader::new(input), output, SimDial, wall()).await?;
            Ok(())
        }
    });
    sim.client(STAGE, async move {
        let Context { scenario, setting, played, .. } = context;
        let listener = SimListener::bind().await?;
        let (recorder, journal) = journal(clock());
        let mut stage = Stage { path: setting.path.clone(), ends: Some((listener, requests, reports)) };
        let play = play_client(&scenario, &setting, &mut stage, &recorder, journal).await;
        played.send(play)?;
        Ok(())
    });
}

struct Stage {
    path: String,
    ends: Option<(SimListener, DuplexStream, DuplexStream)>,
}

impl ClientStage for Stage {
    type Stream = TcpStream;
    type Listener = SimListener;
    type Requests = DuplexStream;
    type Reports = DuplexStream;

    fn url(&self) -> String {
        format!("ws://{STAGE}:{PORT}{}", self.path)
    }

    fn take(&mut self) -> (SimListener, DuplexStream, DuplexStream) {
        self.ends.take().expect("the player takes them once")
    }
}
