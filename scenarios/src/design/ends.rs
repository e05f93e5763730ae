//! Which ends a client declares to be final: after those it dials no more by itself.

use std::fmt::{self, Write as _};

use protocol::CloseCode;
use schemars::JsonSchema;
use serde::Deserialize;

/// Close codes that say that a token was refused (STATE-8), whatever else is final.
const REFUSALS: [u16; 2] = [CloseCode::POLICY.0, CloseCode::UNAUTHORIZED.0];
/// What a scripted gateway closes with to have the client come back, in the order in which they are taken.
const REDIALLED: [u16; 7] = [1001, 1011, 1012, 1013, 4000, 3000, 4999];
/// Final codes that one case plays: each takes the time in which no redial must come.
const PLAYED: usize = 4;

/// Close codes, such as `"1000"` or `"3000-4999"`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "RawCodes")]
#[schemars(with = "RawCodes")]
pub struct Codes {
    first: u16,
    last: u16,
}

#[derive(Deserialize, JsonSchema)]
#[serde(
    untagged,
    expecting = "close codes are a number such as 1000, or a range in quotes such as \"3000-4999\""
)]
enum RawCodes {
    One(u16),
    Range(String),
}

impl Codes {
    /// A single one.
    pub const fn one(code: CloseCode) -> Self {
        Self { first: code.0, last: code.0 }
    }

    /// The lowest.
    pub fn first(self) -> CloseCode {
        CloseCode(self.first)
    }

    /// Whether this is one of them.
    pub fn contains(self, code: CloseCode) -> bool {
        (self.first..=self.last).contains(&code.0)
    }
}

/// Whether a close with one of these codes is final.
pub(super) fn is_final(codes: &[Codes], code: CloseCode) -> bool {
    codes.iter().any(|codes| codes.contains(code))
}

/// A code that is redialled, as those are for the client that the requirements describe.
pub(super) fn redialled(codes: &[Codes]) -> Option<CloseCode> {
    REDIALLED.into_iter().map(CloseCode).find(|code| !is_final(codes, *code))
}

/// Whether a client comes back from it that declares nothing.
pub(super) fn is_redialled_by_default(code: CloseCode) -> bool {
    code != CloseCode::NORMAL && !REFUSALS.contains(&code.0)
}

/// The case of STATE-7 for these codes: after each final one no dial comes until the client is asked to connect.
///
/// # Errors
/// Where none of them can be played.
pub(super) fn case(codes: &[Codes]) -> Result<String, String> {
    let finals = played(codes);
    let Some(last) = finals.len().checked_sub(1) else {
        return Err("no close code that a gateway can send is final, as declared".to_owned());
    };
    let mut text = String::from(BEGIN);
    let mut opened = 1;
    let mut step = |step: fmt::Arguments<'_>| writeln!(text, "\n[[step]]\n{step}").unwrap_or_default();
    if let Some(code) = redialled(codes) {
        opened += 1;
        step(format_args!("gateway = {{ close = {code} }}"));
        step(format_args!(
            "wait = {{ opens = true }}\ntimes = {opened}\nwithin = \"{COMES_BACK}\"\nshows = \"STATE-7\""
        ));
    }
    for (place, code) in finals.iter().enumerate() {
        step(format_args!("gateway = {{ on_dial = \"refuse\" }}"));
        step(format_args!("gateway = {{ close = {code} }}"));
        step(format_args!("wait = {{ closes = true }}\ntimes = {opened}\nshows = \"STATE-7\""));
        step(format_args!("quiet = \"2 * max_reconnect_delay\""));
        if place < last {
            opened += 1;
            step(format_args!("gateway = {{ on_dial = \"accept\" }}"));
            step(format_args!("do = \"connect\""));
            step(format_args!(
                "wait = {{ opens = true }}\ntimes = {opened}\nwithin = \"{COMES_BACK}\"\nrequires = \"STATE-1\""
            ));
        }
    }
    text.push_str(END);
    Ok(text)
}

