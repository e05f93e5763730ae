//! The opening handshake, both ends (RFC 6455 section 4).

mod received;

use std::io;
use std::time::Duration;

use protocol::TokenPlace;
use scenarios::request::RequestSpec;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tungstenite::handshake::derive_accept_key;

pub use received::ReceivedRequest;

/// Longest head that a scripted end reads.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Fields of about a kilobyte of a head that does not end: more than a client may take.
const ENDLESS_FIELDS: usize = 4096;
/// Most header fields that a scripted end reads.
const MAX_FIELDS: usize = 64;
/// Any 16 bytes will do; a fixed key keeps recordings reproducible.
const KEY: &str = "Z2F0ZWNoZWNrLWNsaWVudA==";

/// What a client asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UpgradeRequest {
    /// The `Host` field.
    pub host: String,
    /// The path.
    pub path: String,
    /// The token as it stands in the request, with its place.
    pub token: Option<(TokenPlace, String)>,
    /// The `Sec-WebSocket-Protocol` that is offered, where the token does not stand there.
    pub subprotocol: Option<String>,
    /// Whether an upgrade is asked for at all; otherwise it is a plain GET.
    pub upgrade: bool,
    /// The page that it claims to come from.
    pub origin: Option<String>,
    /// Whether only the first half of it is sent.
    pub half: bool,
    /// How long after each of its bytes the next one is sent, where it is sent byte by byte.
    pub drip: Option<Duration>,
    /// What else is unusual about it.
    pub recipe: RequestSpec,
}

/// Why an upgrade did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum UpgradeError {
    /// The gateway answered with another status.
    #[error("HTTP {status}")]
    Status {
        /// The status.
        status: u16,
    },
    /// The gateway's answer is no upgrade.
    #[error("{0}")]
    Broken(&'static str),
    /// The connection failed.
    #[error("{0}")]
    Io(#[from] io::Error),
}

impl UpgradeRequest {
    /// An ordinary request for an upgrade, with the token, if any, as it stands in the request.
    pub fn new(
        host: impl Into<String>,
        path: impl Into<String>,
        token: Option<(TokenPlace, String)>,
    ) -> Self {
        Self {
            host: host.into(),
            path: path.into(),
            token,
            subprotocol: None,
            upgrade: true,
            origin: None,
            half: false,
            drip: None,
            recipe: RequestSpec::default(),
        }
    }

    /// Asks, and waits for the answer; returns what was read behind it.
    ///
    /// # Errors
    /// When the answer is not a right `101 Switching Protocols`.
    pub async fn send(
        &self,
        stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    ) -> Result<Vec<u8>, UpgradeError> {
        let request = self.head();
        let sent = if self.half { request.len() / 2 } else { request.len() };
        let sent = &request.as_bytes()[..sent];
        let (head, leftover) = match self.drip {
            None => {
                stream.write_all(sent).await?;
                read_head(stream).await?
            }
            Some(pause) => drip(stream, sent, pause).await?,
        };
        self.check_answer(&head)?;
        Ok(leftover)
    }

    /// Whether an answer's head, up to its empty line, grants the upgrade.
    ///
    /// # Errors
    /// When the answer is not a right `101 Switching Protocols`.
    pub fn check_answer(&self, head: &[u8]) -> Result<(), UpgradeError> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut response = httparse::Response::new(&mut fields);
        response.parse(head).map_err(|_| UpgradeError::Broken("the answer is not HTTP"))?;
        match response.code {
            Some(101) => {}
            Some(status) => return Err(UpgradeError::Status { status }),
            None => return Err(UpgradeError::Broken("the answer has no status")),
        }
        let field = |name: &str| field(response.headers, name);
        if field("upgrade").is_none_or(|value| !value.eq_ignore_ascii_case("websocket")) {
            return Err(UpgradeError::Broken("the answer has no `Upgrade: websocket`"));
        }
        // A 101 to a request without a key counts as an upgrade: there is no key that the answer could prove.
        let is_proven = |key: &str| field("sec-websocket-accept") == Some(derive_accept_key(key.as_bytes()));
        if !self.key().is_none_or(is_proven) {
            return Err(UpgradeError::Broken("`Sec-WebSocket-Accept` does not belong to the key"));
        }
        Ok(())
    }

    /// The `Sec-WebSocket-Key` that it is sent with.
    fn key(&self) -> Option<&str> {
        let usual = self.upgrade && !self.recipe.changes("sec-websocket-key");
        self.recipe.field("sec-websocket-key").or(usual.then_some(KEY))
    }

    /// The request, for who sends it otherwise.
    pub fn head(&self) -> String {
        let RequestSpec { method, http, .. } = &self.recipe;
        let mut path = self.path.clone();
        let mut fields = vec![("Host", self.host.clone())];
        if self.upgrade {
            fields.extend([
                ("Connection", "Upgrade".to_owned()),
                ("Upgrade", "websocket".to_owned()),
                ("Sec-WebSocket-Version", "13".to_owned()),
                ("Sec-WebSocket-Key", KEY.to_owned()),
            ]);
        }
        if let Some(origin) = &self.origin {
            fields.push(("Origin", origin.clone()));
        }
        if let Some(name) = &self.subprotocol {
            fields.push(("Sec-WebSocket-Protocol", name.clone()));
        }
        match &self.token {
            Some((TokenPlace::Query, token)) => path += &format!("?token={token}"),
            Some((TokenPlace::QueryAs(name), token)) => path += &format!("?{name}={token}"),
            Some((TokenPlace::Cookie(name), token)) => fields.push(("Cookie", format!("{name}={token}"))),
            Some((TokenPlace::SubprotocolAfter(name), token)) => {
                fields.push(("Sec-WebSocket-Protocol", format!("{name}, {token}")));
            }
            Some((TokenPlace::Bearer, token)) => fields.push(("Authorization", format!("Bearer {token}"))),
            Some((TokenPlace::Subprotocol, token)) => fields.push(("Sec-WebSocket-Protocol", token.clone())),
            Some((place @ TokenPlace::Path, token)) => path = place.path_with(&path, token),
            Some((TokenPlace::Message, _)) | None => {}
        }
        fields.retain(|(name, _)| !self.recipe.changes(name));
        fields.extend(self.recipe.fields.iter().map(|(name, value)| (name.as_str(), value.clone())));
        let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
        format!("{method} {path} HTTP/{http}\r\n{fields}\r\n")
    }
}

