//! Events that are for certain clients: a scenario says for which, and the gateway's own events say how.
//!
//! ```text
//!  publish = { to = ["alice", "bob"] }      an event for everybody      one, for both
//!  wait = { client = "alice",               its owner's                 one for each user
//!           receives = "its event" }        a role's                    one, for administrators; the clients become some
//!                                           a room's subscribers'       one; each client joins as it connects
//!                                           none that fits              alice answers for bob: a ping of bob's is answered after that
//! ```
//!
//! Which of these it is, each client has for the whole case: the first that fits. Such events have a key of their own, so that
//! one can be told from another of its type that is what the case is about.

mod realisation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::realisation::{Means, Missing};
use super::step::{GatewayAction, Publication, ScriptedClientAct, Step, Wait, Waits};
use super::{Connect, GatewayScript, Scenario, Script};
use crate::audience::{Audience, Audiences};
use crate::gap::NotPlayed;
use crate::label::Label;
use crate::pattern::{Pattern, merge};
use crate::requirement::RequirementId;
use crate::times::Expr;
use protocol::{Role, Target};

/// The key by which such an event is told from others.
const MARK: &str = "addressed";
/// Where scenarios have the owner in an event's data.
pub(in crate::scenario) const OWNER: &str = "userId";
/// How long an event may take to a client that should not get it, where nothing that comes to it later can show that it does not.
const WITHOUT_EVENT: &str = "300ms";

impl Scenario {
    /// The scenario with the events of a gateway in place of those that are for certain clients, and without what is optional
    /// and not there.
    ///
    /// # Errors
    /// When the gateway has none that fits: all that its profile would have to declare.
    pub fn addressed(&self, audiences: &Audiences) -> Result<Self, NotPlayed> {
        let mut scenario = self.clone();
        let shown = self.requirements();
        let Script::Gateway(script) = &mut scenario.script else { return Ok(scenario) };
        let missing = realisation::missing(script, audiences);
        let means = realisation::means(script, self.needs_roles(), audiences);
        match (&means, missing.is_empty()) {
            (Ok(_), true) => {}
            (Ok(_), false) => return Err(Missing::gap(missing, audiences)),
            (Err(more), _) => return Err(Missing::gap(missing.into_iter().chain([more.clone()]), audiences)),
        }
        let means = means.unwrap_or_default();
        drop_optional(script, audiences);
        let admins = admins(script);
        // What is for administrators too may come to them.
        scenario.expectations.retain_mut(|expectation| {
            expectation.forbidden_mut().is_none_or(|pattern| {
                let is_admin =
                    pattern.client().is_some_and(|client| admins.iter().any(|admin| admin == client));
                !is_admin || pattern.forget_types(|kind| audiences.is_shared(kind))
            })
        });
        if means.is_empty() {
            return Ok(scenario);
        }
        let kinds: BTreeSet<&'static str> = means.values().filter_map(Means::kind).collect();
        let kinds: Vec<_> = kinds.into_iter().collect();
        let labels = Labels { shown, means: &means };
        if means.values().any(|means| matches!(means, Means::Role(_))) && admins.is_empty() {
            script.clients.values_mut().for_each(|client| client.role = Role::Admin);
        }
        let mut pings = BTreeMap::new();
        let mut steps: Vec<Step<GatewayAction>> = first_requests(script, &means).collect();
        for mut step in std::mem::take(&mut script.steps) {
            let is_addressed = step.action.patterns().into_iter().any(Pattern::is_addressed);
            if is_addressed && step.label.is_none() {
                step.label = labels.of(&step.action);
            }
            count_pings(&step.action, &mut pings);
            step.action.patterns_mut().into_iter().for_each(|pattern| realise(pattern, &means, &kinds));
            match &step.action {
                GatewayAction::Publish {
                    publication: Publication::Addressed { to, data, count, routing_key },
                    until,
                    ..
                } => {
                    let parts = publications(to, data, (*count, routing_key.as_deref()), &means);
                    steps.extend(parts.into_iter().map(|(publication, clients)| {
                        let of = |pattern: &&Pattern| {
                            pattern.client().is_none_or(|client| clients.contains(&client))
                        };
                        let until = until.iter().filter(of).cloned().collect();
                        let action = GatewayAction::Publish { publication, until, optional: false };
                        Step { action, label: step.label.clone() }
                    }));
                }
                GatewayAction::Wait(Wait { pattern, .. })
                    if is_addressed
                        && pattern.client().is_some_and(|name| means.get(name) == Some(&Means::None)) =>
                {
                    let client = pattern.client().unwrap_or_default().to_owned();
                    steps.extend(answered_ping(&client, &labels, &mut pings));
                }
                GatewayAction::ScriptedClient(client, ScriptedClientAct::Connect) => {
                    let request = means.get(client).and_then(|means| means.request(client));
                    steps.push(step);
                    steps.extend(request);
                }
                _ => steps.push(step),
            }
        }
        script.steps = steps;
        for expectation in &mut scenario.expectations {
            if expectation.is_addressed()
                && let Some(client) = expectation.client().map(str::to_owned)
                && let Some((kind, marks)) = means[&client].marks(&client)
            {
                expectation.address(kind, &marks);
            }
            expectation.patterns_mut().for_each(|pattern| realise(pattern, &means, &kinds));
        }
        Ok(scenario)
    }

    /// Whether it has events that are for certain clients.
    pub fn is_addressed(&self) -> bool {
        let Script::Gateway(script) = &self.script else { return false };
        script.steps.iter().any(|step| !step.action.addressees().is_empty())
    }
}

