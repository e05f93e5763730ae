//! Whose certificates are trusted on `wss://`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;
use tokio_rustls::rustls::{self, ClientConfig as TlsConfig, RootCertStore};

/// Who may vouch for a gateway.
#[derive(Debug, Clone, Default)]
pub enum Trust {
    /// The certificate authorities of this system's store.
    #[default]
    System,
    /// These authorities only.
    Certificates(Vec<CertificateDer<'static>>),
}

/// Why no certificate authority can be trusted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read, or is not PEM.
    #[error("{}: {reason}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is no certificate to trust.
    #[error("there is no trusted certificate{}", if reason.is_empty() { String::new() } else { format!(": {reason}") })]
    NoCertificate {
        /// What went wrong on the way.
        reason: String,
    },
    /// A certificate cannot be used.
    #[error("a certificate cannot be trusted: {0}")]
    Unusable(String),
}

impl Trust {
    /// The authorities in a file of PEM certificates.
    ///
    /// # Errors
    /// When the file cannot be read or holds no certificate.
    pub fn from_pem_file(path: &Path) -> Result<Self, TrustError> {
        let file =
            |reason: &dyn ToString| TrustError::File { path: path.to_owned(), reason: reason.to_string() };
        let certificates = CertificateDer::pem_file_iter(path)
            .and_then(Iterator::collect::<Result<Vec<_>, _>>)
            .map_err(|error| file(&error))?;
        if certificates.is_empty() {
            return Err(file(&"it holds no certificate"));
        }
        Ok(Self::Certificates(certificates))
    }

    /// What TLS is spoken with. It reads the system's files where those are meant, so it is made once for a client.
    pub(super) fn tls_config(&self) -> Result<Arc<TlsConfig>, TrustError> {
        let unusable = |error: rustls::Error| TrustError::Unusable(error.to_string());
        let mut roots = RootCertStore::empty();
        let mut reason = String::new();
        match self {
            Self::System => {
                let system = rustls_native_certs::load_native_certs();
                // A system's store may hold certificates that cannot be parsed; they are skipped.
                roots.add_parsable_certificates(system.certs);
                reason = system.errors.first().map(ToString::to_string).unwrap_or_default();
            }
            Self::Certificates(certificates) => {
                for certificate in certificates {
                    roots.add(certificate.clone()).map_err(unusable)?;
                }
            }
        }
        if roots.is_empty() {
            return Err(TrustError::NoCertificate { reason });
        }
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = TlsConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(unusable)?;
        Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The error for a file without certificates names the file.
    #[test]
    fn files_without_certificates_are_refused() {
        let missing = Trust::from_pem_file(Path::new("no/such.pem")).unwrap_err();
        assert!(missing.to_string().starts_with("no/such.pem: "), "{missing}");
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("Cargo.toml");
        assert!(matches!(Trust::from_pem_file(&manifest), Err(TrustError::File { .. })));
        assert!(matches!(
            Trust::Certificates(Vec::new()).tls_config(),
            Err(TrustError::NoCertificate { .. })
        ));
        let broken = Trust::Certificates(vec![CertificateDer::from(vec![1, 2, 3])]);
        assert!(matches!(broken.tls_config(), Err(TrustError::Unusable(_))));
    }
}
