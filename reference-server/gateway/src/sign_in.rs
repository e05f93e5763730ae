//! Whether a connection is signed in by its first message, where the token is not in its request (AUTH-2, CONN-7, CONN-8).
//!
//! ```text
//!  request ──shake──► upgraded, no one's ──first message──► sign_in ──► Input::Opened
//!                            └──────────── none in time ──────┴──────► a close
//! ```

use protocol::{Claims, CloseCode, Dialect, UserId};

use crate::admission::Full;
use crate::http::UpgradeError;

/// What came first on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FirstMessage<'a> {
    /// A text.
    Text(&'a str),
    /// A binary message, which signs no one in.
    Binary,
    /// Nothing, for as long as a handshake may take.
    Late,
}

/// A connection that is not signed in.
#[derive(Debug, PartialEq, Eq)]
pub struct Denied<E> {
    /// Why.
    pub error: UpgradeError<E>,
    /// What it is closed with.
    pub code: CloseCode,
}

/// Judges the first message: token, then place, so that only a connection that is granted takes one.
///
/// # Errors
/// At the first of them that does not hold.
pub fn sign_in<P, E>(
    dialect: &Dialect,
    first: FirstMessage<'_>,
    verify: impl FnOnce(&str) -> Result<Claims, E>,
    admit: impl FnOnce(&UserId) -> Result<P, Full>,
) -> Result<(Claims, P), Denied<E>> {
    let code = dialect.refusal.close_code().unwrap_or(CloseCode::UNAUTHORIZED);
    let denied = |error| Denied { error, code };
    let token = match first {
        FirstMessage::Text(text) => dialect.sign_in.as_ref().and_then(|sign_in| sign_in.token(text)),
        FirstMessage::Binary => None,
        FirstMessage::Late => return Err(denied(UpgradeError::Late)),
    };
    let token = token.ok_or_else(|| denied(UpgradeError::NoToken))?;
    let claims = verify(&token).map_err(|error| denied(UpgradeError::Token(error)))?;
    match admit(&claims.user_id) {
        Ok(place) => Ok((claims, place)),
        Err(full) => Err(Denied { error: UpgradeError::Full(full), code: dialect.turn_away() }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::Role;

    fn verify(token: &str) -> Result<Claims, &'static str> {
        let claims = |user| Claims {
            user_id: UserId::new(user),
            email: "e".to_owned(),
            role: Role::Customer,
            expires_at: u64::MAX,
            not_before: None,
        };
        if token == "bad" { Err("not genuine") } else { Ok(claims(token)) }
    }

    /// Only a first message with a good token signs in, and takes a place; whatever else comes, or nothing, ends in a close.
    #[test]
    fn the_first_message_decides() {
        let dialect = Dialect::builtin("first-message").unwrap();
        let message = |token| dialect.sign_in.as_ref().unwrap().write(token);
        let judged = |first: FirstMessage<'_>, full: Option<Full>| {
            let admit = |user: &UserId| full.map_or(Ok(user.to_string()), Err);
            sign_in(&dialect, first, verify, admit)
                .map(|(_, place)| place)
                .map_err(|Denied { error, code }| (error, code.0))
        };
        let (good, bad, none) = (message(Some("ann")), message(Some("bad")), message(None));
        assert_eq!(judged(FirstMessage::Text(&good), None), Ok("ann".to_owned()));
        assert_eq!(
            judged(FirstMessage::Text(&good), Some(Full::Total)),
            Err((UpgradeError::Full(Full::Total), 1013))
        );
        assert_eq!(
            judged(FirstMessage::Text(&bad), Some(Full::Total)),
            Err((UpgradeError::Token("not genuine"), 4401))
        );
        let own = Dialect { over_limit: vec![protocol::Refusal::Close(CloseCode(4014))], ..dialect.clone() };
        let full = sign_in(&own, FirstMessage::Text(&good), verify, |_| Err::<(), _>(Full::User));
        assert_eq!(full.map_err(|denied| denied.code.0).map(|_| ()), Err(4014));
        for text in [none.as_str(), r#"{"type":"ping"}"#, "no"] {
            assert_eq!(judged(FirstMessage::Text(text), None), Err((UpgradeError::NoToken, 4401)), "{text}");
        }
        assert_eq!(judged(FirstMessage::Binary, None), Err((UpgradeError::NoToken, 4401)));
        assert_eq!(judged(FirstMessage::Late, None), Err((UpgradeError::Late, 4401)));
    }
}
