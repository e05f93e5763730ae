//! Who signs the tokens of a run, and how. The default is the seed's: HS256, and the claims by the names that SPEC has for them.

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;

use jsonwebtoken::{Algorithm, EncodingKey, errors};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::identity::{RoleNames, UserIds};

/// How tokens look that a gateway accepts.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct TokenStyle {
    /// What signs them.
    pub algorithm: SigningAlgorithm,
    /// What claims are called, where that is not `userId`, `email` and `role`.
    pub names: BTreeMap<String, String>,
    /// What every token says beside its user's claims, such as `iss` and `aud`; and, where `{user}`, `{email}` or `{role}` stands in
    /// it, what says that instead of a claim of its own.
    pub claims: BTreeMap<String, Value>,
    /// What user ids are.
    pub users: UserIds,
    /// What roles are called.
    pub roles: RoleNames,
}

/// An algorithm that tokens can be signed with (RFC 7518 section 3.1, RFC 8037).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum SigningAlgorithm {
    /// HMAC with SHA-256.
    #[default]
    #[serde(rename = "HS256")]
    Hs256,
    /// HMAC with SHA-384.
    #[serde(rename = "HS384")]
    Hs384,
    /// HMAC with SHA-512.
    #[serde(rename = "HS512")]
    Hs512,
    /// RSA with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// The keys of a run, and the style of its tokens. A gateway under test receives the secrets, or the public key.
#[derive(Debug, Clone, PartialEq)]
pub struct Issuer {
    /// The secret of HMAC signatures.
    pub current: String,
    /// The previous secret, for gateways that accept one.
    pub previous: String,
    /// How tokens look.
    pub style: TokenStyle,
    /// The pair whose public key the gateway receives, where it verifies with one.
    pub pair: KeyPair,
    /// Where this harness serves keys that no gateway trusts, where it does: see [`Brings::JkuHttp`](super::Brings::JkuHttp).
    pub key_host: Option<SocketAddr>,
}

/// A private key and its public key, in PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPair {
    /// PKCS #8.
    pub private: String,
    /// SubjectPublicKeyInfo; none where an attached gateway's is not known.
    pub public: Option<String>,
}

impl SigningAlgorithm {
    /// Whether a public key verifies it.
    pub fn is_public(self) -> bool {
        !matches!(self, Self::Hs256 | Self::Hs384 | Self::Hs512)
    }

    /// Another algorithm that the same key can be used with, where there is one (AUTH-11).
    pub fn another(self) -> Option<Self> {
        match self {
            Self::Hs256 | Self::Hs384 => Some(Self::Hs512),
            Self::Hs512 => Some(Self::Hs256),
            Self::Rs256 => Some(Self::Rs512),
            Self::Rs512 => Some(Self::Rs256),
            Self::Es256 | Self::EdDsa => None,
        }
    }

    /// The pair that this harness signs with. It is public in this repository: use it only for gateways under test. A symmetric
    /// algorithm has the pair of ES256, for what is signed beside its own tokens.
    fn pair(self) -> KeyPair {
        let (private, public) = match self {
            Self::Rs256 | Self::Rs512 => {
                (include_str!("keys/rsa.own.pem"), include_str!("keys/rsa.own.pub.pem"))
            }
            Self::EdDsa => (include_str!("keys/ed25519.own.pem"), include_str!("keys/ed25519.own.pub.pem")),
            Self::Es256 | Self::Hs256 | Self::Hs384 | Self::Hs512 => {
                (include_str!("keys/p256.own.pem"), include_str!("keys/p256.own.pub.pem"))
            }
        };
        KeyPair { private: private.to_owned(), public: Some(public.to_owned()) }
    }

