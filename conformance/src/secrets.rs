//! Secrets stay out of what is written: reports, traces, complaints. What is printed is searched, whatever way a secret took there: a
//! gateway's log, an error, a request.

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

/// A text without the secrets of this run, the signatures of tokens, and passwords in URLs.
pub fn redacted(text: &str) -> Cow<'_, str> {
    let mut text = Cow::Borrowed(text);
    for secret in known().iter().rev().filter(|secret| secret.len() >= SHORTEST) {
        if text.contains(secret.as_str()) {
            text = Cow::Owned(text.replace(secret.as_str(), REDACTED));
        }
    }
    let mut found: Vec<_> = signatures(&text).into_iter().map(|range| (range, REDACTED)).collect();
    found.extend(passwords(&text).into_iter().map(|range| (range, PASSWORD)));
    if found.is_empty() {
        return text;
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
