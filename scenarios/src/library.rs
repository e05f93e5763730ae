//! The scenarios that come with this build, and those of a folder.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use fast_glob::glob_match;
use include_dir::{Dir, DirEntry, include_dir};

use crate::foreign::is_hidden;
use crate::nearest::nearest;
use crate::plan::Plan;
use crate::scenario::{Scenario, ScenarioError, ScenarioId};

static BUILTIN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/files");

/// A set of scenarios, in the order of their ids.
#[derive(Debug, Clone)]
pub struct Library {
    scenarios: Vec<Scenario>,
    plans: Vec<Plan>,
}

/// Why a set of scenarios cannot be used.
#[derive(Debug, miette::Diagnostic, thiserror::Error)]
pub enum LibraryError {
    /// A file is not a scenario.
    #[error(transparent)]
    #[diagnostic(transparent)]
    Scenario(#[from] ScenarioError),
    /// A folder or file cannot be read.
    #[error("cannot read {}", path.display())]
    #[diagnostic(help("give a folder that holds scenario files (`*.toml`)"))]
    Read {
        /// What.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file's name is no name for a scenario.
    #[error("{path:?} has a character in its name that is not shown everywhere")]
    #[diagnostic(help(
        "a scenario is called by the name of its file: rename it, without characters that no reader sees, '`' and '|'"
    ))]
    Name {
        /// The file.
        path: PathBuf,
    },
    /// A folder holds no scenario.
    #[error("{} holds no scenario", path.display())]
    #[diagnostic(help("scenario files end in `.toml`"))]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A filter matches nothing.
    #[error("no scenario matches `{filter}`")]
    NoMatch {
        /// The filter.
        filter: String,
        /// What it may have meant.
        #[help]
        help: String,
    },
}

impl Library {
    /// The scenarios that this build was made with.
    ///
    /// # Errors
    /// When one of them is broken, which a test rules out.
    pub fn builtin() -> Result<Self, LibraryError> {
        let mut files = Vec::new();
        collect(&BUILTIN, &mut files);
        let mut library = Self { scenarios: Vec::new(), plans: Vec::new() };
        for (path, text) in files {
            library.add(id_of(path), text)?;
        }
        Ok(library.sorted())
    }

    /// The scenarios of a folder and its subfolders. A folder that is reached twice, by a link, is read once.
    ///
    /// # Errors
    /// When it cannot be read, holds none, or one of them is broken.
    pub fn folder(path: &Path) -> Result<Self, LibraryError> {
        let mut library = Self { scenarios: Vec::new(), plans: Vec::new() };
        let mut folders = vec![path.to_owned()];
        let mut seen = BTreeSet::new();
        while let Some(folder) = folders.pop() {
            let read = |source| LibraryError::Read { path: folder.clone(), source };
            if !seen.insert(folder.canonicalize().map_err(read)?) {
                continue;
            }
            for entry in fs::read_dir(&folder).map_err(read)? {
                let entry = entry.map_err(read)?.path();
                if entry.is_dir() {
                    folders.push(entry);
                } else if entry.is_file() && entry.extension().is_some_and(|ending| ending == "toml") {
                    if entry.to_string_lossy().contains(is_misread) {
                        return Err(LibraryError::Name { path: entry });
                    }
                    let text = crate::text_file::read(&entry)
                        .map_err(|source| LibraryError::Read { path: entry.clone(), source })?;
                    let id = id_of(entry.strip_prefix(path).unwrap_or(&entry));
                    library.add(id, &text)?;
                }
            }
        }
        if library.scenarios.is_empty() && library.plans.is_empty() {
            return Err(LibraryError::Empty { path: path.to_owned() });
        }
        Ok(library.sorted())
    }

    /// Every scenario, in the order of the ids.
    pub fn iter(&self) -> impl Iterator<Item = &Scenario> {
        self.scenarios.iter()
    }

    /// Every plan of a whole system, in the order of the ids: they have no steps that wait, and are played by other means.
    pub fn plans(&self) -> impl Iterator<Item = &Plan> {
        self.plans.iter()
    }

    /// The scenarios that match any of the filters: a glob over ids, or a requirement that they show. No filter means all.
    ///
    /// # Errors
    /// When a filter matches nothing.
    pub fn select(&self, filters: &[String]) -> Result<Vec<&Scenario>, LibraryError> {
        let mut chosen = vec![filters.is_empty(); self.scenarios.len()];
        for filter in filters {
            let matcher = Filter::new(filter);
            let mut found = false;
            for (scenario, chosen) in self.scenarios.iter().zip(&mut chosen) {
                if matcher.matches(scenario) {
                    *chosen = true;
                    found = true;
                }
            }
            if !found {
                return Err(LibraryError::NoMatch { filter: filter.clone(), help: self.hint(filter) });
            }
        }
        Ok(self
            .scenarios
            .iter()
            .zip(chosen)
            .filter(|(_, chosen)| *chosen)
            .map(|(scenario, _)| scenario)
            .collect())
    }

