//! Gateways that verify a token by what its own header says.

use scenarios::token::TokenSpec;

use super::Mutant;
use super::auth::{claim, good, header, is_made_by, retoken};

pub(super) const MUTANTS: &[Mutant] = &[
    Mutant {
        id: "gateway/alg-none-in-any-spelling-but-one",
        requirement: "AUTH-3",
        about: "`none` is refused by its name, and the library does not look at its case.",
        boundary: || {
            retoken(|token| {
                let name = header(token)["alg"].as_str().unwrap_or_default().to_owned();
                (name != "none" && name.eq_ignore_ascii_case("none")).then(|| good(token))
            })
        },
    },
    Mutant {
        id: "gateway/key-of-the-token",
        requirement: "AUTH-12",
        about: "A key or a certificate in the token's header is what its signature is verified with.",
        boundary: || retoken(|token| says_one_of(token, &["jwk", "x5c"]).then(|| good(token))),
    },
    Mutant {
        id: "gateway/key-from-where-the-token-says",
        requirement: "AUTH-12",
        about: "Keys are fetched from the URL in the token's header.",
        boundary: || retoken(|token| says_one_of(token, &["jku", "x5u"]).then(|| good(token))),
    },
    Mutant {
        id: "gateway/key-names-are-paths",
        requirement: "AUTH-12",
        about: "A key is read from the file of its name.",
        boundary: || retoken(|token| is_named_with(token, "../").then(|| good(token))),
    },
    Mutant {
        id: "gateway/key-names-are-put-into-queries",
        requirement: "AUTH-12",
        about: "A key is selected from a table, by a query that its name is pasted into.",
        boundary: || retoken(|token| is_named_with(token, "'").then(|| good(token))),
    },
    Mutant {
        id: "gateway/crit-not-looked-at",
        requirement: "AUTH-12",
        about: "The library passes over `crit`, as it does over whatever it does not know.",
        boundary: || retoken(|token| says_one_of(token, &["crit"]).then(|| good(token))),
    },
    Mutant {
        id: "gateway/tokens-without-expiry-admitted",
        requirement: "AUTH-13",
        about: "The expiry is compared where there is one.",
        boundary: || {
            retoken(|token| (is_signed(token) && claim(token, "exp").is_null()).then(|| good(token)))
        },
    },
];

/// Whether a token's header says one of these.
fn says_one_of(token: &str, names: &[&str]) -> bool {
    names.iter().any(|name| !header(token)[name].is_null())
}

/// Whether the name of a token's key contains this.
fn is_named_with(token: &str, text: &str) -> bool {
    header(token)["kid"].as_str().is_some_and(|kid| kid.contains(text))
}

/// Whether a token is signed as a good one is.
fn is_signed(token: &str) -> bool {
    let without = if claim(token, "exp").is_null() { vec!["exp".to_owned()] } else { Vec::new() };
    is_made_by(token, TokenSpec { without, ..TokenSpec::default() })
}
