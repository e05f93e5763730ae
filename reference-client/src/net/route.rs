//! The way to the gateway: a stream, through a proxy where there is one, TLS on `wss://`, and the upgrade.

use std::sync::Arc;

use protocol::Dialect;
use rustls_pki_types::ServerName;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig as TlsConfig;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, client_async_with_config, tungstenite};
use tungstenite::http::header::SEC_WEBSOCKET_EXTENSIONS;
use tungstenite::protocol::WebSocketConfig;
use url::Url;

use super::dial::Dial;
use super::trust::TrustError;
use super::write_buffer::WriteBuffer;
use super::{proxy, request};
use crate::config::ClientConfig;
use reference_session::{DialFailure, Token};

/// Read and write buffers; tungstenite's defaults are 128 KiB a connection.
const BUFFER_BYTES: usize = 4 * 1024;

/// What every dial of a client has in common.
#[derive(Clone)]
pub(super) struct Route<D> {
    url: Url,
    dialect: Dialect,
    proxy: Option<Url>,
    /// What TLS is spoken with, or why it cannot be: each dial fails with that then. None on `ws://`.
    tls: Option<Result<Arc<TlsConfig>, TrustError>>,
    dial: D,
}

impl<D: Dial> Route<D> {
    pub(super) fn new(config: &ClientConfig, dial: D) -> Self {
        let ClientConfig { url, dialect, proxy, trust, .. } = config;
        Self {
            tls: (url.scheme() == "wss").then(|| trust.tls_config()),
            url: url.clone(),
            dialect: dialect.clone(),
            proxy: proxy.clone(),
            dial,
        }
    }

    /// An open connection. Nothing of the token is in the errors (TOKEN-3).
    pub(super) async fn open(
        &self,
        token: &Token,
    ) -> Result<WebSocketStream<WriteBuffer<MaybeTlsStream<D::Stream>>>, DialFailure> {
        let other = |error: &dyn ToString| DialFailure::Other(error.to_string());
        let request =
            request::upgrade(&self.url, token.reveal(), &self.dialect).map_err(|error| other(&error))?;
        let stream = WriteBuffer::new(self.secured(self.stream().await?).await?);
        let buffers = WebSocketConfig::default().read_buffer_size(BUFFER_BYTES).write_buffer_size(0);
        match client_async_with_config(request, stream, Some(buffers)).await {
            // It offers no extension, and tungstenite does not look whether one is granted.
            Ok((_, answer)) if answer.headers().contains_key(SEC_WEBSOCKET_EXTENSIONS) => {
                Err(other(&"the gateway granted an extension that was not offered (RFC 6455 section 4.1)"))
            }
            Ok((socket, _)) => Ok(socket),
            Err(tungstenite::Error::Http(response)) if response.status() == 401 => {
                Err(DialFailure::Unauthorized)
            }
            Err(error) => Err(other(&error)),
        }
    }

    /// Speaks TLS on the stream where the URL asks for it.
    async fn secured(&self, stream: D::Stream) -> Result<MaybeTlsStream<D::Stream>, DialFailure> {
        let other = |error: &dyn ToString| DialFailure::Other(error.to_string());
        let config = match &self.tls {
            None => return Ok(MaybeTlsStream::Plain(stream)),
            Some(Ok(config)) => config.clone(),
            Some(Err(error)) => return Err(other(error)),
        };
        // A certificate names an IPv6 address without the brackets of the URL.
        let host = address(&self.url).0.trim_start_matches('[').trim_end_matches(']').to_owned();
        let name = ServerName::try_from(host).map_err(|error| other(&error))?;
        let stream = TlsConnector::from(config).connect(name, stream).await.map_err(|error| other(&error))?;
        Ok(MaybeTlsStream::Rustls(stream))
    }

    async fn stream(&self) -> Result<D::Stream, DialFailure> {
        let other = |error: &dyn ToString| DialFailure::Other(error.to_string());
        let (host, port) = address(&self.url);
        let Some(proxy) = &self.proxy else {
            return self.dial.dial(host, port).await.map_err(|error| other(&error));
        };
        let (proxy_host, proxy_port) = address(proxy);
        let mut stream = self
            .dial
            .dial(proxy_host, proxy_port)
            .await
            .map_err(|error| DialFailure::Other(format!("the proxy cannot be reached: {error}")))?;
        proxy::tunnel(&mut stream, proxy, host, port).await.map_err(|error| other(&error))?;
        Ok(stream)
    }
}

/// Host and port of a URL that was checked.
fn address(url: &Url) -> (&str, u16) {
    (url.host_str().unwrap_or_default(), url.port_or_known_default().unwrap_or(80))
}