    fn add(&mut self, id: ScenarioId, text: &str) -> Result<(), ScenarioError> {
        if Plan::is_one(text) {
            self.plans.push(Plan::parse(id, text)?);
        } else {
            self.scenarios.push(Scenario::parse(id, text)?);
        }
        Ok(())
    }

    fn sorted(mut self) -> Self {
        self.scenarios.sort_by(|a, b| a.id.cmp(&b.id));
        self.plans.sort_by(|a, b| a.id.cmp(&b.id));
        self
    }

    fn hint(&self, filter: &str) -> String {
        let ids = self.scenarios.iter().map(|scenario| scenario.id.to_string());
        match nearest(filter, ids) {
            Some(id) => format!("did you mean `{id}`? `gatecheck list` shows all"),
            None => {
                "`gatecheck list` shows all; `client/backoff/**` selects a folder, `AUTH-2` a requirement"
                    .to_owned()
            }
        }
    }
}

/// Whether no reader sees it, or a table takes it for its own.
fn is_misread(c: char) -> bool {
    c.is_control() || is_hidden(c) || matches!(c, '`' | '|')
}

/// A glob over ids, or a requirement.
struct Filter<'a> {
    glob: &'a str,
    requirement: Option<crate::RequirementId>,
}

impl<'a> Filter<'a> {
    fn new(filter: &'a str) -> Self {
        Self { glob: filter, requirement: filter.parse().ok() }
    }

    fn matches(&self, scenario: &Scenario) -> bool {
        glob_match(self.glob, &scenario.id.0)
            || self.requirement.as_ref().is_some_and(|id| scenario.requirements().contains(id))
    }
}

fn collect(dir: &'static Dir<'_>, files: &mut Vec<(&'static Path, &'static str)>) {
    for entry in dir.entries() {
        match entry {
            DirEntry::Dir(inner) => collect(inner, files),
            DirEntry::File(file) => {
                files.extend(file.contents_utf8().map(|text| (file.path(), text)));
            }
        }
    }
}

