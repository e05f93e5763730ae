//! TLS around any listener. The files can be read again while the gateway serves; connections keep what they began with.

use std::io;
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;

use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::{self, ServerConfig};
use tokio_rustls::server::TlsStream;

use super::arrival::Arrival;
use super::listen::Listen;
use crate::config::TlsFiles;

/// What a certificate and its key are read into.
#[derive(Debug, Clone)]
pub struct TlsIdentity(Arc<ServerConfig>);

/// Files that TLS cannot be spoken with.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is not PEM.
    #[error("{}: {source}", path.display())]
    Pem {
        /// The file.
        path: std::path::PathBuf,
        /// Why.
        source: rustls_pki_types::pem::Error,
    },
    /// Certificate and key do not go together.
    #[error("the certificate cannot be used: {0}")]
    Unusable(#[from] rustls::Error),
}

/// A listener whose connections speak TLS, each with the identity that was newest when it came.
#[derive(Debug)]
pub struct TlsListen<L> {
    inner: L,
    identity: watch::Receiver<TlsIdentity>,
}

impl TlsIdentity {
    /// Reads the files.
    ///
    /// # Errors
    /// When they cannot be used.
    pub fn read(files: &TlsFiles) -> Result<Self, TlsError> {
        let pem = |path: &std::path::Path| {
            let path = path.to_owned();
            move |source| TlsError::Pem { path, source }
        };
        let chain = CertificateDer::pem_file_iter(&files.cert)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(pem(&files.cert))?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(pem(&files.key))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(chain, key)?;
        Ok(Self(Arc::new(config)))
    }
}

impl<L> TlsListen<L> {
    /// Speaks TLS on what `inner` accepts.
    pub fn new(inner: L, identity: watch::Receiver<TlsIdentity>) -> Self {
        Self { inner, identity }
    }
}

impl<L: Listen> Listen for TlsListen<L> {
    type Incoming = (L::Incoming, TlsIdentity);
    type Stream = TlsStream<L::Stream>;

    async fn accept(&mut self) -> io::Result<(Self::Incoming, IpAddr)> {
        let (incoming, peer) = self.inner.accept().await?;
        Ok(((incoming, self.identity.borrow().clone()), peer))
    }

    async fn open(
        (incoming, TlsIdentity(config)): Self::Incoming,
        arrival: &Rc<Arrival>,
    ) -> io::Result<Self::Stream> {
        let stream = L::open(incoming, arrival).await?;
        TlsAcceptor::from(config).accept(stream).await
    }
}
