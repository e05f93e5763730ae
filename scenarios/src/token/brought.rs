//! Tokens whose header brings a key along, or chooses one: what a gateway must not heed (AUTH-12, RFC 8725 sections 3.1 and 3.10).

use std::net::{Ipv4Addr, SocketAddr};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use jsonwebtoken::{EncodingKey, crypto};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::issuer::{Issuer, Signer, SigningAlgorithm};

/// What the header of a token says beside its algorithm. All but the last are signed by a key that the gateway does not trust.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Brings {
    /// The key itself, in `jwk`, of the kind that the gateway expects.
    Jwk,
    /// A public key in `jwk`, whatever the gateway expects.
    PublicJwk,
    /// A certificate of the key, in `x5c`.
    X5c,
    /// Where keys are, in `jku`: a `data:` URL that holds them.
    Jku,
    /// Where a certificate is, in `x5u`: a `data:` URL that holds it.
    X5u,
    /// Where keys are, in `jku`: the harness serves them by HTTP, where the issuer says so.
    JkuHttp,
    /// Where a certificate is, in `x5u`, likewise.
    X5uHttp,
    /// A `kid` that leads to an empty file where it is taken for a path. Signed with no bytes at all.
    KidPath,
    /// A `kid` with which a query answers a key of its maker's. Signed with that.
    KidQuery,
    /// An extension that must be understood (`crit`), and is not. Signed as a good token is.
    Crit,
    /// Nothing: its algorithm is the expected one, written in lower case, which is another name (RFC 7515 section 4.1.1). Signed as a
    /// good token is.
    AlgInLowerCase,
}

/// The file of a key set at the key host.
const KEYS: &str = "keys.json";
/// The file of a certificate.
const CERTIFICATE: &str = "certificate.pem";
/// What the query of [`Brings::KidQuery`] answers.
const ANSWERED: &str = "gatecheck";
/// An extension that no gateway knows (RFC 7515 section 4.1.11).
const EXTENSION: &str = "urn:gatecheck:not-understood";

impl Brings {
    /// Whether its key would have to be fetched from the key host.
    pub fn is_served(self) -> bool {
        matches!(self, Self::JkuHttp | Self::X5uHttp)
    }

    /// The token with these claims.
    pub(super) fn sign(self, claims: &Map<String, Value>, issuer: &Issuer) -> String {
        let expected = issuer.style.algorithm;
        // An HMAC has no public half, so what needs one is signed otherwise.
        let public = if expected.is_public() { expected } else { SigningAlgorithm::Es256 };
        let secret = if expected.is_public() { SigningAlgorithm::Hs256 } else { expected };
        let untrusted = |algorithm| issuer.key(algorithm, Signer::Untrusted);
        let (algorithm, key, mut header) = match self {
            Self::Jwk if expected.is_public() => {
                (public, untrusted(public), json!({ "jwk": public.untrusted_jwk() }))
            }
            Self::Jwk => {
                let jwk = json!({ "kty": "oct", "k": URL_SAFE_NO_PAD.encode(issuer.untrusted_secret()) });
                (expected, untrusted(expected), json!({ "jwk": jwk }))
            }
            Self::PublicJwk => (public, untrusted(public), json!({ "jwk": public.untrusted_jwk() })),
            Self::X5c => (public, untrusted(public), json!({ "x5c": [public.untrusted_certificate()] })),
            Self::Jku | Self::X5u | Self::JkuHttp | Self::X5uHttp => {
                let (field, file) = match self {
                    Self::Jku | Self::JkuHttp => ("jku", KEYS),
                    _ => ("x5u", CERTIFICATE),
                };
                let path = format!("/{public}/{file}");
                let url = match self {
                    Self::JkuHttp | Self::X5uHttp => http_url(issuer.key_host, &path),
                    _ => data_url(&path),
                };
                (public, untrusted(public), json!({ field: url }))
            }
            Self::KidPath => {
                let kid = "../../../../../../../../../../dev/null";
                (secret, EncodingKey::from_secret(b""), json!({ "kid": kid }))
            }
            Self::KidQuery => {
                let kid = format!("none' UNION SELECT '{ANSWERED}' -- ");
                (secret, EncodingKey::from_secret(ANSWERED.as_bytes()), json!({ "kid": kid }))
            }
            Self::Crit => {
                let header = json!({ "crit": [EXTENSION], EXTENSION: true });
                (expected, issuer.key(expected, Signer::Current), header)
            }
            Self::AlgInLowerCase => (expected, issuer.key(expected, Signer::Current), json!({})),
        };
        let name = algorithm.to_string();
        header["alg"] = json!(if self == Self::AlgInLowerCase { name.to_lowercase() } else { name });
        header["typ"] = json!("JWT");
        let part = |json: String| URL_SAFE_NO_PAD.encode(json);
        let signed =
            format!("{}.{}", part(header.to_string()), part(Value::Object(claims.clone()).to_string()));
        let signature = crypto::sign(signed.as_bytes(), &key, algorithm.into());
        format!("{signed}.{}", signature.expect("keys are checked when they are read"))
    }
}

/// What stands at a path of the key host: its media type, and itself. The keys are those that [`Brings`] signs with.
pub fn fetched(path: &str) -> Option<(&'static str, String)> {
    let (algorithm, file) = path.strip_prefix('/')?.split_once('/')?;
    let public =
        [SigningAlgorithm::Rs256, SigningAlgorithm::Rs512, SigningAlgorithm::Es256, SigningAlgorithm::EdDsa];
    let algorithm = public.into_iter().find(|known| known.to_string() == algorithm)?;
    match file {
        KEYS => Some(("application/json", json!({ "keys": [algorithm.untrusted_jwk()] }).to_string())),
        CERTIFICATE => {
            let der = algorithm.untrusted_certificate();
            let pem = format!("-----BEGIN CERTIFICATE-----\n{der}\n-----END CERTIFICATE-----\n");
            Some(("application/x-pem-file", pem))
        }
        _ => None,
    }
}

fn http_url(host: Option<SocketAddr>, path: &str) -> String {
    // Where nothing serves them, the discard port (RFC 863) has nothing to say.
    let host = host.unwrap_or(SocketAddr::from((Ipv4Addr::LOCALHOST, 9)));
    format!("http://{host}{path}")
}

fn data_url(path: &str) -> String {
    let (kind, text) = fetched(path).expect("there are keys of each algorithm");
    format!("data:{kind};base64,{}", STANDARD.encode(text))
}
