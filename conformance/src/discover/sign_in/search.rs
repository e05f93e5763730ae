//! The search for a place of the token and for a form of its claims: what has everything at once is tried, and narrowed where it is accepted.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use scenarios::token::{TokenSpec, TokenStyle};

use super::{Dialer, Entry};
use crate::discover::candidates::{
    Person, Place, SIGN_IN_VERBS, first_messages, generous_message, places, shorter_messages,
};
use crate::discover::protocols::Opening;
use crate::discover::socket::Refused;
use crate::discover::spelling::{shown, without_extras};
use crate::discover::{Hints, Progress, claims, form, graphql};

/// Connections at once.
const AT_ONCE: usize = 12;
/// What no gateway signs in by.
const NONSENSE: &str =
    r#"{"type":"gatecheck:nonsense","event":"gatecheck:nonsense","action":"gatecheck:nonsense"}"#;

/// A search on one gateway.
pub(super) struct Search<'a> {
    dialer: &'a Dialer,
    declared: Option<Place>,
    /// The subprotocol that is offered, and what is sent once it is signed in: as the profile says, or as the gateway has agreed to.
    subprotocol: Option<String>,
    opening: Vec<Opening>,
    /// The form of claims that is given, alone; or else the usual ones.
    single: Vec<TokenStyle>,
    /// Forms that have every claim.
    generous: Vec<TokenStyle>,
    pub(super) vain: BTreeMap<String, BTreeMap<String, usize>>,
    pub(super) styles: usize,
}

/// An attempt that was accepted.
struct Accepted {
    entry: Entry,
    /// Its style as it was tried.
    style: TokenStyle,
}

/// By what an attempt counts as accepted.
#[derive(Default)]
struct Standard {
    lets_anybody_in: bool,
    /// Whether a first message that means nothing is refused, so that silence is an answer.
    refuses_nonsense: bool,
    /// What comes where a first message means nothing: of the same kind, it accepts nothing either.
    after_nonsense: Vec<String>,
}

impl Standard {
    /// How a gateway takes a first message that means nothing.
    fn after(nonsense: Result<Vec<String>, Refused>) -> Self {
        let Ok(said) = nonsense else {
            return Self { lets_anybody_in: true, refuses_nonsense: true, after_nonsense: Vec::new() };
        };
        let refuses_nonsense = said.iter().any(|text| form::is_error(text));
        Self { lets_anybody_in: true, refuses_nonsense, after_nonsense: said }
    }

    /// Whether a text says no more than what comes after nonsense.
    fn means_nothing(&self, text: &str) -> bool {
        let is_alike = |other: &String| match (form::kind(text), form::kind(other)) {
            (Some(kind), Some(other)) => kind == other,
            _ => without_times(text) == without_times(other),
        };
        form::is_error(text) || self.after_nonsense.iter().any(is_alike)
    }
}

impl<'a> Search<'a> {
    pub(super) fn new(dialer: &'a Dialer, hints: &Hints) -> Self {
        let base = dialer.style();
        let (single, generous) = match hints.styles() {
            Some(given) => (given, Vec::new()),
            None => (claims::single(base), claims::generous(base)),
        };
        let allowed =
            |styles: Vec<TokenStyle>| styles.into_iter().filter(|style| hints.allows(style)).collect();
        let (single, generous): (Vec<_>, Vec<_>) = (allowed(single), allowed(generous));
        let styles = single.len() + generous.len();
        Self {
            dialer,
            declared: hints.place(),
            subprotocol: hints.subprotocol().map(str::to_owned),
            opening: hints.opening(),
            single,
            generous,
            vain: BTreeMap::new(),
            styles,
        }
    }

    /// What is accepted on a path whose gateway agrees to the subprotocol of a known protocol: its first message is that protocol's.
    pub(super) async fn by_protocol(
        &mut self,
        path: &str,
        subprotocol: &str,
        progress: &Progress<'_>,
    ) -> Option<(Entry, Vec<TokenStyle>)> {
        progress(&format!("signing in: by `{subprotocol}` on {path}"));
        let declared = self.subprotocol.replace(subprotocol.to_owned());
        // It lets anybody in, and is silent until it grants.
        let standard = &Standard { lets_anybody_in: true, ..Standard::default() };
        let both = [self.single.clone(), self.generous.clone()].concat();
        let mut found = None;
        for message in graphql::generous() {
            let accepted = self.attempt(path, &Place::FirstMessage(message), &both, standard).await;
            if !accepted.is_empty() {
                let (entry, also) = self.narrowed(accepted, standard).await;
                let messages = graphql::first_messages().into_iter().map(Place::FirstMessage).collect();
                found = Some((self.plainest(entry, messages, standard).await, also));
                break;
            }
        }
        if found.is_none() {
            self.subprotocol = declared;
        }
        found
    }

