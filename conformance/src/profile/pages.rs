//! `[gateway.pages]`: what a gateway's pages are called (CONN-9, BRIDGE-10).

use scenarios::pages::{PAGES, PagePaths};
use schemars::JsonSchema;
use serde::Deserialize;

use super::{ProfileError, ValueError};

#[derive(Deserialize, Default, JsonSchema)]
#[serde(
    deny_unknown_fields,
    default,
    expecting = "a table of paths, such as `{ health = \"/live\", metrics = false }`"
)]
pub(super) struct RawPages {
    /// The page that answers 200 while the process is fine. Usually `/healthz`; `false`, as for all of these, where there is none.
    health: Option<RawPage>,
    /// The page that answers 200 while events can come. Usually `/readyz`.
    ready: Option<RawPage>,
    /// The page with figures in JSON. Usually `/stats`.
    stats: Option<RawPage>,
    /// The page with figures for Prometheus. Usually `/metrics`.
    metrics: Option<RawPage>,
}

#[derive(Deserialize, JsonSchema)]
#[serde(untagged, expecting = "a path such as `/live`, or `false` where there is no such page")]
enum RawPage {
    Is(bool),
    At(String),
}

impl RawPages {
    pub(super) fn check(self, value: ValueError<'_>) -> Result<PagePaths, ProfileError> {
        let Self { health, ready, stats, metrics } = self;
        let pages: [Option<RawPage>; PAGES.len()] = [health, ready, stats, metrics];
        let others = pages.into_iter().enumerate().filter_map(|(page, path)| match path? {
            RawPage::Is(true) => None,
            RawPage::Is(false) => Some((page, None)),
            RawPage::At(path) => Some((page, Some(path))),
        });
        PagePaths::new(others).map_err(|message| value(format!("`gateway.pages`: {message}"), None))
    }
}
