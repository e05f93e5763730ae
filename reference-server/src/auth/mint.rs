//! Tokens for trying things out. In production they come from elsewhere.

use jsonwebtoken::{EncodingKey, Header};
use protocol::Role;
use serde_json::{Map, Value, json};

use super::{Algorithm, TokenVerifier};

/// What a token is to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRequest {
    /// `userId`.
    pub user_id: String,
    /// `email`.
    pub email: String,
    /// `role`.
    pub role: Role,
    /// Seconds until it expires.
    pub lifetime_s: u64,
}

/// Why no token can be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("there is no secret to sign with, only public keys: have the token's issuer sign it")]
pub struct MintError;

/// A token that `verification` accepts at `unix_s`.
///
/// # Errors
/// When there is no secret to sign with.
pub fn mint(verification: &TokenVerifier, request: &TokenRequest, unix_s: u64) -> Result<String, MintError> {
    let (algorithm, encoding, kid) = signer(verification).ok_or(MintError)?;
    let mut claims = Map::from_iter([
        ("userId".to_owned(), json!(request.user_id)),
        ("email".to_owned(), json!(request.email)),
        ("role".to_owned(), json!(request.role)),
        ("iat".to_owned(), json!(unix_s)),
        ("exp".to_owned(), json!(unix_s.saturating_add(request.lifetime_s))),
    ]);
    claims.extend(verification.audience.first().map(|audience| ("aud".to_owned(), json!(audience))));
    claims.extend(verification.issuer.first().map(|issuer| ("iss".to_owned(), json!(issuer))));
    let header = Header { kid: kid.map(str::to_owned), ..Header::new(algorithm.into()) };
    jsonwebtoken::encode(&header, &Value::Object(claims), encoding).map_err(|_| MintError)
}

/// Whether there is a secret to sign with.
pub fn can_mint(verification: &TokenVerifier) -> bool {
    signer(verification).is_some()
}

/// The first accepted algorithm that a secret fits, the secret, and its name.
fn signer(verification: &TokenVerifier) -> Option<(Algorithm, &EncodingKey, Option<&str>)> {
    verification.algorithms.iter().find_map(|algorithm| {
        let key = verification.keys.iter().find(|key| key.fits(*algorithm) && key.encoding().is_some())?;
        Some((*algorithm, key.encoding()?, key.kid()))
    })
}
