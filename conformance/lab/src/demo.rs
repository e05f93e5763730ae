//! A newcomer's first minute: the embedded broker, the reference gateway in development mode, and made-up payments.
//!
//! ```text
//!  Payments ──made-up events──► embedded broker ──► reference gateway (a process) ──► the live page
//! ```

mod payments;

use std::io::{self, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use player::StageError;
use protocol::Role;
use reference_server::auth::{MintError, TokenRequest, TokenVerifier, mint};

use crate::reference_gateway::{GatewayError, ReferenceGateway, StartArguments};
use conformance::amqp::{BrokerLink, LinkError, Names};
use data_encoding::HEXLOWER;
use embedded_broker::{Broker, BrokerConfig, BrokerError};

pub use payments::{Data, MadeUp, Payments};

/// Longest wait for the gateway: to listen, to consume, to end.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long the printed tokens are good: a working day.
const LIFETIME_S: u64 = 12 * 3600;
/// An example event for manual publishing.
const EXAMPLE: &str = r#"{"type":"catalog:changed","data":{"item":"tea","price":4.5}}"#;
/// Bytes of a made-up secret.
const SECRET_BYTES: usize = 32;

/// How a demonstration is set up.
#[derive(Debug, Clone)]
pub struct DemoConfig {
    /// This program, which the gateway is a part of.
    pub program: PathBuf,
    /// Where the gateway listens; port 0 takes a free one.
    pub listen: SocketAddr,
    /// Time between two events.
    pub interval: Duration,
    /// Where the randomness of the events begins.
    pub seed: u64,
}

/// A demonstration that runs. It ends when it is [stopped](Self::stop) or dropped.
pub struct Demo {
    broker: Broker,
    gateway: ReferenceGateway,
    link: BrokerLink,
    payments: Payments,
    interval: Duration,
    address: SocketAddr,
    secret: String,
}

/// Why a demonstration ended by itself.
#[derive(Debug, miette::Diagnostic, thiserror::Error)]
pub enum DemoError {
    /// The embedded broker cannot start.
    #[error("the embedded broker: {0}")]
    Broker(#[from] BrokerError),
    /// No secret can be made up.
    #[error("no secret can be made up: {0}")]
    Secret(#[from] getrandom::Error),
    /// No token can be made.
    #[error(transparent)]
    Token(#[from] MintError),
    /// The gateway is not there.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Gateway(#[from] GatewayError),
    /// The embedded broker cannot be reached.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// An event cannot be published.
    #[error("a made-up event cannot be published: {0}")]
    Publish(StageError),
    /// Standard output cannot be written to.
    #[error("cannot write to standard output: {0}")]
    Announce(#[from] io::Error),
}

impl Demo {
    /// Starts broker and gateway, and returns once the gateway listens.
    ///
    /// # Errors
    /// When one of them does not start.
    pub async fn start(config: DemoConfig) -> Result<Self, DemoError> {
        let mut bytes = [0; SECRET_BYTES];
        getrandom::fill(&mut bytes)?;
        let secret = HEXLOWER.encode(&bytes);
        let broker = Broker::start(BrokerConfig::default()).await?;
        let listen = config.listen.to_string();
        let gateway = ReferenceGateway::start(StartArguments {
            program: &config.program,
            arguments: &["--dev", "--listen", &listen],
            jwt_secret: &secret,
            amqp_url: &broker.url(),
            patience: PATIENCE,
        })
        .await?;
        let names = Names { exchange: "payments_events".to_owned(), queue: "ws_events".to_owned() };
        let link = BrokerLink::open(&broker.url(), names, PATIENCE).await?;
        let DemoConfig { interval, seed, .. } = config;
        Ok(Self {
            broker,
            address: reachable(gateway.address()),
            gateway,
            link,
            payments: Payments::new(seed),
            interval,
            secret,
        })
    }

    /// What a newcomer needs to know: the page's address with a token in its fragment, and other ways in.
    ///
    /// # Errors
    /// When standard output is closed.
    pub fn announce(&self, to: &mut dyn Write) -> Result<(), DemoError> {
        let (ada, carl) = (self.token("ada", Role::Admin)?, self.token("carl", Role::Customer)?);
        let at = self.address;
        writeln!(to, "A gateway, its broker, and made-up payments. Open its page:\n")?;
        writeln!(to, "  as ada, who is an ADMIN\n    http://{at}/#token={ada}\n")?;
        writeln!(to, "  as carl, who is a CUSTOMER\n    http://{at}/#token={carl}\n")?;
        writeln!(to, "Or without a browser:\n")?;
        let dashboard = "cargo run -p reference-client --example dashboard";
        writeln!(to, "    NX_WS_URL=ws://{at}/ws GATECHECK_TOKEN={ada} {dashboard}\n")?;
        writeln!(to, "    websocat 'ws://{at}/ws?token={carl}'\n")?;
        writeln!(
            to,
            "    curl -H 'Content-Type: application/json' -d '{EXAMPLE}' http://{at}/dev/publish\n"
        )?;
        writeln!(to, "Whoever reaches {at} can sign in as anybody: it is for this machine. Ctrl-C ends it.")?;
        to.flush()?;
        Ok(())
    }

    /// Publishes generated events; returns only on an error.
    pub async fn run(&mut self) -> DemoError {
        let end = self.gateway.process().end();
        let publish = async {
            let mut due = tokio::time::interval(self.interval);
            due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
            loop {
                due.tick().await;
                let event = self.payments.next_event();
                let body = serde_json::to_string(&event).expect("made-up events are plain JSON");
                let routing_key = event.kind.replace(':', ".");
                if let Err(error) = self.link.publish(std::slice::from_ref(&body), &routing_key).await {
                    return DemoError::Publish(error);
                }
            }
        };
        tokio::select! {
            biased;
            status = end => self.gateway.over(format!("ended by itself: {status}")).await.into(),
            error = publish => error,
        }
    }

    /// Ends everything: the gateway says goodbye to its clients, the broker to the gateway.
    pub async fn stop(self) {
        let Self { broker, mut gateway, link, .. } = self;
        link.close().await;
        gateway.stop(PATIENCE).await;
        broker.shutdown().await;
    }

    fn token(&self, user: &str, role: Role) -> Result<String, DemoError> {
        let request = TokenRequest {
            user_id: user.to_owned(),
            email: format!("{user}@example.org"),
            role,
            lifetime_s: LIFETIME_S,
        };
        Ok(mint(&TokenVerifier::with_secret(self.secret.as_str()), &request, unix_s())?)
    }
}

/// Where a browser on this machine finds what listens here.
fn reachable(bound: SocketAddr) -> SocketAddr {
    match bound.ip().is_unspecified() {
        true => SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), bound.port()),
        false => bound,
    }
}

#[expect(clippy::disallowed_methods, reason = "tokens are for real gateways, which live in real time")]
fn unix_s() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
