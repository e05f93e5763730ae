//! Tokens: which one is dialled with, and which one is not tried again (TOKEN-2, STATE-8).

use std::fmt;

/// A token. Its `Debug` keeps it to itself, so that no log can hold it by accident (TOKEN-3).
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The text, for the request that signs in and nothing else.
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(…)")
    }
}

impl<T: Into<String>> From<T> for Token {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

/// The tokens of a session.
#[derive(Debug)]
pub(super) struct Tokens {
    newest: Token,
    /// Whether the newest was given and has not been dialled with; otherwise a provider knows better.
    fresh: bool,
    /// Whether there is a provider.
    asks: bool,
    /// The last one that the gateway refused.
    refused: Option<Token>,
}

impl Tokens {
    pub(super) fn new(first: Token, asks: bool) -> Self {
        Self { newest: first, fresh: false, asks, refused: None }
    }

    /// The next dial uses this one.
    pub(super) fn give(&mut self, token: Token) {
        self.newest = token;
        self.fresh = true;
    }

    /// Whether the next dial has to ask first.
    pub(super) fn must_ask(&self) -> bool {
        self.asks && !self.fresh
    }

    /// The newest token, for a dial. The dial after it asks again.
    pub(super) fn spend(&mut self) -> Token {
        self.fresh = false;
        self.newest.clone()
    }

    /// The token that was dialled with last, to sign in with.
    pub(super) fn spent(&self) -> &Token {
        &self.newest
    }

    /// The gateway refused what was dialled with last.
    pub(super) fn refuse(&mut self) {
        self.refused = Some(self.newest.clone());
    }

    /// Whether the gateway has refused this one.
    pub(super) fn is_refused(&self, token: &Token) -> bool {
        self.refused.as_ref() == Some(token)
    }

    /// The application wants another attempt, with whatever token there is.
    pub(super) fn forgive(&mut self) {
        self.refused = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A given token serves one dial; after it the provider is asked again.
    #[test]
    fn a_given_token_serves_one_dial() {
        let mut tokens = Tokens::new("first".into(), true);
        assert!(tokens.must_ask());
        tokens.give("given".into());
        assert!(!tokens.must_ask());
        assert_eq!((tokens.spend().reveal(), tokens.must_ask()), ("given", true));
        assert!(!Tokens::new("first".into(), false).must_ask());
    }

    /// Only the very token that was refused is known as such, and no longer than the application wants.
    #[test]
    fn a_refused_token_is_known_again() {
        let mut tokens = Tokens::new("old".into(), true);
        tokens.refuse();
        assert!(tokens.is_refused(&"old".into()) && !tokens.is_refused(&"new".into()));
        tokens.forgive();
        assert!(!tokens.is_refused(&"old".into()));
    }

    /// TOKEN-3: what is printed for debugging does not hold the token.
    #[test]
    fn debug_keeps_the_secret() {
        assert!(!format!("{:?}", Tokens::new("secret".into(), true)).contains("secret"));
    }
}
