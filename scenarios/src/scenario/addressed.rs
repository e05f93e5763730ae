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
//! Which of these it is, each client has for the whole case: the first that fits, or, where it has `every_event`, each that does, since
//! events of one audience may come through other queues than those of another. Such events have a key of their own, so that one can be
//! told from another of its type that is what the case is about.

mod realisation;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use self::realisation::{AllMeans, Means, Missing};
use super::step::{GatewayAction, Publication, ScriptedClientAct, Step, Wait, Waits};
use super::{Connect, GatewayScript, Scenario, Script};
use crate::audience::Audiences;
use crate::expect::Expectation;
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
        let realised = Realised { shown, means };
        if realised.all().any(|means| matches!(means, Means::Role(_))) && admins.is_empty() {
            script.clients.values_mut().for_each(|client| client.role = Role::Admin);
        }
        let mut pings = BTreeMap::new();
        let mut steps: Vec<_> = first_requests(script, &realised).collect();
        for step in std::mem::take(&mut script.steps) {
            count_pings(&step.action, &mut pings);
            steps.extend(realised.steps(step, &mut pings));
        }
        script.steps = steps;
        scenario.expectations =
            scenario.expectations.iter().flat_map(|expectation| realised.expectations(expectation)).collect();
        Ok(scenario)
    }

    /// Whether it has events that are for certain clients.
    pub fn is_addressed(&self) -> bool {
        let Script::Gateway(script) = &self.script else { return false };
        script.steps.iter().any(|step| !step.action.addressees().is_empty())
    }
}

/// By which events the clients of a scenario are reached, and what it shows.
struct Realised {
    shown: Vec<RequirementId>,
    means: AllMeans,
}

impl Realised {
    fn all(&self) -> impl Iterator<Item = &Means> {
        self.means.values().flatten()
    }

    fn kinds(&self) -> Vec<&'static str> {
        self.all().map(Means::kind).collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// What a wait for such an event rests on: a precondition, where it is not what the case is about.
    fn label(&self, id: &str) -> Label {
        let id: RequirementId = id.parse().expect("a requirement of the catalogue");
        if self.shown.contains(&id) { Label::Shows(id) } else { Label::Requires(id) }
    }

    /// What becomes of a step: one for each event.
    fn steps(
        &self,
        mut step: Step<GatewayAction>,
        pings: &mut BTreeMap<String, u32>,
    ) -> Vec<Step<GatewayAction>> {
        let is_addressed = step.action.patterns().into_iter().any(Pattern::is_addressed);
        let label = |means: Option<&Means>| match (&step.label, means) {
            (None, Some(means)) if is_addressed => Some(self.label(means.promised_by())),
            (label, _) => label.clone(),
        };
        match &step.action {
            GatewayAction::Publish {
                publication: Publication::Addressed { to, data, count, routing_key },
                until,
                within,
                ..
            } => {
                let parts = publications(to, data, (*count, routing_key.as_deref()), &self.means);
                let part = |(publication, reached): (Publication, Vec<(&str, &Means)>)| {
                    let its = |pattern: &Pattern| match pattern.client() {
                        Some(client) => {
                            let (_, means) = reached.iter().find(|(name, _)| *name == client)?;
                            Some(self.pattern(pattern, |_| Some(means)))
                        }
                        None => Some(self.pattern(pattern, |_| None)),
                    };
                    let until = until.iter().filter_map(its).collect();
                    let label = label(reached.first().map(|(_, means)| *means));
                    let within = within.clone();
                    Step {
                        action: GatewayAction::Publish { publication, until, within, optional: false },
                        label,
                    }
                };
                parts.into_iter().map(part).collect()
            }
            GatewayAction::Wait(Wait { pattern, times, within }) if is_addressed => {
                let client = pattern.client();
                let wait = |means: Option<&Means>| {
                    let pattern = self.pattern(pattern, |_| means);
                    let (times, within) = (times.clone(), within.clone());
                    let label = label(means.or_else(|| self.all().next()));
                    Step { action: GatewayAction::Wait(Wait { pattern, times, within }), label }
                };
                match client.map(|client| (client, self.means[client].as_slice())) {
                    None => vec![wait(None)],
                    Some((client, [])) => self.answered_ping(client, pings).into(),
                    Some((_, means)) => means.iter().map(|means| wait(Some(means))).collect(),
                }
            }
            GatewayAction::ScriptedClient(client, ScriptedClientAct::Connect) => {
                let requests = self.requests(client);
                std::iter::once(step).chain(requests).collect()
            }
            _ => {
                let first = |client: &str| self.means.get(client)?.first();
                for pattern in step.action.patterns_mut() {
                    *pattern = self.pattern(pattern, first);
                }
                vec![step]
            }
        }
    }

