//! What a gateway's pages are called (CONN-9, BRIDGE-10).

/// The pages that scenarios ask for: the key of a profile, and what scenarios, and the reference, call it.
pub const PAGES: [(&str, &str); 4] =
    [("health", "/healthz"), ("ready", "/readyz"), ("stats", "/stats"), ("metrics", "/metrics")];

/// What each of [`PAGES`] is called; nothing where there is no such page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PagePaths {
    paths: [Option<String>; PAGES.len()],
}

impl PagePaths {
    /// Takes the pages that differ: which of [`PAGES`], and its path, or nothing where it is not there.
    ///
    /// # Errors
    /// Says which path is none.
    pub fn new(others: impl IntoIterator<Item = (usize, Option<String>)>) -> Result<Self, String> {
        let mut pages = Self::default();
        for (page, path) in others {
            if let Some(path) = &path
                && (!path.starts_with('/') || path.contains(char::is_whitespace))
            {
                return Err(format!("`{}`: `{path}` is no path, such as `{}`", PAGES[page].0, PAGES[page].1));
            }
            pages.paths[page] = path;
        }
        Ok(pages)
    }

    /// What the page is called that scenarios call so; nothing where there is no such page. What is none of these pages keeps its name.
    pub fn path<'a>(&'a self, usual: &'a str) -> Option<&'a str> {
        match PAGES.iter().position(|(_, page)| *page == usual) {
            Some(page) => self.paths[page].as_deref(),
            None => Some(usual),
        }
    }
}

impl Default for PagePaths {
    fn default() -> Self {
        Self { paths: PAGES.map(|(_, usual)| Some(usual.to_owned())) }
    }
}
