//! Token verification (AUTH-1 to AUTH-7, AUTH-11 to AUTH-13). No error contains the token (AUTH-8).

mod algorithm;
mod key;
mod mint;

use std::collections::BTreeSet;

use jsonwebtoken::Validation;
use percent_encoding::percent_decode_str;
use protocol::{Claims, ClaimsError, TimeError};
use serde_json::Value;

pub use algorithm::{Algorithm, AlgorithmError};
pub use key::{Key, KeyError, MIN_BYTES};
pub use mint::{MintError, TokenRequest, can_mint, mint};

/// What tokens are checked by.
#[derive(Debug, Clone)]
pub struct TokenVerifier {
    /// The keys; each is tried that a token's `kid` and algorithm allow (AUTH-7).
    pub keys: Vec<Key>,
    /// The algorithms that are accepted (AUTH-11).
    pub algorithms: BTreeSet<Algorithm>,
    /// Seconds allowed between this clock and the token issuer's.
    pub leeway_s: u64,
    /// The audiences of which a token must name one; with none, `aud` is not looked at.
    pub audience: Vec<String>,
    /// The issuers of which a token must name one; with none, `iss` is not looked at.
    pub issuer: Vec<String>,
}

/// Why a token is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no token, or an empty one.
    #[error("no token")]
    Missing,
    /// The token cannot be decoded, its signature is invalid, or its audience or issuer is another.
    #[error("the token is not genuine")]
    NotGenuine,
    /// A required claim is missing or unusable.
    #[error("a claim is missing or unusable")]
    Claims,
    /// The token has expired, or is not valid yet.
    #[error("{0}")]
    Time(TimeError),
}

impl TokenVerifier {
    /// Accepts tokens signed by HMAC-SHA256 with this secret, without leeway, for any audience and issuer.
    pub fn with_secret(secret: impl Into<Vec<u8>>) -> Self {
        Self {
            keys: vec![Key::secret(None, secret)],
            algorithms: BTreeSet::from([Algorithm::Hs256]),
            leeway_s: 0,
            audience: Vec::new(),
            issuer: Vec::new(),
        }
    }

    /// The claims of a token as it stands in the request, percent-encoded (AUTH-4), at `unix_s`.
    ///
    /// # Errors
    /// When the token is missing, not genuine, expired, or lacks claims.
    pub fn verify(&self, encoded: &str, unix_s: u64) -> Result<Claims, AuthError> {
        let token = percent_decode_str(encoded).decode_utf8().map_err(|_| AuthError::NotGenuine)?;
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        let payload = self.payload(&token).ok_or(AuthError::NotGenuine)?;
        let claims = Claims::from_json(&payload).map_err(|_: ClaimsError| AuthError::Claims)?;
        claims.check_time(unix_s, self.leeway_s).map_err(AuthError::Time)?;
        Ok(claims)
    }

    /// The payload of a token that one of the keys has signed. A key is only ever used with its own kind of algorithm, so a
    /// public key is never a secret (AUTH-3); of the header, only `alg` and `kid` choose among them (AUTH-12).
    fn payload(&self, token: &str) -> Option<Value> {
        // No extension is understood here, so one that must be is refused (RFC 7515 section 4.1.11).
        let header = jsonwebtoken::decode_header(token).ok().filter(|header| header.crit.is_none())?;
        let algorithm =
            Algorithm::try_from(header.alg).ok().filter(|found| self.algorithms.contains(found))?;
        let validation = self.validation(algorithm);
        let is_known = self.keys.iter().any(|key| key.is_named(header.kid.as_deref()));
        let may_be = |key: &&Key| match &header.kid {
            // A token that names no key may be of any.
            None => true,
            Some(_) if is_known => key.is_named(header.kid.as_deref()),
            // A token with an unknown key ID may be signed by any key without an ID.
            Some(_) => key.is_nameless(),
        };
        let mut fitting = self.keys.iter().filter(may_be).filter(|key| key.fits(algorithm));
        fitting.find_map(|key| {
            jsonwebtoken::decode::<Value>(token, key.decoding(), &validation)
                .ok()
                .map(|decoded| decoded.claims)
        })
    }

    fn validation(&self, algorithm: Algorithm) -> Validation {
        let mut validation = Validation::new(algorithm.into());
        // Times are compared with the injected clock, and which claims are required is for `Claims` to say.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = !self.audience.is_empty();
        if !self.audience.is_empty() {
            validation.set_audience(&self.audience);
            validation.required_spec_claims.insert("aud".to_owned());
        }
        if !self.issuer.is_empty() {
            validation.set_issuer(&self.issuer);
            validation.required_spec_claims.insert("iss".to_owned());
        }
        validation
    }
}

#[cfg(test)]
mod tests;
