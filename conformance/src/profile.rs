//! `gatecheck.toml`: how to start or reach a subject, and how it is configured.

mod claims;
mod client;
mod events;
mod gateway;
mod pages;
mod place;
mod schema;
mod stats;
mod syntax;
mod template;
mod token;
mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::path::{Path, PathBuf};

use miette::{Diagnostic, NamedSource, SourceSpan};
use protocol::{Dialect, Timing};
use scenarios::scenario::Bindings;
use scenarios::token::TokenStyle;
use scenarios::{Catalogue, Foreign, RequirementId, RoomNames};
use schemars::JsonSchema;
use serde::Deserialize;

pub use self::template::TEMPLATE;
use claims::RawClaims;
use client::RawClient;
pub use client::{ClientAccess, ClientProfile};
pub(crate) use events::is_name;
pub use events::{Audience, BodyError, EventsError, EventsProfile};
use events::{EventShape, RawEvent};
use gateway::RawGateway;
pub use gateway::{GatewayAccess, GatewayProfile, Ready, attach};
use token::RawToken;
pub use token::{ClaimError, TokenProfile, check_claims};

use crate::secrets;
use crate::template::{TemplateError, check, uses};

/// The profile of the reference pair, which takes the same path as a third party's.
const REFERENCE: &str = include_str!("profile/reference.toml");
/// Where a profile is looked for when none is named.
pub const DEFAULT_FILE: &str = "gatecheck.toml";

/// A checked profile.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The gateway under test, where there is one.
    pub gateway: Option<GatewayProfile>,
    /// The client under test, where there is one.
    pub client: Option<ClientProfile>,
    /// How events come to the gateway.
    pub events: EventsProfile,
    /// How tokens look that the gateway accepts.
    pub token: TokenProfile,
    /// What the subject is configured with.
    pub timing: Timing,
    /// How it spells the wire.
    pub dialect: Dialect,
    /// Requirements that it does not claim.
    pub without: BTreeSet<RequirementId>,
    /// Requirements that its protocol has no place for, with the reason.
    pub no_place: BTreeMap<RequirementId, String>,
    /// Where commands are started.
    pub folder: PathBuf,
}

/// A command with placeholders.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommandProfile {
    /// Program and arguments.
    pub words: Vec<String>,
    /// Environment variables that are set.
    pub env: BTreeMap<String, String>,
}

impl CommandProfile {
    /// Whether a placeholder is used in it.
    pub fn uses(&self, placeholder: &str) -> bool {
        self.words.iter().chain(self.env.values()).any(|text| uses(text, placeholder))
    }
}

/// Why a profile cannot be used.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum ProfileError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    #[diagnostic(help(
        "name it with `-c FILE`, or give the command behind `--`, as in `gatecheck gateway -- node dist/main.js` or \
         `gatecheck client -- node adapter.mjs`"
    ))]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a profile, or a value in it makes no sense.
    #[error("{file}: {message}")]
    Invalid {
        /// The file.
        file: String,
        /// What is wrong.
        message: String,
        /// What to write.
        #[help]
        help: Option<String>,
        /// The text.
        #[source_code]
        source_code: NamedSource<String>,
        /// The place.
        #[label("here")]
        span: Option<SourceSpan>,
    },
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct RawProfile {
    /// The gateway under test.
    gateway: Option<RawGateway>,
    /// The client under test.
    client: Option<RawClient>,
    /// One shape for all events.
    events: Option<EventShape>,
    /// Or each event by itself.
    event: Option<Vec<RawEvent>>,
    /// What tokens look like.
    #[serde(default)]
    token: RawToken,
    /// What the subject is configured with.
    #[serde(default)]
    #[schemars(schema_with = "schema::timing")]
    timing: Timing,
    /// How it words what it says.
    #[serde(default)]
    #[schemars(schema_with = "schema::dialect")]
    dialect: Dialect,
    /// What it does not offer.
    #[serde(default)]
    claims: RawClaims,
}

impl Profile {
    /// The reference pair.
    ///
    /// # Panics
    /// When the built-in profile is broken, which a test rules out.
    pub fn reference() -> Self {
        Self::parse("the built-in profile", REFERENCE, Path::new(".")).expect("the built-in profile is sound")
    }

