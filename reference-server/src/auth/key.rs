//! Keys that signatures are verified with. None is ever shown (AUTH-8).

use std::fmt;

use jsonwebtoken::{DecodingKey, EncodingKey};

use rustls_pki_types::SubjectPublicKeyInfoDer;
use rustls_pki_types::pem::PemObject;

use super::algorithm::Algorithm;

/// A key, and which tokens it is for.
#[derive(Clone)]
pub struct Key {
    /// The `kid` of the tokens that it verifies; without it, of any.
    kid: Option<String>,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Secret { decoding: DecodingKey, encoding: EncodingKey, bytes: usize },
    Public { algorithm: Algorithm, decoding: DecodingKey },
}

/// Length of the shortest signature, of HS256.
pub const MIN_BYTES: usize = 32;
/// Length of a secret that is made up: as long as the longest signature, and so enough for each (RFC 7518 section 3.2).
const RANDOM_BYTES: usize = 64;

/// Reads one kind of PEM.
type Reader = fn(&[u8]) -> jsonwebtoken::errors::Result<DecodingKey>;

/// A file that holds no key that can be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("no public key in PEM of the kinds RSA, P-256 and Ed25519")]
pub struct KeyError;

impl Key {
    /// A secret of tokens signed by HMAC.
    pub fn secret(kid: Option<String>, secret: impl Into<Vec<u8>>) -> Self {
        let secret = secret.into();
        let (decoding, encoding) = (DecodingKey::from_secret(&secret), EncodingKey::from_secret(&secret));
        Self { kid, kind: Kind::Secret { decoding, encoding, bytes: secret.len() } }
    }

    /// Whether it is a secret that can be guessed: one shorter than the shortest signature must not be used (RFC 7518 section 3.2).
    pub fn is_short(&self) -> bool {
        matches!(self.kind, Kind::Secret { bytes, .. } if bytes < MIN_BYTES)
    }

    /// A random secret, which signs and verifies while this process lives.
    ///
    /// # Errors
    /// When the system has no random bytes.
    pub fn random() -> Result<Self, getrandom::Error> {
        let mut secret = [0; RANDOM_BYTES];
        getrandom::fill(&mut secret)?;
        Ok(Self::secret(None, secret))
    }

    /// A public key in PEM. Its kind says which algorithm it is for.
    ///
    /// # Errors
    /// When this gateway cannot use the key.
    pub fn public(kid: Option<String>, pem: &[u8]) -> Result<Self, KeyError> {
        let readers: [(Algorithm, Reader); 3] = [
            (Algorithm::Rs256, DecodingKey::from_rsa_pem),
            (Algorithm::Es256, DecodingKey::from_ec_pem),
            (Algorithm::EdDsa, DecodingKey::from_ed_pem),
        ];
        let mut read =
            readers.into_iter().filter_map(|(algorithm, reader)| Some((algorithm, reader(pem).ok()?)));
        let (algorithm, decoding) = read.next().ok_or(KeyError)?;
        if algorithm == Algorithm::Es256 && !is_on_p256(pem) {
            return Err(KeyError);
        }
        Ok(Self { kid, kind: Kind::Public { algorithm, decoding } })
    }

    /// The algorithm that it is for where nothing else is said.
    pub fn default_algorithm(&self) -> Algorithm {
        match &self.kind {
            Kind::Secret { .. } => Algorithm::Hs256,
            Kind::Public { algorithm, .. } => *algorithm,
        }
    }

    /// Whether it can verify this kind of signature.
    pub fn fits(&self, wanted: Algorithm) -> bool {
        match &self.kind {
            Kind::Secret { .. } => matches!(wanted, Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512),
            Kind::Public { algorithm, .. } => *algorithm == wanted,
        }
    }

    /// Whether it has this name.
    pub(super) fn is_named(&self, kid: Option<&str>) -> bool {
        kid.is_some() && self.kid.as_deref() == kid
    }

    pub(super) fn is_nameless(&self) -> bool {
        self.kid.is_none()
    }

    pub(super) fn kid(&self) -> Option<&str> {
        self.kid.as_deref()
    }

    pub(super) fn decoding(&self) -> &DecodingKey {
        match &self.kind {
            Kind::Secret { decoding, .. } | Kind::Public { decoding, .. } => decoding,
        }
    }

    /// What it signs with; a public key signs nothing.
    pub(super) fn encoding(&self) -> Option<&EncodingKey> {
        match &self.kind {
            Kind::Secret { encoding, .. } => Some(encoding),
            Kind::Public { .. } => None,
        }
    }
}

/// Whether a key's PEM names the curve P-256 (RFC 5480 section 2.1.1.1); ES256 is for no other.
fn is_on_p256(pem: &[u8]) -> bool {
    const SECP256R1: [u8; 10] = [0x06, 0x08, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07];
    let der = SubjectPublicKeyInfoDer::from_pem_slice(pem);
    der.is_ok_and(|der| der.windows(SECP256R1.len()).any(|window| window == SECP256R1))
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.default_algorithm();
        f.debug_struct("Key").field("kid", &self.kid).field("kind", &kind).finish_non_exhaustive()
    }
}