/// The answer to an upgrade request with this key, up to its empty line.
fn granted(key: &str) -> String {
    let accept = derive_accept_key(key.as_bytes());
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    )
}

/// The status of an answer's head.
pub fn status_of(head: &[u8]) -> Option<u16> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    response.parse(head).ok()?;
    response.code
}

/// The subprotocol that an answer's head agrees to (RFC 6455 section 4.2.2), where it does.
pub fn agreed_subprotocol(head: &[u8]) -> Option<String> {
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut fields);
    response.parse(head).ok()?;
    field(response.headers, "sec-websocket-protocol")
}

/// A head without a field.
pub fn without_field(head: &[u8], name: &str) -> Vec<u8> {
    let is_field = |line: &[u8]| {
        let key = line.split(|byte| *byte == b':').next().unwrap_or_default();
        key.eq_ignore_ascii_case(name.as_bytes())
    };
    let lines = head.split_inclusive(|byte| *byte == b'\n').filter(|line| !is_field(line));
    lines.flatten().copied().collect()
}

/// Answers with a status and nothing else, and ends the connection.
///
/// # Errors
/// When the connection fails.
pub async fn answer_status(stream: &mut (impl AsyncWrite + Unpin), status: u16) -> io::Result<()> {
    let head = format!("HTTP/1.1 {status} Refused\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    stream.write_all(head.as_bytes()).await?;
    stream.shutdown().await
}

/// Sends bytes one by one with a pause after each, until an answer comes.
async fn drip(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    bytes: &[u8],
    pause: Duration,
) -> io::Result<(Vec<u8>, Vec<u8>)> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let write = async {
        for byte in bytes {
            writer.write_all(&[*byte]).await?;
            writer.flush().await?;
            tokio::time::sleep(pause).await;
        }
        Ok::<_, io::Error>(())
    };
    let answer = read_head(&mut reader);
    let (mut write, mut answer) = (std::pin::pin!(write), std::pin::pin!(answer));
    tokio::select! {
        biased;
        answer = &mut answer => answer,
        // A gateway that takes no more has answered, or has ended the connection: reading says which.
        _ = &mut write => answer.await,
    }
}

/// A head with its empty line, and what was read behind it.
///
/// # Errors
/// When the stream ends before the head does, or the head is too long.
pub async fn read_head(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<(Vec<u8>, Vec<u8>)> {
    const END: &[u8] = b"\r\n\r\n";
    let mut bytes = Vec::new();
    loop {
        if let Some(at) = bytes.windows(END.len()).position(|window| window == END) {
            let leftover = bytes.split_off(at + END.len());
            return Ok((bytes, leftover));
        }
        if bytes.len() > MAX_HEAD_BYTES {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "the head never ends"));
        }
        if stream.read_buf(&mut bytes).await? == 0 {
            return Err(io::Error::new(
                io::ErrorKind::UnexpectedEof,
                "the connection was dropped during the handshake",
            ));
        }
    }
}

