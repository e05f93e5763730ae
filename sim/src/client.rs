//! The reference client, or a fleet of them, on a host of its own, behind its adapter, judged by a scripted gateway.

use std::mem;
use std::sync::Mutex;

use player::{ClientStage, StageError, journal, play_client};
use reference_client::adapter;
use scenarios::scenario::ClientScript;
use scenarios::trace::Actor;
use tokio::io::{DuplexStream, duplex};
use tokio::task::JoinSet;
use turmoil::Sim;
use turmoil::net::TcpStream;

use crate::boundary::{Sockets, speak};
use crate::context::{Context, clock, wall};
use crate::failing::Failing;
use crate::log::Log;
use crate::network::{PORT, SimDial, SimListener, Wires};

/// The client's host.
const CLIENT: &str = "client";
/// The player's host, and the scripted gateway's.
const STAGE: &str = "stage";
/// What a pipe between player and adapter holds.
const PIPE_BYTES: usize = 64 * 1024;

/// Adds both hosts. Clients of a fleet share theirs: the network is looked at link by link.
pub(crate) fn populate(sim: &mut Sim<'_>, script: ClientScript, context: Context) {
    let clients = if script.client.fleet { context.setting.times.fleet } else { 1 };
    let (inner, outer): (Vec<_>, Vec<_>) = (0..clients)
        .map(|_| {
            let (requests, input) = duplex(PIPE_BYTES);
            let (output, reports) = duplex(PIPE_BYTES);
            ((input, output), (requests, reports))
        })
        .unzip();
    let pipes = Mutex::new(Some(inner));
    let wires = Wires::new(context.boundary.wire.clone());
    let changed = context.boundary.lines.clone();
    let (recorder, journal) = journal(clock());
    let failing =
        Failing::new(context.boundary.failure, &[CLIENT], Actor::client(), &context.faults, &recorder);
    let channels = failing.channels().clone();
    sim.host(CLIENT, move || {
        let pipes = pipes.lock().ok().and_then(|mut pipes| pipes.take());
        let (wires, changed, channels) = (wires.clone(), changed.clone(), channels.clone());
        async move {
            let dial = SimDial { wires, sockets: Sockets::new(channels.wire) };
            let process = Sockets::new(channels.process);
            let mut adapters = JoinSet::new();
            for (input, output) in pipes.ok_or("the clients are started once")? {
                let (input, output) = match &changed {
                    None => (input, output),
                    Some(make) => {
                        let (requests, changed_input) = duplex(PIPE_BYTES);
                        let (changed_output, reports) = duplex(PIPE_BYTES);
                        tokio::spawn(speak(make(), (input, output), (requests, reports)));
                        (changed_input, changed_output)
                    }
                };
                let (input, output) = (process.sense(input), process.sense(output));
                adapters.spawn(adapter::run(input, output, dial.clone(), wall()));
            }
            while let Some(ended) = adapters.join_next().await {
                ended??;
            }
            Ok(())
        }
    });
    sim.client(STAGE, async move {
        let Context { setting, played, log, .. } = context;
        let listener = SimListener::bind(Wires::default(), Sockets::default()).await?;
        let path = setting.path.clone();
        let mut stage = Stage { path, listener: Some(listener), adapters: outer, log, failing };
        let play = play_client(&script, &setting, &mut stage, &recorder, journal).await;
        played.send(play)?;
        Ok(())
    });
}

struct Stage {
    path: String,
    listener: Option<SimListener>,
    adapters: Vec<(DuplexStream, DuplexStream)>,
    log: Log,
    failing: Failing,
}

impl ClientStage for Stage {
    type Stream = TcpStream;
    type Listener = SimListener;
    type Requests = DuplexStream;
    type Reports = DuplexStream;

    fn begin_step(&mut self, number: usize) {
        self.failing.begin_step(number);
    }

    fn url(&self) -> String {
        format!("ws://{STAGE}:{PORT}{}", self.path)
    }

    fn take_listener(&mut self) -> SimListener {
        self.listener.take().expect("the player takes it once")
    }

    fn take_adapters(&mut self) -> Vec<(DuplexStream, DuplexStream)> {
        mem::take(&mut self.adapters)
    }

    async fn log(&mut self) -> Result<String, StageError> {
        Ok(self.log.text())
    }
}
