//! Where a gateway accepts a token, how that must name its user, and how one that it does not accept is refused.

use std::collections::BTreeMap;
use std::time::Duration;

use futures_util::future::join_all;
use protocol::Role;
use scenarios::token::{Bearer, Issuer, TokenSpec};
use serde_json::Value;

use super::candidates::{CLAIM_FORMS, ClaimForm, FIRST_MESSAGES, PATHS, Person, Place, places};
use super::socket::{Refused, Seen, Socket};
use super::{Hints, Progress, form, unix_s};

/// How long a connection that opens must live to count as accepted.
const STAYS_FOR: Duration = Duration::from_millis(350);

/// How a gateway is signed in to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// The path that upgrades.
    pub path: String,
    /// Where the token travels.
    pub place: Place,
    /// How it names its user.
    pub claims: ClaimForm,
    /// Whether the first message named the user, so that the claim is surely read.
    pub is_confirmed: bool,
}

/// What was seen of signing in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SignIn {
    /// What works; none where nothing did.
    pub entry: Option<Entry>,
    /// Other forms of claims that are accepted, too.
    pub also: Vec<ClaimForm>,
    /// What became of an attempt without a token on each path; none where it was let in.
    pub unsigned: BTreeMap<String, Option<Refused>>,
    /// How a token of each bad kind is refused; none where it is accepted.
    pub refusals: BTreeMap<&'static str, Option<Refused>>,
    /// What a path that is none answers to a good token.
    pub elsewhere: Option<Refused>,
    /// What a plain GET on the path answers.
    pub plain_get: Option<u16>,
}

/// Signs in to one gateway.
#[derive(Clone)]
pub(super) struct Door {
    pub(super) authority: String,
    /// Who signs its tokens.
    pub(super) issuer: Issuer,
}

/// What an attempt came to: a connection that stays, and what it said meanwhile.
pub(super) struct Opened {
    pub(super) socket: Socket,
    pub(super) said: Vec<String>,
}

impl Door {
    /// A token for a person.
    fn token(&self, person: Person, form: ClaimForm, spec: TokenSpec) -> String {
        let id = person.id(form.kind);
        let mut spec = spec;
        if form.claim != "userId" {
            spec.without.push("userId".to_owned());
        }
        spec.claims.insert(form.claim.to_owned(), id);
        // A claim that is left out is left out whether or not it was replaced.
        let role = if person == Person::Admin { Role::Admin } else { Role::Customer };
        let bearer = Bearer { user_id: "unused", email: "gc@example.org", role };
        spec.mint(&bearer, &self.issuer, unix_s()).unwrap_or_default()
    }

    /// Opens a connection for a person, and waits until it has stayed.
    pub(super) async fn open(&self, entry: &Entry, person: Person) -> Result<Opened, Refused> {
        self.open_with(entry, person, TokenSpec::default()).await
    }

    async fn open_with(&self, entry: &Entry, person: Person, spec: TokenSpec) -> Result<Opened, Refused> {
        let raw = spec.raw.clone();
        let token = raw.unwrap_or_else(|| self.token(person, entry.claims, spec));
        let (path, in_request) = match &entry.place {
            Place::Request(place) => (entry.path.clone(), Some((place.clone(), token.clone()))),
            Place::FirstMessage(_) => (entry.path.clone(), None),
        };
        let mut socket = Socket::dial(&self.authority, &path, in_request).await?;
        if let Place::FirstMessage(template) = &entry.place {
            socket.send(&template.replace("{token}", &token)).await;
        }
        stays(socket).await
    }

    async fn without_token(&self, path: &str) -> Option<Refused> {
        match Socket::dial(&self.authority, path, None).await {
            Ok(socket) => stays(socket).await.err(),
            Err(refused) => Some(refused),
        }
    }
}

/// Waits until a connection has stayed open for a while; what the gateway says meanwhile is kept.
async fn stays(mut socket: Socket) -> Result<Opened, Refused> {
    let mut said = Vec::new();
    for seen in socket.listen(STAYS_FOR, STAYS_FOR * 3).await {
        match seen {
            Seen::Text(text) => said.push(text),
            Seen::Close(code) => return Err(Refused::Close(code)),
            Seen::End => return Err(Refused::Close(None)),
            Seen::Binary | Seen::Ping | Seen::Pong => {}
        }
    }
    Ok(Opened { socket, said })
}

