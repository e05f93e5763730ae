//! Tokens for scripted clients, good and bad, by recipe.

mod brought;
mod claims;
mod issuer;

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{EncodingKey, Header};
use protocol::{Role, TokenPlace};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

pub use brought::{Brings, fetched};
use issuer::Signer;
pub use issuer::{Issuer, KeyPair, SigningAlgorithm, TokenStyle};

/// How a scripted client's token differs from a good one.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenSpec {
    /// No token at all.
    pub omit: bool,
    /// This text instead of a token.
    pub raw: Option<String>,
    /// Seconds from now at which it expires; negative for one that has. Default: an hour.
    pub expires_in: Option<i64>,
    /// Seconds from now at which it becomes valid.
    pub valid_in: Option<i64>,
    /// Signed otherwise than the gateway expects.
    pub alg: Option<Alg>,
    /// What its header says beside its algorithm (AUTH-12).
    pub brings: Option<Brings>,
    /// Signed with the secret before the gateway's newest (AUTH-7).
    pub previous_secret: bool,
    /// Signed with another secret than the gateway's.
    pub wrong_secret: bool,
    /// What stands in the place of its signature.
    pub signature: Option<Signature>,
    /// Claims left out.
    pub without: Vec<String>,
    /// Claims replaced or added.
    pub claims: BTreeMap<String, Value>,
    /// The same token at each dial; otherwise each has one of its own.
    pub same_again: bool,
    /// Every byte of it percent-encoded, which any decoder must undo (AUTH-4).
    pub percent_encode_all: bool,
}

/// For whom a token is made.
#[derive(Debug, Clone, PartialEq)]
pub struct Bearer<'a> {
    /// `userId`.
    pub user_id: &'a str,
    /// `email`.
    pub email: &'a str,
    /// `role`.
    pub role: Role,
}

/// An algorithm that a gateway is not configured to accept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Alg {
    /// None at all: the token claims to need no signature (AUTH-3).
    None,
    /// The same, written `NONE`.
    NoneInCapitals,
    /// The same, written `nOnE`.
    NoneInMixedCase,
    /// The same, behind another `alg` of the same header.
    NoneBesides,
    /// Another one, with the right key (AUTH-11).
    Another,
    /// HMAC, with the public key as its secret (AUTH-3).
    PublicKeyAsSecret,
}

/// What stands in the place of a signature that would be right (AUTH-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Signature {
    /// Nothing.
    Empty,
    /// The first half of it.
    Truncated,
    /// That of another token, which the same key has signed.
    OfAnother,
}

const HOUR_S: i64 = 3600;

