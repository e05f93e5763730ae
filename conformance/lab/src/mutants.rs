//! Mutants of the reference pair: what a team might really have got wrong, as small changes to what crosses its boundary.
//!
//! The suite is judged by them: each must be killed by a case that fails in the name of the requirement which the mutant
//! breaks. The pair itself is not touched.

mod auth;
mod bridge;
mod connection;
mod delays;
mod endings;
mod failures;
mod feed;
mod heartbeat;
mod hooks;
mod keys;
mod life;
mod lines;
mod listeners;
mod message;
pub mod process;
mod queue;
mod rooms;
mod session;
mod timing;
mod token;
mod websocket;
mod wire;

use sim::boundary::Boundary;

/// One mutant.
#[derive(Clone, Copy)]
pub struct Mutant {
    /// Its name: the half of the pair that it is one of, and what that does.
    pub id: &'static str,
    /// The requirement that it breaks.
    pub requirement: &'static str,
    /// What went wrong, in a sentence.
    pub about: &'static str,
    /// What it changes; made anew for each play.
    pub boundary: fn() -> Boundary,
}

/// A mutant of the gateway's command line: what cannot be simulated is played over sockets, pairs above all.
#[derive(Clone, Copy)]
pub struct CommandMutant {
    /// Its name.
    pub id: &'static str,
    /// The requirement that it breaks.
    pub requirement: &'static str,
    /// What went wrong, in a sentence.
    pub about: &'static str,
    /// An option of the reference gateway's command, and its value there.
    pub option: [&'static str; 2],
}

impl CommandMutant {
    /// Puts the option into a command, in the place of the same one.
    pub fn change(&self, words: &mut Vec<String>) {
        let [name, value] = self.option.map(str::to_owned);
        match words.iter().position(|word| *word == name) {
            Some(at) => words[at + 1] = value,
            None => words.extend([name, value]),
        }
    }
}

/// Mutants that need sockets: what they change is the gateway's own command.
pub const COMMANDS: &[CommandMutant] = &[
    CommandMutant {
        id: "gateway/binds-payments-only",
        requirement: "BRIDGE-1",
        about: "The queue is bound to some of the events.",
        option: ["--binding", "payment.#"],
    },
    CommandMutant {
        id: "pair/another-key",
        requirement: "PAIR-1",
        about: "The gateway reads what is subscribed to under another key than the client writes.",
        option: ["--dialect", r#"{"subscribe":{"event_type":"topic","room":"topic"}}"#],
    },
    CommandMutant {
        id: "pair/wrapped-events",
        requirement: "PAIR-2",
        about: "The gateway wraps its events in a message that the client does not know.",
        option: ["--dialect", "enveloped"],
    },
    CommandMutant {
        id: "pair/binds-profiles-only",
        requirement: "PAIR-3",
        about: "The routing keys of payments match no binding of the gateway's queue.",
        option: ["--binding", "profile.#"],
    },
    CommandMutant {
        id: "pair/slow-heartbeat",
        requirement: "PAIR-4",
        about: "The gateway notices a silent network long after the client.",
        option: ["--ping-interval", "60s"],
    },
    CommandMutant {
        id: "pair/another-owner",
        requirement: "PAIR-8",
        about: "The gateway looks for an event's owner under a key that the event does not have.",
        option: ["--dialect", r#"{"user_key":"owner"}"#],
    },
    CommandMutant {
        id: "pair/another-refusal",
        requirement: "PAIR-5",
        about: "The gateway refuses tokens by a close code that the client does not take for a refusal.",
        option: ["--dialect", r#"{"refusal":"close-4000"}"#],
    },
];

/// Every mutant, gateways first.
pub fn all() -> Vec<Mutant> {
    let gateway = [
        auth::MUTANTS,
        keys::MUTANTS,
        connection::MUTANTS,
        rooms::MUTANTS,
        message::MUTANTS,
        heartbeat::MUTANTS,
        bridge::MUTANTS,
    ];
    let client = [
        life::MUTANTS,
        session::MUTANTS,
        endings::MUTANTS,
        delays::MUTANTS,
        failures::MUTANTS,
        timing::MUTANTS,
        queue::MUTANTS,
        token::MUTANTS,
        listeners::MUTANTS,
        websocket::MUTANTS,
        hooks::MUTANTS,
    ];
    gateway.into_iter().chain(client).flatten().copied().collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use scenarios::{Catalogue, Library, SubjectKind};

    /// There is at least one for every requirement, each with a name of its own; what a simulated mutant breaks, a simulated case
    /// shows.
    #[test]
    fn every_requirement_has_a_mutant() {
        let (catalogue, library) = (Catalogue::builtin(), Library::builtin().unwrap());
        let mutants = all();
        let names: BTreeSet<_> = mutants.iter().map(|mutant| mutant.id).collect();
        assert_eq!(names.len(), mutants.len());
        let simulated: BTreeSet<_> = library
            .select(&[])
            .unwrap()
            .into_iter()
            .filter(|scenario| scenario.simulated)
            .flat_map(|scenario| {
                scenario.requirements().into_iter().map(move |id| (id.to_string(), scenario.subject()))
            })
            .collect();
        for mutant in &mutants {
            let subject =
                if mutant.id.starts_with("client/") { SubjectKind::Client } else { SubjectKind::Gateway };
            assert!(simulated.contains(&(mutant.requirement.to_owned(), subject)), "{}", mutant.id);
        }
        let broken: BTreeSet<_> = mutants.iter().map(|mutant| mutant.requirement).collect();
        // No pair is simulated: what breaks one is played over sockets.
        for rule in catalogue.iter() {
            let id = rule.id.to_string();
            let on_sockets = COMMANDS.iter().any(|mutant| mutant.requirement == id)
                || process::PROCESSES.iter().any(|mutant| mutant.requirement == id);
            assert!(on_sockets || broken.contains(id.as_str()), "no mutant breaks {id}");
        }
    }

    /// The README and the changelog count them right.
    #[test]
    fn mutants_are_counted() {
        let counted = format!(
            "{} mutants of the reference pair",
            all().len() + COMMANDS.len() + process::PROCESSES.len()
        );
        for text in [include_str!("../../../README.md"), include_str!("../../../CHANGELOG.md")] {
            assert!(text.contains(&counted), "{counted}");
        }
    }
}