    /// What is accepted on a path: the first form that the gateway's first message confirms, or else the first; and the other forms.
    pub(super) async fn on(
        &mut self,
        path: &str,
        lets_anybody_in: bool,
        progress: &Progress<'_>,
    ) -> Option<(Entry, Vec<TokenStyle>)> {
        let standard = match lets_anybody_in {
            true => Standard::after(self.dialer.after(path, NONSENSE).await),
            false => Standard::default(),
        };
        let standard = &standard;
        let (single, generous) = (self.single.clone(), self.generous.clone());
        let both = [single.clone(), generous.clone()].concat();
        if let Some(place) = self.declared.clone() {
            progress(&format!("signing in: where the profile says, on {path}"));
            let accepted = self.attempt(path, &place, &both, standard).await;
            if !accepted.is_empty() {
                return Some(self.narrowed(accepted, standard).await);
            }
        }
        // What asks for nothing at the upgrade may wait for a first message.
        if lets_anybody_in {
            progress(&format!("signing in: by a first message on {path}"));
            let found = self.by_message(path, &both, standard, |verb| vec![generous_message(verb)]).await;
            if found.is_some() {
                return found;
            }
            if self.were_too_long() {
                progress(&format!("signing in: by a shorter first message on {path}"));
                let found = self.by_message(path, &both, standard, shorter_messages).await;
                if found.is_some() {
                    return found;
                }
            }
        }
        progress(&format!("signing in: each place of a token on {path}"));
        for place in places() {
            let accepted = self.attempt(path, &place, &single, standard).await;
            if !accepted.is_empty() {
                return Some(self.narrowed(accepted, standard).await);
            }
        }
        progress(&format!("signing in: each place, with tokens that have every claim, on {path}"));
        for place in places() {
            let accepted = self.attempt(path, &place, &generous, standard).await;
            if !accepted.is_empty() {
                return Some(self.narrowed(accepted, standard).await);
            }
        }
        None
    }

    /// What is accepted on a path by a first message, of those that there are for each verb.
    async fn by_message(
        &mut self,
        path: &str,
        styles: &[TokenStyle],
        standard: &Standard,
        messages: impl Fn(&str) -> Vec<String>,
    ) -> Option<(Entry, Vec<TokenStyle>)> {
        for verb in SIGN_IN_VERBS {
            for message in messages(verb) {
                let accepted = self.attempt(path, &Place::FirstMessage(message), styles, standard).await;
                if !accepted.is_empty() {
                    let (entry, also) = self.narrowed(accepted, standard).await;
                    let messages = first_messages(verb).into_iter().map(Place::FirstMessage).collect();
                    return Some((self.plainest(entry, messages, standard).await, also));
                }
            }
        }
        None
    }

    /// Whether a message was refused for its length.
    fn were_too_long(&self) -> bool {
        let code = protocol::CloseCode::TOO_BIG.to_string();
        self.vain.values().any(|answers| answers.keys().any(|answer| answer.contains(&code)))
    }

    /// Attempts with each style; they know nothing of each other, and mostly wait.
    async fn attempt(
        &mut self,
        path: &str,
        place: &Place,
        styles: &[TokenStyle],
        standard: &Standard,
    ) -> Vec<Accepted> {
        let mut accepted = Vec::new();
        let place_of = |style: &TokenStyle| Entry {
            path: path.to_owned(),
            place: place.clone(),
            claims: style.clone(),
            subprotocol: self.subprotocol.clone(),
            opening: self.opening.clone(),
            is_confirmed: false,
        };
        for styles in styles.chunks(AT_ONCE) {
            let dialer = self.dialer;
            let tried = join_all(styles.iter().map(|style| try_one(dialer, place_of(style), standard))).await;
            for (style, tried) in styles.iter().zip(tried) {
                match tried {
                    Ok(entry) => accepted.push(Accepted { entry, style: style.clone() }),
                    Err(answer) => {
                        let answers = self.vain.entry(format!("{path}, {place}")).or_default();
                        *answers.entry(answer).or_default() += 1;
                    }
                }
            }
        }
        accepted
    }

