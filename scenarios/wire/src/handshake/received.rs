//! What a scripted gateway was asked for, and its answers.

use std::io;

use percent_encoding::percent_decode_str;
use protocol::{Dialect, TokenPlace};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{ENDLESS_FIELDS, KEY, MAX_FIELDS, field, granted, read_head};

/// What a gateway was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReceivedRequest {
    /// The path.
    pub path: String,
    /// The token behind the path, where that is its place.
    pub path_token: Option<String>,
    /// The query as it stands, without the question mark.
    pub query: String,
    /// The `Sec-WebSocket-Key`, where it is an upgrade.
    pub key: Option<String>,
    /// The `Sec-WebSocket-Protocol`.
    pub subprotocol: Option<String>,
    /// The `Authorization`.
    pub authorization: Option<String>,
    /// The `Cookie`.
    pub cookies: Option<String>,
    /// What was read behind the head.
    pub leftover: Vec<u8>,
}

impl ReceivedRequest {
    /// Reads a request's head.
    ///
    /// # Errors
    /// When the stream ends early, or its bytes are not HTTP.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> io::Result<Self> {
        let (head, leftover) = read_head(stream).await?;
        Self::parse(&head, leftover)
    }

    /// Reads a head that was read already, and what was read behind it.
    ///
    /// # Errors
    /// When it is not HTTP.
    pub fn parse(head: &[u8], leftover: Vec<u8>) -> io::Result<Self> {
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut request = httparse::Request::new(&mut fields);
        let not_http = || io::Error::new(io::ErrorKind::InvalidData, "the request is not HTTP");
        request.parse(head).map_err(|_| not_http())?;
        let target = request.path.ok_or_else(not_http)?;
        let (path, query) = target.split_once('?').unwrap_or((target, ""));
        Ok(Self {
            path: path.to_owned(),
            path_token: None,
            query: query.to_owned(),
            key: field(request.headers, "sec-websocket-key"),
            subprotocol: field(request.headers, "sec-websocket-protocol"),
            authorization: field(request.headers, "authorization"),
            cookies: field(request.headers, "cookie"),
            leftover,
        })
    }

    /// Without the token in its path, where the dialect has it there, behind a gateway's own path.
    #[must_use]
    pub fn apart_from_token(mut self, path: &str, dialect: &Dialect) -> Self {
        if let Some(token) = dialect.token.of_path(path, &self.path) {
            self.path_token = Some(token.to_owned());
            path.clone_into(&mut self.path);
        }
        self
    }

    /// Grants the upgrade.
    ///
    /// # Errors
    /// When the connection fails, or the request asked for no upgrade.
    pub async fn accept(&self, stream: &mut (impl AsyncWrite + Unpin), dialect: &Dialect) -> io::Result<()> {
        let mut head = granted(self.asked_key()?);
        let offered = self.subprotocol.as_deref();
        if let Some(subprotocol) = offered.and_then(|offered| dialect.agreed_subprotocol(offered)) {
            head += &format!("Sec-WebSocket-Protocol: {subprotocol}\r\n");
        }
        stream.write_all((head + "\r\n").as_bytes()).await
    }

    /// Grants the upgrade, with a field more that belongs to no answer to this request.
    ///
    /// # Errors
    /// When the connection fails, or the request asked for no upgrade.
    pub async fn accept_with(
        &self,
        stream: &mut (impl AsyncWrite + Unpin),
        field: &str,
        value: &str,
    ) -> io::Result<()> {
        let head = granted(self.asked_key()?) + &format!("{field}: {value}\r\n\r\n");
        stream.write_all(head.as_bytes()).await?;
        stream.flush().await
    }

    /// Grants the upgrade by an answer whose head does not end, as far as the client takes it.
    ///
    /// # Errors
    /// When the connection fails, or the request asked for no upgrade.
    pub async fn accept_without_end(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        stream.write_all(granted(self.asked_key()?).as_bytes()).await?;
        let field = format!("X-Padding: {}\r\n", "x".repeat(1000));
        for _ in 0..ENDLESS_FIELDS {
            stream.write_all(field.as_bytes()).await?;
        }
        stream.flush().await
    }

    fn asked_key(&self) -> io::Result<&str> {
        let no_key = || io::Error::new(io::ErrorKind::InvalidData, "the request asks for no upgrade");
        self.key.as_deref().ok_or_else(no_key)
    }

    /// Sends a 101 for another key: the `Sec-WebSocket-Accept` does not match the request.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn accept_wrongly(&self, stream: &mut (impl AsyncWrite + Unpin)) -> io::Result<()> {
        let another = if self.key.as_deref() == Some(KEY) { "" } else { KEY };
        stream.write_all((granted(another) + "\r\n").as_bytes()).await?;
        stream.flush().await
    }

    /// The query's parameters, percent-decoded, in order; and `token`, where the dialect has it travel in a field.
    pub fn parameters(&self, dialect: &Dialect) -> Vec<(String, String)> {
        let mut parameters: Vec<_> =
            url::form_urlencoded::parse(self.query.as_bytes()).into_owned().collect();
        let token = match &dialect.token {
            TokenPlace::Query | TokenPlace::Message => None,
            TokenPlace::Path => self.path_token.as_deref(),
            TokenPlace::QueryAs(declared) => {
                for (name, _) in parameters.iter_mut().filter(|(name, _)| name == declared) {
                    "token".clone_into(name);
                }
                None
            }
            TokenPlace::Cookie(_) => {
                self.cookies.as_deref().and_then(|field| dialect.token.of_cookies(field))
            }
            TokenPlace::Bearer => self.authorization.as_deref().and_then(|text| text.strip_prefix("Bearer ")),
            TokenPlace::Subprotocol | TokenPlace::SubprotocolAfter(_) => {
                let offered = self.subprotocol.as_deref();
                offered.and_then(|offered| dialect.token.of_subprotocols(offered)).map(|(token, _)| token)
            }
        };
        let decoded = token.map(|token| percent_decode_str(token).decode_utf8_lossy().into_owned());
        parameters.extend(decoded.map(|token| ("token".to_owned(), token)));
        parameters
    }
}
