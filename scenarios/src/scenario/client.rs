//! The script of a scenario about a client: how it is set up, and a scripted gateway.

use std::time::Duration;

use protocol::CloseCode;
use protocol::adapter::Options;
use serde::{Deserialize, Serialize};

use super::is_default;
use super::known_fields::known_fields;
use super::step::{ANSWER, ClientAction, GatewayAct, Step};
use crate::times::Times;

/// Clients of a fleet that start within `patience`, on a host that is busy.
const FLEET_STARTS: u32 = 10;
/// How long an adapter may take for an answer where a fleet of them starts: browsers, say, on two cores.
const FLEET_ANSWER: Duration = Duration::from_secs(60);

/// What is done to a client.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ClientScript {
    /// The scripted gateway.
    pub gateway: GatewaySpec,
    /// How the client under test is configured.
    pub client: ClientSetup,
    /// What is done, in order.
    pub steps: Vec<Step<ClientAction>>,
    /// So many of the first steps bring the client where the case begins. What happens in them is no part of what later steps count, nor
    /// of what expectations read.
    pub preamble: usize,
}

/// A scripted gateway.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct GatewaySpec {
    /// What becomes of a dial: one answer for all, or a list of which the last one stays.
    pub on_dial: OnDials,
    /// Whether it answers `ping` messages.
    pub pong: bool,
    /// Whether it begins with a welcome.
    pub welcome: bool,
}

/// What becomes of dials, in order; the last answer stays.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum OnDials {
    /// Always the same.
    Always(OnDial),
    /// One by one.
    InTurn(Vec<OnDial>),
}

/// What becomes of a dial.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OnDial {
    /// The upgrade succeeds.
    Accept,
    /// The upgrade succeeds, and nothing that follows is read.
    AcceptStalled,
    /// The upgrade succeeds, and the closing handshake begins at once with this code.
    AcceptThenClose(CloseCode),
    /// The upgrade succeeds, and the connection is dropped at once.
    AcceptThenDrop,
    /// The upgrade succeeds, the first message is read, and nothing answers it: for dialects in which that message signs in.
    SignInUnanswered,
    /// The upgrade is granted by an answer that proves nothing: its `Sec-WebSocket-Accept` belongs to another request
    /// (RFC 6455 section 4.1).
    AcceptWrongly,
    /// The upgrade is granted with a subprotocol that was not asked for (RFC 6455 section 4.1).
    AcceptWithSubprotocol,
    /// The upgrade is granted with an extension that was not offered (RFC 6455 section 4.1).
    AcceptWithExtension,
    /// The upgrade is granted by an answer whose head does not end.
    EndlessHead,
    /// The upgrade is answered with HTTP 200 and a page.
    Page,
    /// The upgrade is answered with HTTP 301 that leads nowhere.
    Moved,
    /// The connection is dropped before any answer.
    Refuse,
    /// The connection is reset before any answer.
    Reset,
    /// The upgrade is answered by something that is not HTTP.
    Garbage,
    /// The upgrade is answered with HTTP 401; where the token travels in the first message, the connection is closed after that, as the
    /// dialect says.
    Unauthorized,
    /// The upgrade is answered with HTTP 403.
    Forbidden,
    /// The upgrade is answered with HTTP 503.
    Unavailable,
    /// The upgrade is never answered.
    Hang,
}

/// `[client]`: how the client under test is configured, apart from the timing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ClientSetup {
    /// The token it is given.
    pub token: String,
    /// Whether it is given one at all.
    pub signed_in: bool,
    /// Who names its URL.
    pub url: UrlSource,
    /// Query parameters that its URL has already.
    #[serde(skip_serializing_if = "is_default")]
    pub query: String,
    /// Events that it listens to from the start, apart from its own.
    #[serde(skip_serializing_if = "is_default")]
    pub listen: Vec<String>,
    /// Whether nothing but `options` is configured, so that everything else is the client's own default.
    #[serde(skip_serializing_if = "is_default")]
    pub defaults: bool,
    /// Other options of the `configure` request, by the adapter protocol's names.
    #[serde(deserialize_with = "known_fields", skip_serializing_if = "is_default")]
    pub options: Options,
    /// Whether there are as many clients as a fleet of this run has. Each does what the steps say; its token ends in its
    /// number, counted from 1, so that its dials are known.
    #[serde(skip_serializing_if = "is_default")]
    pub fleet: bool,
}

