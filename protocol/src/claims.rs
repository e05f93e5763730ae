//! Who a verified token speaks for (SPEC "Token", AUTH-1, AUTH-2, AUTH-5).

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The user that a token names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct UserId(String);

impl UserId {
    /// An identity with this text; its meaning is the token issuer's.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }

    /// The text as the token has it.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for UserId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a user may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Role {
    /// Sees the `role:admin` room.
    Admin,
    /// Buys.
    Customer,
    /// Sells.
    Vendor,
}

impl Role {
    /// Every role, in the order of the wire names.
    pub const ALL: [Self; 3] = [Self::Admin, Self::Customer, Self::Vendor];

    /// The role as tokens write it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Admin => "ADMIN",
            Self::Customer => "CUSTOMER",
            Self::Vendor => "VENDOR",
        }
    }

    /// The role as rooms write it.
    pub fn lower_case(self) -> &'static str {
        match self {
            Self::Admin => "admin",
            Self::Customer => "customer",
            Self::Vendor => "vendor",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The claims of a token whose signature has been verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claims {
    /// `userId`, or `sub` where that is missing.
    pub user_id: UserId,
    /// `email`.
    pub email: String,
    /// `role`.
    pub role: Role,
    /// `exp`: seconds since the Unix epoch from which on the token is worthless.
    pub expires_at: u64,
    /// `nbf`: seconds since the Unix epoch before which it is worthless.
    pub not_before: Option<u64>,
}

/// Why verified claims are refused (AUTH-5).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ClaimsError {
    /// A claim is missing, empty, or of another JSON type.
    #[error("the token has no usable `{claim}`")]
    Missing {
        /// The claim's name.
        claim: &'static str,
    },
    /// `role` is none of the known ones.
    #[error("the token's role is unknown")]
    UnknownRole,
}

/// Why claims are not valid at a moment (AUTH-2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TimeError {
    /// `exp` has been reached.
    #[error("the token has expired")]
    Expired,
    /// `nbf` lies ahead.
    #[error("the token is not valid yet")]
    NotYetValid,
}

impl Claims {
    /// Reads the claims of a token's JSON payload.
    ///
    /// # Errors
    /// When a required claim is missing or unusable.
    pub fn from_json(payload: &Value) -> Result<Self, ClaimsError> {
        let text = |claim| payload.get(claim).and_then(Value::as_str).filter(|text| !text.is_empty());
        // Whoever issued a `userId` that is no text meant somebody, and not whom `sub` names.
        let name = if payload.get("userId").is_some() { "userId" } else { "sub" };
        let user_id = text(name).ok_or(ClaimsError::Missing { claim: "userId" })?;
        let email = text("email").ok_or(ClaimsError::Missing { claim: "email" })?;
        let role = text("role").ok_or(ClaimsError::Missing { claim: "role" })?;
        let role =
            Role::ALL.into_iter().find(|known| known.as_str() == role).ok_or(ClaimsError::UnknownRole)?;
        let expires_at = seconds(payload, "exp")?.ok_or(ClaimsError::Missing { claim: "exp" })?;
        let not_before = seconds(payload, "nbf")?;
        Ok(Self { user_id: UserId::new(user_id), email: email.to_owned(), role, expires_at, not_before })
    }

    /// Checks that the claims are valid at `unix_s`, with `leeway_s` seconds of leeway for clock skew.
    ///
    /// # Errors
    /// When the token has expired or is not valid yet.
    pub fn check_time(&self, unix_s: u64, leeway_s: u64) -> Result<(), TimeError> {
        if unix_s >= self.expires_at.saturating_add(leeway_s) {
            return Err(TimeError::Expired);
        }
        if self.not_before.is_some_and(|start| unix_s.saturating_add(leeway_s) < start) {
            return Err(TimeError::NotYetValid);
        }
        Ok(())
    }
}

/// A NumericDate (RFC 7519 section 2): seconds, fractions allowed; they are cut, which ends a token early, never late.
fn seconds(payload: &Value, claim: &'static str) -> Result<Option<u64>, ClaimsError> {
    let Some(value) = payload.get(claim) else { return Ok(None) };
    let seconds = value.as_f64().filter(|seconds| *seconds >= 0.0).ok_or(ClaimsError::Missing { claim })?;
    Ok(Some(seconds as u64))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn full() -> Value {
        json!({"userId": "42", "email": "a@example.org", "role": "VENDOR", "exp": 100})
    }

    /// A token with every claim signs its user in; `sub` serves where `userId` is missing.
    #[test]
    fn complete_claims_are_read() {
        let claims = Claims::from_json(&full()).unwrap();
        assert_eq!((claims.user_id.as_str(), claims.role, claims.expires_at), ("42", Role::Vendor, 100));
        let by_sub = json!({"sub": "7", "email": "a@example.org", "role": "ADMIN", "exp": 1.9});
        let claims = Claims::from_json(&by_sub).unwrap();
        assert_eq!((claims.user_id.as_str(), claims.expires_at), ("7", 1));
        for odd in [json!(7), json!(null), json!(""), json!({"id": "8"})] {
            let mut both = by_sub.clone();
            both["userId"] = odd;
            assert_eq!(Claims::from_json(&both), Err(ClaimsError::Missing { claim: "userId" }), "{both}");
        }
    }

    /// Each required claim is required, of its type, and not empty (AUTH-5).
    #[test]
    fn each_required_claim_is_required() {
        for claim in ["userId", "email", "role", "exp"] {
            for bad in [None, Some(json!("")), Some(json!([])), Some(json!(null))] {
                let mut payload = full();
                let fields = payload.as_object_mut().unwrap();
                match &bad {
                    None => drop(fields.remove(claim)),
                    Some(value) => drop(fields.insert(claim.to_owned(), value.clone())),
                }
                assert_eq!(Claims::from_json(&payload), Err(ClaimsError::Missing { claim }), "{bad:?}");
            }
        }
        let mut payload = full();
        payload["role"] = json!("admin");
        assert_eq!(Claims::from_json(&payload), Err(ClaimsError::UnknownRole));
    }

    /// `exp` is the first worthless second, `nbf` the first good one; the leeway widens both.
    #[test]
    fn validity_has_sharp_edges() {
        let claims = Claims { not_before: Some(50), ..Claims::from_json(&full()).unwrap() };
        assert_eq!(claims.check_time(49, 0), Err(TimeError::NotYetValid));
        assert_eq!(claims.check_time(50, 0), Ok(()));
        assert_eq!(claims.check_time(99, 0), Ok(()));
        assert_eq!(claims.check_time(100, 0), Err(TimeError::Expired));
        assert_eq!(claims.check_time(45, 5), Ok(()));
        assert_eq!(claims.check_time(104, 5), Ok(()));
    }
}
