//! One look at an implementation before it is judged: a set-up that is wrong is one error that says what was seen and what to
//! try, not sixty cases that fail.
//!
//! It plays a scenario of its own, through the same executor as the cases, and reads the trace.

mod dialect;

use miette::{Diagnostic, Report, miette};
use player::PlayError;
use protocol::{SubscriptionKeys, TokenPlace};
use scenarios::trace::{Event, InVain, Trace};
use scenarios::{Scenario, ScenarioId, SubjectKind};

pub use dialect::Mismatch;

use crate::executor::{ExecutionError, Executor, Isolation};
use crate::exit::Exit;
use crate::profile::{GatewayAccess, GatewayProfile, Profile};

/// Paths that gateways of all kinds upgrade on; tried where the profile's does not.
const PATHS: [&str; 5] = ["/ws", "/", "/socket", "/websocket", "/api/ws"];

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
/// When the set-up is wrong, as far as can be determined. A non-conformant implementation is no such error.
pub async fn check(executor: &Executor, subject: SubjectKind) -> Result<(), SetupError> {
    match subject {
        SubjectKind::Gateway => gateway(executor).await,
        SubjectKind::Client => client(executor).await,
    }
}

async fn gateway(executor: &Executor) -> Result<(), SetupError> {
    let Look { trace, output } = play(executor, SubjectKind::Gateway).await?;
    if let Some(refusal) = Refusal::of(&trace) {
        return Err(refusal.explained(executor).await);
    }
    let mut found = dialect::of_gateway(&trace, &executor.profile().dialect);
    let is_unfed = |in_vain: &InVain<'_>| in_vain.label.requirement().to_string() == "BRIDGE-1";
    if let Some(in_vain) = trace.in_vain().filter(|in_vain| found.is_empty() && is_unfed(in_vain)) {
        return Err(unfed(executor, in_vain.detail, &output));
    }
    if dialect::is_deaf(&trace) {
        found.extend(other_key(executor).await);
    }
    agreement(&found, SubjectKind::Gateway)
}

