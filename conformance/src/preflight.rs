//! One look at a subject before it is judged: a set-up that is wrong is one error that says what was seen and what to
//! try, not sixty cases that fail.
//!
//! It plays a scenario of its own, through the same executor as the cases, and reads the trace.

mod dialect;
mod form;
mod opening;
mod refusal;
mod rooms;

use miette::{Diagnostic, Report, miette};
use player::PlayError;
use protocol::SubscriptionKeys;
use scenarios::scenario::{GatewayAction, GatewayScript, Publication, Script};
use scenarios::trace::{Event, FrameKind, InVain, Trace};
use scenarios::{Scenario, ScenarioId, SubjectKind};

use dialect::Called;
pub use dialect::Mismatch;
use refusal::Refusal;

use crate::executor::{BrokerChoice, ExecutionError, Executor, Isolation, LOGIN_REFUSED, OTHER_QUEUE};
use crate::exit::Exit;
use crate::profile::{ClientAccess, EventsProfile, GatewayAccess, GatewayProfile, Profile};

/// Keys by which gateways of all kinds name a subscription; tried where the profile's are not understood.
const KEYS: [&str; 8] = ["channel", "topic", "event", "room", "eventType", "name", "type", "roomId"];

/// What is wrong with a set-up.
#[derive(Debug, thiserror::Error)]
#[error("{report}")]
pub struct SetupError {
    /// How the run ends.
    pub exit: Exit,
    /// What was seen, and what to try.
    pub report: Report,
}

impl Diagnostic for SetupError {
    fn help<'a>(&'a self) -> Option<Box<dyn std::fmt::Display + 'a>> {
        self.report.help()
    }
}

/// Looks at a subject of the executor's profile.
///
/// # Errors
/// When the set-up is wrong, as far as can be determined. A subject that is not conformant is no such error.
pub async fn check(executor: &Executor, subject: SubjectKind) -> Result<(), SetupError> {
    match subject {
        SubjectKind::Gateway => gateway(executor).await,
        SubjectKind::Client => client(executor).await,
        // Whether its halves understand each other is what is judged first.
        SubjectKind::Pair => Ok(()),
    }
}

async fn gateway(executor: &Executor) -> Result<(), SetupError> {
    let Look { trace, output } = play(executor, SubjectKind::Gateway).await?;
    if let Some(refusal) = Refusal::of(&trace) {
        return Err(refusal.explained(executor).await);
    }
    if opening::may_be_missing(&trace, executor.profile())
        && let Some(explained) = opening::explained(executor).await
    {
        return Err(explained);
    }
    // A busy host is silent for a while, too.
    if silent(&trace, executor.profile()).is_some()
        && let Some(silent) = silent(&play(executor, SubjectKind::Gateway).await?.trace, executor.profile())
    {
        return Err(silent);
    }
    let called = Called::by(&executor.profile().events);
    let declared = &executor.profile().dialect;
    // Nothing else can be said of frames that cannot be read.
    if let Some(form) = form::of_gateway(&trace, declared, &called) {
        return agreement(&[form], SubjectKind::Gateway);
    }
    if let Some(rooms) = rooms::unlike(&trace, executor.profile()) {
        return Err(rooms);
    }
    let mut found = match declared.frames {
        Some(_) => Vec::new(),
        None => dialect::of_gateway(&trace, declared, &called),
    };
    let is_unfed = |in_vain: &InVain<'_>| in_vain.label.requirement().to_string() == "BRIDGE-1";
    if let Some(in_vain) = trace.in_vain().filter(|in_vain| found.is_empty() && is_unfed(in_vain)) {
        return Err(unfed(executor, in_vain.detail, &output));
    }
    if declared.frames.is_none() && dialect::is_deaf(&trace, &called) {
        found.extend(other_key(executor, &called).await);
    }
    agreement(&found, SubjectKind::Gateway)
}