    /// One that describes nothing: the seed's times and dialect, commands that are started in this folder.
    ///
    /// # Panics
    /// When an empty profile is none, which a test rules out.
    pub fn bare() -> Self {
        Self::parse("nothing", "", Path::new(".")).expect("an empty profile is sound")
    }

    /// Reads a profile file; its commands are started in its folder.
    ///
    /// # Errors
    /// When it cannot be read or used.
    pub fn read(path: &Path) -> Result<Self, ProfileError> {
        let text = scenarios::text_file::read(path)
            .map_err(|source| ProfileError::Read { path: path.to_owned(), source })?;
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        Self::parse(&path.display().to_string(), &text, folder)
    }

    /// Reads a profile's text.
    ///
    /// # Errors
    /// When it cannot be used.
    pub fn parse(file: &str, text: &str, folder: &Path) -> Result<Self, ProfileError> {
        let invalid =
            |message: String, help: Option<&str>, span: Option<Range<usize>>| ProfileError::Invalid {
                file: file.to_owned(),
                message,
                help: help.map(str::to_owned),
                source_code: NamedSource::new(file, Foreign::from(secrets::masked(text)).source())
                    .with_language("toml"),
                span: span.map(SourceSpan::from),
            };
        let raw: RawProfile = toml::from_str(text).map_err(|error| {
            invalid(secrets::masked(&syntax::explained(text, &error)), None, error.span())
        })?;
        let of_section = |section: &str, message: String| {
            let span = place::named(text, section, &message);
            invalid(message, None, span)
        };
        let value = |message: String, help: Option<&str>| {
            let span = place::named(text, "", &message);
            invalid(message, help, span)
        };
        raw.timing.check().map_err(|error| of_section("timing", error.to_string()))?;
        raw.dialect.check().map_err(|error| of_section("dialect", error.to_string()))?;
        let (without, absent) = raw.claims.without();
        let events = EventsProfile::check(raw.events, raw.event, &raw.dialect.user_key)
            .and_then(|events| events.without(absent))
            .map_err(|error| of_section("event", error.to_string()))?;
        let catalogue = Catalogue::builtin();
        let no_place = raw.claims.no_place.keys().map(|id| ("no_place", id));
        for (key, id) in without.iter().map(|id| ("without", id)).chain(no_place) {
            if catalogue.get(id).is_none() {
                let near = catalogue.nearest(&id.to_string()).map(|near| format!("did you mean {near}?"));
                return Err(value(
                    format!("`claims.{key}` names {id}, which is no requirement"),
                    near.as_deref(),
                ));
            }
        }
        if let Some((id, _)) = raw.claims.no_place.iter().find(|(_, why)| why.trim().is_empty()) {
            let help = "write why, in a few words: the report shows it";
            return Err(value(format!("`claims.no_place.{id}` gives no reason"), Some(help)));
        }
        let signed = raw.token.algorithm();
        let gateway = raw.gateway.map(|raw| raw.check(signed, &value)).transpose()?;
        let own = gateway.as_ref().map_or_else(gateway::default_exchange, |gateway| gateway.exchange.clone());
        events.exchanges(&own).map_err(|error| value(error.to_string(), None))?;
        let token = raw.token.check(gateway.as_ref(), folder, &value)?;
        Ok(Self {
            gateway,
            token,
            client: raw.client.map(|raw| raw.check(&value)).transpose()?,
            events,
            timing: raw.timing,
            dialect: raw.dialect,
            without,
            no_place: raw.claims.no_place,
            folder: folder.to_owned(),
        })
    }

    /// What a scenario's words mean to the subject, in a case of this name.
    pub fn bindings(&self, case: String) -> Bindings {
        let Self { dialect, events, token, gateway, .. } = self;
        let TokenStyle { users, roles, .. } = token.style.clone();
        Bindings {
            case,
            dialect: dialect.clone(),
            users,
            roles,
            rooms: RoomNames {
                of_events: events.rooms(),
                ..gateway.as_ref().map(|gateway| gateway.rooms.clone()).unwrap_or_default()
            },
            event_names: events.names(),
            seed_rooms: events.has_seed_rooms(),
            pages: gateway.as_ref().map(|gateway| gateway.pages.clone()).unwrap_or_default(),
            stats: gateway.as_ref().map(|gateway| gateway.stats.clone()).unwrap_or_default(),
            audiences: events.audiences(),
            owner_keys: events.owner_keys(),
        }
    }
}

