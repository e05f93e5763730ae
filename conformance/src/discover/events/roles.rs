//! What makes an administrator, where a gateway lets users in whatever role they have: others are signed in, and say what they get.

use std::collections::BTreeMap;

use futures_util::future::join_all;
use scenarios::token::TokenStyle;

use super::field::Field;
use super::search::{Form, Published};
use super::{Candidate, DELIVERS_WITHIN, Events, QUIET};
use crate::discover::DiscoverError;
use crate::discover::candidates::Person;
use crate::discover::claims;
use crate::discover::sign_in::{Entry, Opened};
use crate::profile::Audience;

/// Administrators at once.
const AT_ONCE: usize = 12;

impl Field<'_> {
    /// The form of claims with which an administrator gets what reached no one; those events are events for a role.
    pub(super) async fn role(
        &mut self,
        candidates: &[Candidate],
        forms: &BTreeMap<&str, Form>,
        seen: &mut Events,
    ) -> Result<(), DiscoverError> {
        let is_open = |candidate: &&Candidate| seen.unreached.contains(&candidate.route.routing_key);
        let open: Vec<&Candidate> = candidates.iter().filter(is_open).collect();
        if open.is_empty() {
            return Ok(());
        }
        for styles in claims::other_roles(&self.entry.claims).chunks(AT_ONCE) {
            let (dialer, entry) = (&self.dialer, self.entry);
            let opened = join_all(styles.iter().map(|style| {
                let entry = Entry { claims: style.clone(), ..entry.clone() };
                async move { dialer.open(&entry, Person::Admin).await.ok() }
            }));
            let mut admins: Vec<(&TokenStyle, Opened)> = styles
                .iter()
                .zip(opened.await)
                .filter_map(|(style, opened)| Some((style, opened?)))
                .collect();
            let mut batch: Vec<Published<'_>> = Vec::new();
            for candidate in &open {
                let Some((number, body)) = forms.get(candidate.route.exchange.as_str()) else { continue };
                let Some(name) = candidate.names.get(*number) else { continue };
                batch.push(self.published(candidate, name, body));
            }
            let outgoing: Vec<_> = batch.iter().map(Published::outgoing).collect();
            self.send(&outgoing).await?;
            let listening =
                admins.iter_mut().map(|(_, opened)| opened.socket.texts(QUIET * 2, DELIVERS_WITHIN));
            let frames = join_all(listening).await;
            for ((style, opened), texts) in admins.into_iter().zip(frames) {
                let nothing = Vec::new;
                let frames = [nothing(), nothing(), texts, nothing()];
                let events: Vec<_> =
                    batch.iter().filter_map(|published| published.arrived(&frames)).collect();
                if events.iter().any(|event| event.audience == Some(Audience::Role)) {
                    seen.unreached.retain(|key| events.iter().all(|event| event.routing_key != *key));
                    seen.events.extend(events);
                    seen.roles = Some(style.clone());
                    seen.first_of_admin = opened.said;
                    return Ok(());
                }
            }
        }
        Ok(())
    }
}
