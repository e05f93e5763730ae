//! Tokens for scripted clients, good and bad, by recipe.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use protocol::Role;
use serde::Deserialize;
use serde_json::{Map, Value, json};

/// How a scripted client's token differs from a good one.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct TokenRecipe {
    /// No token at all.
    pub omit: bool,
    /// This text instead of a token.
    pub raw: Option<String>,
    /// Seconds from now at which it expires; negative for one that has. Default: an hour.
    pub expires_in: Option<i64>,
    /// Seconds from now at which it becomes valid.
    pub valid_in: Option<i64>,
    /// The algorithm in its header, `none` among them. Default: HS256.
    pub alg: Option<String>,
    /// Signed with the secret before the gateway's newest (AUTH-7).
    pub previous_secret: bool,
    /// Signed with another secret than the gateway's.
    pub wrong_secret: bool,
    /// Claims left out.
    pub without: Vec<String>,
    /// Claims replaced or added.
    pub claims: BTreeMap<String, Value>,
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

/// What a gateway under test verifies HMAC signatures with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secrets {
    /// The newest.
    pub current: String,
    /// The one before it, where the gateway is told that too.
    pub previous: String,
}

impl Secrets {
    /// Two secrets made of one.
    pub fn from_current(current: impl Into<String>) -> Self {
        let current = current.into();
        Self { previous: format!("{current}, as it was before"), current }
    }
}

const HOUR_S: i64 = 3600;

impl TokenRecipe {
    /// Makes the token, or nothing where there is none; `now_unix_s` is the gateway's idea of the time.
    ///
    /// # Panics
    /// When `alg` is none of those that [`TokenRecipe::check`] accepts.
    pub fn mint(&self, bearer: &Bearer<'_>, secrets: &Secrets, now_unix_s: i64) -> Option<String> {
        if self.omit {
            return None;
        }
        if let Some(raw) = &self.raw {
            return Some(raw.clone());
        }
        let mut claims = Map::from_iter([
            ("userId".to_owned(), json!(bearer.user_id)),
            ("email".to_owned(), json!(bearer.email)),
            ("role".to_owned(), json!(bearer.role)),
            ("iat".to_owned(), json!(now_unix_s)),
            ("exp".to_owned(), json!(now_unix_s + self.expires_in.unwrap_or(HOUR_S))),
        ]);
        if let Some(valid_in) = self.valid_in {
            claims.insert("nbf".to_owned(), json!(now_unix_s + valid_in));
        }
        claims.extend(self.claims.clone());
        claims.retain(|claim, _| !self.without.contains(claim));
        let secret = if self.previous_secret { &secrets.previous } else { &secrets.current };
        let secret = if self.wrong_secret { format!("{secret}-of-somebody-else") } else { secret.clone() };
        Some(match self.alg.as_deref().unwrap_or("HS256") {
            "none" => unsigned(&claims),
            alg => {
                let alg = hmac(alg).expect("recipes are checked when they are read");
                let key = EncodingKey::from_secret(secret.as_bytes());
                jsonwebtoken::encode(&Header::new(alg), &claims, &key).expect("HMAC signs anything")
            }
        })
    }

    /// Tells whether the recipe can be followed.
    ///
    /// # Errors
    /// Names the algorithm that this harness does not sign with.
    pub fn check(&self) -> Result<(), String> {
        match self.alg.as_deref() {
            None | Some("none") => Ok(()),
            Some(alg) => hmac(alg).map(|_| ()).ok_or_else(|| {
                format!(
                    "`alg = \"{alg}\"`: a recipe signs with HS256, HS384 or HS512, or not at all with `none`"
                )
            }),
        }
    }
}

fn hmac(name: &str) -> Option<Algorithm> {
    match name {
        "HS256" => Some(Algorithm::HS256),
        "HS384" => Some(Algorithm::HS384),
        "HS512" => Some(Algorithm::HS512),
        _ => None,
    }
}

/// A token that claims to need no signature (RFC 7519 section 6), which no library signs for us.
fn unsigned(claims: &Map<String, Value>) -> String {
    let part = |json: String| URL_SAFE_NO_PAD.encode(json);
    let header = part(json!({"alg": "none", "typ": "JWT"}).to_string());
    format!("{header}.{}.", part(Value::Object(claims.clone()).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEARER: Bearer<'_> = Bearer { user_id: "u1", email: "u1@example.org", role: Role::Customer };

    fn payload(token: &str) -> Value {
        let part = token.split('.').nth(1).unwrap();
        serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
    }

    /// The plain recipe is a token with all claims; each field changes what it says it changes.
    #[test]
    fn recipes_change_what_they_say() {
        let plain =
            payload(&TokenRecipe::default().mint(&BEARER, &Secrets::from_current("s"), 1000).unwrap());
        assert_eq!(
            plain,
            json!({"userId":"u1","email":"u1@example.org","role":"CUSTOMER","iat":1000,"exp":4600})
        );
        let odd = TokenRecipe {
            expires_in: Some(-1),
            valid_in: Some(60),
            without: vec!["email".into()],
            claims: BTreeMap::from([("role".to_owned(), json!("KING"))]),
            ..TokenRecipe::default()
        };
        let odd = payload(&odd.mint(&BEARER, &Secrets::from_current("s"), 1000).unwrap());
        assert_eq!(odd, json!({"userId":"u1","role":"KING","iat":1000,"exp":999,"nbf":1060}));
        let none = TokenRecipe { alg: Some("none".into()), ..TokenRecipe::default() };
        assert!(none.mint(&BEARER, &Secrets::from_current("s"), 1000).unwrap().ends_with('.'));
        assert_eq!(
            TokenRecipe { omit: true, ..TokenRecipe::default() }.mint(
                &BEARER,
                &Secrets::from_current("s"),
                0
            ),
            None
        );
    }

    /// Each secret signs otherwise.
    #[test]
    fn secrets_differ() {
        let secrets = Secrets::from_current("s");
        let sign = |recipe: TokenRecipe| recipe.mint(&BEARER, &secrets, 1000).unwrap();
        let current = sign(TokenRecipe::default());
        let previous = sign(TokenRecipe { previous_secret: true, ..TokenRecipe::default() });
        let wrong = sign(TokenRecipe { wrong_secret: true, ..TokenRecipe::default() });
        assert!(current != previous && previous != wrong && wrong != current);
    }

    /// An algorithm that this harness cannot sign with is an error of the file.
    #[test]
    fn unknown_algorithms_are_refused() {
        assert!(TokenRecipe { alg: Some("RS256".into()), ..TokenRecipe::default() }.check().is_err());
    }
}