/// A gateway that opens connections and never says a word, though the profile declares a first message: every case would wait in vain.
fn silent(trace: &Trace, profile: &Profile) -> Option<SetupError> {
    let welcome = profile.dialect.welcome_type()?;
    let has = |is: fn(&Event) -> bool| trace.observations.iter().any(|seen| is(&seen.event));
    let opens = has(|event| matches!(event, Event::Opened));
    let speaks = has(|event| matches!(event, Event::Received(frame) if frame.kind == FrameKind::Text));
    if !opens || speaks || has(|event| matches!(event, Event::Closed { .. } | Event::SubjectDied { .. })) {
        return None;
    }
    let help = "`[dialect]` says what it says first (`welcome`, `sign_in`, `opening`); `gatecheck init gateway` tries first messages and places of \
                a token; `--no-preflight` plays every case all the same";
    let report = miette!(
        help = help,
        "the gateway lets a client in, and is silent: no `{welcome}` came, no answer to a ping or a subscription, and no event"
    );
    Some(SetupError { exit: Exit::Subject, report })
}

/// No event reaches the gateway.
fn unfed(executor: &Executor, detail: &str, output: &[String]) -> SetupError {
    let is_attached = executor.profile().gateway.as_ref().is_some_and(GatewayProfile::is_attached);
    let try_this = if detail.contains(LOGIN_REFUSED) {
        "user and password are part of the broker's URL: hand over `{amqp_url}` whole, and let the gateway log in by it alone"
    } else if detail.contains("inequivalent arg 'type'") {
        "`exchange = { type = \"direct\" }`, or `fanout`, in `[events]` or `[[event]]` says how the exchange routes"
    } else if detail.contains(OTHER_QUEUE) {
        "name in `gateway.queue`, or `gateway.queues`, what it consumes from; `queue = \"*\"` stands for whatever is bound to the \
         exchange, queues without a name and queues of one connection as well"
    } else if is_in_process(executor.profile(), SubjectKind::Gateway) {
        "it must consume from `start.queue`, bound to `start.exchange`, at the broker of `start.amqp_url`, and that durable queue must \
         stand soon after it takes connections; without a broker what needs events is not run"
    } else if is_attached || spawns_with(executor.profile(), "amqp_url") {
        "`gateway.queue` and `gateway.exchange` name what it consumes from, and a durable queue of that name must stand once it is \
         ready; `--broker none` judges what needs no events"
    } else {
        "hand over `{amqp_url}`, the broker's URL, by an argument or the environment; `--broker none` judges what needs no events"
    };
    let help = format!("{try_this}{}", last_words(output));
    SetupError {
        exit: Exit::Subject,
        report: miette!(help = help, "no event can be sent to the gateway: {detail}"),
    }
}

async fn client(executor: &Executor) -> Result<(), SetupError> {
    let Look { trace, .. } = play(executor, SubjectKind::Client).await?;
    if !trace.observations.iter().any(|observation| matches!(observation.event, Event::Dialled { .. })) {
        let help = "the adapter answered `connect`; the client must dial the `url` that `configure` gave it";
        let report = miette!(help = help, "the client never dialled the scripted gateway");
        return Err(SetupError { exit: Exit::Subject, report });
    }
    let called = Called::by(&executor.profile().events);
    let declared = &executor.profile().dialect;
    if declared.frames.is_some() {
        return Ok(());
    }
    agreement(&dialect::of_client(&trace, declared, &called), SubjectKind::Client)
}

fn agreement(found: &[Mismatch], subject: SubjectKind) -> Result<(), SetupError> {
    let [first, ..] = found else { return Ok(()) };
    let lines = found.iter().map(|mismatch| mismatch.setting.trim_start_matches("dialect."));
    let table = ["[dialect]"].into_iter().chain(lines).collect::<Vec<_>>().join("\n  ");
    let others = match found.len() {
        1 => String::new(),
        count => format!(" (and {} more such signs)", count - 1),
    };
    let help = format!("write into the profile:\n  {table}");
    let report = miette!(
        help = help,
        "this {subject} speaks another dialect than the profile declares: {first}{others}"
    );
    Err(SetupError { exit: Exit::Usage, report })
}

/// What was seen.
struct Look {
    trace: Trace,
    /// What the subject printed last.
    output: Vec<String>,
}

