//! Redacts secrets from every log line and error, whatever its source (TOKEN-3).

use super::request;
use reference_session::Token;

/// What stands where a secret stood.
const REDACTED: &str = "[redacted]";
/// A shorter token may be part of ordinary words, and redacting it would spoil them; only tests use such tokens.
const SHORTEST_BYTES: usize = 8;

/// The newest token, plain and as it travels. The client's own texts leave it out; but a gateway may repeat what it was sent,
/// and a text that quotes the gateway is searched.
#[derive(Default)]
pub(super) struct Secrets {
    token: Option<[String; 2]>,
}

impl Secrets {
    /// This token is dialled with from now on.
    pub(super) fn learn(&mut self, token: &Token) {
        let plain = token.reveal();
        self.token = (plain.len() >= SHORTEST_BYTES).then(|| [plain.to_owned(), request::encoded(plain)]);
    }

    /// The text without them.
    pub(super) fn redact(&self, text: String) -> String {
        self.token.iter().flatten().fold(text, |text, secret| {
            if text.contains(secret) { text.replace(secret, REDACTED) } else { text }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A token goes, plain and encoded; one that is part of every word stays.
    #[test]
    fn tokens_are_taken_out() {
        let mut secrets = Secrets::default();
        secrets.learn(&"long+token".into());
        let text = "long+token, long%2Btoken and another".to_owned();
        assert_eq!(secrets.redact(text), "[redacted], [redacted] and another");
        secrets.learn(&"t".into());
        assert_eq!(secrets.redact("a test".to_owned()), "a test");
    }
}