    /// The best of what was accepted, where it has every claim with those alone that are read; and the forms of the others.
    async fn narrowed(&mut self, accepted: Vec<Accepted>, standard: &Standard) -> (Entry, Vec<TokenStyle>) {
        let is_single = |accepted: &&Accepted| !self.generous.contains(&accepted.style);
        let confirmed = accepted.iter().filter(is_single).find(|accepted| accepted.entry.is_confirmed);
        let best = confirmed
            .or_else(|| accepted.iter().find(|accepted| accepted.entry.is_confirmed))
            .or_else(|| accepted.iter().find(is_single))
            .unwrap_or(&accepted[0]);
        let singles = accepted.iter().filter(is_single).map(|other| other.style.clone());
        let also = singles.filter(|other| *other != best.style).collect();
        let entry = best.entry.clone();
        if is_single(&best) {
            return (entry, also);
        }
        let vain = self.vain.clone();
        let base = self.dialer.style().clone();
        let users = claims::one_user(&entry.claims, &base);
        let users = self.attempt(&entry.path, &entry.place, &users, standard).await;
        let one = users.iter().find(|one| one.entry.is_confirmed).or(users.first());
        let Some(one) = one.map(|one| one.entry.clone()) else { return (entry, also) };
        let roles = claims::one_role(&one.claims, &base);
        let roles = self.attempt(&entry.path, &entry.place, &roles, standard).await;
        self.vain = vain;
        let Some(role) = roles.first() else { return (one, also) };
        (Entry { claims: claims::plainly(role.entry.claims.clone()), ..role.entry.clone() }, also)
    }

    /// The first of these places that is accepted, or the entry as it is.
    async fn plainest(&self, entry: Entry, places: Vec<Place>, standard: &Standard) -> Entry {
        for places in places.chunks(AT_ONCE) {
            let entries = places.iter().map(|place| Entry { place: place.clone(), ..entry.clone() });
            let tried = join_all(entries.map(|entry| try_one(self.dialer, entry, standard))).await;
            if let Some(found) = tried.into_iter().find_map(Result::ok) {
                return found;
            }
        }
        entry
    }
}

/// The entry, where it is accepted; or else what was answered.
async fn try_one(dialer: &Dialer, entry: Entry, standard: &Standard) -> Result<Entry, String> {
    let heard = dialer.heard(&entry, Person::Owner, TokenSpec::default()).await;
    let (_socket, said, ended) = heard.map_err(|refused| refused.to_string())?;
    let refusal = said.iter().find(|text| form::is_error(text)).or(said.first());
    let refusal = refusal.filter(|text| standard.means_nothing(text)).map(|text| without_times(text));
    if let Some(ended) = ended {
        return Err(refusal.map_or_else(|| ended.to_string(), |text| format!("{text}, then {ended}")));
    }
    let id = entry.id_text(Person::Owner);
    let meant = said.iter().filter(|text| !standard.means_nothing(text));
    let is_confirmed = meant.clone().any(|text| text.contains(&id));
    let is_message = matches!(entry.place, Place::FirstMessage(_));
    // One that lets anybody in accepts nothing by that alone.
    let is_refused = said.iter().any(|text| form::is_error(text));
    let by_message = is_message && !is_refused && (meant.count() > 0 || standard.refuses_nonsense);
    if is_confirmed || !standard.lets_anybody_in || by_message {
        return Ok(Entry { is_confirmed, ..entry });
    }
    Err(refusal.unwrap_or_else(|| "nothing: it stays open as it does without a token".to_owned()))
}

/// An answer without its times: the same one has the same text, whenever it came.
fn without_times(text: &str) -> String {
    match form::parsed(text) {
        Some((prefix, value)) => shown(&format!("{prefix}{}", without_extras(value))),
        None => shown(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A refusal that is not called one was taken for the answer to a sign-in, and 46 seconds went by on connections that had not signed in.
    #[test]
    fn what_answers_nonsense_signs_no_one_in() {
        let refused = r#"{"action":"fault","body":{"reason":"enter first"}}"#.to_owned();
        let standard = Standard::after(Ok(vec![refused]));
        assert!(standard.lets_anybody_in && !standard.refuses_nonsense, "it is not known as a refusal");
        assert!(standard.means_nothing(r#"{"action":"fault","body":{"reason":"not a frame"}}"#));
        assert!(!standard.means_nothing(r#"{"action":"admitted","body":{"you":17}}"#));
        let error = Standard::after(Ok(vec![r#"{"type":"error","payload":{}}"#.to_owned()]));
        assert!(error.refuses_nonsense && Standard::after(Err(Refused::Close(Some(4401)))).refuses_nonsense);
        let plain = Standard::after(Ok(vec!["hello at 1".to_owned()]));
        assert!(plain.means_nothing("hello at 1") && !plain.means_nothing("welcome, ann"));
        assert!(plain.means_nothing(r#"{"type":"error","payload":{}}"#), "an error is one anywhere");
    }
}