/// Tries each path, place and form of claims until one is accepted.
pub(super) async fn observe(door: &Door, hints: &Hints, progress: &Progress<'_>) -> SignIn {
    let mut seen = SignIn::default();
    let mut paths: Vec<String> = match &hints.path {
        Some(path) => vec![path.clone()],
        None => PATHS.map(str::to_owned).to_vec(),
    };
    let declared = hints.profile.as_ref().map(|profile| Place::declared(&profile.dialect));
    progress("signing in: without a token");
    for path in &paths {
        let outcome = door.without_token(path).await;
        seen.unsigned.insert(path.clone(), outcome);
    }
    // What refuses for want of a token is more likely the path than what knows no such page.
    paths.sort_by_key(|path| match seen.unsigned.get(path) {
        Some(Some(Refused::Status(401 | 403) | Refused::Close(_))) => 0,
        Some(None) => 1,
        Some(Some(Refused::Status(status))) if *status != 404 => 2,
        _ => 3,
    });
    for path in &paths {
        progress(&format!("signing in: each place of a token on {path}"));
        let lets_anybody_in = seen.unsigned.get(path) == Some(&None);
        if let Some((entry, also)) = on_path(door, path, declared.as_ref(), lets_anybody_in).await {
            (seen.entry, seen.also) = (Some(entry), also);
            break;
        }
    }
    let Some(entry) = seen.entry.clone() else { return seen };
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
        let refused = door.open_with(&entry, Person::Owner, spec).await.err();
        seen.refusals.insert(kind, refused);
    }
    let nowhere = Entry { path: "/gatecheck-nowhere".to_owned(), ..entry.clone() };
    seen.elsewhere = door.open(&nowhere, Person::Owner).await.err();
    seen.plain_get = super::subject::status_of(&door.authority, &entry.path).await;
    seen
}

/// What is accepted on a path: the first form that the gateway's first message confirms, or else the first.
async fn on_path(
    door: &Door,
    path: &str,
    declared: Option<&Place>,
    lets_anybody_in: bool,
) -> Option<(Entry, Vec<ClaimForm>)> {
    let mut accepted: Vec<Entry> = Vec::new();
    let first_messages = FIRST_MESSAGES.map(|text| Place::FirstMessage(text.to_owned()));
    let places = declared
        .cloned()
        .into_iter()
        .chain(places())
        .chain(first_messages.into_iter().filter(|_| lets_anybody_in));
    for place in places {
        // Attempts know nothing of each other, and mostly wait.
        let attempts = CLAIM_FORMS.map(|claims| {
            let entry = Entry { path: path.to_owned(), place: place.clone(), claims, is_confirmed: false };
            async move {
                let opened = door.open(&entry, Person::Owner).await.ok()?;
                let id = Person::Owner.id(claims.kind);
                let is_confirmed = opened.said.iter().any(|text| names(text, &id));
                let answers = opened.said.iter().any(|text| !form::is_error(text));
                let by_answer = matches!(entry.place, Place::FirstMessage(_)) && answers;
                // One that lets anybody in accepts nothing by that alone.
                let is_accepted = is_confirmed || !lets_anybody_in || by_answer;
                is_accepted.then_some(Entry { is_confirmed, ..entry })
            }
        });
        accepted.extend(join_all(attempts).await.into_iter().flatten());
        if !accepted.is_empty() {
            break;
        }
    }
    let best = accepted.iter().position(|entry| entry.is_confirmed).unwrap_or(0);
    let entry = accepted.get(best)?.clone();
    let others = accepted.into_iter().map(|other| other.claims);
    let also = others.filter(|claims| *claims != entry.claims).collect();
    Some((entry, also))
}

/// Whether a text names a user by this id.
fn names(text: &str, id: &Value) -> bool {
    match id {
        Value::String(id) => text.contains(id.as_str()),
        id => text.contains(&id.to_string()),
    }
}