impl Profile {
    /// The JSON Schema of a profile file, for editors. What it allows may still be refused: a name that stands for nothing, say.
    pub fn schema() -> serde_json::Value {
        schema::of_profile()
    }
}

type ValueError<'a> = &'a dyn Fn(String, Option<&str>) -> ProfileError;

fn command(
    key: &str,
    words: Vec<String>,
    env: BTreeMap<String, String>,
    value: ValueError<'_>,
) -> Result<CommandProfile, ProfileError> {
    if words.is_empty() {
        return Err(value(format!("`{key}` is empty"), Some("write the program and its arguments")));
    }
    let table = key.trim_end_matches(".command");
    let words_of = words.iter().map(|text| (key.to_owned(), text));
    let variables = env.iter().map(|(name, text)| (format!("{table}.env.{name}"), text));
    for (place, text) in words_of.chain(variables) {
        check(text).map_err(|TemplateError { name, hint }| {
            value(format!("`{place}`: there is no placeholder `{{{name}}}`"), Some(&hint))
        })?;
    }
    Ok(CommandProfile { words, env })
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn parse(text: &str) -> Result<Profile, ProfileError> {
        Profile::parse("gatecheck.toml", text, Path::new("."))
    }

    /// The reference pair's profile names both subjects, and its times are scaled.
    #[test]
    fn the_reference_profile_is_sound() {
        let profile = Profile::reference();
        assert!(profile.gateway.is_some() && profile.client.is_some() && profile.without.is_empty());
        assert!(profile.timing.ping_interval < Duration::from_secs(1));
    }

    /// A profile may start a gateway or attach to one.
    #[test]
    fn gateways_are_started_or_attached() {
        let profile =
            parse("[gateway]\ncommand = [\"node\", \"main.js\"]\nenv = { PORT = \"{port}\" }").unwrap();
        assert!(matches!(profile.gateway.unwrap().access, GatewayAccess::Spawn { .. }));
        let text = "[gateway]\nattach = \"ws://127.0.0.1:3000/socket\"\njwt_secret = \"s\"";
        let gateway = parse(text).unwrap().gateway.unwrap();
        assert_eq!(gateway.path, "/socket");
        assert!(
            matches!(gateway.access, GatewayAccess::Attach { authority, .. } if authority == "127.0.0.1:3000")
        );
    }

    /// Each mistake is one error that says what and where.
    #[test]
    fn mistakes_are_named() {
        for (text, says) in [
            ("[gatway]", "unknown field `gatway`"),
            ("[gateway]", "either `command` or `attach`"),
            ("[gateway]\ncommand = []", "`gateway.command` is empty"),
            ("[gateway]\nattach = \"ws://h:1/ws\"", "needs `gateway.jwt_secret`"),
            ("[gateway]\nattach = \"http://h\"\njwt_secret = \"s\"", "not a `ws://` URL"),
            ("[gateway]\ncommand = [\"a\", \"{prt}\"]", "no placeholder `{prt}`"),
            ("[gateway]\ncommand = [\"a\"]\npath = \"ws\"", "begins with `/`"),
            ("[client]\ncommand = [\"a\"]\nfleet = 1", "between 20 and 200"),
            ("[client]\ncommand = [\"a\"]\n[client.design]\nbackof = 1", "unknown field `backof`"),
            (
                "[client]\ncommand = [\"a\"]\n[client.design.backoff]\nfactor = 0",
                "between 1, for constant delays",
            ),
            ("[timing]\nping_interval = \"fast\"", "`fast` is not a duration"),
            ("[timing]\nping_interval = \"0s\"", "`ping_interval` is zero"),
            (
                "[gateway]\ncommand = [\"a\"]\nqueue = \"a\"\nqueues = [\"b\"]",
                "`gateway.queue` and `gateway.queues`",
            ),
            ("[gateway]\ncommand = [\"a\"]\nqueues = []", "`gateway.queues` is empty"),
            ("[gateway]\ncommand = [\"a\"]\nqueues = [\"a\", \"*\"]", "`*` stands for all of them"),
            ("[events]\n[[event]]\nfor = \"owner\"\ntype = \"a\"", "exclude each other"),
            ("[[event]]\nfor = \"anybody\"\ntype = \"a\"", "`for` is one of \"everybody\", \"owner\""),
            (
                "[[event]]\nfor = \"owner\"\ntype = \"a\"\nexchange = { type = \"headers\" }",
                "unknown variant `headers`",
            ),
            (
                "[[event]]\nfor = \"owner\"\ntype = \"a\"\n[[event]]\nfor = \"role\"\ntype = \"b\"\nexchange = { type = \"direct\" }",
                "two types",
            ),
            ("[gateway]\ncommand = [\"a\"]\nlimits = { rooms = 5 }", "limits from 20 to 1000"),
            (
                "[gateway]\ncommand = [\"a\"]\nlimits = { rooms = \"few\" }",
                "or `false` where there is no limit",
            ),
            (
                "[gateway]\ncommand = [\"a\"]\nrooms = { user = \"user/\" }",
                "`gateway.rooms.user`: `user/`: `{user}` must stand in it, once",
            ),
            (
                "[gateway]\ncommand = [\"a\"]\nrooms = { role = 7 }",
                "a name such as `role:{role}`, a table such as `{ ADMIN = \"desk\" }`, or `false` where there is no such room",
            ),
            (
                "[gateway]\ncommand = [\"a\"]\nrooms = { role = { ADMIN = \"\" } }",
                "`gateway.rooms.role`: the name of the room of ADMIN is empty",
            ),
            (
                "[gateway]\ncommand = [\"a\"]\nstats = { connections = \"/connections\" }",
                "`gateway.stats`: `by_user`, at `/connections/byUser`, stands within `connections`",
            ),
            (
                "[gateway]\ncommand = [\"a\"]\nstats = { rooms = 7 }",
                "a JSON pointer such as `/connections`, or `false`",
            ),
            ("[claims]\nwithout = [\"AUTH-99\"]", "AUTH-99"),
            (
                "[claims]\nwithout = [\"everyone\"]",
                "the audience for which there is no event: \"everybody\", \"owner\"",
            ),
            (
                "[[event]]\nfor = \"owner\"\ntype = \"a\"\n[claims]\nwithout = [\"named\"]",
                "an event is for its owner, and `claims.without` says that there is none",
            ),
            ("[claims.no_place]\nAUTH-99 = \"x\"", "`claims.no_place` names AUTH-99"),
            ("[claims.no_place]\nROOM-5 = \"\"", "`claims.no_place.ROOM-5` gives no reason"),
            ("[dialect]\nevents = \"wrapped\"", "unknown variant `wrapped`"),
            ("[token]\nalgorithm = \"HS1\"", "unknown variant `HS1`"),
            ("[token]\nnames = { name = \"n\" }", "no claim `name`"),
            ("[token]\nclaims = { roles = [\"{rolex}\"] }", "no placeholder `{rolex}`"),
            ("[token]\nusers = \"names\"", "unknown variant `names`"),
            ("[token]\nroles = { ADMIN = \"vendor\" }", "ADMIN and VENDOR have one name"),
            ("[token]\nroles = { KING = \"k\" }", "unknown variant `KING`"),
            ("[token]\nprivate_key_file = \"Cargo.toml\"", "an algorithm that has a secret"),
            ("[token]\nalgorithm = \"RS256\"\nprivate_key_file = \"Cargo.toml\"", "no private key for RS256"),
            (
                "[token]\nalgorithm = \"RS256\"\nprivate_key_file = \"missing.pem\"",
                "cannot read ./missing.pem",
            ),
            ("[token]\nalgorithm = \"RS256\"\n[gateway]\ncommand = [\"a\"]", "not told the public key"),
            (
                "[token]\nalgorithm = \"RS256\"\n[gateway]\nattach = \"ws://h:1/ws\"",
                "not told the public key",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(says), "{text}: {error}");
            assert!(
                matches!(error, ProfileError::Invalid { span: Some(_), .. }),
                "{text}: {error} has no place"
            );
        }
    }
}
