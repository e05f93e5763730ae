//! A gateway that runs on a thread of its own while a test talks to it.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header};
use protocol::{Role, Timestamp};
use reference_gateway::RateLimit;
use reference_server::{Arrival, Config, Listen, Server, ServerError, TcpListen};
use serde_json::{Value, json};
use tokio::io::DuplexStream;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};

use crate::script::{Script, script};

pub(crate) const SECRET: &str = "the secret of these tests";
/// The time at the gateway, which stands still.
pub(crate) const NOW_S: u64 = 1_800_000_000;
/// Longest wait for anything that must happen; passing tests never wait this long.
const PATIENCE: Duration = Duration::from_secs(20);

/// A gateway and its broker. It is stopped when it is dropped.
pub(crate) struct Running {
    pub(crate) broker: Script,
    stop: oneshot::Sender<()>,
    ended: oneshot::Receiver<Result<(), ServerError>>,
}

/// The usual configuration of these tests: one shard, and nothing that a slow machine could run into.
pub(crate) fn config() -> Config {
    let mut config = Config::with_secret(SECRET);
    config.shards = 1;
    config.gateway.ping_interval = Duration::from_secs(60);
    config.gateway.pong_timeout = Duration::from_secs(60);
    config.gateway.message_rate = RateLimit { per_second: u32::MAX };
    config.frame_rate = RateLimit { per_second: u32::MAX };
    config
}

/// A gateway on a free port.
pub(crate) async fn start(config: Config) -> (Running, SocketAddr) {
    start_wrapped(config, |listener| listener).await
}

/// A gateway on a free port, its listener wrapped.
pub(crate) async fn start_wrapped<L: Listen>(
    config: Config,
    wrap: impl FnOnce(TcpListen) -> L + Send + 'static,
) -> (Running, SocketAddr) {
    let TcpListen(listener) = TcpListen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let address = listener.local_addr().unwrap();
    // A socket belongs to the runtime that waits for it, so it is registered again there.
    let listener = listener.into_std().unwrap();
    (run(config, None, move || wrap(TcpListen(TcpListener::from_std(listener).unwrap()))), address)
}

/// A gateway on a free port, and its status pages on another one.
pub(crate) async fn start_with_admin(mut config: Config) -> (Running, SocketAddr, SocketAddr) {
    let bind = || {
        let TcpListen(listener) = TcpListen::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        (listener.local_addr().unwrap(), listener.into_std().unwrap())
    };
    let ((address, listener), (admin_address, admin)) = (bind(), bind());
    config.admin_listen = Some(admin_address);
    let listen = move || TcpListen(TcpListener::from_std(listener).unwrap());
    (run(config, Some(admin), listen), address, admin_address)
}

/// A gateway whose connections are pipes: they hold as many bytes as the test says, not as the kernel likes.
pub(crate) fn start_on_pipes(config: Config) -> (Running, mpsc::UnboundedSender<DuplexStream>) {
    let (dial, dialled) = mpsc::unbounded_channel();
    (run(config, None, move || Pipes(dialled)), dial)
}

fn run<L: Listen>(
    config: Config,
    admin: Option<std::net::TcpListener>,
    listener: impl FnOnce() -> L + Send + 'static,
) -> Running {
    let (broker, source) = script();
    let (stop, stopped) = oneshot::channel::<()>();
    let (done, ended) = oneshot::channel();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let wall = || Timestamp::from_unix_ms(i64::try_from(NOW_S).unwrap() * 1000);
        let result = runtime.block_on(async {
            let server = Server::new(config, listener(), source, Arc::new(wall));
            let admin = admin.map(|admin| TcpListener::from_std(admin).unwrap());
            server.with_admin(admin).run(async { drop(stopped.await) }).await
        });
        // Most tests end before their gateway.
        let _ = done.send(result);
    });
    Running { broker, stop, ended }
}

impl Running {
    /// Asks the gateway to end; the returned future resolves to its result.
    pub(crate) fn stop(self) -> (Script, impl Future<Output = Result<(), ServerError>>) {
        self.stop.send(()).unwrap();
        let ended = self.ended;
        (self.broker, async { within(ended).await.expect("the gateway does not panic") })
    }
}

/// Waits for what must happen.
pub(crate) async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.expect("it happens in time")
}

/// A token of this user that is good for an hour.
pub(crate) fn token(user: &str, role: Role) -> String {
    let email = format!("{user}@example.org");
    signed(
        Algorithm::HS256,
        SECRET,
        &json!({ "userId": user, "email": email, "role": role, "exp": NOW_S + 3600 }),
    )
}

pub(crate) fn signed(algorithm: Algorithm, secret: &str, claims: &Value) -> String {
    let key = EncodingKey::from_secret(secret.as_bytes());
    jsonwebtoken::encode(&Header::new(algorithm), claims, &key).unwrap()
}

struct Pipes(mpsc::UnboundedReceiver<DuplexStream>);

impl Listen for Pipes {
    type Incoming = DuplexStream;
    type Stream = DuplexStream;

    async fn accept(&mut self) -> std::io::Result<(DuplexStream, IpAddr)> {
        match self.0.recv().await {
            Some(stream) => Ok((stream, Ipv4Addr::LOCALHOST.into())),
            None => std::future::pending().await,
        }
    }

    async fn open(incoming: DuplexStream, _: &Rc<Arrival>) -> std::io::Result<DuplexStream> {
        Ok(incoming)
    }
}
