//! The live page: one file, served from the binary, which a browser may run and nothing else.

use std::sync::LazyLock;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use protocol::Dialect;
use serde_json::json;
use sha2::{Digest, Sha256};

use crate::config::Config;

const FILE: &str = include_str!("page/index.html");
/// Where the file takes in what only the gateway knows.
const SETTINGS: &str = "{{settings}}";

/// What the page is served with.
pub(crate) static HEADERS: LazyLock<[(&str, String); 2]> = LazyLock::new(|| {
    [("Content-Security-Policy", content_security_policy()), ("Referrer-Policy", "no-referrer".to_owned())]
});

/// The page of a gateway with this configuration.
pub(crate) fn html(config: &Config) -> String {
    let settings = json!({
        "path": config.path,
        "dev": config.dev,
        "speaksDefault": config.gateway.dialect == Dialect::default(),
    });
    // Inside a script nothing but `<` can end it.
    FILE.replacen(SETTINGS, &settings.to_string().replace('<', "\\u003c"), 1)
}

/// The page's own style and script run, by their hashes, and reach this gateway; nothing else does (CSP level 3). The
/// schemes of WebSockets are named because not every browser counts them to `'self'`.
fn content_security_policy() -> String {
    let hash = |tag: &str| {
        let (_, rest) = FILE.split_once(&format!("<{tag}>")).expect("the page has it");
        let (text, _) = rest.split_once(&format!("</{tag}>")).expect("the page ends it");
        format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
    };
    format!(
        "default-src 'none'; style-src {}; script-src {}; connect-src 'self' ws: wss:; img-src data:; \
         base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        hash("style"),
        hash("script"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whatever the path is, it stays inside its place, and reads back as it was.
    #[test]
    fn settings_cannot_break_out() {
        let mut config = Config::with_secret("s");
        config.gateway.dialect.acks = false;
        config.path = r#"/</script><script>alert("&amp;")//\"#.to_owned();
        let html = html(&config);
        assert_eq!(html.matches("</script>").count(), FILE.matches("</script>").count());
        let (_, rest) = html.split_once(r#"<script type="application/json" id="settings">"#).unwrap();
        let (text, _) = rest.split_once("</script>").unwrap();
        let settings: serde_json::Value = serde_json::from_str(text).unwrap();
        assert_eq!(settings["path"], config.path);
        assert_eq!((&settings["dev"], &settings["speaksDefault"]), (&json!(false), &json!(false)));
    }

    /// The page loads no external assets: it contains no URLs except XML namespaces.
    #[test]
    fn there_are_no_outside_assets() {
        let addresses = FILE.matches("://").count();
        assert_eq!(
            addresses,
            FILE.matches("http://www.w3.org/2000/svg").count() + FILE.matches("}://${location.host}").count()
        );
        assert!(!FILE.contains(" style=") && !FILE.contains(" onclick="), "the policy forbids them");
    }
}