    /// What becomes of an expectation: one for each event of those clients that it is about.
    fn expectations(&self, expectation: &Expectation) -> Vec<Expectation> {
        let clients = expectation.patterns().into_iter().filter(|pattern| pattern.is_addressed());
        let clients = clients.filter_map(Pattern::client);
        let own = expectation.client().filter(|_| expectation.is_addressed());
        let most = clients.chain(own).map(|client| self.means[client].len()).max();
        let realise = |place: usize| {
            let means = |client: &str| {
                let means = self.means.get(client)?;
                means.get(place).or(means.last())
            };
            let mut expectation = expectation.clone();
            if let Some(client) =
                expectation.client().map(str::to_owned).filter(|_| expectation.is_addressed())
                && let Some(means) = means(&client)
            {
                expectation.address(means.kind(), &means.marks());
            }
            expectation.patterns_mut().for_each(|pattern| *pattern = self.pattern(pattern, means));
            expectation
        };
        (0..most.unwrap_or(1).max(1)).map(realise).collect()
    }

    /// What a pattern looks for, where a client is reached so.
    fn pattern<'a>(&self, pattern: &Pattern, means: impl Fn(&str) -> Option<&'a Means>) -> Pattern {
        let mut pattern = pattern.clone();
        let client = pattern.client().map(str::to_owned);
        if pattern.is_addressed() {
            match client {
                Some(client) => {
                    if let Some(means) = means(&client) {
                        pattern.address(&[means.kind()], &means.marks());
                    }
                }
                None => pattern.address(&self.kinds(), &json!({ MARK: "{case}" })),
            }
            return pattern;
        }
        pattern.pass_over(&self.kinds(), MARK);
        let joined = client.and_then(|client| self.means.get(&client)).into_iter().flatten();
        joined.filter_map(Means::room).for_each(|room| pattern.pass_over_room(room));
        pattern
    }

    /// That a client that no event is for is served after the others have got theirs.
    fn answered_ping(&self, client: &str, pings: &mut BTreeMap<String, u32>) -> [Step<GatewayAction>; 3] {
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
            Step { action: wait, label: Some(self.label("MSG-2")) },
        ]
    }

    /// What a client asks for as it connects.
    fn requests(&self, client: &str) -> Vec<Step<GatewayAction>> {
        let rooms = self.means.get(client).into_iter().flatten().filter_map(Means::room);
        let request = |room: &str| {
            let act = ScriptedClientAct::Subscribe(Target::Room(room.to_owned()));
            Step { action: GatewayAction::ScriptedClient(client.to_owned(), act), label: None }
        };
        rooms.map(request).collect()
    }
}

/// What is published for these clients, and whom each is for.
fn publications<'a>(
    to: &'a [String],
    data: &Value,
    (count, routing_key): (u32, Option<&str>),
    means: &'a AllMeans,
) -> Vec<(Publication, Vec<(&'a str, &'a Means)>)> {
    let mut parts = Vec::<(Value, Publication, Vec<(&'a str, &'a Means)>)>::new();
    for (client, means) in to.iter().flat_map(|client| means[client].iter().map(move |means| (client, means)))
    {
        let same = json!([means.kind(), means.marks()]);
        if let Some((_, _, reached)) = parts.iter_mut().find(|(known, ..)| *known == same) {
            reached.push((client, means));
            continue;
        }
        let mut data = data.clone();
        merge(&mut data, &means.marks());
        let kind = means.kind().to_owned();
        let publication = match routing_key {
            None => Publication::Events { kind, data, count },
            Some(key) => {
                let body = json!({ "type": kind, "data": data }).to_string();
                Publication::Body { body, routing_key: key.to_owned() }
            }
        };
        parts.push((same, publication, vec![(client, means)]));
    }
    parts.into_iter().map(|(_, publication, reached)| (publication, reached)).collect()
}

/// The requests of those that are connected from the start.
fn first_requests(script: &GatewayScript, realised: &Realised) -> impl Iterator<Item = Step<GatewayAction>> {
    let at_start = |name: &&String| script.clients[*name].connect == Connect::Start;
    realised.means.keys().filter(at_start).flat_map(|name| realised.requests(name))
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
    /// What its event's data has beside what a case is about.
    fn marks(&self) -> Value {
        match self {
            Self::Owner { user, .. } | Self::Everybody { user: Some(user), .. } => {
                json!({ MARK: "{case}", OWNER: format!("{{{user}}}") })
            }
            _ => json!({ MARK: "{case}" }),
        }
    }

    /// The room that a client joins for it, where that is not by itself.
    fn room(&self) -> Option<&'static str> {
        match self {
            Self::Subscribers(kind) => Some(kind),
            _ => None,
        }
    }
}