/// Who names the URL.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum UrlSource {
    /// The `configure` request.
    #[default]
    Configured,
    /// The environment variable `NX_WS_URL`. A simulation has no such thing.
    Environment,
    /// It has none.
    Nobody,
}

impl ClientSetup {
    /// Whether it is one client, with the delays of the run.
    pub(crate) fn has_usual_delays(&self) -> bool {
        let Options { reconnect_delay, max_reconnect_delay, jitter, .. } = &self.options;
        let is_told = reconnect_delay.is_some() || max_reconnect_delay.is_some() || jitter.is_some();
        !self.fleet && !self.defaults && !is_told
    }
}

impl ClientScript {
    /// Whether anything happens between the client and its gateway.
    pub fn disturbs_client(&self) -> bool {
        self.steps.iter().any(|step| matches!(step.action, ClientAction::Network(_)))
    }

    /// Whether it is about signing in by a message: there is no such thing where the token travels in the request.
    pub(crate) fn is_about_signing_in(&self) -> bool {
        let later = self.steps.iter().filter_map(|step| match &step.action {
            ClientAction::Gateway(GatewayAct::OnDial(on_dial)) => Some(on_dial),
            _ => None,
        });
        let mut dials = std::iter::once(&self.gateway.on_dial).chain(later).flat_map(OnDials::answers);
        dials.any(|answer| *answer == OnDial::SignInUnanswered)
    }

    /// How long an adapter may take for an answer. One of a fleet is as slow to start as all of it, whatever it is written in.
    pub fn answer(&self) -> Duration {
        if self.client.fleet { FLEET_ANSWER } else { ANSWER }
    }

    /// Whether nothing can reach the client from the beginning.
    pub(super) fn begins_deaf(&self) -> bool {
        let first = self.steps.first().map(|step| &step.action);
        matches!(first, Some(ClientAction::Network(act)) if act.holds_back_all())
    }

    pub(super) fn deadline(&self, times: &Times) -> Duration {
        let steps: Duration = self.steps.iter().map(|step| step.action.longest(times)).sum();
        // A fleet is started side by side, on a host that has other things to do.
        let fleet = if self.client.fleet { times.fleet.div_ceil(FLEET_STARTS) } else { 0 };
        steps + 2 * self.answer() + times.patience * (4 + fleet)
    }
}

impl OnDial {
    /// Whether the client gets as far as its first message, where its token travels in that: a token can be refused only then.
    pub fn reads_first_message(self) -> bool {
        matches!(
            self,
            Self::Accept
                | Self::AcceptStalled
                | Self::AcceptThenClose(_)
                | Self::AcceptThenDrop
                | Self::SignInUnanswered
                | Self::Unauthorized
        )
    }
}

impl OnDials {
    /// What becomes of dial `number`, counted from 0.
    pub fn answer(&self, number: usize) -> OnDial {
        match self {
            Self::Always(answer) => *answer,
            Self::InTurn(answers) => answers[number.min(answers.len() - 1)],
        }
    }

    /// Every answer.
    pub(crate) fn answers(&self) -> &[OnDial] {
        match self {
            Self::Always(answer) => std::slice::from_ref(answer),
            Self::InTurn(answers) => answers,
        }
    }

    /// Every answer, to be changed.
    pub(crate) fn answers_mut(&mut self) -> &mut [OnDial] {
        match self {
            Self::Always(answer) => std::slice::from_mut(answer),
            Self::InTurn(answers) => answers,
        }
    }

    /// Whether connections are reset, which a simulation cannot do.
    pub(crate) fn resets(&self) -> bool {
        self.answers().contains(&OnDial::Reset)
    }
}

impl ClientSetup {
    /// The token of a client, counted from 1; nothing where it is not signed in.
    pub fn token_of(&self, number: usize) -> Option<String> {
        match (self.signed_in, self.fleet) {
            (false, _) => None,
            (true, false) => Some(self.token.clone()),
            (true, true) => Some(format!("{}-{number}", self.token)),
        }
    }
}

impl Default for GatewaySpec {
    fn default() -> Self {
        Self { on_dial: OnDials::Always(OnDial::Accept), pong: true, welcome: true }
    }
}

impl Default for ClientSetup {
    fn default() -> Self {
        Self {
            token: "a-token".to_owned(),
            signed_in: true,
            url: UrlSource::Configured,
            query: String::new(),
            listen: Vec::new(),
            defaults: false,
            options: Options::default(),
            fleet: false,
        }
    }
}
