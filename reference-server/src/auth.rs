//! Who a connection speaks for (AUTH-1 to AUTH-5, AUTH-11). No error here says what the token was (AUTH-8).

use std::collections::BTreeSet;
use std::str::FromStr;

use jsonwebtoken::{Algorithm, DecodingKey, Validation};
use percent_encoding::percent_decode_str;
use protocol::{Claims, ClaimsError, TimeError, TokenPlace};
use serde_json::Value;

/// Checks tokens.
#[derive(Clone)]
pub struct Verifier {
    key: DecodingKey,
    validation: Validation,
    leeway_s: u64,
}

/// An algorithm that this gateway can be told to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum HmacAlgorithm {
    /// HMAC with SHA-256.
    Hs256,
    /// HMAC with SHA-384.
    Hs384,
    /// HMAC with SHA-512.
    Hs512,
}

/// Why nobody is signed in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum AuthError {
    /// There is no token, or an empty one.
    #[error("no token")]
    Missing,
    /// The token cannot be decoded, or is signed otherwise than it must be.
    #[error("the token is not genuine")]
    NotGenuine,
    /// A required claim is missing or unusable.
    #[error("a claim is missing or unusable")]
    Claims,
    /// The token has expired, or is not valid yet.
    #[error("{0}")]
    Time(TimeError),
}

impl Verifier {
    /// A verifier for tokens signed with `secret` by one of `algorithms`. It allows `leeway_s` seconds between clocks.
    pub fn new(secret: &[u8], algorithms: &BTreeSet<HmacAlgorithm>, leeway_s: u64) -> Self {
        let mut validation = Validation::new(Algorithm::HS256);
        validation.algorithms = algorithms.iter().map(|algorithm| (*algorithm).into()).collect();
        // Times are compared with the injected clock, and which claims are required is for `Claims` to say.
        validation.required_spec_claims.clear();
        validation.validate_exp = false;
        validation.validate_nbf = false;
        validation.validate_aud = false;
        Self { key: DecodingKey::from_secret(secret), validation, leeway_s }
    }

    /// The claims of a token as it stands in the request, percent-encoded (AUTH-4), at `unix_s`.
    ///
    /// # Errors
    /// When it signs nobody in.
    pub fn verify(&self, encoded: &str, unix_s: u64) -> Result<Claims, AuthError> {
        let token = percent_decode_str(encoded).decode_utf8().map_err(|_| AuthError::NotGenuine)?;
        if token.is_empty() {
            return Err(AuthError::Missing);
        }
        let decoded = jsonwebtoken::decode::<Value>(token.as_bytes(), &self.key, &self.validation);
        let payload = decoded.map_err(|_| AuthError::NotGenuine)?.claims;
        let claims = Claims::from_json(&payload).map_err(|_: ClaimsError| AuthError::Claims)?;
        claims.check_time(unix_s, self.leeway_s).map_err(AuthError::Time)?;
        Ok(claims)
    }
}

/// The token in an upgrade request, still percent-encoded. `query` is what stands behind the question mark.
pub fn token_in<'a>(
    place: TokenPlace,
    query: &'a str,
    header: impl Fn(&str) -> Option<&'a str>,
) -> Result<&'a str, AuthError> {
    let found = match place {
        TokenPlace::Query => query.split('&').find_map(|pair| pair.strip_prefix("token=")),
        TokenPlace::Bearer => header("authorization").and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        }),
        TokenPlace::Subprotocol => header("sec-websocket-protocol").map(str::trim),
    };
    found.filter(|token| !token.is_empty()).ok_or(AuthError::Missing)
}

impl From<HmacAlgorithm> for Algorithm {
    fn from(algorithm: HmacAlgorithm) -> Self {
        match algorithm {
            HmacAlgorithm::Hs256 => Self::HS256,
            HmacAlgorithm::Hs384 => Self::HS384,
            HmacAlgorithm::Hs512 => Self::HS512,
        }
    }
}

/// A name that is no algorithm of this gateway.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no algorithm of this gateway; there are HS256, HS384 and HS512")]
pub struct AlgorithmError(String);

impl FromStr for HmacAlgorithm {
    type Err = AlgorithmError;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        match name {
            "HS256" => Ok(Self::Hs256),
            "HS384" => Ok(Self::Hs384),
            "HS512" => Ok(Self::Hs512),
            other => Err(AlgorithmError(other.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use jsonwebtoken::{EncodingKey, Header, encode};
    use serde_json::json;

    const SECRET: &[u8] = b"a secret";

    fn verifier() -> Verifier {
        Verifier::new(SECRET, &BTreeSet::from([HmacAlgorithm::Hs256]), 0)
    }

    fn token(alg: Algorithm, secret: &[u8], claims: &Value) -> String {
        encode(&Header::new(alg), claims, &EncodingKey::from_secret(secret)).unwrap()
    }

    fn claims() -> Value {
        json!({"userId": "u", "email": "u@example.org", "role": "ADMIN", "exp": 100, "nbf": 50})
    }

    /// A genuine token signs its user in, percent-encoded or not, between its two times.
    #[test]
    fn a_genuine_token_signs_in() {
        let token = token(Algorithm::HS256, SECRET, &claims());
        assert_eq!(verifier().verify(&token, 60).unwrap().user_id.as_str(), "u");
        let encoded: String = token.bytes().map(|byte| format!("%{byte:02x}")).collect();
        assert!(verifier().verify(&encoded, 60).is_ok());
        assert_eq!(verifier().verify(&token, 100), Err(AuthError::Time(TimeError::Expired)));
        assert_eq!(verifier().verify(&token, 49), Err(AuthError::Time(TimeError::NotYetValid)));
    }

    /// Other secrets, other algorithms, no signature, and what is no token at all sign nobody in.
    #[test]
    fn forgeries_do_not() {
        for forged in [
            token(Algorithm::HS256, b"another", &claims()),
            token(Algorithm::HS512, SECRET, &claims()),
            unsigned(&claims()),
            "a.b.c".to_owned(),
            "%ff".to_owned(),
        ] {
            assert_eq!(verifier().verify(&forged, 60), Err(AuthError::NotGenuine), "{forged}");
        }
        assert_eq!(verifier().verify("", 60), Err(AuthError::Missing));
        let nobody = token(Algorithm::HS256, SECRET, &json!({"exp": 100}));
        assert_eq!(verifier().verify(&nobody, 60), Err(AuthError::Claims));
    }

    /// Each place is looked at alone.
    #[test]
    fn tokens_stand_in_their_place() {
        let header = |name: &str| match name {
            "authorization" => Some("bearer x.y"),
            "sec-websocket-protocol" => Some("p.q"),
            _ => None,
        };
        assert_eq!(token_in(TokenPlace::Query, "a=1&token=t.u", header), Ok("t.u"));
        assert_eq!(token_in(TokenPlace::Query, "mytoken=t", header), Err(AuthError::Missing));
        assert_eq!(token_in(TokenPlace::Query, "token=", header), Err(AuthError::Missing));
        assert_eq!(token_in(TokenPlace::Bearer, "token=t", header), Ok("x.y"));
        assert_eq!(token_in(TokenPlace::Subprotocol, "token=t", header), Ok("p.q"));
    }

    /// No library signs with `none`, so the parts are put together by hand.
    fn unsigned(claims: &Value) -> String {
        let good = token(Algorithm::HS256, SECRET, claims);
        let payload = good.split('.').nth(1).unwrap();
        // {"alg":"none","typ":"JWT"}
        format!("eyJhbGciOiJub25lIiwidHlwIjoiSldUIn0.{payload}.")
    }
}