    /// A private key of the same kind that no gateway trusts.
    fn untrusted_key(self) -> &'static str {
        match self {
            Self::Rs256 | Self::Rs512 => include_str!("keys/rsa.stranger.pem"),
            Self::EdDsa => include_str!("keys/ed25519.stranger.pem"),
            Self::Es256 | Self::Hs256 | Self::Hs384 | Self::Hs512 => include_str!("keys/p256.stranger.pem"),
        }
    }

    /// The public half of that key, as JSON (RFC 7517).
    pub(super) fn untrusted_jwk(self) -> Value {
        let json = match self {
            Self::Rs256 | Self::Rs512 => include_str!("keys/rsa.stranger.jwk.json"),
            Self::EdDsa => include_str!("keys/ed25519.stranger.jwk.json"),
            Self::Es256 | Self::Hs256 | Self::Hs384 | Self::Hs512 => {
                include_str!("keys/p256.stranger.jwk.json")
            }
        };
        serde_json::from_str(json).expect("a test reads it")
    }

    /// A certificate that the key has signed for itself: base64 of DER (RFC 7515 section 4.1.6).
    pub(super) fn untrusted_certificate(self) -> &'static str {
        match self {
            Self::Rs256 | Self::Rs512 => include_str!("keys/rsa.stranger.crt.b64"),
            Self::EdDsa => include_str!("keys/ed25519.stranger.crt.b64"),
            Self::Es256 | Self::Hs256 | Self::Hs384 | Self::Hs512 => {
                include_str!("keys/p256.stranger.crt.b64")
            }
        }
    }

    fn read(self, pem: &str) -> errors::Result<EncodingKey> {
        match self {
            Self::Rs256 | Self::Rs512 => EncodingKey::from_rsa_pem(pem.as_bytes()),
            Self::Es256 => EncodingKey::from_ec_pem(pem.as_bytes()),
            Self::EdDsa => EncodingKey::from_ed_pem(pem.as_bytes()),
            Self::Hs256 | Self::Hs384 | Self::Hs512 => Ok(EncodingKey::from_secret(pem.as_bytes())),
        }
    }

    /// Checks that a private key in PEM can sign.
    ///
    /// # Errors
    /// When it is none of this algorithm's kind.
    pub fn check(self, pem: &str) -> Result<(), String> {
        let algorithm: Algorithm = self.into();
        let key = self.read(pem).map_err(|_| format!("no private key for {algorithm:?} in PEM (PKCS #8)"))?;
        jsonwebtoken::crypto::sign(b"", &key, algorithm)
            .map(|_| ())
            .map_err(|error| format!("a private key that cannot sign by {algorithm:?}: {error}"))
    }
}

/// Which of an issuer's keys signs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Signer {
    Current,
    Previous,
    /// A key that the gateway does not trust.
    Untrusted,
}

impl Issuer {
    /// One that signs tokens of the default style.
    pub fn with_secret(current: impl Into<String>) -> Self {
        Self::new(current, TokenStyle::default())
    }

    /// Two secrets made of one, and a pair of this harness's own.
    pub fn new(current: impl Into<String>, style: TokenStyle) -> Self {
        let current = current.into();
        let pair = style.algorithm.pair();
        Self { previous: format!("{current}, as it was before"), current, style, pair, key_host: None }
    }

    /// A secret that no gateway trusts.
    pub(super) fn untrusted_secret(&self) -> String {
        format!("{}-of-somebody-else", self.current)
    }

    /// The key for an algorithm.
    ///
    /// # Panics
    /// When the pair's private key is of another kind, which [`SigningAlgorithm::check`] reports beforehand.
    pub(super) fn key(&self, algorithm: SigningAlgorithm, signer: Signer) -> EncodingKey {
        let untrusted = self.untrusted_secret();
        let text = match (algorithm.is_public(), signer) {
            (true, Signer::Current) => &self.pair.private,
            // A key pair has no predecessor: only commands that take `{jwt_secret_previous}` are tested with one.
            (true, Signer::Previous | Signer::Untrusted) => algorithm.untrusted_key(),
            (false, Signer::Current) => &self.current,
            (false, Signer::Previous) => &self.previous,
            (false, Signer::Untrusted) => &untrusted,
        };
        algorithm.read(text).expect("keys are checked when they are read")
    }
}

impl fmt::Display for SigningAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The library's own names are those of RFC 7518.
        write!(f, "{:?}", Algorithm::from(*self))
    }
}

impl From<SigningAlgorithm> for Algorithm {
    fn from(algorithm: SigningAlgorithm) -> Self {
        match algorithm {
            SigningAlgorithm::Hs256 => Self::HS256,
            SigningAlgorithm::Hs384 => Self::HS384,
            SigningAlgorithm::Hs512 => Self::HS512,
            SigningAlgorithm::Rs256 => Self::RS256,
            SigningAlgorithm::Rs512 => Self::RS512,
            SigningAlgorithm::Es256 => Self::ES256,
            SigningAlgorithm::EdDsa => Self::EdDSA,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The harness's keys, trusted and untrusted, are of the kind that each algorithm needs.
    #[test]
    fn its_keys_can_sign() {
        use SigningAlgorithm::{EdDsa, Es256, Rs256, Rs512};
        for algorithm in [Rs256, Rs512, Es256, EdDsa] {
            assert_eq!(algorithm.check(&algorithm.pair().private), Ok(()));
            assert_eq!(algorithm.check(algorithm.untrusted_key()), Ok(()));
            assert_ne!(algorithm.pair().private, algorithm.untrusted_key());
        }
        assert!(Rs256.check(&Es256.pair().private).is_err(), "another kind of key is refused");
        assert!(Es256.check("no key").is_err());
    }
}
