//! Tries an adapter, request by request, before anything is judged.
//!
//! A client may be as wrong as it likes here; what is looked at is whether its adapter keeps the protocol.

mod exchange;
mod listener;
mod request;

use std::time::Duration;

use protocol::adapter::{Configure, Operation, Options, Outcome};
use protocol::{Dialect, SignIn};
use scenarios::Foreign;
use serde_json::json;

use crate::process::{SpawnError, Streams, Subject};
use crate::profile::{CommandProfile, Profile};
use crate::template::Values;
use exchange::{Exchange, Reply, ReportKind, Silence, shown};
use listener::Listener;
use request::{Trial, trials};

/// How long an adapter may take for an answer, and its client for a dial.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long the first answer may take: a runtime starts before, or a browser.
const START: Duration = Duration::from_secs(30);

/// An operation that does not exist.
const UNKNOWN: &str = "no_such_request";

/// What was tried, and how it went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// A request, or a rule of the protocol.
    pub what: String,
    /// How it went.
    pub standing: RequestStatus,
}

/// How a trial went.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RequestStatus {
    /// As it should.
    Supported,
    /// The client has no such thing, and the adapter says so: cases that need it are not run.
    Unsupported,
    /// The protocol is not kept.
    Broken {
        /// What was seen.
        seen: Foreign,
        /// What to try.
        help: Foreign,
    },
}

/// Why an adapter could not be tried to the end.
#[derive(Debug, miette::Diagnostic, thiserror::Error)]
pub enum CheckError {
    /// It could not be started.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Spawn(#[from] SpawnError),
    /// It ended while it was asked.
    #[error("the adapter ended at `{at}`: {status}{}", last_words(.output))]
    #[diagnostic(help(
        "an adapter serves requests until its input ends; what it prints on standard error may say why it did not"
    ))]
    Died {
        /// The request.
        at: String,
        /// How.
        status: String,
        /// What it printed last.
        output: Vec<String>,
    },
    /// The harness failed.
    #[error("cannot listen for the client: {0}")]
    Listen(#[from] std::io::Error),
}

/// Tries the adapter of a profile.
///
/// # Errors
/// When the adapter cannot be started, or ends before it was tried to the end.
pub async fn check(
    profile: &Profile,
    command: &CommandProfile,
    values: &Values,
) -> Result<Vec<Finding>, CheckError> {
    let listener = Listener::start(profile.dialect.clone()).await?;
    let mut subject = Subject::spawn(command, values, &profile.folder, Streams::Piped)?;
    let pipes = subject.take_pipes().expect("piped, and only used once");
    let mut check = Check { exchange: Exchange::start(pipes), listener, findings: Vec::new() };
    match check.run(profile).await {
        Ok(()) => {
            check.ends(&subject).await;
            Ok(check.findings)
        }
        Err(Ended { at }) => {
            let status = if check.exchange.has_flooded() {
                "it floods its standard output".to_owned()
            } else {
                let ended = tokio::time::timeout(PATIENCE, subject.end()).await;
                ended.unwrap_or_else(|_| "it closed its standard output".to_owned())
            };
            subject.kill().await;
            Err(CheckError::Died { at, status, output: subject.output().await })
        }
    }
}

/// The adapter closed its output.
struct Ended {
    at: String,
}

struct Check {
    exchange: Exchange,
    listener: Listener,
    findings: Vec<Finding>,
}

impl Check {
    async fn run(&mut self, profile: &Profile) -> Result<(), Ended> {
        let configure = Operation::Configure(Box::new(Configure {
            url: Some(self.listener.url()),
            token: Some("a-token".to_owned()),
            options: Options::from(&profile.timing),
            dialect: profile.dialect.clone(),
        }));
        if !self.request(&configure, true).await? {
            // A client that was not configured has nothing to say.
            return self.rules().await;
        }
        for Trial { operation, needed } in trials() {
            let mut standing = self.request(&operation, needed).await?;
            if operation == Operation::Connect && standing {
                standing = self.connects(&profile.dialect).await;
            }
            // What a client without consumers says of a consumer is its own affair.
            if matches!(operation, Operation::Mount { .. }) && !standing {
                self.findings.extend(["read", "unmount"].map(|op| found(op, RequestStatus::Unsupported)));
                break;
            }
        }
        self.rules().await
    }

    /// Asks, and notes the answer; false where the client cannot do it.
    async fn request(&mut self, operation: &Operation, needed: bool) -> Result<bool, Ended> {
        let op = operation.name();
        let patience = if matches!(operation, Operation::Configure(_)) { START } else { PATIENCE };
        let answer = self.exchange.ask(operation, patience).await;
        let standing = match answer {
            Ok(Reply::Outcome(Outcome::Done { .. })) => RequestStatus::Supported,
            Ok(Reply::Outcome(Outcome::Unsupported { .. })) if needed => broken(
                "it is answered `unsupported`",
                "nothing can be judged without it: let the adapter call the client",
            ),
            Ok(Reply::Outcome(Outcome::Unsupported { .. })) => RequestStatus::Unsupported,
            // No token is awaited here, and an adapter may answer with an error.
            Ok(Reply::Outcome(Outcome::Error { .. }))
                if matches!(operation, Operation::Token { .. } | Operation::FailToken { .. }) =>
            {
                RequestStatus::Supported
            }
            Ok(Reply::Outcome(Outcome::Error { error })) => broken(
                &format!("it is answered with the error {error:?}"),
                "answer `unsupported` where the client has no such thing; an error is the client's own refusal",
            ),
            Ok(Reply::Shapeless(line)) => broken(
                &format!("it is answered {line}"),
                "an answer has `\"ok\":true`, `\"unsupported\":true` or `\"error\":\"…\"` beside its `id`",
            ),
            Err(Silence::Ended) => return Err(Ended { at: op }),
            Err(Silence::Late) => late(patience),
        };
        let supported = standing == RequestStatus::Supported;
        self.findings.push(found(&op, standing));
        Ok(supported)
    }