/// Ids use `/` on every platform.
fn id_of(path: &Path) -> ScenarioId {
    let path = path.with_extension("");
    let parts: Vec<_> = path.iter().map(|part| part.to_string_lossy()).collect();
    ScenarioId(parts.join("/"))
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::frame::coding::{Data, OpCode};

    use super::*;
    use crate::frame::RawFrame;
    use crate::scenario::{ClientAction, GatewayAct, GatewayAction, Script, ScriptedClientAct};

    /// Every built-in scenario reads, and its texts are fit to print.
    #[test]
    fn the_builtin_scenarios_are_sound() {
        let library = Library::builtin().unwrap_or_else(|error| panic!("{error}"));
        assert!(library.iter().count() >= 30);
        for scenario in library.iter() {
            let folder = scenario.id.0.split('/').next();
            assert_eq!(
                folder,
                Some(scenario.subject().to_string().as_str()),
                "{}: stands in its subject's folder",
                scenario.id
            );
            assert!(!scenario.title.is_empty() && !scenario.title.ends_with('.'), "{}", scenario.id);
        }
    }

    /// Every requirement is shown by a scenario.
    #[test]
    fn every_requirement_has_a_scenario() {
        let library = Library::builtin().unwrap();
        let shown: BTreeSet<_> = library.iter().flat_map(Scenario::requirements).collect();
        let catalogue = crate::Catalogue::builtin();
        let holes: Vec<_> = catalogue.iter().map(|rule| &rule.id).filter(|id| !shown.contains(*id)).collect();
        assert!(holes.is_empty(), "no scenario shows {holes:?}");
    }

    /// The groups of the Autobahn TestSuite's cases for servers. Sections 10, 12 and 13 are about echoes in fragments and about compression, which a gateway does not do.
    const AUTOBAHN: [&str; 79] = [
        "1.1", "1.2", "2.1", "2.2", "2.3", "2.4", "2.5", "2.6", "2.7", "2.8", "2.9", "2.10", "2.11", "3.1",
        "3.2", "3.3", "3.4", "3.5", "3.6", "3.7", "4.1", "4.2", "5.1", "5.2", "5.3", "5.4", "5.5", "5.6",
        "5.7", "5.8", "5.9", "5.10", "5.11", "5.12", "5.13", "5.14", "5.15", "5.16", "5.17", "5.18", "5.19",
        "5.20", "6.1", "6.2", "6.3", "6.4", "6.5", "6.6", "6.7", "6.8", "6.9", "6.10", "6.11", "6.12",
        "6.13", "6.14", "6.15", "6.16", "6.17", "6.18", "6.19", "6.20", "6.21", "6.22", "6.23", "7.1", "7.3",
        "7.5", "7.7", "7.9", "7.13", "9.1", "9.2", "9.3", "9.4", "9.5", "9.6", "9.7", "9.8",
    ];

    /// Every group of Autobahn's cases is covered: each file about RFC 6455 says which it covers, or which section it is
    /// about where Autobahn has no case.
    #[test]
    fn the_autobahn_cases_are_covered() {
        let library = Library::builtin().unwrap();
        let mut covered = BTreeSet::new();
        for scenario in library.select(&["gateway/rfc6455/**".to_owned()]).unwrap() {
            let source = scenario.about.strip_prefix("Autobahn ");
            assert!(
                source.is_some() || scenario.about.starts_with("RFC 6455 section"),
                "{}: `about` begins with Autobahn's cases or the RFC's section",
                scenario.id
            );
            let cases = source.unwrap_or_default().split([' ', ',', ':']);
            covered.extend(cases.filter_map(|case| {
                let mut parts = case.trim_end_matches('.').split('.');
                Some(format!("{}.{}", parts.next()?.parse::<u8>().ok()?, parts.next()?.parse::<u8>().ok()?))
            }));
        }
        let missing: Vec<_> = AUTOBAHN.iter().filter(|group| !covered.contains(**group)).collect();
        assert!(missing.is_empty(), "no scenario covers Autobahn {missing:?}");
    }

    /// A client has said that it is connected, or has subscribed, before the scripted gateway sends an event: one that comes in the
    /// millisecond of the opening comes before the client can have a listener for it.
    #[test]
    fn no_event_comes_before_the_client_is_ready() {
        let library = Library::builtin().unwrap();
        for scenario in library.iter() {
            let Script::Client(script) = &scenario.script else { continue };
            let mut is_ready = false;
            for step in &script.steps {
                match &step.action {
                    ClientAction::Wait(wait) => is_ready |= !wait.pattern.is_opening(),
                    ClientAction::Gateway(GatewayAct::Event { .. }) => {
                        assert!(is_ready, "{}: an event before the client is ready", scenario.id);
                    }
                    _ => {}
                }
            }
        }
    }

    /// What a probe of RFC 6455 carries is a message, so that a gateway that cannot take another text does not fail MSG-7 for it; where
    /// no message can carry what is tried, MSG-3 is seen to hold first.
    #[test]
    fn probes_of_rfc_6455_carry_messages() {
        let library = Library::builtin().unwrap();
        for scenario in library.select(&["MSG-7".to_owned(), "MSG-5".to_owned()]).unwrap() {
            let Script::Gateway(script) = &scenario.script else { continue };
            let is_seen = scenario.labels().any(|label| label.requirement().to_string() == "MSG-3");
            let carries = |frame: &RawFrame| {
                let is_whole = frame.fin && frame.rsv == 0 && frame.opcode == OpCode::Data(Data::Text);
                let Ok(text) = std::str::from_utf8(&frame.payload) else { return false };
                is_whole && serde_json::from_str::<serde_json::Value>(text).is_err()
            };
            for step in &script.steps {
                let is_odd = match &step.action {
                    GatewayAction::ScriptedClient(_, ScriptedClientAct::SendFrames { frames, .. }) => {
                        frames.iter().filter(|odd| odd.masked).any(|odd| carries(&odd.frame))
                    }
                    GatewayAction::ScriptedClient(_, ScriptedClientAct::SendText(text)) => {
                        serde_json::from_str::<serde_json::Value>(text).is_err()
                    }
                    GatewayAction::ScriptedClient(_, ScriptedClientAct::SendBinary(_)) => true,
                    _ => false,
                };
                let is_about_msg_3 = scenario.requirements().iter().any(|id| id.to_string() == "MSG-3");
                assert!(!is_odd || is_seen || is_about_msg_3, "{}: {}", scenario.id, step.action);
            }
        }
    }

    /// Filters are globs over ids or requirements; one that selects nothing is an error with a hint.
    #[test]
    fn filters_select_or_complain() {
        let library = Library::builtin().unwrap();
        let all = library.select(&[]).unwrap().len();
        let clients = library.select(&["client/**".to_owned()]).unwrap();
        assert!(!clients.is_empty() && clients.len() < all);
        let by_requirement = library.select(&["BACKOFF-1".to_owned()]).unwrap();
        assert!(
            by_requirement.iter().all(|s| s.requirements().iter().any(|id| id.to_string() == "BACKOFF-1"))
        );
        for broken in ["client/[", "nothing/at/all", "AUTH-99"] {
            assert!(library.select(&[broken.to_owned()]).is_err(), "{broken}");
        }
    }

    /// Links in a circle are followed once; a name that would break lines is an error that shows it.
    #[test]
    #[cfg(unix)]
    fn folders_end() {
        let folder = tempfile::tempdir().unwrap();
        let text = "version = 2\ntitle = \"t\"\nsubject = \"client\"\n[[expect]]\nrequirement = \"STATE-1\"\nsome = { opens = true }";
        fs::create_dir(folder.path().join("a")).unwrap();
        fs::write(folder.path().join("a/b.toml"), text).unwrap();
        for link in ["here", "a/up"] {
            std::os::unix::fs::symlink(folder.path(), folder.path().join(link)).unwrap();
        }
        let library = Library::folder(folder.path()).unwrap();
        assert_eq!(library.iter().count(), 1);
        fs::write(folder.path().join("a/b\nc.toml"), text).unwrap();
        let error = Library::folder(folder.path()).unwrap_err().to_string();
        assert!(error.contains("b\\nc.toml") && !error.contains('\n'), "{error}");
    }
}
