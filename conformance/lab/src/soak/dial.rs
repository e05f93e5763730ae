//! Connections to the gateway, healthy or not.

use std::io;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::{Role, TokenPlace};
use rustix::io::Errno;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use scenarios::frame::RawFrame;
use scenarios::token::{Bearer, Issuer, TokenSpec};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use wire::frame::FrameReader;
use wire::handshake::UpgradeRequest;

use super::config::{PATIENCE, SoakError};

/// Descriptors for everything that is no connection.
const OTHER_DESCRIPTORS: u64 = 512;
/// How long tokens are good: longer than any soak.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// Any mask will do; the gateway removes it.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x0f, 0x99];

/// How to get in.
#[derive(Debug, Clone)]
pub(super) struct Dialer {
    pub(super) authority: Arc<str>,
    pub(super) issuer: Arc<Issuer>,
}

/// An open WebSocket.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    frames: FrameReader,
}

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(super) enum DialError {
    /// This host has no more to give, which says nothing about the gateway.
    #[error("this host: {0}")]
    Host(io::Error),
    /// The gateway did not take it, or did not keep it.
    #[error("{0}")]
    Gateway(String),
}

impl Dialer {
    /// A TCP connection.
    pub(super) async fn connect_tcp(&self) -> Result<TcpStream, DialError> {
        let stream = TcpStream::connect(&*self.authority).await?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    /// A WebSocket of this user.
    pub(super) async fn enter(&self, user_id: &str, role: Role) -> Result<Socket, DialError> {
        self.enter_by(self.connect_tcp().await?, user_id, role).await
    }

    /// The same, on a connection that is there.
    pub(super) async fn enter_by(
        &self,
        mut stream: TcpStream,
        user_id: &str,
        role: Role,
    ) -> Result<Socket, DialError> {
        let request = self.request(user_id, role);
        let leftover = timeout(PATIENCE, request.send(&mut stream)).await;
        let leftover = leftover.map_err(|_| DialError::Gateway("no answer to the upgrade".to_owned()))?;
        let leftover = leftover.map_err(|error| DialError::Gateway(error.to_string()))?;
        Ok(Socket { stream, frames: FrameReader::after(leftover) })
    }

    /// Begins a handshake, with one half of the request or all of it, and goes before it is answered.
    pub(super) async fn break_off(&self, half: bool) -> Result<(), DialError> {
        let mut stream = self.connect_tcp().await?;
        let request = UpgradeRequest { half, ..self.request("hesitant", Role::Customer) };
        // The first poll writes, since a new socket has room; the answer is not awaited.
        tokio::select! {
            biased;
            _ = request.send(&mut stream) => {}
            () = std::future::ready(()) => {}
        }
        Ok(())
    }

    fn request(&self, user_id: &str, role: Role) -> UpgradeRequest {
        let email = format!("{user_id}@example.org");
        let bearer = Bearer { user_id, email: &email, role };
        let recipe = TokenSpec { expires_in: Some(LIFETIME.as_secs().cast_signed()), ..TokenSpec::default() };
        let token = recipe.mint(&bearer, &self.issuer, unix_s());
        UpgradeRequest::new(self.authority.to_string(), "/ws", token.map(|token| (TokenPlace::Query, token)))
    }
}

impl Socket {
    /// The next frame, or nothing at the end. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Option<RawFrame>, DialError> {
        Ok(self.frames.next(&mut self.stream).await?)
    }

    pub(super) async fn send(&mut self, frame: RawFrame) -> Result<(), DialError> {
        Ok(self.stream.write_all(&frame.encode(Some(MASK))).await?)
    }
}

impl From<io::Error> for DialError {
    fn from(error: io::Error) -> Self {
        let exhausted = [Errno::MFILE, Errno::NFILE, Errno::NOBUFS, Errno::NOMEM, Errno::ADDRNOTAVAIL];
        match Errno::from_io_error(&error) {
            Some(errno) if exhausted.contains(&errno) => Self::Host(error),
            _ => Self::Gateway(error.to_string()),
        }
    }
}

/// Lets this process, and so the gateway, have as many descriptors as so many connections need.
pub(super) fn raise_descriptors(connections: usize) -> Result<(), SoakError> {
    // Each client that leaves may overlap with the one that follows it.
    let needed = 2 * connections as u64 + OTHER_DESCRIPTORS;
    let limit = getrlimit(Resource::Nofile);
    if limit.current.is_none_or(|current| current >= needed) {
        return Ok(());
    }
    let raised =
        Rlimit { current: Some(limit.maximum.map_or(needed, |maximum| maximum.min(needed))), ..limit };
    let refused = setrlimit(Resource::Nofile, raised).is_err();
    let allowed = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if refused || allowed < needed {
        return Err(SoakError::Descriptors { needed, allowed });
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "tokens are checked by the real clock of the gateway")]
fn unix_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().cast_signed()
}
