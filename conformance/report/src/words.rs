//! Long texts in sentences, and texts with tokens.

/// The beginning of a text that is longer than so many characters.
pub(super) fn shortened(text: &str, max_chars: usize) -> String {
    match text.char_indices().nth(max_chars) {
        Some(_) => text.chars().take(max_chars.saturating_sub(1)).chain(['…']).collect(),
        None => text.to_owned(),
    }
}

/// The text with `…` for the signature of each token in it (RFC 7515, 7.1), so that a page that is handed on opens no door.
pub(super) fn without_signatures(text: &str) -> String {
    let is_of_token = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~');
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    // Every header of a token is a JSON object: `{"` in base64url.
    while let Some(at) = rest.find("eyJ") {
        let (before, token) = rest.split_at(at);
        let end = token.find(|c| !is_of_token(c)).unwrap_or(token.len());
        let (token, after) = token.split_at(end);
        out.push_str(before);
        match token.match_indices('.').nth(1) {
            Some((dot, _)) if dot + 1 < token.len() => {
                out.push_str(&token[..=dot]);
                out.push('…');
            }
            _ => out.push_str(token),
        }
        rest = after;
    }
    out + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What signs is left out, wherever a token stands; what is no token stays.
    #[test]
    fn signatures_are_left_out() {
        for (text, left) in [
            ("GET /ws?token=eyJh.eyJi.c2ln-_9 HTTP/1.1", "GET /ws?token=eyJh.eyJi.… HTTP/1.1"),
            ("Cookie: token=eyJh.eyJi.c2ln; eyJh.eyJi.c2ln", "Cookie: token=eyJh.eyJi.…; eyJh.eyJi.…"),
            ("eyJh.eyJi.", "eyJh.eyJi."),
            ("eyJh.b", "eyJh.b"),
            ("nothing", "nothing"),
        ] {
            assert_eq!(without_signatures(text), left);
        }
    }
}
