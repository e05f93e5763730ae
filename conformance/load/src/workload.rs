//! What a gateway is loaded with: a small TOML file, read once into a type that cannot be wrong.

mod builtin;
mod raw;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use miette::{Diagnostic, NamedSource, SourceSpan};
use scenarios::Foreign;

use crate::quantity::{Rate, Size, Time};
use crate::threshold::Threshold;
pub use builtin::BuiltinWorkload;
use raw::RawWorkload;
pub use raw::{Audience, Overrides};

/// What a gateway is loaded with.
#[derive(Debug, Clone, PartialEq)]
pub struct Workload {
    /// The file's name without its ending.
    pub name: String,
    /// How many clients there are.
    pub clients: usize,
    /// About how many bytes the data of an event has.
    pub payload: usize,
    /// What happens.
    pub load: Load,
    /// Whom events are for. At least one where there are events.
    pub audiences: Vec<AudienceShare>,
    /// Bounds that must hold.
    pub thresholds: Vec<Threshold>,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Load {
    /// Events that are all due at once.
    Burst {
        /// How many.
        events: u64,
    },
    /// Events at a fixed rate, whatever the gateway makes of them.
    Paced(Pace),
    /// Events at a rate that rises in steps, until the bound breaks or something is lost.
    Ramp(Ramp),
    /// Nothing: connections that are held.
    Idle {
        /// For how long.
        duration: Duration,
    },
    /// All clients connect; all connections are cut at once; all connect again.
    Connect {
        /// How long they may take to be back.
        patience: Duration,
    },
}

/// Events at a fixed rate, and what else clients do meanwhile.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Pace {
    /// Events in each second.
    pub rate: f64,
    /// For how long.
    pub duration: Duration,
    /// Clients that leave in each second, each followed by another.
    pub churn: f64,
    /// Ping messages in each second, of all clients together.
    pub pings: f64,
    /// Requests to join a room or to leave it in each second, of all clients together.
    pub subscriptions: f64,
}

/// Events at a rate that rises.
#[derive(Debug, Clone, PartialEq)]
pub struct Ramp {
    /// The first rate.
    pub from: f64,
    /// The last.
    pub to: f64,
    /// How many times the former each rate is.
    pub factor: f64,
    /// For how long each is held.
    pub hold: Duration,
    /// What ends it.
    pub bound: Threshold,
}

/// Whom a share of the events is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct AudienceShare {
    /// Whom.
    pub to: Audience,
    /// How many events, in proportion to the others' weights.
    pub weight: u32,
    /// How many clients that is: of each user, where an event is for its owner.
    pub members: usize,
}

/// Why a file is no workload.
#[derive(Debug, Diagnostic, thiserror::Error)]
pub enum WorkloadError {
    /// It is neither built in nor a file.
    #[error("there is no workload `{name}`: {source}")]
    #[diagnostic(help(
        "built in are {}; a path to a file is taken, too: `gatecheck bench --print paced > mine.toml` writes one to begin with",
        BuiltinWorkload::names()
    ))]
    Read {
        /// What was asked for.
        name: String,
        /// Why it cannot be read.
        source: std::io::Error,
    },
    /// It cannot be understood.
    #[error("{file}: {message}")]
    Invalid {
        /// The file.
        file: String,
        /// What is wrong.
        message: String,
        /// The text.
        #[source_code]
        source_code: NamedSource<String>,
        /// The place.
        #[label("here")]
        span: Option<SourceSpan>,
    },
    /// The command line asks for what the workload does not have.
    #[error("{0}")]
    Override(String),
}

/// Longest file that is read.
const MAX_FILE_BYTES: u64 = 64 * 1024;

impl Workload {
    /// Reads the workload that is built in under this name, or the file at this path.
    ///
    /// # Errors
    /// When there is none, or it is none.
    pub fn find(name: &str, overrides: &Overrides) -> Result<Self, WorkloadError> {
        if let Some(builtin) = BuiltinWorkload::find(name) {
            return Self::parse(builtin.name, &format!("{name}.toml"), builtin.text, overrides);
        }
        let path = PathBuf::from(name);
        let failed = |source| WorkloadError::Read { name: name.to_owned(), source };
        let length = std::fs::metadata(&path).map_err(failed)?.len();
        if length > MAX_FILE_BYTES {
            return Err(failed(std::io::Error::other(format!(
                "it has {length} bytes, which is no small file"
            ))));
        }
        let text = scenarios::text_file::read(&path).map_err(failed)?;
        let stem = path.file_stem().unwrap_or(Path::new(name).as_os_str()).to_string_lossy().into_owned();
        Self::parse(&stem, name, &text, overrides)
    }

    /// Reads a workload's text, with what the command line changes.
    ///
    /// # Errors
    /// When it cannot be understood; the error has the line.
    pub fn parse(name: &str, file: &str, text: &str, overrides: &Overrides) -> Result<Self, WorkloadError> {
        let invalid = |message: String, span: Option<std::ops::Range<usize>>| WorkloadError::Invalid {
            file: file.to_owned(),
            message,
            source_code: NamedSource::new(file, Foreign::from(text).source()).with_language("toml"),
            span: span.map(SourceSpan::from),
        };
        let mut raw: RawWorkload =
            toml::from_str(text).map_err(|error| invalid(error.message().to_owned(), error.span()))?;
        raw.apply(overrides).map_err(WorkloadError::Override)?;
        raw.check(name).map_err(|(message, span)| invalid(message, span))
    }