/// What waits for such events rest on.
struct Labels<'a> {
    shown: Vec<RequirementId>,
    means: &'a BTreeMap<String, Means>,
}

impl Labels<'_> {
    fn of(&self, action: &GatewayAction) -> Option<Label> {
        let client = action.patterns().into_iter().find_map(Pattern::client);
        let means = match client {
            Some(client) => self.means.get(client),
            None => self.means.values().next(),
        };
        let id = means?.audience().map_or("MSG-2", Audience::promised_by);
        Some(self.on(id))
    }

    /// A precondition, where it is not what the case is about.
    fn on(&self, id: &str) -> Label {
        let id: RequirementId = id.parse().expect("a requirement of the catalogue");
        if self.shown.contains(&id) { Label::Shows(id) } else { Label::Requires(id) }
    }
}

/// What a pattern looks for, once it is known what the events are.
fn realise(pattern: &mut Pattern, means: &BTreeMap<String, Means>, kinds: &[&'static str]) {
    let client = pattern.client().map(str::to_owned);
    if pattern.is_addressed() {
        match client.as_ref().map(|client| (client, &means[client])) {
            Some((client, means)) => {
                if let Some((kind, marks)) = means.marks(client) {
                    pattern.address(&[kind], &marks);
                }
            }
            None => pattern.address(kinds, &json!({ MARK: "{case}" })),
        }
        return;
    }
    pattern.pass_over(kinds, MARK);
    let joined = client.and_then(|client| means.get(&client)).and_then(Means::room);
    joined.into_iter().for_each(|room| pattern.pass_over_room(room));
}

/// What is published for these clients, and whom each is for.
fn publications<'a>(
    to: &'a [String],
    data: &Value,
    (count, routing_key): (u32, Option<&str>),
    means: &BTreeMap<String, Means>,
) -> Vec<(Publication, Vec<&'a str>)> {
    let mut parts = Vec::<(Value, Publication, Vec<&'a str>)>::new();
    for client in to {
        let Some((kind, marks)) = means[client].marks(client) else { continue };
        let same = json!([kind, marks]);
        if let Some((_, _, clients)) = parts.iter_mut().find(|(known, ..)| *known == same) {
            clients.push(client);
            continue;
        }
        let mut data = data.clone();
        merge(&mut data, &marks);
        let publication = match routing_key {
            None => Publication::Events { kind: kind.to_owned(), data, count },
            Some(key) => {
                let body = json!({ "type": kind, "data": data }).to_string();
                Publication::Body { body, routing_key: key.to_owned() }
            }
        };
        parts.push((same, publication, vec![client]));
    }
    parts.into_iter().map(|(_, publication, clients)| (publication, clients)).collect()
}

/// The requests of those that are connected from the start.
fn first_requests(
    script: &GatewayScript,
    means: &BTreeMap<String, Means>,
) -> impl Iterator<Item = Step<GatewayAction>> {
    let at_start = |name: &String| script.clients[name].connect == Connect::Start;
    means.iter().filter(move |(name, _)| at_start(name)).filter_map(|(name, means)| means.request(name))
}

/// That a client that no event is for is served after the others have got theirs.
fn answered_ping(
    client: &str,
    labels: &Labels<'_>,
    pings: &mut BTreeMap<String, u32>,
) -> [Step<GatewayAction>; 3] {
    let count = pings.entry(client.to_owned()).or_default();
    *count += 1;
    let act = |act| Step { action: GatewayAction::ScriptedClient(client.to_owned(), act), label: None };
    let pattern = Pattern::receives(client, "pong");
    let times = Expr::parse(&count.to_string()).ok();
    let pause = Expr::parse(WITHOUT_EVENT).expect("a time");
    let wait = GatewayAction::Wait(Wait { pattern, times, within: None });
    [
        Step { action: GatewayAction::Quiet(pause), label: None },
        act(ScriptedClientAct::Ping),
        Step { action: wait, label: Some(labels.on("MSG-2")) },
    ]
}

fn count_pings(action: &GatewayAction, pings: &mut BTreeMap<String, u32>) {
    if let GatewayAction::ScriptedClient(client, ScriptedClientAct::Ping) = action {
        *pings.entry(client.clone()).or_default() += 1;
    }
}

fn drop_optional(script: &mut GatewayScript, audiences: &Audiences) {
    script.steps.retain(|step| match &step.action {
        GatewayAction::Publish { publication: Publication::Events { kind, .. }, optional: true, .. } => {
            audiences.declares(kind)
        }
        _ => true,
    });
}

fn admins(script: &GatewayScript) -> Vec<String> {
    let admins = script.clients.iter().filter(|(_, spec)| spec.role == Role::Admin);
    admins.map(|(name, _)| name.clone()).collect()
}

impl Means {
    /// The type of the event that reaches a client, and what marks it.
    fn marks(&self, client: &str) -> Option<(&'static str, Value)> {
        let kind = self.kind()?;
        Some(match self {
            Self::Owner { user, .. } => {
                let user = user.as_deref().unwrap_or(client);
                (kind, json!({ MARK: "{case}", OWNER: format!("{{{user}}}") }))
            }
            _ => (kind, json!({ MARK: "{case}" })),
        })
    }

    /// The room that a client joins for it, where that is not by itself.
    fn room(&self) -> Option<&'static str> {
        match self {
            Self::Subscribers(kind) => Some(kind),
            _ => None,
        }
    }

    fn request(&self, client: &str) -> Option<Step<GatewayAction>> {
        let target = Target::Room(self.room()?.to_owned());
        let action = GatewayAction::ScriptedClient(client.to_owned(), ScriptedClientAct::Subscribe(target));
        Some(Step { action, label: None })
    }
}