/// Plays the look's scenario.
async fn play(executor: &Executor, subject: SubjectKind) -> Result<Look, SetupError> {
    let text = match subject {
        SubjectKind::Gateway => include_str!("preflight/gateway.toml"),
        SubjectKind::Client | SubjectKind::Pair => include_str!("preflight/client.toml"),
    };
    let id = ScenarioId(format!("preflight/{subject}"));
    let mut scenario = Scenario::parse(id, text).expect("the look's own scenario is sound: a test reads it");
    if let Script::Gateway(script) = &mut scenario.script {
        publish_what_is_declared(script, &executor.profile().events);
    }
    let execution = executor
        .execute(&scenario, Isolation::Own)
        .await
        .map_err(|error| cannot_begin(executor, &error, subject))?;
    match execution.play.outcome {
        Ok(()) | Err(PlayError::NotRun(_)) => {
            Ok(Look { trace: execution.play.trace, output: execution.output })
        }
        Err(PlayError::SubjectDied(status) | PlayError::DidNotStart(status)) => {
            let is_in_process = is_in_process(executor.profile(), subject);
            let output = if is_in_process { String::new() } else { last_words(&execution.output) };
            let help = format!("it ended by itself: {status}{output}");
            Err(SetupError {
                exit: Exit::Subject,
                report: miette!(help = help, "the {subject} died at the first touch"),
            })
        }
        Err(PlayError::Flooded(reason)) => {
            Err(SetupError { exit: Exit::Subject, report: miette!("{reason}") })
        }
        Err(PlayError::Adapter(reason)) if is_in_process(executor.profile(), subject) => {
            Err(SetupError { exit: Exit::Subject, report: miette!("{reason}") })
        }
        Err(PlayError::Adapter(reason)) => {
            let help = format!(
                "`gatecheck adapter check` tries an adapter op by op{}",
                if execution.output.is_empty() { String::new() } else { last_words(&execution.output) }
            );
            Err(SetupError { exit: Exit::Subject, report: miette!(help = help, "{reason}") })
        }
        Err(PlayError::Crowded(reason) | PlayError::Harness(reason)) => {
            Err(SetupError { exit: Exit::Harness, report: miette!("{reason}") })
        }
    }
}

/// Where there is no event for everybody, another one shows whether events come at all; what is not declared is left out.
fn publish_what_is_declared(script: &mut GatewayScript, events: &EventsProfile) {
    for step in &mut script.steps {
        if let GatewayAction::Publish { publication, .. } = &mut step.action
            && events.lacks_of(publication).is_some()
            && let (Publication::Events { kind, .. }, Some(declared)) = (publication, events.any_type())
        {
            declared.clone_into(kind);
        }
    }
    script.steps.retain(|step| match &step.action {
        GatewayAction::Publish { publication, .. } => events.lacks_of(publication).is_none(),
        _ => true,
    });
}

fn cannot_begin(executor: &Executor, error: &ExecutionError, subject: SubjectKind) -> SetupError {
    let (ExecutionError::Subject { reason, output } | ExecutionError::NotReady { reason, output }) = error
    else {
        return SetupError { exit: Exit::Harness, report: miette!("{error}") };
    };
    let said = output.join("\n");
    let is_port_taken =
        ["EADDRINUSE", "ddress already in use", "ddress in use"].iter().any(|words| said.contains(words));
    let waits = matches!(error, ExecutionError::NotReady { .. });
    if subject == SubjectKind::Gateway && is_in_process(executor.profile(), subject) {
        let help =
            "its future serves on `start.listen` until it is dropped, or until `start.shutdown()` ends";
        return SetupError { exit: Exit::Subject, report: miette!(help = help, "{reason}") };
    }
    let lacks_broker = subject == SubjectKind::Gateway
        && *executor.broker() == BrokerChoice::None
        && spawns_with(executor.profile(), "amqp_url");
    let try_this = if lacks_broker {
        "`--broker none` leaves `{amqp_url}` empty, which the command uses: a gateway that cannot start without a broker needs one, \
         `--broker embedded` or the URL of one that runs"
    } else if is_port_taken {
        "its port is taken: hand over `{port}`, a free one, by an argument or the environment"
    } else if waits {
        "does it listen on `{port}`, which it must be told by an argument or the environment (PORT for a bare command)? \
         `gateway.ready` says how it shows that it is ready, and how long that may take"
    } else if subject == SubjectKind::Client {
        "`client.command` in the profile, or the command behind `--`, starts the adapter; `gatecheck adapter check` tries it"
    } else if reason.contains("cannot start") {
        "`gateway.command` in the profile, or the command behind `--`, starts the gateway"
    } else {
        "look at what it printed; `gateway.ready` says how it shows that it is ready, and how long that may take"
    };
    let help = format!("{try_this}{}", last_words(output));
    SetupError { exit: Exit::Subject, report: miette!(help = help, "{reason}") }
}

