//! Secrets stay out of what is written: reports, traces, complaints.
//!
//! ```text
//!  a value in a report: a frame, a line of a log, what was seen ──► redacted: the secrets of this run, and credentials
//!  a document: JSON, XML, a page                                ──► without_credentials: signatures of tokens, passwords in URLs
//!  a complaint, which has no structure                          ──► redacted
//! ```
//!
//! A secret may be any word, the name of a key or of a case among them, so no document is searched for it: its values were.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

/// What stands for a secret.
const REDACTED: &str = "[redacted]";
/// What stands for a password in a URL.
const PASSWORD: &str = "***";
/// Shorter ones would be found in ordinary words.
const SHORTEST: usize = 6;
/// A signature has more characters: an HMAC of 256 bits has 43.
const SHORTEST_SIGNATURE: usize = 10;
/// What the names of secrets contain, in lower case.
const SECRET_NAMES: [&str; 5] = ["secret", "passw", "credential", "api_key", "apikey"];
/// How a JWT begins: `{"` in base64.
const TOKEN: &str = "eyJ";

/// The secrets of this run, in every spelling.
static KNOWN: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());

/// Keeps a secret out of what is written from now on.
pub(crate) fn keep(secret: &str) {
    let decoded = percent_decode_str(secret).decode_utf8_lossy();
    for secret in [secret, &*decoded].into_iter().filter(|secret| secret.len() >= SHORTEST) {
        let json = serde_json::Value::from(secret).to_string();
        let markup = secret.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
        let quoted = markup.replace('"', "&quot;");
        let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
        known().extend([secret.to_owned(), json.trim_matches('"').to_owned(), markup, quoted, encoded]);
    }
}

/// Keeps the password of a broker's URL out of what is written from now on. The one that every RabbitMQ begins with is no secret.
pub(crate) fn keep_password(url: &str) {
    if let Some(password) = url::Url::parse(url).ok().as_ref().and_then(url::Url::password)
        && password != "guest"
    {
        keep(password);
    }
}

/// A value or a complaint without the secrets of this run, the signatures of tokens, and passwords in URLs.
pub fn redacted(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for secret in known().iter().rev().filter(|secret| secret.len() >= SHORTEST) {
        if text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), REDACTED));
        }
    }
    match text {
        Cow::Borrowed(text) => without_credentials(text),
        Cow::Owned(text) => Cow::Owned(without_credentials(&text).into_owned()),
    }
}

/// A document without the signatures of tokens and passwords in URLs, which are no part of its structure. What it quotes has been
/// [`redacted`].
pub fn without_credentials(text: &str) -> Cow<'_, str> {
    let mut found: Vec<_> = signatures(text).into_iter().map(|range| (range, REDACTED)).collect();
    found.extend(passwords(text).into_iter().map(|range| (range, PASSWORD)));
    if found.is_empty() {
        return Cow::Borrowed(text);
    }
    found.sort_by_key(|(range, _)| range.start);
    let mut whole = String::with_capacity(text.len());
    let mut from = 0;
    for (range, instead) in found.into_iter().filter(|(range, _)| !range.is_empty()) {
        if range.start >= from {
            whole.extend([&text[from..range.start], instead]);
            from = range.end;
        }
    }
    whole.push_str(&text[from..]);
    Cow::Owned(whole)
}

/// The text of a profile, to be quoted with marks at places in it: what is a secret by its name, or a password in a URL, is as many
/// asterisks as it has bytes.
pub(crate) fn masked(text: &str) -> String {
    let mut bytes = text.as_bytes().to_vec();
    let mut at = 0;
    for line in text.split_inclusive('\n') {
        for range in named_values(line).into_iter().chain(passwords(line)) {
            bytes[at + range.start..at + range.end].fill(b'*');
        }
        at += line.len();
    }
    String::from_utf8(bytes).expect("whole characters are masked")
}

/// Where strings stand in a line behind a name that says that they are secret.
fn named_values(line: &str) -> Vec<Range<usize>> {
    let lower = line.to_ascii_lowercase();
    let Some(name) = SECRET_NAMES.iter().filter_map(|name| lower.find(name)).min() else { return Vec::new() };
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    let behind = line[name..].trim_start_matches(is_of_name).trim_start_matches(['"', '\'']).trim_start();
    let mut at = line.len() - behind.len();
    let mut found = Vec::new();
    // A word such as `--secret=VALUE`.
    if let Some(value) = behind.strip_prefix('=').filter(|value| !value.starts_with([' ', '"', '\''])) {
        let length = value.find(['"', '\'']).unwrap_or(value.trim_end().len());
        found.push(at + 1..at + 1 + length);
        at = (at + 2 + length).min(line.len());
    }
    while let Some(from) = line[at..].find(['"', '\'']).map(|quote| at + quote) {
        let rest = &line[from + 1..];
        let length = rest.find(&line[from..=from]).unwrap_or(rest.trim_end().len());
        found.push(from + 1..from + 1 + length);
        at = (from + 2 + length).min(line.len());
    }
    found
}

/// Where the signatures of tokens stand, percent-encoded or not.
fn signatures(text: &str) -> Vec<Range<usize>> {
    let is_part = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.' | b'%');
    let mut found = Vec::new();
    let mut from = 0;
    for run in text.as_bytes().split(|byte| !is_part(*byte)) {
        let at = from;
        from += run.len() + 1;
        if run.len() > TOKEN.len() + SHORTEST_SIGNATURE {
            found.extend(signature(run).map(|range| at + range.start..at + range.end));
        }
    }
    found
}