/// No event reaches the gateway.
fn unfed(executor: &Executor, detail: &str, output: &[String]) -> SetupError {
    let is_given = |name: &str| match executor.profile().gateway.as_ref().map(|gateway| &gateway.access) {
        Some(GatewayAccess::Spawn { command, .. }) => command.uses(name),
        _ => true,
    };
    let try_this = if is_in_process(executor.profile()) {
        "it must consume from `start.queue`, bound to `start.exchange`, at the broker of `start.amqp_url`, and that durable queue must \
         stand soon after it takes connections; without a broker what needs events is not run"
    } else if is_given("amqp_url") {
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
    agreement(&dialect::of_client(&trace, &executor.profile().dialect), SubjectKind::Client)
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
    /// What the implementation printed last.
    output: Vec<String>,
}

/// Plays the look's scenario.
async fn play(executor: &Executor, subject: SubjectKind) -> Result<Look, SetupError> {
    let text = match subject {
        SubjectKind::Gateway => include_str!("preflight/gateway.toml"),
        SubjectKind::Client => include_str!("preflight/client.toml"),
    };
    let id = ScenarioId(format!("preflight/{subject}"));
    let scenario = Scenario::parse(id, text).expect("the look's own scenario is sound: a test reads it");
    let execution = executor
        .execute(&scenario, Isolation::Own)
        .await
        .map_err(|error| cannot_begin(executor, &error, subject))?;
    match execution.play.outcome {
        Ok(()) | Err(PlayError::NotRun(_)) => {
            Ok(Look { trace: execution.play.trace, output: execution.output })
        }
        Err(PlayError::SubjectDied(status) | PlayError::DidNotStart(status)) => {
            let output = last_words(&execution.output);
            let help = format!("it ended by itself: {status}{output}");
            Err(SetupError {
                exit: Exit::Subject,
                report: miette!(help = help, "the {subject} died at the first touch"),
            })
        }
        Err(PlayError::Adapter(reason)) => {
            let help = format!(
                "`gatecheck adapter check` tries an adapter op by op{}",
                if execution.output.is_empty() { String::new() } else { last_words(&execution.output) }
            );
            Err(SetupError { exit: Exit::Subject, report: miette!(help = help, "{reason}") })
        }
        Err(PlayError::Harness(reason)) => {
            Err(SetupError { exit: Exit::Harness, report: miette!("{reason}") })
        }
    }
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
    if subject == SubjectKind::Gateway && is_in_process(executor.profile()) {
        let help =
            "its future serves on `start.listen` until it is dropped, or until `start.shutdown()` ends";
        return SetupError { exit: Exit::Subject, report: miette!(help = help, "{reason}") };
    }
    let try_this = if is_port_taken {
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

/// How a gateway took a valid token on the profile's path.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Refusal {
    /// By this HTTP status.
    Status(u16),
    /// By ending the connection.
    NoAnswer(String),
    /// By a close, before anything else.
    Close(u16),
}

impl Refusal {
    fn of(trace: &Trace) -> Option<Self> {
        let mut spoke = false;
        for observation in &trace.observations {
            match &observation.event {
                Event::Refused { status: Some(status), .. } => return Some(Self::Status(*status)),
                Event::Refused { status: None, code: None, reason } => {
                    return Some(Self::NoAnswer(reason.clone()));
                }
                Event::Closed { code: Some(code), .. } if !spoke => return Some(Self::Close(code.0)),
                Event::Received(frame) => spoke |= frame.kind == scenarios::trace::FrameKind::Text,
                _ => {}
            }
        }
        None
    }

    /// What to try: whatever else works is found by trying it.
    async fn explained(self, executor: &Executor) -> SetupError {
        let profile = executor.profile();
        let path = profile.gateway.as_ref().map_or("/ws", |gateway| gateway.path.as_str());
        let seen = match &self {
            Self::Status(status) => {
                format!("the gateway answers a valid token on `{path}` with HTTP {status}")
            }
            Self::NoAnswer(reason) => format!("the gateway does not answer an upgrade on `{path}`: {reason}"),
            Self::Close(code) => {
                format!("the gateway closes a connection with a valid token at once, with {code}")
            }
        };
        let found = match &self {
            Self::Status(400 | 404 | 405 | 426) | Self::NoAnswer(_) => other_path(executor, path).await,
            Self::Status(401 | 403) | Self::Close(_) => other_place(executor).await,
            Self::Status(_) => None,
        };
        let help = found.unwrap_or_else(|| match &self {
            Self::Status(400 | 404 | 405 | 426) => "set `gateway.path` to the path that upgrades".to_owned(),
            Self::Status(401 | 403) | Self::Close(_) => wrong_key(profile),
            Self::NoAnswer(_) if is_attached(profile) => "does it run, at that host and port?".to_owned(),
            Self::Status(_) | Self::NoAnswer(_) => {
                "look at what the gateway logs when it is dialled".to_owned()
            }
        });
        SetupError { exit: Exit::Subject, report: miette!(help = help, "{seen}") }
    }
}

fn is_in_process(profile: &Profile) -> bool {
    let access = profile.gateway.as_ref().map(|gateway| &gateway.access);
    matches!(access, Some(GatewayAccess::InProcess { .. }))
}

fn is_attached(profile: &Profile) -> bool {
    profile.gateway.as_ref().is_some_and(GatewayProfile::is_attached)
}

/// Which key the gateway must verify tokens with.
fn wrong_key(profile: &Profile) -> String {
    let algorithm = profile.token.style.algorithm;
    let key = match (is_attached(profile), profile.token.is_public()) {
        (false, false) if is_in_process(profile) => "it must verify tokens with `start.jwt_secret`",
        (false, true) if is_in_process(profile) => {
            "it must verify tokens with `start.setting(\"jwt_public_key\")`"
        }
        (true, false) => {
            "`--jwt-secret`, or `gateway.jwt_secret`, must be the secret that it verifies tokens with"
        }
        (true, true) => {
            "`token.private_key_file` must be the key of the public one that it verifies tokens with"
        }
        (false, false) => {
            "it must verify tokens with `{jwt_secret}`: hand that over by an argument or the environment"
        }
        (false, true) => {
            "it must verify tokens with `{jwt_public_key_file}`: hand that over by an argument or the environment"
        }
    };
    format!(
        "{key} ({algorithm}; `[token]` says how tokens look); `dialect.token` says where the token travels"
    )
}

/// Another path that upgrades.
async fn other_path(executor: &Executor, declared: &str) -> Option<String> {
    for path in PATHS.into_iter().filter(|path| *path != declared) {
        let mut profile = executor.profile().clone();
        profile.gateway.as_mut()?.path = path.to_owned();
        if opens(executor, profile).await {
            return Some(format!("`{path}` upgrades: did you mean `gateway.path = \"{path}\"`?"));
        }
    }
    None
}

/// Another place for the token that is accepted.
async fn other_place(executor: &Executor) -> Option<String> {
    let places = [
        (TokenPlace::Query, "query"),
        (TokenPlace::Bearer, "bearer"),
        (TokenPlace::Subprotocol, "subprotocol"),
    ];
    for (place, name) in places {
        let mut profile = executor.profile().clone();
        if profile.dialect.token == place {
            continue;
        }
        profile.dialect.token = place;
        if opens(executor, profile).await {
            return Some(format!("it takes the token elsewhere: did you mean `dialect.token = \"{name}\"`?"));
        }
    }
    None
}

/// Another key that names a subscription.
async fn other_key(executor: &Executor) -> Option<Mismatch> {
    for key in KEYS {
        let mut profile = executor.profile().clone();
        profile.dialect.subscribe = SubscriptionKeys::single(key);
        let look = play(&executor.with_profile(profile), SubjectKind::Gateway).await.ok()?;
        if !dialect::is_deaf(&look.trace) {
            return Some(Mismatch {
                seen: format!("a `subscribe` that names its room in `{key}` is understood"),
                setting: format!("dialect.subscribe = {{ event_type = \"{key}\", room = \"{key}\" }}"),
            });
        }
    }
    None
}

async fn opens(executor: &Executor, profile: Profile) -> bool {
    let look = play(&executor.with_profile(profile), SubjectKind::Gateway).await;
    look.is_ok_and(|Look { trace, .. }| {
        let opened = trace.observations.iter().any(|observation| matches!(observation.event, Event::Opened));
        opened && Refusal::of(&trace).is_none()
    })
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
}
