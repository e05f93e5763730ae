//! The files of each language. A language more is a variant of [`Language`] and a kit.

/// What a client is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    /// JavaScript in a page, in Chromium without a screen
    Browser,
    /// JavaScript or TypeScript in Node.js
    Node,
    /// Python, with asyncio
    Python,
    /// Rust
    Rust,
}

/// What is written for a language, and what to do then.
pub(super) struct Kit {
    pub(super) files: &'static [File],
    /// Commands, in the new folder.
    pub(super) prepare: &'static [&'static str],
    /// The file that a newcomer opens first, and what for.
    pub(super) first: &'static str,
}

pub(super) struct File {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

impl Language {
    /// Every language.
    #[cfg(test)]
    pub(super) const ALL: [Self; 4] = [Self::Browser, Self::Node, Self::Python, Self::Rust];

    pub(super) fn kit(self) -> &'static Kit {
        match self {
            Self::Browser => &BROWSER,
            Self::Node => &NODE,
            Self::Python => &PYTHON,
            Self::Rust => &RUST,
        }
    }
}

/// A file of `conformance/adapters/`, under the name that it gets.
macro_rules! file {
    ($name:literal, $source:literal) => {
        File { name: $name, text: include_str!(concat!("../../../adapters/", $source)) }
    };
}

static BROWSER: Kit = Kit {
    files: &[
        file!("gatecheck-adapter.mjs", "node/gatecheck-adapter.mjs"),
        file!("gatecheck-adapter.d.mts", "node/gatecheck-adapter.d.mts"),
        file!("gatecheck-browser.mjs", "browser/gatecheck-browser.mjs"),
        file!("page.html", "browser/page.html"),
        file!("page.js", "browser/page.js"),
        file!("client.js", "browser/client.js"),
        file!("gatecheck.toml", "browser/gatecheck.toml"),
    ],
    prepare: &[],
    first: "page.js wraps the client in client.js: put yours there",
};

static NODE: Kit = Kit {
    files: &[
        file!("gatecheck-adapter.mjs", "node/gatecheck-adapter.mjs"),
        file!("gatecheck-adapter.d.mts", "node/gatecheck-adapter.d.mts"),
        file!("adapter.mjs", "node/adapter.mjs"),
        file!("client.mjs", "node/client.mjs"),
        file!("package.json", "node/package.json"),
        file!("gatecheck.toml", "node/gatecheck.toml"),
    ],
    prepare: &["npm install"],
    first: "adapter.mjs wraps the client in client.mjs: put yours there",
};

static PYTHON: Kit = Kit {
    files: &[
        file!("gatecheck_adapter.py", "python/gatecheck_adapter.py"),
        file!("gatecheck_bare_client.py", "python/gatecheck_bare_client.py"),
        file!("adapter.py", "python/adapter.py"),
        file!("client.py", "python/client.py"),
        file!("requirements.txt", "python/requirements.txt"),
        file!("gatecheck.toml", "python/gatecheck.toml"),
    ],
    prepare: &["python3 -m venv .venv", ".venv/bin/pip install -r requirements.txt"],
    first: "adapter.py wraps the client in client.py: put yours there",
};

static RUST: Kit = Kit {
    files: &[
        file!("src/main.rs", "rust/main.rs"),
        file!("src/client.rs", "rust/client.rs"),
        file!("Cargo.toml", "rust/manifest.toml"),
        file!("gatecheck.toml", "rust/gatecheck.toml"),
    ],
    prepare: &["cargo build --release"],
    first: "src/main.rs wraps the client in src/client.rs: put yours there",
};
