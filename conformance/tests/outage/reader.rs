//! A client that notes which events it sees.

use std::time::{SystemTime, UNIX_EPOCH};

use libtest_mimic::Failed;
use protocol::{Role, TokenPlace};
use scenarios::token::{Bearer, Secrets, TokenRecipe};
use scenarios::wire::frame::FrameReader;
use scenarios::wire::handshake::{RequestRecipe, UpgradeRequest};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::PATIENCE;
use crate::gateway::{Gateway, JWT_SECRET};

pub(crate) struct Reader {
    stream: TcpStream,
    frames: FrameReader,
    /// The numbers of the events, as they came.
    seen: Vec<u64>,
}

impl Reader {
    /// Signs in.
    pub(crate) async fn connect(gateway: &Gateway) -> Result<Self, Failed> {
        let now_s = unix_s();
        let bearer = Bearer { user_id: "reader", email: "reader@example.org", role: Role::Customer };
        let secrets = Secrets::from_current(JWT_SECRET);
        let token = TokenRecipe::default().mint(&bearer, &secrets, now_s);
        let request = UpgradeRequest {
            host: gateway.authority().to_owned(),
            path: "/ws".to_owned(),
            token: token.map(|token| (TokenPlace::Query, token)),
            upgrade: true,
            origin: None,
            half: false,
            recipe: RequestRecipe::default(),
        };
        let mut stream = TcpStream::connect(gateway.authority()).await.map_err(|error| error.to_string())?;
        let leftover = request.send(&mut stream).await.map_err(|error| error.to_string())?;
        let mut reader = Self { stream, frames: FrameReader::after(leftover), seen: Vec::new() };
        // Behind the welcome it is in its rooms.
        match reader.next().await? {
            Some(_) => Ok(reader),
            None => Err("no welcome".into()),
        }
    }

    /// Reads until what was seen suits. That the connection ends before is a failure.
    pub(crate) async fn read_until(&mut self, suits: impl Fn(&[u64]) -> bool) -> Result<Vec<u64>, Failed> {
        while !suits(&self.seen) {
            match self.next().await {
                Ok(Some(_)) => {}
                Ok(None) => return Err(format!("the connection ended; seen: {:?}", self.seen).into()),
                Err(error) => {
                    return Err(
                        format!("{}; seen: {:?}", error.message().unwrap_or_default(), self.seen).into()
                    );
                }
            }
        }
        Ok(self.seen.clone())
    }

    /// Reads what is left of a connection whose gateway is gone.
    pub(crate) async fn read_to_the_end(&mut self) -> Result<Vec<u64>, Failed> {
        while self.next().await?.is_some() {}
        Ok(self.seen.clone())
    }

    async fn next(&mut self) -> Result<Option<()>, Failed> {
        let frame = timeout(PATIENCE, self.frames.next(&mut self.stream)).await;
        // A gateway that was killed may leave a cut frame or a reset behind: that is an end.
        let Ok(Some(frame)) = frame.map_err(|_| "nothing came any more")? else { return Ok(None) };
        let message: Value = serde_json::from_slice(&frame.payload).unwrap_or_default();
        self.seen.extend(message["payload"]["seq"].as_u64());
        Ok(Some(()))
    }
}

#[expect(clippy::disallowed_methods, reason = "tokens are checked by the real clock of the gateway")]
fn unix_s() -> i64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs().cast_signed()
}
