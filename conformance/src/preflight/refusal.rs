//! A gateway that does not let a valid token in, and what to try.

use miette::miette;
use protocol::TokenPlace;
use scenarios::trace::{Event, Trace};
use scenarios::{SubjectKind, UserIds};

use super::{Look, SetupError, is_in_process, opening, play};
use crate::executor::Executor;
use crate::exit::Exit;
use crate::profile::{GatewayProfile, Profile};

/// The claim that names the user.
const USER: &str = "userId";
/// Paths that gateways of all kinds upgrade on; tried where the profile's does not.
const PATHS: [&str; 7] = ["/ws", "/", "/socket", "/websocket", "/api/ws", "/graphql", "/socket/websocket"];

/// How a gateway took a valid token on the profile's path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Refusal {
    /// By this HTTP status.
    Status(u16),
    /// By ending the connection.
    NoAnswer(String),
    /// By a close, before anything else.
    Close(u16),
}

impl Refusal {
    pub(super) fn of(trace: &Trace) -> Option<Self> {
        let mut spoke = false;
        for observation in &trace.observations {
            match &observation.event {
                Event::Refused { status: Some(status), .. } => return Some(Self::Status(*status)),
                Event::Refused { status: None, code: Some(code), .. } => return Some(Self::Close(code.0)),
                Event::Refused { status: None, code: None, by: _, reason } => {
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
    pub(super) async fn explained(self, executor: &Executor) -> SetupError {
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
            Self::Status(400 | 404 | 405 | 426) => other_path(executor, path).await,
            Self::NoAnswer(_) => match first_message(executor).await {
                None => other_path(executor, path).await,
                found => found,
            },
            Self::Status(401 | 403) => other_token(executor).await,
            Self::Close(_) => match first_message(executor).await {
                None => other_token(executor).await,
                found => found,
            },
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

fn is_attached(profile: &Profile) -> bool {
    profile.gateway.as_ref().is_some_and(GatewayProfile::is_attached)
}

/// Which key the gateway must verify tokens with.
fn wrong_key(profile: &Profile) -> String {
    let algorithm = profile.token.style.algorithm;
    let key = match (is_attached(profile), profile.token.is_public()) {
        (false, false) if is_in_process(profile, SubjectKind::Gateway) => {
            "it must verify tokens with `start.jwt_secret`"
        }
        (false, true) if is_in_process(profile, SubjectKind::Gateway) => {
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
    let subprotocol = match profile.dialect.subprotocol {
        None => ", and `dialect.subprotocol` which `Sec-WebSocket-Protocol` it demands, if any",
        Some(_) => "",
    };
    format!(
        "{key} ({algorithm}; `[token]` says how tokens look); `dialect.token` says where the token travels, \
         `message` where the client's first message has it, and `dialect.opening` what else must come first{subprotocol}"
    )
}

/// Another kind of token, or another place for it.
async fn other_token(executor: &Executor) -> Option<String> {
    match other_claims(executor).await {
        None => other_place(executor).await,
        found => found,
    }
}

/// A message that it waits for before anything else.
async fn first_message(executor: &Executor) -> Option<String> {
    let dialect = &executor.profile().dialect;
    let declares = !dialect.opening.is_empty() || dialect.sign_in.is_some();
    if declares { None } else { opening::found(executor).await }
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

/// Claims that are accepted, by another kind of user ids or under another name: a gateway that wants numbers refuses words, whatever
/// signs them.
async fn other_claims(executor: &Executor) -> Option<String> {
    let declared = &executor.profile().token.style;
    let names = [None, Some("sub").filter(|_| !declared.names.contains_key(USER))];
    let others = names.into_iter().flat_map(|name| UserIds::ALL.map(|users| (users, name)));
    for (users, name) in others.filter(|other| *other != (declared.users, None)) {
        let mut profile = executor.profile().clone();
        profile.token.style.users = users;
        profile.token.style.names.extend(name.map(|name| (USER.to_owned(), name.to_owned())));
        if opens(executor, profile).await {
            let is_other = users != declared.users;
            let users = is_other.then(|| format!("users = \"{}\"", users.name()));
            let name = name.map(|name| format!("names = {{ {USER} = \"{name}\" }}"));
            let lines = users.into_iter().chain(name).collect::<Vec<_>>().join("\n  ");
            return Some(format!("it takes other claims: did you mean this?\n  [token]\n  {lines}"));
        }
    }
    None
}

/// Another place for the token that is accepted.
async fn other_place(executor: &Executor) -> Option<String> {
    let places = [
        TokenPlace::Query,
        TokenPlace::Bearer,
        TokenPlace::SubprotocolAfter("bearer".to_owned()),
        TokenPlace::Subprotocol,
        TokenPlace::QueryAs("access_token".to_owned()),
        TokenPlace::QueryAs("jwt".to_owned()),
        TokenPlace::Cookie("token".to_owned()),
        TokenPlace::Cookie("access_token".to_owned()),
        TokenPlace::Path,
    ];
    for place in places {
        let name = place.to_string();
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

async fn opens(executor: &Executor, profile: Profile) -> bool {
    let look = play(&executor.with_profile(profile), SubjectKind::Gateway).await;
    look.is_ok_and(|Look { trace, .. }| {
        let opened = trace.observations.iter().any(|observation| matches!(observation.event, Event::Opened));
        opened && Refusal::of(&trace).is_none()
    })
}
