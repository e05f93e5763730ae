//! Serving: what the configuration asks for, until a signal.

use std::io::{self, Write};
use std::sync::Arc;

use protocol::Timestamp;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;

use super::Failure;
use crate::auth::{Key, MIN_BYTES};
use crate::broker::{NoBroker, RabbitMq};
use crate::config::{Config, TlsFiles};
use crate::net::{Listen, Server, ServerError, TcpListen, TlsIdentity, TlsListen, WallClock};

/// Serves until SIGINT or SIGTERM.
pub(super) async fn serve(config: Config) -> Result<(), Failure> {
    if config.dev {
        tracing::warn!(
            "DEVELOPMENT MODE: whoever reaches this gateway can sign in as anybody and publish events; \
             never offer it to others"
        );
    }
    if config.verification.keys.iter().any(Key::is_short) {
        tracing::warn!(
            "a secret has fewer than {MIN_BYTES} bytes: whoever has a token can guess it (RFC 7518 section 3.2); use a random one"
        );
    }
    let identity = config.tls.as_ref().map(TlsIdentity::read).transpose()?;
    let address = config.listen;
    let listen = |source| Failure::Listen { address, source };
    let listener = TcpListen::bind(address).map_err(listen)?;
    let bound = listener.local_addr().map_err(listen)?;
    let admin = match config.admin_listen {
        None => None,
        Some(address) => {
            let admin =
                TcpListener::bind(address).await.map_err(|source| Failure::Listen { address, source })?;
            Some(admin)
        }
    };
    let shutdown = shutdown().map_err(Failure::Start)?;
    let scheme = if identity.is_some() { "wss" } else { "ws" };
    // Standard output may be closed; the gateway serves all the same.
    let _ = writeln!(io::stdout(), "listening on {scheme}://{bound}{}", config.path);
    if let Some(bound) = admin.as_ref().and_then(|admin| admin.local_addr().ok()) {
        let _ = writeln!(io::stdout(), "status pages on http://{bound}");
    }
    match (identity, config.tls.clone()) {
        (Some(identity), Some(files)) => {
            let (newest, identity) = watch::channel(identity);
            let reloading = reload(files, newest).map_err(Failure::Start)?;
            tokio::select! {
                biased;
                served = run(config, TlsListen::new(listener, identity), admin, shutdown) => served?,
                never = reloading => match never {},
            }
        }
        _ => {
            // Without a certificate there is nothing to read again, and that is no reason to end.
            let mut hangups = signal(SignalKind::hangup()).map_err(Failure::Start)?;
            let ignoring = async {
                while hangups.recv().await.is_some() {
                    tracing::info!("there is no certificate to read again");
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                biased;
                served = run(config, listener, admin, shutdown) => served?,
                () = ignoring => {}
            }
        }
    }
    Ok(())
}

async fn run<L: Listen>(
    config: Config,
    listener: L,
    admin: Option<TcpListener>,
    shutdown: impl Future<Output = ()>,
) -> Result<(), ServerError> {
    let wall = system_clock();
    match config.rabbitmq.clone() {
        Some(broker) => {
            let seed = wall().unix_ms().cast_unsigned() ^ u64::from(std::process::id()).rotate_left(32);
            let server = Server::new(config, listener, RabbitMq::new(broker, seed), wall);
            server.with_admin(admin).run(shutdown).await
        }
        None => {
            tracing::warn!("no broker is configured: there will be no events");
            Server::new(config, listener, NoBroker, wall).with_admin(admin).run(shutdown).await
        }
    }
}

/// Reads certificate and key again at each SIGHUP; watched from here on. Files that cannot be used change nothing.
fn reload(
    files: TlsFiles,
    newest: watch::Sender<TlsIdentity>,
) -> io::Result<impl Future<Output = std::convert::Infallible>> {
    let mut hangups = signal(SignalKind::hangup())?;
    Ok(async move {
        loop {
            if hangups.recv().await.is_none() {
                std::future::pending::<()>().await;
            }
            match TlsIdentity::read(&files) {
                Ok(identity) => {
                    newest.send_replace(identity);
                    tracing::info!("the certificate was read again");
                }
                Err(error) => tracing::error!("the certificate stays what it was: {error}"),
            }
        }
    })
}

/// Ends at the first SIGINT or SIGTERM; watched from here on.
fn shutdown() -> io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            biased;
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// The system's wall clock.
#[expect(clippy::disallowed_methods, reason = "the program's clock; everything else is given one")]
pub(super) fn system_clock() -> WallClock {
    Arc::new(|| {
        let since = std::time::SystemTime::now().duration_since(std::time::SystemTime::UNIX_EPOCH);
        let ms = since.unwrap_or_default().as_millis();
        Timestamp::from_unix_ms(i64::try_from(ms).unwrap_or(i64::MAX))
    })
}
