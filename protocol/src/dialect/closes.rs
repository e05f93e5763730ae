//! Errors that close the connection instead of being answered by a message, and the subprotocol by which some gateways know the protocol.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Dialect, DialectError, Refusal, TokenPlace};
use crate::CloseCode;

/// The close codes of what others answer by an error message, and of ends whose code differs from SPEC's.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct ErrorCloses {
    /// Of a frame that is no message.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bad_message: Option<CloseCode>,
    /// Of a message whose type means nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown_type: Option<CloseCode>,
    /// Of a connection whose token has expired (AUTH-6), where that is neither 4401 nor the code of a refused token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expired: Option<CloseCode>,
    /// Of a connection that goes on sending more than the allowed messages (MSG-6), where that is not 1008.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub flood: Option<CloseCode>,
    /// Of a connection that does not read what is sent to it (BRIDGE-12), where that is not 1013.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slow_reader: Option<CloseCode>,
}

impl ErrorCloses {
    /// Whether nothing is declared.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a message closes.
    pub fn closes_on_messages(&self) -> bool {
        self.bad_message.or(self.unknown_type).is_some()
    }
}

impl Dialect {
    /// Whether a connection whose token has expired may end with this code (AUTH-6): with what is declared for that, or else with 4401 or that of
    /// a refused token, which are one kind (SPEC "Close codes").
    pub fn expires_with(&self, code: CloseCode) -> bool {
        let usual = || code == CloseCode::UNAUTHORIZED || self.refusal.close_code() == Some(code);
        self.closes.expired.map_or_else(usual, |declared| declared == code)
    }

    /// The close code of a connection whose token has expired: as declared for that, or else that of a refused token.
    pub fn expiry(&self) -> CloseCode {
        let refusal = || self.refusal.close_code().unwrap_or(CloseCode::UNAUTHORIZED);
        self.closes.expired.unwrap_or_else(refusal)
    }

    /// The close code of a connection that goes on sending more than the allowed messages (MSG-6).
    pub fn flood(&self) -> CloseCode {
        self.closes.flood.unwrap_or(CloseCode::POLICY)
    }

    /// The close code of a connection that does not read what is sent to it (BRIDGE-12).
    pub fn slow_reader(&self) -> CloseCode {
        self.closes.slow_reader.unwrap_or(CloseCode::TRY_AGAIN_LATER)
    }

    /// The close code of a connection for which there is no place, once it is open (CONN-7).
    pub fn turn_away(&self) -> CloseCode {
        self.over_limit.iter().find_map(|answer| answer.close_code()).unwrap_or(CloseCode::TRY_AGAIN_LATER)
    }

    /// A refused token is the client's fault, so its status is one from 400 to 499.
    pub(super) fn check_refusal(&self) -> Result<(), DialectError> {
        match self.refusal {
            Refusal::Http(status) if status >= 500 => Err(DialectError::Refusal { status }),
            _ => Ok(()),
        }
    }

    /// The subprotocol that is agreed to where a request offers this list.
    pub fn agreed_subprotocol<'a>(&self, offered: &'a str) -> Option<&'a str> {
        match &self.subprotocol {
            Some(name) => offered.split(',').map(str::trim).find(|offer| offer == name),
            None => self.token.of_subprotocols(offered).map(|(_, agreed)| agreed),
        }
    }

    /// A name that a request can have, beside a token that does not stand in the same field.
    pub(super) fn check_subprotocol(&self) -> Result<(), DialectError> {
        let Some(name) = &self.subprotocol else { return Ok(()) };
        let wrong = |reason| Err(DialectError::Subprotocol { reason });
        if matches!(self.token, TokenPlace::Subprotocol | TokenPlace::SubprotocolAfter(_)) {
            return wrong(
                "`dialect.subprotocol` is for a token that travels elsewhere: one that follows the name of a protocol is `token = \"subprotocol:NAME\"`",
            );
        }
        match TokenPlace::is_token(name) {
            true => Ok(()),
            false => {
                wrong("`dialect.subprotocol` is one name without blanks, such as `graphql-transport-ws`")
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn dialect(text: &str) -> Result<Dialect, String> {
        text.parse::<Dialect>().map_err(|error| error.to_string())
    }

    /// A token that expires and one that is refused have one code (SPEC "Close codes"), unless another one is declared.
    #[test]
    fn a_token_expires_with_the_code_of_a_refusal() {
        let expiry = |text: &str| dialect(text).unwrap().expiry().0;
        let may = |text: &str| {
            let dialect = dialect(text).unwrap();
            [1008, 4010, 4401].map(|code| dialect.expires_with(CloseCode(code)))
        };
        assert_eq!(may("{}"), [false, false, true]);
        assert_eq!(may(r#"{"refusal":"close-4010"}"#), [false, true, true]);
        assert_eq!(may(r#"{"refusal":"close-4010","closes":{"expired":1008}}"#), [true, false, false]);
        assert_eq!(expiry("{}"), 4401);
        assert_eq!(expiry(r#"{"refusal":"close-4010"}"#), 4010);
        assert_eq!(expiry(r#"{"refusal":"close-4010","closes":{"expired":1008}}"#), 1008);
    }

    /// What ends a flood, a reader that does not read, and who finds no place, is as declared, or else as SPEC's close codes have it.
    #[test]
    fn ends_for_too_much_are_as_declared() {
        let usual = Dialect::default();
        assert_eq!((usual.flood().0, usual.slow_reader().0), (1008, 1013));
        let own =
            dialect(r#"{"closes":{"flood":4029,"slow_reader":4013},"over_limit":["http-429"]}"#).unwrap();
        assert_eq!((own.flood().0, own.slow_reader().0), (4029, 4013));
        let answers = [
            Refusal::Http(503),
            Refusal::Close(CloseCode(1013)),
            Refusal::Http(429),
            Refusal::Close(CloseCode(4014)),
        ];
        assert_eq!(answers.map(|answer| answer.turns_away(&usual.over_limit)), [true, true, false, false]);
        assert_eq!(answers.map(|answer| answer.turns_away(&own.over_limit)), [false, false, true, false]);
    }

    /// The declared name is agreed to wherever it stands in the list, and nothing else; without one, what the token's place says.
    #[test]
    fn the_declared_subprotocol_is_agreed_to() {
        let named = dialect(r#"{"subprotocol":"v2.chat"}"#).unwrap();
        assert_eq!(named.agreed_subprotocol("json, v2.chat ,x"), Some("v2.chat"));
        assert_eq!(named.agreed_subprotocol("json"), None);
        let token = dialect(r#"{"token":"subprotocol:bearer"}"#).unwrap();
        assert_eq!(token.agreed_subprotocol("bearer, a.b"), Some("bearer"));
        assert_eq!(dialect("{}").unwrap().agreed_subprotocol("bearer, a.b"), None);
    }

    /// What cannot be offered, or leaves no room for the token, is refused.
    #[test]
    fn a_subprotocol_that_cannot_be_is_refused() {
        for (text, says) in [
            (r#"{"subprotocol":"a","token":"subprotocol:bearer"}"#, "travels elsewhere"),
            (r#"{"subprotocol":"a b"}"#, "one name without blanks"),
            (r#"{"subprotocol":""}"#, "one name without blanks"),
            (r#"{"refusal":"http-503"}"#, "from 400 to 499"),
            (r#"{"closes":{"forbidden":4403}}"#, "unknown field `forbidden`"),
        ] {
            let error = dialect(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