impl TokenSpec {
    /// What is said of the token though it cannot matter, in a sentence.
    pub(crate) fn contradiction(&self) -> Option<&'static str> {
        let alone = Self { omit: self.omit, ..Self::default() };
        if self.omit && *self != alone {
            return Some("a token that is omitted is not otherwise special: leave the rest out");
        }
        let written =
            Self { raw: self.raw.clone(), percent_encode_all: self.percent_encode_all, ..Self::default() };
        if self.raw.is_some() && *self != written {
            return Some("a token that is written out as `raw` is not made: leave the rest out");
        }
        let otherwise_signed =
            self.alg.is_some() || self.signature.is_some() || self.wrong_secret || self.previous_secret;
        if self.brings.is_some() && otherwise_signed {
            return Some(
                "`brings` says how the token is signed: leave `alg`, `signature` and the secrets out",
            );
        }
        (self.signature.is_some() && self.alg.is_some_and(|alg| alg.unsigned_header().is_some()))
            .then_some("a token that claims to need no signature has none to change: leave `signature` out")
    }

    /// Makes the token, or nothing where there is none; `now_unix_s` is the gateway's idea of the time.
    ///
    /// # Panics
    /// When the issuer cannot sign so, which [`TokenSpec::lacks`] reports beforehand.
    pub fn mint(&self, bearer: &Bearer<'_>, issuer: &Issuer, now_unix_s: i64) -> Option<String> {
        if self.omit {
            return None;
        }
        if let Some(raw) = &self.raw {
            return Some(raw.clone());
        }
        let claims = self.claims(bearer, &issuer.style, now_unix_s);
        let algorithm = issuer.style.algorithm;
        if let Some(brings) = self.brings {
            return Some(brings.sign(&claims, issuer));
        }
        if let Some(header) = self.alg.and_then(Alg::unsigned_header) {
            return Some(unsigned(header, &claims));
        }
        let (algorithm, key) = match self.alg {
            Some(Alg::PublicKeyAsSecret) => {
                let public =
                    issuer.pair.public.as_deref().expect("a public key that is not known is lacking");
                (SigningAlgorithm::Hs256, EncodingKey::from_secret(public.as_bytes()))
            }
            Some(Alg::Another) => {
                let another = algorithm.another().expect("an algorithm that there is not is lacking");
                (another, issuer.key(another, self.signer()))
            }
            _ => (algorithm, issuer.key(algorithm, self.signer())),
        };
        let sign = |claims: &Map<String, Value>| {
            let token = jsonwebtoken::encode(&Header::new(algorithm.into()), claims, &key);
            token.expect("keys are checked when they are read")
        };
        let token = sign(&claims);
        Some(match self.signature {
            None => token,
            Some(signature) => {
                let mut others = claims;
                others.insert("jti".to_owned(), json!("another"));
                signature.put_on(&token, &sign(&others))
            }
        })
    }

    /// Why an issuer cannot follow the recipe, where it cannot.
    pub fn lacks(&self, issuer: &Issuer) -> Option<&'static str> {
        let algorithm = issuer.style.algorithm;
        match self.alg {
            Some(Alg::Another) if algorithm.another().is_none() => {
                Some("a key of this kind signs by one algorithm alone")
            }
            Some(Alg::PublicKeyAsSecret) if issuer.pair.public.is_none() => {
                Some("needs `token.public_key_file`")
            }
            _ => None,
        }
    }

    /// Why the recipe means nothing where tokens travel in this place, if so.
    pub(crate) fn lacks_place(&self, place: &TokenPlace) -> Option<&'static str> {
        let is_missing = self.omit || self.raw.as_ref().is_some_and(String::is_empty);
        match place {
            TokenPlace::Path if is_missing => {
                Some("the token is part of the path: without it, it is another path")
            }
            TokenPlace::Message if self.percent_encode_all => {
                Some("the token travels in a message, in which nothing is percent-encoded")
            }
            _ => None,
        }
    }

    fn signer(&self) -> Signer {
        match (self.wrong_secret, self.previous_secret) {
            (true, _) => Signer::Untrusted,
            (false, true) => Signer::Previous,
            (false, false) => Signer::Current,
        }
    }

    fn claims(&self, bearer: &Bearer<'_>, style: &TokenStyle, now_unix_s: i64) -> Map<String, Value> {
        let mut claims = Map::from_iter([
            ("userId".to_owned(), style.users.value(bearer.user_id)),
            ("email".to_owned(), json!(bearer.email)),
            ("iat".to_owned(), json!(now_unix_s)),
            ("exp".to_owned(), json!(now_unix_s + self.expires_in.unwrap_or(HOUR_S))),
        ]);
        if let Some(role) = style.roles.name(bearer.role) {
            claims.insert("role".to_owned(), json!(role));
        }
        if let Some(valid_in) = self.valid_in {
            claims.insert("nbf".to_owned(), json!(now_unix_s + valid_in));
        }
        claims.extend(self.claims.clone());
        claims.retain(|claim, _| !self.without.contains(claim));
        claims::styled(claims, style)
    }
}

impl Alg {
    /// The header of a token that claims to need no signature (RFC 7519 section 6).
    fn unsigned_header(self) -> Option<&'static str> {
        match self {
            Self::None => Some(r#"{"alg":"none","typ":"JWT"}"#),
            Self::NoneInCapitals => Some(r#"{"alg":"NONE","typ":"JWT"}"#),
            Self::NoneInMixedCase => Some(r#"{"alg":"nOnE","typ":"JWT"}"#),
            Self::NoneBesides => Some(r#"{"alg":"HS256","typ":"JWT","alg":"none"}"#),
            Self::Another | Self::PublicKeyAsSecret => None,
        }
    }
}

impl Signature {
    /// The token with this signature instead of its own; `another` is one that the same key has signed.
    fn put_on(self, token: &str, another: &str) -> String {
        let (signed, own) = halves(token);
        let signature = match self {
            Self::Empty => String::new(),
            Self::Truncated => {
                let bytes = URL_SAFE_NO_PAD.decode(own).expect("a signature is base64url (RFC 7515)");
                URL_SAFE_NO_PAD.encode(&bytes[..bytes.len() / 2])
            }
            Self::OfAnother => halves(another).1.to_owned(),
        };
        format!("{signed}.{signature}")
    }
}

/// What is signed, and its signature (RFC 7515 section 7.1).
fn halves(token: &str) -> (&str, &str) {
    token.rsplit_once('.').expect("a token has three parts")
}

/// A token without a signature, which no library makes for us.
fn unsigned(header: &str, claims: &Map<String, Value>) -> String {
    let claims = Value::Object(claims.clone()).to_string();
    format!("{}.{}.", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims))
}

#[cfg(test)]
mod tests;