fn field(fields: &[httparse::Header<'_>], name: &str) -> Option<String> {
    let found = fields.iter().find(|field| field.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(found.value).ok().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use protocol::Dialect;

    use super::*;

    /// The two ends understand each other wherever the token travels, and bytes sent right behind the head are not lost.
    #[tokio::test]
    async fn both_ends_agree() {
        let named = [
            TokenPlace::QueryAs("access_token".to_owned()),
            TokenPlace::Cookie("sid".to_owned()),
            TokenPlace::SubprotocolAfter("bearer".to_owned()),
        ];
        for place in named.into_iter().chain([TokenPlace::Query, TokenPlace::Bearer, TokenPlace::Subprotocol])
        {
            agree(place).await;
        }
    }

    async fn agree(place: TokenPlace) {
        let dialect = Dialect { token: place.clone(), ..Dialect::default() };
        let (mut near, mut far) = tokio::io::duplex(4096);
        let request = UpgradeRequest::new("h", "/ws", Some((place, "a%20b".into())));
        let gateway = async {
            let request = ReceivedRequest::read(&mut far).await.unwrap();
            assert_eq!(
                (request.path.as_str(), request.parameters(&dialect)),
                ("/ws", vec![("token".into(), "a b".into())])
            );
            request.accept(&mut far, &dialect).await.unwrap();
            far.write_all(b"early").await.unwrap();
            far.shutdown().await.unwrap();
        };
        let client = async {
            let mut leftover = request.send(&mut near).await.unwrap();
            near.read_to_end(&mut leftover).await.unwrap();
            assert_eq!(leftover, b"early");
        };
        tokio::join!(gateway, client);
    }

    /// An answer belongs to the key of its request. A request without a key is granted by any answer that grants: it must not pass
    /// for a refusal.
    #[tokio::test]
    async fn an_answer_belongs_to_its_key() {
        for (without, fields, is_opened) in [
            (vec![], BTreeMap::new(), false),
            (vec![], BTreeMap::from([("Sec-WebSocket-Key".to_owned(), "c2hvcnQ=".to_owned())]), false),
            (vec!["Sec-WebSocket-Key".to_owned()], BTreeMap::new(), true),
        ] {
            let (mut near, mut far) = tokio::io::duplex(4096);
            let request = upgrade_with(RequestSpec { fields, without, ..RequestSpec::default() });
            let gateway = async {
                ReceivedRequest::read(&mut far).await.unwrap();
                far.write_all((granted("another") + "\r\n").as_bytes()).await.unwrap();
            };
            let (asked, ()) = tokio::join!(request.send(&mut near), gateway);
            assert_eq!(asked.is_ok(), is_opened, "{:?}", request.recipe);
        }
    }

    /// A request that drips is whole in the end; a gateway that has given up meanwhile has answered.
    #[tokio::test(start_paused = true)]
    async fn a_request_drips() {
        let request =
            UpgradeRequest { drip: Some(Duration::from_millis(100)), ..upgrade_with(RequestSpec::default()) };
        let (mut near, mut far) = tokio::io::duplex(4096);
        let gateway = async {
            let received = ReceivedRequest::read(&mut far).await.unwrap();
            received.accept(&mut far, &Dialect::default()).await.unwrap();
        };
        let (asked, ()) = tokio::join!(request.send(&mut near), gateway);
        assert!(asked.is_ok());

        let (mut near, mut far) = tokio::io::duplex(4096);
        let gateway = async {
            far.read_exact(&mut [0; 20]).await.unwrap();
            answer_status(&mut far, 408).await.unwrap();
        };
        let (asked, ()) = tokio::join!(request.send(&mut near), gateway);
        assert!(matches!(asked, Err(UpgradeError::Status { status: 408 })));
    }

    /// A refusal carries its status.
    #[tokio::test]
    async fn a_refusal_has_its_status() {
        let (mut near, mut far) = tokio::io::duplex(4096);
        let request =
            UpgradeRequest { path: "/x".into(), upgrade: false, ..upgrade_with(RequestSpec::default()) };
        let gateway = async {
            let request = ReceivedRequest::read(&mut far).await.unwrap();
            assert_eq!(request.key, None, "a plain GET");
            answer_status(&mut far, 426).await.unwrap();
        };
        let client = async {
            assert!(matches!(request.send(&mut near).await, Err(UpgradeError::Status { status: 426 })));
        };
        tokio::join!(gateway, client);
    }

    /// A recipe changes the fields that it names, whatever their case, and no others.
    #[test]
    fn a_recipe_changes_what_it_names() {
        let recipe = RequestSpec {
            method: "POST".into(),
            http: "1.0".into(),
            fields: BTreeMap::from([
                ("connection".into(), "keep-alive".into()),
                ("Origin".into(), "o".into()),
            ]),
            without: vec!["sec-websocket-key".into()],
        };
        let request = upgrade_with(recipe);
        assert_eq!(
            request.head(),
            "POST /ws HTTP/1.0\r\nHost: h\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Origin: o\r\nconnection: keep-alive\r\n\r\n"
        );
    }

    /// A request for an upgrade on `/ws`, without a token.
    fn upgrade_with(recipe: RequestSpec) -> UpgradeRequest {
        UpgradeRequest { recipe, ..UpgradeRequest::new("h", "/ws", None) }
    }
}
