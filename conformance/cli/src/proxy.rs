//! `proxy`: a TCP proxy that goes wrong when it is told to.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use conformance::exit::Exit;
use conformance::proxy::Proxy;
use miette::miette;
use protocol::Timing;
use scenarios::Times;
use scenarios::design::ClientDesign;
use scenarios::scenario::NetworkAct;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::Mutex;

use super::control::{self, Control, announce};
use super::judge::interrupted;
use super::{Failure, closed};

#[derive(Args)]
pub(super) struct ProxyArgs {
    /// Where connections go: HOST:PORT
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// Where to take connections; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    listen: SocketAddr,
    /// Where to take requests over HTTP; port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:0")]
    control: SocketAddr,
}

/// The proxy, and how it stands.
struct ControlledProxy {
    proxy: Proxy,
    to: String,
    state: Mutex<ProxyState>,
}

struct ProxyState {
    open: bool,
    /// The last change that lasts.
    network: Value,
}

pub(super) fn run(args: &ProxyArgs) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime =
        runtime.map_err(|error| Failure::new(Exit::Harness, miette!("cannot start a runtime: {error}")))?;
    runtime.block_on(serve(args))
}

/// Runs a proxy until a signal ends it. The first line on standard output is its address, the second the URL that controls it.
async fn serve(args: &ProxyArgs) -> Result<Exit, Failure> {
    let interrupted = interrupted();
    let (host, port) = target(&args.to)?;
    let proxy = Proxy::between(args.listen, &host, port).await;
    let proxy = proxy.map_err(|error| Failure::usage(miette!("cannot start the proxy: {error}")))?;
    let listener = TcpListener::bind(args.control).await;
    let failed = |error| Failure::usage(miette!("cannot listen on {}: {error}", args.control));
    let listener = listener.map_err(failed)?;
    let url = format!("http://{}", listener.local_addr().map_err(failed)?);
    announce(&[proxy.addr().to_string(), url]).map_err(closed)?;
    let state = Mutex::new(ProxyState { open: true, network: "clear".into() });
    let control = Arc::new(ControlledProxy { proxy, to: args.to.clone(), state });
    tokio::select! {
        () = control::serve(listener, control) => {}
        () = interrupted => {}
    }
    Ok(Exit::Conformant)
}

/// What symbolic times mean where no subject is configured: the default times.
fn times() -> Times {
    Times {
        timing: Timing::default(),
        patience: Duration::ZERO,
        slack: Duration::ZERO,
        fleet: Times::FLEET,
        slow_reader: Duration::ZERO,
        design: ClientDesign::default(),
    }
}

fn target(to: &str) -> Result<(String, u16), Failure> {
    let found = to.rsplit_once(':').and_then(|(host, port)| Some((host, port.parse().ok()?)));
    let (host, port) = found.filter(|(host, _)| !host.is_empty()).ok_or_else(|| {
        let help = "write a host and a port, such as localhost:8080";
        Failure::usage(miette!(help = help, "`--to {to}` is no place to connect to"))
    })?;
    Ok((host.trim_matches(['[', ']']).to_owned(), port))
}

impl Control for ControlledProxy {
    const PARTS: &'static [&'static str] = &["network", "open"];

    async fn state(&self) -> Result<Value, String> {
        let ProxyState { open, network } = &*self.state.lock().await;
        Ok(
            json!({ "listen": self.proxy.addr().to_string(), "to": self.to, "open": open, "network": network }),
        )
    }

    async fn change(&self, part: &str, value: Value) -> Result<(), String> {
        let mut state = self.state.lock().await;
        if part == "open" {
            state.open = serde_json::from_value(value).map_err(|_| "write true or false".to_owned())?;
            self.proxy.set_open(state.open);
            return Ok(());
        }
        let act: NetworkAct = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
        self.proxy.network().apply(act.change(&times()));
        // What is sudden is over at once.
        if !value.is_string() || value == "clear" {
            state.network = value;
        }
        Ok(())
    }
}