/// The end of what a process printed.
fn last_words(output: &[String]) -> String {
    /// Lines that are shown of the beginning and of the end: what happened often stands above a stack trace.
    const FIRST: usize = 8;
    const LAST: usize = 12;
    if output.is_empty() {
        return "\nit printed nothing".to_owned();
    }
    let lines = match output.len() {
        0..=20 => output.join("\n  "),
        count => format!("{}\n  …\n  {}", output[..FIRST].join("\n  "), output[count - LAST..].join("\n  ")),
    };
    format!("\nit printed:\n  {lines}")
}

/// Whether the gateway's command uses a placeholder.
fn spawns_with(profile: &Profile, placeholder: &str) -> bool {
    match profile.gateway.as_ref().map(|gateway| &gateway.access) {
        Some(GatewayAccess::Spawn { command, .. }) => command.uses(placeholder),
        _ => false,
    }
}

fn is_in_process(profile: &Profile, subject: SubjectKind) -> bool {
    match subject {
        SubjectKind::Gateway => {
            let access = profile.gateway.as_ref().map(|gateway| &gateway.access);
            matches!(access, Some(GatewayAccess::InProcess { .. }))
        }
        SubjectKind::Client | SubjectKind::Pair => {
            let access = profile.client.as_ref().map(|client| &client.access);
            matches!(access, Some(ClientAccess::InProcess(_)))
        }
    }
}

/// Another key that names a subscription.
async fn other_key(executor: &Executor, called: &Called) -> Option<Mismatch> {
    for key in KEYS {
        let mut profile = executor.profile().clone();
        profile.dialect.subscribe = SubscriptionKeys::single(key);
        let look = play(&executor.with_profile(profile), SubjectKind::Gateway).await.ok()?;
        if !dialect::is_deaf(&look.trace, called) {
            return Some(Mismatch {
                seen: format!("a `subscribe` that names its room in `{key}` is understood"),
                setting: format!("dialect.subscribe = {{ event_type = \"{key}\", room = \"{key}\" }}"),
            });
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The look's own scenarios are read.
    #[test]
    fn its_scenarios_are_sound() {
        for (subject, text) in [
            ("gateway", include_str!("preflight/gateway.toml")),
            ("client", include_str!("preflight/client.toml")),
        ] {
            Scenario::parse(ScenarioId(format!("preflight/{subject}")), text).unwrap();
        }
    }

    /// Silence ends the run at once where a first message is declared; one word is enough to go on, and so is an end.
    #[test]
    fn silence_is_told() {
        use scenarios::trace::{Actor, Observation, Side};
        let seen = |events: Vec<Event>| Trace {
            observations: events
                .into_iter()
                .map(|event| Observation {
                    at_us: 0,
                    actor: Actor("ada".to_owned()),
                    connection: Some(0),
                    event,
                })
                .collect(),
        };
        let profile = Profile::bare();
        let closed = Event::Closed { code: None, by: Side::Gateway };
        let told = silent(&seen(vec![Event::Opened]), &profile).unwrap();
        assert!(told.to_string().contains("no `connection:established` came"), "{told}");
        assert!(silent(&seen(vec![Event::Opened, closed]), &profile).is_none());
        assert!(silent(&seen(Vec::new()), &profile).is_none());
        let mut quiet = Profile::bare();
        quiet.dialect.welcome = protocol::Welcome::Sent(false);
        assert!(silent(&seen(vec![Event::Opened]), &quiet).is_none());
    }
}