    /// The client dials the configured URL, and the adapter reports its status.
    async fn connects(&mut self, dialect: &Dialect) -> bool {
        let url = self.listener.url();
        if !self.listener.opened(PATIENCE).await {
            let help = "`configure` says the `url`; `connect` must make the client dial it";
            let seen = format!("no connection to {url} was opened within {PATIENCE:?}");
            self.findings.push(found("dials the url", broken(&seen, help)));
            return false;
        }
        self.findings.push(found("dials the url", RequestStatus::Supported));
        if let Some(sign_in) = &dialect.sign_in
            && !self.signs_in(sign_in).await
        {
            // What does not sign in is never connected.
            return false;
        }
        for (what, kind, help) in [
            (
                "reports each status",
                ReportKind::Status,
                "report {\"event\":\"status\",\"old\":…,\"status\":…} whenever the client's status changes",
            ),
            (
                "reports each call of a listener",
                ReportKind::Emit,
                "report {\"event\":\"emit\",\"name\":…,\"payload\":…,\"listener\":…}; the client emits `connected` once it is",
            ),
        ] {
            let standing = if self.exchange.reported(kind, PATIENCE).await {
                RequestStatus::Supported
            } else {
                broken(&format!("a connection was opened, and no `{kind}` was reported"), help)
            };
            self.findings.push(found(what, standing));
        }
        true
    }

    /// The client says first what the profile declares, whatever its token.
    async fn signs_in(&mut self, sign_in: &SignIn) -> bool {
        let seen = match self.listener.first_text(PATIENCE).await {
            Some(text) if sign_in.is_message(&text) => None,
            Some(text) => Some(format!("its first message was {}", shown(&text))),
            None => Some(format!("it said nothing within {PATIENCE:?} of its connection")),
        };
        let is_signed_in = seen.is_none();
        let standing = seen.map_or(RequestStatus::Supported, |seen| {
            broken(&seen, "`dialect.sign_in.message` in the profile is what a client must say first: does it have this form?")
        });
        self.findings.push(found("signs in", standing));
        is_signed_in
    }

    /// What every adapter does, whatever its client can do.
    async fn rules(&mut self) -> Result<(), Ended> {
        let unknown = json!({ "op": UNKNOWN });
        let standing = match self.exchange.ask(&unknown, PATIENCE).await {
            Ok(Reply::Outcome(Outcome::Unsupported { .. })) => RequestStatus::Supported,
            Ok(reply) => broken(
                &format!("a request that does not exist is answered {reply}"),
                "answer `\"unsupported\":true` to every `op` that the adapter does not know",
            ),
            Err(Silence::Ended) => return Err(Ended { at: UNKNOWN.to_owned() }),
            Err(Silence::Late) => late(PATIENCE),
        };
        self.findings.push(found("answers an unknown request `unsupported`", standing));
        self.exchange.say("{ this is not JSON").await;
        let after = match self.exchange.ask(&unknown, PATIENCE).await {
            Ok(_) => RequestStatus::Supported,
            Err(_) => broken(
                "after a line that is not JSON it answers nothing any more",
                "catch what cannot be parsed, and go on with the next line",
            ),
        };
        self.findings.push(found("survives a broken line", after));
        Ok(())
    }

    /// It ends with its input, and has printed nothing but the protocol.
    async fn ends(&mut self, subject: &Subject) {
        self.exchange.close(PATIENCE).await;
        let standing = match tokio::time::timeout(PATIENCE, subject.end()).await {
            Ok(_) => RequestStatus::Supported,
            Err(_) => broken(
                &format!("it still runs {PATIENCE:?} after its input ended"),
                "leave when standard input ends; timers and sockets keep many runtimes alive",
            ),
        };
        self.findings.push(found("ends with its input", standing));
        let standing = match self.exchange.noise() {
            None => RequestStatus::Supported,
            Some(noise) => broken(
                &format!("it printed {noise}"),
                "standard output belongs to the protocol, as `gatecheck schema adapter` has it; logs go to standard error",
            ),
        };
        self.findings.push(found("prints nothing but the protocol", standing));
    }
}

fn found(what: &str, standing: RequestStatus) -> Finding {
    Finding { what: what.to_owned(), standing }
}

fn broken(seen: &str, help: &str) -> RequestStatus {
    RequestStatus::Broken { seen: seen.into(), help: help.into() }
}

fn late(patience: Duration) -> RequestStatus {
    broken(
        &format!("it is not answered within {patience:?}"),
        "answer each request with its `id`, flush the line, and do not wait for what comes later: a status is reported",
    )
}

fn last_words(output: &[String]) -> String {
    // A stack trace of Node.js has about so many lines below what happened.
    let last = output.len().saturating_sub(16);
    output[last..].iter().map(|line| format!("\n  {line}")).collect()
}
