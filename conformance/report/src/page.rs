//! The frame of every page that gatecheck writes: one file, no outside assets, readable from `file://`, on a phone and on paper,
//! light and dark.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

const STYLE: &str = include_str!("page/frame.css");
const SCRIPT: &str = include_str!("page/frame.js");
const ICON: &str = "data:image/svg+xml,<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 16 16'>\
                    <path d='M2 14V6a6 6 0 0 1 12 0v8h-3V6a3 3 0 0 0-6 0v8z' fill='%232f6feb'/></svg>";

/// A page. Its own policy lets no style and no script run but the frame's and those given here.
pub struct Page<'a> {
    /// What stands in the browser's tab, behind `Gatecheck: `.
    pub title: &'a str,
    /// What kind of page it is, for the bar on top.
    pub kind: &'a str,
    /// The links in the bar on top: the name of each, and the id of the place on this page.
    pub links: &'a [(&'a str, &'a str)],
    /// Rules beside those of the frame.
    pub style: &'a str,
    /// What runs after the frame's script.
    pub script: &'a str,
    /// What stands between bar and footer.
    pub body: Markup,
    /// What stands at the end, behind the version of gatecheck.
    pub footer: Markup,
}

impl Page<'_> {
    /// The file.
    pub fn into_string(self) -> String {
        let Page { title, kind, links, style, script, body, footer } = self;
        let style = [STYLE, style].concat();
        let script = [SCRIPT, script].concat();
        let policy = format!(
            "default-src 'none'; script-src {}; style-src {}; img-src data:; base-uri 'none'; form-action 'none'",
            hash(&script),
            hash(&style)
        );
        let markup = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta http-equiv="Content-Security-Policy" content=(policy);
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    title { "Gatecheck: " (title) }
                    link rel="icon" href=(ICON);
                    style { (PreEscaped(style)) }
                }
                body {
                    header.bar {
                        svg.mark viewBox="0 0 16 16" aria-hidden="true" {
                            path d="M2 14V6a6 6 0 0 1 12 0v8h-3V6a3 3 0 0 0-6 0v8z" {}
                        }
                        strong { "Gatecheck" }
                        span.faint { (kind) }
                        nav {
                            @for (name, place) in links { a href={ "#" (place) } { (name) } }
                        }
                        button #theme type="button" title="Colours: as the system, light, dark" { "Auto" }
                    }
                    main { (body) }
                    footer.faint { "Made by gatecheck " (env!("CARGO_PKG_VERSION")) ". " (footer) }
                    script { (PreEscaped(script)) }
                }
            }
        };
        markup.into_string()
    }
}

fn hash(text: &str) -> String {
    format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Nothing is fetched by the frame, whatever page it is around.
    #[test]
    fn the_frame_fetches_nothing() {
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import") && !SCRIPT.contains("fetch("));
    }
}
