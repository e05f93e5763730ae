//! Plays a scenario about a pair: a client and its gateway, with a tap between them and a broker behind the gateway.

use std::io;
use std::time::Duration;

use protocol::adapter::{Configure, Operation, Options};
use tokio::io::{AsyncRead, AsyncWrite};

use super::adapter::Adapter;
use super::adapters::Adapters;
use super::gateway::{Next, Player as Backstage};
use super::journal::{Journal, Recorder};
use super::stage::{Accept, GatewayStage, Play, PlayError, Setting};
use super::tap::{Tap, TapSetup};
use super::{SETTLING, log_tail};
use scenarios::Scenario;
use scenarios::scenario::{ClientAct, Halves, PairAction, PairScript, Step};
use scenarios::token::{Bearer, TokenSpec};
use scenarios::trace::{Actor, Event};
use wire::link::Network;

/// How long the adapter may take for an answer.
const ANSWER: Duration = Duration::from_secs(20);

/// Opens connections to the gateway, wherever it listens by then.
pub trait Dial: Clone + Send + Sync + 'static {
    /// A connection to the gateway.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;

    /// Opens one.
    fn dial(&self) -> impl Future<Output = io::Result<Self::Stream>> + Send;

    /// Ends one by a reset, where the stage can.
    fn reset(stream: Self::Stream);
}

/// The client's end of a stage, and the way to its gateway.
pub struct PairEnds<L, W, R, D> {
    /// The URL, without a query, at which the client reaches the listener.
    pub url: String,
    /// Takes the client's connections.
    pub listener: L,
    /// Takes requests to the adapter.
    pub requests: W,
    /// Gives its answers and reports.
    pub reports: R,
    /// Where the connections go.
    pub dial: D,
}

/// Plays the steps; `scenario` is bound already. `setting` is the gateway's, and its times are those of the steps.
pub async fn play<S, L, W, R, D>(
    scenario: &Scenario,
    (script, halves): (&PairScript, &Halves),
    setting: &Setting,
    stage: &mut S,
    ends: PairEnds<L, W, R, D>,
    recorder: &Recorder,
    journal: Journal,
) -> Play
where
    S: GatewayStage,
    L: Accept + Send + 'static,
    L::Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    W: AsyncWrite + Unpin + Send + 'static,
    R: AsyncRead + Unpin + Send + 'static,
    D: Dial,
{
    let PairEnds { url, listener, requests, reports, dial } = ends;
    let network = Network::new();
    let tap = TapSetup {
        client: halves.client.clone(),
        gateway: halves.gateway.clone(),
        network: network.clone(),
        recorder: recorder.clone(),
    };
    let _tap = Tap::start(listener, dial, tap);
    let statuses = setting.times.design.statuses.clone();
    let adapter = Adapter::start(requests, reports, Actor::client(), recorder.clone(), statuses);
    let adapters = Adapters::new(vec![adapter], ANSWER);
    let backstage = Backstage::new(scenario, setting, stage, recorder, journal);
    let user_id = scenario.user_id(&Actor::client().0, &setting.bindings);
    let mut player = Player { script, halves, setting, backstage, adapters, network, user_id };
    let flood = player.backstage.journal.flood();
    let outcome = match flood.end(player.run(url)).await {
        // A process that died says more than a request that it left unanswered.
        Err(PlayError::Adapter(reason)) => {
            let died = player.backstage.journal.quiet(setting.times.slack).await;
            Err(died.err().unwrap_or(PlayError::Adapter(reason)))
        }
        outcome => outcome,
    };
    Play { trace: player.backstage.journal.finish(&outcome), outcome }
}

struct Player<'a, S> {
    script: &'a PairScript,
    halves: &'a Halves,
    setting: &'a Setting,
    /// Plays what happens to the gateway and its broker, and owns the trace.
    backstage: Backstage<'a, S>,
    adapters: Adapters,
    /// What is between the two.
    network: Network,
    user_id: String,
}

impl<S: GatewayStage> Player<'_, S> {
    async fn run(&mut self, url: String) -> Result<(), PlayError> {
        let usual = Options { seed: Some(self.setting.seed), ..Options::from(&self.halves.client_timing) };
        let configure = Configure {
            url: Some(url),
            token: self.token(&self.script.client.token),
            options: self.script.client.options.or(usual),
            dialect: self.halves.client.clone(),
        };
        let journal = &mut self.backstage.journal;
        self.adapters.ask(journal, 0, Operation::Configure(Box::new(configure))).await?;
        self.adapters.listen(journal, 0, &self.script.client.listen).await?;
        self.steps().await?;
        self.adapters.catch_up(&mut self.backstage.journal).await?;
        self.backstage.journal.write(Actor::scenario(), None, Event::StepsEnded);
        self.backstage.journal.quiet(SETTLING).await?;
        if let Ok(log) = self.backstage.journal.during(self.backstage.stage.log()).await {
            self.backstage.journal.write(Actor::gateway(), None, Event::Log { text: log_tail(&log) });
        }
        self.backstage.journal.quiet(Duration::ZERO).await
    }

    async fn steps(&mut self) -> Result<(), PlayError> {
        for (number, step) in (1..).zip(&self.script.steps) {
            let action = step.action.to_string();
            self.backstage.journal.write(Actor::scenario(), None, Event::Step { number, action });
            if self.step(number, step).await? == Next::InVain {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn step(&mut self, number: usize, step: &Step<PairAction>) -> Result<Next, PlayError> {
        let times = &self.setting.times;
        let journal = &mut self.backstage.journal;
        match &step.action {
            PairAction::Wait(wait) => {
                let window = wait.window(times);
                let came = journal.until(&wait.pattern, wait.count(times), 0, window).await?;
                // Every step that waits has a label: the file is checked.
                if !came && let Some(label) = &step.label {
                    let detail = wait.pattern.missing_in(journal.trace());
                    journal.in_vain(number, label.clone(), detail, window);
                    return Ok(Next::InVain);
                }
            }
            PairAction::Quiet(time) => journal.quiet(time.duration(times)).await?,
            PairAction::Client(act) => self.adapters.act(journal, act).await?,
            PairAction::SetToken(recipe) => {
                let act = ClientAct::SetToken(self.token(recipe));
                self.adapters.act(&mut self.backstage.journal, &act).await?;
            }
            PairAction::Network(act) => {
                let what = step.action.to_string();
                journal.write(Actor::client(), None, Event::Fault { what });
                self.network.apply(act.change(times));
            }
            PairAction::Start => {
                let done = journal.during(self.backstage.stage.start_gateway()).await;
                journal.write(Actor::gateway(), None, Event::Fault { what: "started again".to_owned() });
                return self.backstage.after_backstage(number, None, done);
            }
            PairAction::Publish { .. } | PairAction::Broker(_) | PairAction::Kill => {
                let Some(action) = step.action.of_gateway() else { return Ok(Next::Go) };
                let step = Step { action, label: step.label.clone() };
                return self.backstage.step(number, &step).await;
            }
        }
        Ok(Next::Go)
    }

    /// A token for the client's user, by a recipe.
    fn token(&self, recipe: &TokenSpec) -> Option<String> {
        let email = format!("{}@example.org", self.user_id);
        let bearer = Bearer { user_id: &self.user_id, email: &email, role: self.script.client.role };
        let now_s = (self.setting.unix_ms)().div_euclid(1000);
        recipe.mint(&bearer, &self.setting.issuer, now_s)
    }
}
