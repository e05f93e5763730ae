//! A pair under test: a client, and the gateway that it dials, through a tap.

use std::io;
use std::sync::atomic::Ordering;

use player::{Dial, PairEnds, Play, PlayError, journal, play_pair};
use scenarios::scenario::{Bindings, ClientAct, Halves, PairAction, PairScript, Script};
use scenarios::trace::{Actor, Event, Trace};
use scenarios::{NotPlayed, Scenario};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::client::{self, Listener};
use super::gateway::{Rejection, Restart, Rig, Stage, cannot_be_judged, limits_of_cases};
use super::{Execution, ExecutionError, Executor, clock, now};
use crate::limits::{HostLimit, Refusals};
use crate::noise::Watch;
use crate::profile::{ClientProfile, GatewayProfile, Profile};
use crate::proxy;

/// What a pair takes of this process's descriptors: pipes and processes, and both ends of a connection.
const DESCRIPTORS: u64 = 16;

/// Where the gateway listens now.
#[derive(Clone)]
struct Dialler {
    authority: watch::Receiver<String>,
    refusals: Refusals,
}

impl Dial for Dialler {
    type Stream = TcpStream;

    async fn dial(&self) -> io::Result<TcpStream> {
        let authority = self.authority.borrow().clone();
        let dialled = TcpStream::connect(&authority).await;
        let stream = self.refusals.look("cannot dial the gateway", dialled)?;
        stream.set_nodelay(true)?;
        Ok(stream)
    }

    fn reset(stream: TcpStream) {
        proxy::reset(stream);
    }
}

pub(super) async fn execute(
    executor: &Executor,
    (gateway, client): (&GatewayProfile, &ClientProfile),
    unbound: &Scenario,
    bindings: Bindings,
) -> Result<Execution, ExecutionError> {
    let (scenario, script, halves) = described(executor, unbound, &bindings)?;
    let of_gateway = script.of_gateway();
    let issuer = executor.profile.token.issuer("");
    let lacks_event = match &unbound.script {
        Script::Pair(script) => executor.profile.events.lacks(&script.of_gateway()),
        Script::Gateway(_) | Script::Client(_) => None,
    };
    let lacks_token = || tokens(&script).find_map(|recipe| recipe.lacks(&issuer)).map(NotPlayed::by_design);
    let cannot = || cannot_be_judged(gateway, &of_gateway, &issuer);
    if let Some(why) = lacks_event.or_else(lacks_token).or_else(cannot) {
        let play = Play { trace: Trace::default(), outcome: Err(PlayError::NotRun(why)) };
        return Ok(unplayed(scenario, play, Vec::new()));
    }
    HostLimit::check_descriptors("cannot start a pair", DESCRIPTORS)?;
    let mut rig = match Rig::set_up(executor, gateway, &of_gateway, &bindings, limits_of_cases()).await {
        Ok(rig) => rig,
        Err(Rejection::Judged { play, output }) => return Ok(unplayed(scenario, play, output)),
        // No scenario about a pair begins without a broker.
        Err(Rejection::NotReady { reason, output, .. }) => {
            return Err(ExecutionError::NotReady { reason, output });
        }
        Err(Rejection::Error(error)) => return Err(error),
    };
    let began = now();
    let (recorder, journal) = journal(clock(began));
    let link = rig.link().await?;
    let (authority, dialled) = watch::channel(rig.authorities[0].clone());
    let partner = executor.partner();
    let mut subject = match client::start(executor, &partner.folder, &client.access, None) {
        Ok(subject) => subject,
        Err(error) => {
            rig.take_down().await;
            return Err(error);
        }
    };
    let (end, death) = (subject.0.end(), recorder.clone());
    let _death = AbortOnDropHandle::new(tokio::spawn(async move {
        let status = end.await;
        death.record(Actor::client(), None, Event::SubjectDied { status }).await;
    }));
    rig.watches.extend(subject.0.measured().and_then(|process| executor.probe.watch(process)));
    let refusals = rig.refusals.clone();
    let setting = executor.setting(bindings, rig.issuer.clone(), gateway.path.clone());
    let listener = client::listen()
        .map_err(|error| ExecutionError::Harness(HostLimit::explain("cannot listen", &error)))?;
    let address = listener.local_addr().map_err(|error| ExecutionError::Harness(error.to_string()))?;
    let (requests, reports) = subject.1;
    let ends = PairEnds {
        url: format!("ws://{address}{}", gateway.path),
        listener: Listener(listener, refusals.clone()),
        requests,
        reports,
        dial: Dialler { authority: dialled, refusals: refusals.clone() },
    };
    let restart = Restart { executor, profile: gateway, script: &of_gateway, authority, owed: "PAIR-6" };
    let mut stage = Stage::new(executor, &of_gateway, rig, link, &recorder);
    stage.restart = Some(restart);
    stage.notes_unrouted = true;
    // The client dials it whenever it likes.
    stage.has_clients.store(true, Ordering::Relaxed);
    let playing = play_pair(&scenario, (&script, &halves), &setting, &mut stage, ends, &recorder, journal);
    let played = executor.in_time(&scenario, &refusals, playing).await;
    // From here on the adapter knows that its pipes are closed, and may say so.
    let words = subject.0.output().await;
    let Stage { mut rig, link, watches, .. } = stage;
    drop(watches);
    if let Some(link) = link {
        link.close().await;
    }
    let waits = Watch::waits_since(&rig.watches, began).await;
    subject.0.kill().await;
    let mut output = rig.kill().await;
    output.extend(words);
    rig.take_down().await;
    Ok(Execution { began, scenario, play: played?, waits, output, rig: None })
}

fn unplayed(scenario: Scenario, play: Play, output: Vec<String>) -> Execution {
    Execution { began: now(), scenario, play, waits: Vec::new(), output, rig: None }
}

/// The scenario of this run, with what each half was told by its own profile.
fn described(
    executor: &Executor,
    unbound: &Scenario,
    bindings: &Bindings,
) -> Result<(Scenario, PairScript, Halves), ExecutionError> {
    let (profile, partner) = (executor.profile(), executor.partner());
    let mut scenario = unbound.bind(bindings);
    let halves = Halves {
        gateway: profile.dialect.clone(),
        client: partner.dialect.clone(),
        gateway_timing: profile.timing.clone(),
        client_timing: partner.timing.clone(),
    };
    let (Script::Pair(script), Script::Pair(unbound)) = (&mut scenario.script, &unbound.script) else {
        return Err(ExecutionError::Harness("this is no scenario about a pair".to_owned()));
    };
    script.halves = Some(halves.clone());
    listen_as(partner, script, unbound);
    let script = (**script).clone();
    Ok((scenario, script, halves))
}

/// The client listens to events under the names that its own profile has for them.
fn listen_as(partner: &Profile, script: &mut PairScript, unbound: &PairScript) {
    let names = partner.events.names();
    let called = |name: &String| names.get(name).unwrap_or(name).clone();
    script.client.listen = unbound.client.listen.iter().map(called).collect();
    for (step, before) in script.steps.iter_mut().zip(&unbound.steps) {
        if let (
            PairAction::Client(ClientAct::Listen { name, .. }),
            PairAction::Client(ClientAct::Listen { name: usual, .. }),
        ) = (&mut step.action, &before.action)
        {
            *name = called(usual);
        }
    }
}

fn tokens(script: &PairScript) -> impl Iterator<Item = &scenarios::token::TokenSpec> {
    let later = script.steps.iter().filter_map(|step| match &step.action {
        PairAction::SetToken(recipe) => Some(recipe),
        _ => None,
    });
    std::iter::once(&script.client.token).chain(later)
}
