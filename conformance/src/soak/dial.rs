//! Connections to the gateway, healthy or not.

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use protocol::{Role, TokenPlace};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use scenarios::token::{Bearer, Secrets, TokenRecipe};
use scenarios::wire::frame::{FrameReader, RawFrame};
use scenarios::wire::handshake::{RequestRecipe, UpgradeRequest};
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{PATIENCE, SoakError};

/// Descriptors for everything that is no connection.
const OTHER_DESCRIPTORS: u64 = 512;
/// How long tokens are good: longer than any soak.
const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);
/// Any mask will do; the gateway removes it.
const MASK: [u8; 4] = [0x5a, 0xc3, 0x0f, 0x99];

/// How to get in.
#[derive(Debug, Clone)]
pub(super) struct Door {
    pub(super) authority: Arc<str>,
    pub(super) secrets: Arc<Secrets>,
}

/// An open WebSocket.
pub(super) struct Socket {
    pub(super) stream: TcpStream,
    frames: FrameReader,
}

impl Door {
    /// A TCP connection.
    pub(super) async fn knock(&self) -> Result<TcpStream, String> {
        let stream = TcpStream::connect(&*self.authority).await.map_err(|error| error.to_string())?;
        stream.set_nodelay(true).map_err(|error| error.to_string())?;
        Ok(stream)
    }

    /// A WebSocket of this user.
    pub(super) async fn enter(&self, user_id: &str, role: Role) -> Result<Socket, String> {
        self.enter_by(self.knock().await?, user_id, role).await
    }

    /// The same, on a connection that is there.
    pub(super) async fn enter_by(
        &self,
        mut stream: TcpStream,
        user_id: &str,
        role: Role,
    ) -> Result<Socket, String> {
        let email = format!("{user_id}@example.org");
        let bearer = Bearer { user_id, email: &email, role };
        let recipe =
            TokenRecipe { expires_in: Some(LIFETIME.as_secs().cast_signed()), ..TokenRecipe::default() };
        let token = recipe.mint(&bearer, &self.secrets, unix_s());
        let request = UpgradeRequest {
            host: self.authority.to_string(),
            path: "/ws".to_owned(),
            token: token.map(|token| (TokenPlace::Query, token)),
            upgrade: true,
            origin: None,
            half: false,
            recipe: RequestRecipe::default(),
        };
        let leftover = timeout(PATIENCE, request.send(&mut stream)).await;
        let leftover =
            leftover.map_err(|_| "no answer to the upgrade")?.map_err(|error| error.to_string())?;
        Ok(Socket { stream, frames: FrameReader::after(leftover) })
    }
}

impl Socket {
    /// The next frame, or nothing at the end. Cancel safe.
    pub(super) async fn next(&mut self) -> Result<Option<RawFrame>, String> {
        self.frames.next(&mut self.stream).await.map_err(|error| error.to_string())
    }

    pub(super) async fn send(&mut self, frame: RawFrame) -> Result<(), String> {
        self.stream.write_all(&frame.encode(Some(MASK))).await.map_err(|error| error.to_string())
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
