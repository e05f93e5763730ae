//! Signing in by the first message of a connection, where the upgrade request has no token.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::template::{Part, Parts, Template};
use super::{Dialect, DialectError};
use crate::message::ServerMessage;

/// What a client says first, and what grants it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, expecting = "a table with `message` and `answer`")]
pub struct SignIn {
    /// The client's first message, with a place for `{token}`.
    pub message: Template,
    /// What the gateway answers before anything else. Without one, the welcome says that the client is signed in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answer: Option<Template>,
}

/// What a text that came before the client was signed in says of that.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInAnswer {
    /// It is signed in, and the text says nothing else.
    Granted,
    /// It is signed in, and the text is the welcome.
    Welcomed,
    /// An error; a close is to follow.
    Error,
    /// Nothing.
    Unrelated,
}

impl SignIn {
    /// The client's first message; a missing token has no place in it.
    pub fn write(&self, token: Option<&str>) -> String {
        let parts = Parts::default();
        self.message.write(&match token {
            Some(token) => parts.with(Part::Token, token),
            None => parts,
        })
    }

    /// Whether a client's message signs in, be it without a token.
    pub fn is_message(&self, text: &str) -> bool {
        self.message.read(text).is_some()
    }

    /// The token in a client's first message; none where it has none, or is another message.
    pub fn token(&self, text: &str) -> Option<String> {
        self.message.read(text)?.text(Part::Token).filter(|token| !token.is_empty())
    }

    /// What a gateway answers, where it answers.
    pub fn write_answer(&self, user_id: &str) -> Option<String> {
        Some(self.answer.as_ref()?.write(&Parts::default().with(Part::User, user_id)))
    }
}

impl Dialect {
    /// What a gateway's text says to a client that waits to be signed in.
    pub fn sign_in_answer(&self, text: &str) -> SignInAnswer {
        let answer = self.sign_in.as_ref().and_then(|sign_in| sign_in.answer.as_ref());
        if answer.is_some_and(|answer| answer.read(text).is_some()) {
            return SignInAnswer::Granted;
        }
        match self.decode_server(text).map(|decoded| decoded.message) {
            Ok(ServerMessage::Welcome { .. }) if answer.is_none() => SignInAnswer::Welcomed,
            Ok(ServerMessage::Error { .. }) => SignInAnswer::Error,
            _ => SignInAnswer::Unrelated,
        }
    }

    /// Either the token travels in the first message, and all that needs is said, or nothing of it.
    pub(super) fn check_sign_in(&self) -> Result<(), DialectError> {
        let wrong = |reason| Err(DialectError::SignIn { reason });
        let Some(sign_in) = &self.sign_in else {
            return match self.token.is_message() {
                true => wrong(
                    "`token = \"message\"` needs `[dialect.sign_in]` with a `message`, the client's first",
                ),
                false => Ok(()),
            };
        };
        if !self.token.is_message() {
            return wrong(
                "`[dialect.sign_in]` is about a token that travels in the first message: write `token = \"message\"`",
            );
        }
        if !sign_in.message.has(Part::Token) {
            return wrong("`dialect.sign_in.message` has no place for `{token}`");
        }
        if self.refusal.close_code().is_none() {
            return wrong(
                "a token in the first message is refused after the upgrade, by a close: write `refusal = \"close-4401\"`, or another code",
            );
        }
        if sign_in.answer.is_none() && self.welcome_type().is_none() {
            return wrong(
                "nothing says that a client is signed in: write `dialect.sign_in.answer`, or `welcome`",
            );
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Timestamp;

    fn dialect(text: &str) -> Result<Dialect, String> {
        text.parse::<Dialect>().map_err(|error| error.to_string())
    }

    const MESSAGE: &str = r#""message":"{\"type\":\"auth\",\"payload\":{\"token\":\"{token}\"}}""#;

    /// A token is read as it was written; a message without one has none.
    #[test]
    fn tokens_travel_in_the_first_message() {
        let dialect = Dialect::builtin("first-message").unwrap();
        let sign_in = dialect.sign_in.as_ref().unwrap();
        let said = sign_in.write(Some("a\"b.c"));
        assert_eq!(said, r#"{"type":"connection_init","payload":{"token":"a\"b.c"}}"#);
        assert_eq!(sign_in.token(&said).as_deref(), Some("a\"b.c"));
        assert_eq!(sign_in.write(None), r#"{"type":"connection_init","payload":{}}"#);
        for none in [sign_in.write(None), sign_in.write(Some("")), "{}".to_owned(), "no".to_owned()] {
            assert_eq!(sign_in.token(&none), None, "{none}");
        }
    }

    /// The answer grants, where there is one; otherwise the welcome does. Neither an error nor anything else does.
    #[test]
    fn the_answer_or_the_welcome_grants() {
        let welcome = ServerMessage::Welcome { user_id: "ada".to_owned(), rooms: Vec::new() };
        let error = ServerMessage::Error { code: "unauthorized".to_owned(), message: String::new() };
        let event = ServerMessage::Event { name: "a".to_owned(), payload: serde_json::Value::Null };
        let answered = Dialect::builtin("first-message").unwrap();
        let text = format!(r#"{{"token":"message","refusal":"close-4401","sign_in":{{{MESSAGE}}}}}"#);
        let welcomed = dialect(&text).unwrap();
        let said = |dialect: &Dialect, message| {
            dialect.sign_in_answer(&dialect.encode_server(message, Timestamp::EPOCH, None))
        };
        let answer = answered.sign_in.as_ref().unwrap().write_answer("ada").unwrap();
        assert_eq!(answered.sign_in_answer(&answer), SignInAnswer::Granted);
        assert_eq!(said(&answered, &welcome), SignInAnswer::Unrelated);
        assert_eq!(said(&welcomed, &welcome), SignInAnswer::Welcomed);
        for dialect in [&answered, &welcomed] {
            assert_eq!(said(dialect, &error), SignInAnswer::Error);
            assert_eq!(said(dialect, &event), SignInAnswer::Unrelated);
            assert_eq!(dialect.sign_in_answer("no"), SignInAnswer::Unrelated);
        }
    }

    /// What is said of it must be enough, and about this place.
    #[test]
    fn half_of_it_is_refused() {
        for (text, says) in [
            (r#"{"token":"message"}"#.to_owned(), "needs `[dialect.sign_in]`"),
            (format!(r#"{{"sign_in":{{{MESSAGE}}}}}"#), "write `token = \"message\"`"),
            (format!(r#"{{"token":"message","sign_in":{{{MESSAGE}}}}}"#), "write `refusal = \"close-4401\"`"),
            (
                r#"{"token":"message","refusal":"close-4401","sign_in":{"message":"{}"}}"#.to_owned(),
                "no place for `{token}`",
            ),
            (
                format!(
                    r#"{{"token":"message","refusal":"close-4401","welcome":false,"sign_in":{{{MESSAGE}}}}}"#
                ),
                "nothing says that a client is signed in",
            ),
        ] {
            let error = dialect(&text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