    /// The settings, as files spell them.
    pub fn settings(&self) -> BTreeMap<String, String> {
        let mut settings = BTreeMap::from([("clients".to_owned(), self.clients.to_string())]);
        let mut set = |name: &str, value: String| {
            settings.insert(name.to_owned(), value);
        };
        let time = |duration: Duration| Time(duration).to_string();
        match &self.load {
            Load::Burst { events } => set("events", events.to_string()),
            Load::Paced(pace) => {
                set("rate", Rate(pace.rate).to_string());
                set("duration", time(pace.duration));
                for (name, rate) in
                    [("churn", pace.churn), ("pings", pace.pings), ("subscriptions", pace.subscriptions)]
                {
                    if rate > 0.0 {
                        set(name, Rate(rate).to_string());
                    }
                }
            }
            Load::Ramp(ramp) => {
                set("from", Rate(ramp.from).to_string());
                set("to", Rate(ramp.to).to_string());
                set("factor", ramp.factor.to_string());
                set("hold", time(ramp.hold));
                set("bound", ramp.bound.to_string());
            }
            Load::Idle { duration } => set("duration", time(*duration)),
            Load::Connect { patience } => set("patience", time(*patience)),
        }
        if !self.audiences.is_empty() {
            set("payload", Size(self.payload).to_string());
            let shares = self
                .audiences
                .iter()
                .map(|share| format!("{} (weight {}, members {})", share.to, share.weight, share.members));
            set("audiences", shares.collect::<Vec<_>>().join(", "));
        }
        settings
    }

    /// How many users the clients have: as many as owners of events need.
    pub fn users(&self) -> usize {
        self.clients.div_ceil(self.clients_of_user()).max(1)
    }

    /// How many clients a user has.
    pub fn clients_of_user(&self) -> usize {
        let owners = self.audiences.iter().filter(|share| share.to == Audience::Owner);
        owners.map(|share| share.members).max().unwrap_or(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<Workload, WorkloadError> {
        Workload::parse("mine", "mine.toml", text, &Overrides::default())
    }

    /// Each workload that is built in is sound, and has the name by which it is found.
    #[test]
    fn builtin_workloads_are_sound() {
        for builtin in BuiltinWorkload::ALL {
            let workload = Workload::find(builtin.name, &Overrides::default()).unwrap();
            assert_eq!(workload.name, builtin.name);
            assert!(builtin.text.starts_with("# "), "{} says what it is for", builtin.name);
            assert!(builtin.about().ends_with('.'), "{}", builtin.about());
        }
    }

    /// Each mistake is one error that says what and where.
    #[test]
    fn mistakes_are_named() {
        const EVENTS: &str = "[[audience]]\nto = \"everybody\"\n";
        for (text, says) in [
            ("clients = 1\nclient = 2", "unknown field `client`"),
            ("clients = 0\n[idle]\nduration = \"1s\"", "`clients` is 0"),
            ("clients = 1", "one of `[burst]`, `[paced]`, `[ramp]`, `[idle]` and `[connect]`"),
            (
                "clients = 1\n[idle]\nduration = \"1s\"\n[burst]\nevents = 1",
                "one of `[burst]`, `[paced]`, `[ramp]`, `[idle]` and `[connect]`",
            ),
            ("clients = 1\n[burst]\nevents = 1", "has events, and no `[[audience]]`"),
            ("clients = 1\n[burst]\nevent = 1", "unknown field `event`"),
            ("clients = 1\n[paced]\nrate = \"5\"", "is no rate"),
            ("clients = 1\n[idle]\nduration = \"1s\"\n[[audience]]\nto = \"everybody\"", "has no events"),
            ("clients = 1\nthresholds = [\"p98 < 1ms\"]", "there is no measure `p98`"),
            ("clients = 1\n[[audience]]\nto = \"nobody\"", "unknown variant `nobody`"),
            (
                "clients = 1\n[burst]\nevents = 100000001\n[[audience]]\nto = \"everybody\"",
                "up to 10000000 events",
            ),
        ] {
            let error = parse(text).unwrap_err();
            assert!(error.to_string().contains(says), "{text}: {error}");
        }
        let twice = format!("clients = 1\n[burst]\nevents = 1\n{EVENTS}{EVENTS}");
        assert!(parse(&twice).unwrap_err().to_string().contains("twice"));
        let many = format!("clients = 1\n[burst]\nevents = 1\n{EVENTS}members = 2");
        assert!(parse(&many).unwrap_err().to_string().contains("everybody"));
        let error = parse("clients = 1\nclient = 2").unwrap_err();
        assert!(matches!(error, WorkloadError::Invalid { span: Some(span), .. } if span.offset() == 12));
    }

    /// The command line changes what the workload has, and nothing else.
    #[test]
    fn the_command_line_changes_what_there_is() {
        let faster = Overrides { rate: Some(Rate(7.0)), clients: Some(3), ..Overrides::default() };
        let Ok(workload) = Workload::find("paced", &faster) else { panic!("it has a rate") };
        assert!(matches!(workload.load, Load::Paced(Pace { rate: 7.0, .. })));
        assert_eq!(workload.clients, 3);
        let error = Workload::find("burst", &faster).unwrap_err().to_string();
        assert!(error.contains("`--rate`") && error.contains("[burst]"), "{error}");
        assert!(matches!(Workload::find("nothing", &faster), Err(WorkloadError::Read { .. })));
    }
}