/// The same in a run of characters that a token may consist of.
fn signature(run: &[u8]) -> Option<Range<usize>> {
    let mut decoded = Vec::with_capacity(run.len());
    let mut places = Vec::with_capacity(run.len());
    let mut at = 0;
    while at < run.len() {
        let escaped = (run[at] == b'%').then(|| str::from_utf8(run.get(at + 1..at + 3)?).ok()).flatten();
        let byte = escaped.and_then(|digits| u8::from_str_radix(digits, 16).ok());
        let length = if byte.is_some() { 3 } else { 1 };
        decoded.push(byte.unwrap_or(run[at]));
        places.push(at..at + length);
        at += length;
    }
    let begins = decoded.windows(TOKEN.len()).position(|window| window == TOKEN.as_bytes())?;
    let mut dots = (begins..decoded.len()).filter(|at| decoded[*at] == b'.');
    let (_, second) = (dots.next()?, dots.next()?);
    let length = decoded.len() - (second + 1);
    (length >= SHORTEST_SIGNATURE).then(|| places[second + 1].start..run.len())
}

/// Where passwords stand in URLs.
fn passwords(text: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    for (at, begin) in text.match_indices("://") {
        let from = at + begin.len();
        let rest = &text[from..];
        let end = rest.find(|c: char| c.is_whitespace() || "/\"'<>\\?#".contains(c)).unwrap_or(rest.len());
        let Some((user, _)) = rest[..end].rsplit_once('@') else { continue };
        if let Some((name, password)) = user.split_once(':') {
            let start = from + name.len() + 1;
            found.push(start..start + password.len());
        }
    }
    found
}

fn known() -> MutexGuard<'static, BTreeSet<String>> {
    KNOWN.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str =
        "eyJhbGciOiJIUzI1NiJ9.eyJ1c2VySWQiOiJhZGEifQ.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";

    /// A token loses its signature wherever it stands and however it is spelt; what it says stays.
    #[test]
    fn a_token_loses_its_signature() {
        let (said, _) = TOKEN.rsplit_once('.').unwrap();
        for (before, after) in
            [("GET /ws?token=", " HTTP/1.1"), ("{\"token\":\"", "\"}"), ("jwt.", ""), ("<b>", "</b>")]
        {
            assert_eq!(
                redacted(&format!("{before}{TOKEN}{after}")),
                format!("{before}{said}.[redacted]{after}")
            );
        }
        let encoded: String = TOKEN.bytes().map(|byte| format!("%{byte:02X}")).collect();
        let text = redacted(&encoded).into_owned();
        let left = percent_decode_str(&text).decode_utf8().unwrap().into_owned();
        assert_eq!(left, format!("{said}.[redacted]"));
        for plain in ["eyJhbGciOiJIUzI1NiJ9.e30.", "v1.2.3", "no token at all", "eyJ", "%%%65"] {
            assert_eq!(redacted(plain), plain);
        }
    }

    /// A URL loses its password; what only looks like one stays.
    #[test]
    fn a_url_loses_its_password() {
        let url = "connecting to amqp://ada:p%40ss:word@h:5672/%2f now";
        assert_eq!(redacted(url), "connecting to amqp://ada:***@h:5672/%2f now");
        for plain in ["http://h/a:b@c", "ws://127.0.0.1:80/ws", "amqp://ada@h", "a://"] {
            assert_eq!(redacted(plain), plain);
        }
    }

    /// A profile that is quoted keeps its places, and its secrets.
    #[test]
    fn a_profile_is_quoted_without_its_secrets() {
        for (text, quoted) in [
            ("env = { PORT = \"1\", JWT_SECRET = \"s3c\" }", "env = { PORT = \"1\", JWT_SECRET = \"***\" }"),
            ("\"db-password\" = 'ü'\nfirst = \"1\"", "\"db-password\" = '**'\nfirst = \"1\""),
            ("url = \"amqp://ada:pw@h\"", "url = \"amqp://ada:**@h\""),
            ("secret = \"never closed", "secret = \"************"),
            ("secret = \"never closed\na = \"1\"", "secret = \"************\na = \"1\""),
            ("command = [\"a\", \"--secret\", \"x=\"]", "command = [\"a\", \"--secret\", \"**\"]"),
            ("command = [\"--secret=ü\", \"b\"]", "command = [\"--secret=**\", \"*\"]"),
        ] {
            assert_eq!(masked(text), quoted);
            assert_eq!(masked(text).len(), text.len());
        }
    }

    /// A document is not searched for secrets: one may be a word of its own. Its values were.
    #[test]
    fn a_document_keeps_its_words() {
        keep("gateway-document");
        let document = r#"{"gateway-document":"amqp://u:pw@h"}"#;
        assert_eq!(without_credentials(document), r#"{"gateway-document":"amqp://u:***@h"}"#);
        assert_eq!(redacted("a gateway-document"), "a [redacted]");
    }

    /// A secret is found as it stands in JSON and in markup; one that is as short as a word is not looked for.
    #[test]
    fn secrets_are_known() {
        keep("s\"<&cret 1");
        keep_password("amqp://u:top%2Fsecret@h");
        keep("word");
        assert_eq!(redacted(r#"{"log":"s\"<&cret 1"}"#), r#"{"log":"[redacted]"}"#);
        assert_eq!(redacted("<b>s&quot;&lt;&amp;cret 1</b>"), "<b>[redacted]</b>");
        assert_eq!(redacted("top/secret, top%2Fsecret, a word"), "[redacted], [redacted], a word");
    }
}