/// How long a redial may take.
const COMES_BACK: &str = "2 * max_reconnect_delay + patience";
const BEGIN: &str = r#"version = 2
title = "Each close with a code that is declared final ends it; another one does not"
about = "While no dial must come each is refused, so that one that comes shows."
subject = "client"

[[step]]
do = "connect"

[[step]]
wait = { opens = true }
requires = "STATE-1"
"#;
const END: &str = r#"
[[expect]]
requirement = "STATE-7"
never = { refused = true }

[[expect]]
requirement = "STATE-7"
some = { status = "disconnected" }
"#;

/// Final codes that a scripted gateway can close with: the ends of each range.
pub(super) fn played(codes: &[Codes]) -> Vec<CloseCode> {
    let ends = codes.iter().flat_map(|codes| [codes.first, codes.last]);
    let mut played: Vec<_> =
        ends.filter(|code| is_sent(*code) && !REFUSALS.contains(code)).map(CloseCode).collect();
    played.dedup();
    played.truncate(PLAYED);
    played
}

/// Whether a close frame may have it (RFC 6455 section 7.4).
fn is_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

impl TryFrom<RawCodes> for Codes {
    type Error = String;

    fn try_from(raw: RawCodes) -> Result<Self, String> {
        let codes = match &raw {
            RawCodes::One(code) => Some(Self { first: *code, last: *code }),
            RawCodes::Range(text) => {
                let (first, last) = text.split_once('-').unwrap_or((text, text));
                let code = |text: &str| text.trim().parse().ok();
                code(first).zip(code(last)).map(|(first, last)| Self { first, last })
            }
        };
        let codes =
            codes.ok_or("close codes are a number such as \"1000\", or a range such as \"3000-4999\"")?;
        if codes.first > codes.last || codes.first < 1000 || codes.last > 4999 {
            return Err(format!("`{codes}`: close codes lie between 1000 and 4999, the lower one first"));
        }
        if codes.contains(CloseCode(1006)) {
            return Err(format!(
                "`{codes}` holds 1006, a connection that was lost: that one is dialled again (STATE-3)"
            ));
        }
        Ok(codes)
    }
}

impl fmt::Display for Codes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.first == self.last {
            true => self.first.fmt(f),
            false => write!(f, "{}-{}", self.first, self.last),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Deserialize)]
    struct Holder {
        codes: Vec<Codes>,
    }

    fn read(text: &str) -> Result<Vec<Codes>, String> {
        let holder = toml::from_str::<Holder>(&format!("codes = {text}"));
        holder.map(|holder| holder.codes).map_err(|error| error.to_string())
    }

    /// Single codes and ranges are read; what is played of them are the ends that a frame may have.
    #[test]
    fn codes_are_read() {
        let codes = read("[\"1000\", 1001, \"1005\", \"3000-4999\"]").unwrap();
        assert!(is_final(&codes, CloseCode(3500)) && is_final(&codes, CloseCode(1005)));
        assert!(!is_final(&codes, CloseCode(1011)));
        assert_eq!(played(&codes), [1000, 1001, 3000, 4999].map(CloseCode), "1005 is no code of a frame");
        assert_eq!(redialled(&codes), Some(CloseCode(1011)));
        assert_eq!(played(&read("[\"1008\", \"4401\"]").unwrap()), [], "those refuse a token");
    }

    /// What makes no sense is an error that says what to write.
    #[test]
    fn mistakes_are_named() {
        for (text, says) in [
            ("[\"normal\"]", "such as \"3000-4999\""),
            ("[true]", "such as \"3000-4999\""),
            ("[\"4999-3000\"]", "the lower one first"),
            ("[\"1000-1015\"]", "holds 1006"),
            ("[99]", "between 1000 and 4999"),
        ] {
            let error = read(text).unwrap_err();
            assert!(error.contains(says), "{text}: {error}");
        }
    }
}
