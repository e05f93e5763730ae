//! Where a gateway accepts a token, how that must name its user, and how one that it does not accept is refused.

mod dialer;
mod search;

use std::collections::BTreeMap;
use std::time::Duration;

use scenarios::token::{TokenSpec, TokenStyle};

use super::candidates::{PATHS, Person, Place};
use super::events::ObservedEvent;
use super::protocols::{Opening, Protocol};
use super::socket::Refused;
use super::{Hints, Progress};
pub(super) use dialer::{Dialer, Opened};
use search::Search;

/// How a gateway is signed in to.
#[derive(Debug, Clone, PartialEq)]
pub struct Entry {
    /// The path that upgrades.
    pub path: String,
    /// Where the token travels.
    pub place: Place,
    /// How it names its user.
    pub claims: TokenStyle,
    /// The subprotocol that is offered.
    pub subprotocol: Option<String>,
    /// What is sent on each connection as soon as it is signed in.
    pub opening: Vec<Opening>,
    /// Whether the first message named the user, so that the claim is surely read.
    pub is_confirmed: bool,
}

impl Entry {
    /// The protocol that it is known to speak before anything is said.
    pub(super) fn protocol(&self) -> Option<Protocol> {
        Protocol::of_subprotocol(self.subprotocol.as_deref()?)
    }

    /// Leaves out the rooms by which none of these events came.
    pub(super) fn keep_openings(&mut self, events: &[ObservedEvent]) {
        let brought = |number: usize, opening: &Opening| {
            events.iter().any(|event| opening.has_brought(&event.frame, self, number))
        };
        let is_kept: Vec<bool> =
            self.opening.iter().enumerate().map(|(number, opening)| brought(number, opening)).collect();
        let mut is_kept = is_kept.into_iter();
        self.opening.retain(|_| is_kept.next().unwrap_or_default());
    }

    /// A person's id as text.
    pub(super) fn id_text(&self, person: Person) -> String {
        let id = person.id(self.claims.users);
        id.as_str().map_or_else(|| id.to_string(), str::to_owned)
    }
}

/// What was seen of signing in.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct SignIn {
    /// What works; none where nothing did.
    pub entry: Option<Entry>,
    /// Other forms of claims that are accepted, too.
    pub also: Vec<TokenStyle>,
    /// What became of an attempt without a token on each path; none where it was let in.
    pub unsigned: BTreeMap<String, Option<Refused>>,
    /// What a connection without a token that was let in came to later: its end, and after how long.
    pub left_unsigned: Option<(Refused, Duration)>,
    /// What was tried in vain: a path and a place, and how often each answer came.
    pub vain: BTreeMap<String, BTreeMap<String, usize>>,
    /// How many forms of claims were tried.
    pub styles: usize,
    /// How a token of each bad kind is refused; none where it is accepted.
    pub refusals: BTreeMap<&'static str, Option<Refused>>,
    /// What a path that is none answers to a good token.
    pub elsewhere: Option<Refused>,
    /// What a plain GET on the path answers.
    pub plain_get: Option<u16>,
}

/// Tries each path, those of its files after the usual ones, each place and each form of claims until one is accepted.
pub(super) async fn observe(
    dialer: &Dialer,
    hints: &Hints,
    named: &[String],
    progress: &Progress<'_>,
) -> SignIn {
    let mut seen = SignIn::default();
    let mut paths: Vec<String> = match &hints.path {
        Some(path) => vec![path.clone()],
        None => PATHS.map(str::to_owned).to_vec(),
    };
    if hints.path.is_none() {
        let others = named.iter().filter(|path| !PATHS.contains(&path.as_str()));
        paths.extend(others.cloned());
    }
    progress("signing in: without a token");
    for path in &paths {
        let outcome = dialer.without_token(path, hints.subprotocol()).await;
        seen.unsigned.insert(path.clone(), outcome);
    }
    // What refuses for want of a token is more likely the path than what knows no such page.
    paths.sort_by_key(|path| match seen.unsigned.get(path) {
        Some(Some(Refused::Status(401 | 403) | Refused::Close(_))) => 0,
        Some(None) => 1,
        Some(Some(Refused::Status(status))) if *status != 404 => 2,
        _ => 3,
    });
    let mut search = Search::new(dialer, hints);
    // Where some path opens or asks for a token, those that know no such page are none.
    let is_page = |path: &String| match seen.unsigned.get(path) {
        Some(Some(Refused::Status(status))) => matches!(status, 400 | 401 | 403 | 426),
        Some(Some(Refused::Close(_)) | None) => true,
        Some(Some(Refused::Dropped(_))) | None => false,
    };
    if paths.iter().any(is_page) {
        paths.retain(is_page);
    }
    if paths.len() >= PATHS.len() && seen.unsigned.values().all(Option::is_none) {
        // Whatever the path, it opens.
        paths.truncate(1);
    }
    for path in &paths {
        let unsigned = seen.unsigned.get(path).and_then(Option::as_ref);
        // What wants a token in the request says no more without one.
        let asks = matches!(unsigned, Some(Refused::Status(401 | 403)));
        if hints.subprotocol().is_none()
            && !asks
            && let Some(subprotocol) = dialer.subprotocol(path).await
            && let Some((entry, also)) = search.by_protocol(path, &subprotocol, progress).await
        {
            (seen.entry, seen.also) = (Some(entry), also);
            break;
        }
        let lets_anybody_in = seen.unsigned.get(path) == Some(&None);
        if let Some((entry, also)) = search.on(path, lets_anybody_in, progress).await {
            (seen.entry, seen.also) = (Some(entry), also);
            break;
        }
    }
    (seen.vain, seen.styles) = (search.vain, search.styles);
    let Some(entry) = seen.entry.clone() else {
        if let Some(path) = paths.iter().find(|path| seen.unsigned.get(*path) == Some(&None)) {
            progress("signing in: how long a connection without a token stays");
            seen.left_unsigned = dialer.leaves(path).await;
        }
        return seen;
    };
    progress("signing in: bad tokens");
    let bad = [
        ("expired", TokenSpec { expires_in: Some(-3600), ..TokenSpec::default() }),
        ("wrong secret", TokenSpec { wrong_secret: true, ..TokenSpec::default() }),
        (
            "no token at all but a word",
            TokenSpec { raw: Some("nonsense".to_owned()), ..TokenSpec::default() },
        ),
    ];
    for (kind, spec) in bad {
        let refused = dialer.open_with(&entry, Person::Owner, spec).await.err();
        seen.refusals.insert(kind, refused);
    }
    let nowhere = Entry { path: "/gatecheck-nowhere".to_owned(), ..entry.clone() };
    seen.elsewhere = dialer.open(&nowhere, Person::Owner).await.err();
    seen.plain_get = super::subject::status_of(&dialer.authority, &entry.path).await;
    seen
}
