//! `list`, `explain` and `requirements`: what there is to show.

use std::io::Write;
use std::path::{Path, PathBuf};

use clap::Args;
use scenarios::scenario::Bindings;
use scenarios::{Catalogue, Foreign, Guidance, Library, Requirement, RequirementId, Scenario, SubjectKind};

use super::{Failure, closed};
use conformance::exit::Exit;
use conformance::profile::Profile;
use gatecheck_lab::mutants::{self, process};

/// Which scenarios.
#[derive(Args, Clone)]
pub(super) struct Selection {
    /// Only these: a pattern such as `client/backoff/**`, or a requirement such as AUTH-2; repeatable
    #[arg(long, short = 'f', value_name = "PATTERN")]
    pub(super) filter: Vec<String>,
    /// A folder of scenarios instead of the built-in ones
    #[arg(long, value_name = "DIR")]
    pub(super) scenarios: Option<PathBuf>,
}

#[derive(Args)]
pub(super) struct ListArgs {
    #[command(flatten)]
    selection: Selection,
}

#[derive(Args)]
pub(super) struct ExplainArgs {
    /// A requirement such as BACKOFF-1, or a scenario such as client/backoff/doubles-to-the-cap
    id: String,
    /// A profile: a scenario then speaks of its event types, and as its dialect does
    #[arg(long, short = 'c', value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    selection: Selection,
}

#[derive(Args)]
pub(super) struct RequirementsArgs {
    /// Only those that no scenario shows
    #[arg(long)]
    holes: bool,
    #[command(flatten)]
    selection: Selection,
}

impl Selection {
    /// Reads the scenarios.
    pub(super) fn library(&self) -> Result<Library, Failure> {
        match &self.scenarios {
            Some(folder) => Library::folder(folder).map_err(Failure::usage),
            None => Library::builtin().map_err(|error| Failure::new(Exit::Harness, error)),
        }
    }
}

pub(super) fn list(args: &ListArgs) -> Result<Exit, Failure> {
    let library = args.selection.library()?;
    let mut out = anstream::stdout().lock();
    for scenario in library.select(&args.selection.filter).map_err(Failure::usage)? {
        let shows: Vec<_> = scenario.requirements().iter().map(ToString::to_string).collect();
        let title = Foreign::from(scenario.title.as_str()).terminal();
        writeln!(out, "{:<44} {title}  [{}]", scenario.id, shows.join(", ")).map_err(closed)?;
    }
    Ok(Exit::Conformant)
}

pub(super) fn explain(args: &ExplainArgs) -> Result<Exit, Failure> {
    let library = args.selection.library()?;
    let catalogue = Catalogue::builtin();
    let requirement = args.id.to_uppercase().parse::<RequirementId>().ok().and_then(|id| catalogue.get(&id));
    let scenario = library.iter().find(|scenario| scenario.id.0 == args.id);
    let text = match (requirement, scenario) {
        (Some(requirement), _) => explain_requirement(requirement, &library),
        (None, Some(scenario)) => match &args.config {
            None => explain_scenario(scenario),
            Some(path) => explain_scenario(&scenario.bind(&bindings(path)?)),
        },
        (None, None) => {
            let help = match catalogue.nearest(&args.id) {
                Some(near) => format!("did you mean {near}?"),
                None => "`gatecheck requirements` and `gatecheck list` show what there is".to_owned(),
            };
            let error = miette::miette!(help = help, "`{}` is neither a requirement nor a scenario", args.id);
            return Err(Failure::usage(error));
        }
    };
    anstream::stdout().write_all(text.as_bytes()).map_err(closed)?;
    Ok(Exit::Conformant)
}

pub(super) fn requirements(args: &RequirementsArgs) -> Result<Exit, Failure> {
    let library = args.selection.library()?;
    let scenarios = library.select(&args.selection.filter).map_err(Failure::usage)?;
    let catalogue = Catalogue::builtin();
    let mut out = anstream::stdout().lock();
    let (mut holes, mut unbroken) = (0, 0);
    writeln!(out, "{:<10} {:<8} scenarios mutants", "", "").map_err(closed)?;
    for subject in [SubjectKind::Gateway, SubjectKind::Client, SubjectKind::Pair] {
        for requirement in catalogue.iter().filter(|requirement| requirement.subject == subject) {
            let shown_by =
                scenarios.iter().filter(|scenario| scenario.requirements().contains(&requirement.id)).count();
            let broken_by = mutants_of(&requirement.id).count();
            holes += usize::from(shown_by == 0);
            unbroken += usize::from(broken_by == 0);
            if args.holes && shown_by > 0 && broken_by > 0 {
                continue;
            }
            let Requirement { id, level, text, .. } = requirement;
            let [shown, broken] = [shown_by, broken_by]
                .map(|count| if count == 0 { "–".to_owned() } else { count.to_string() });
            writeln!(out, "{id:<10} {level:<8} {shown:>9} {broken:>7}  {text}").map_err(closed)?;
        }
    }
    let total = catalogue.iter().count();
    let (shown, broken) = (total - holes, total - unbroken);
    writeln!(out, "\n{shown} of {total} requirements are shown by scenarios, {broken} are broken by mutants")
        .map_err(closed)?;
    Ok(Exit::Conformant)
}

fn explain_requirement(requirement: &Requirement, library: &Library) -> String {
    let Requirement { id, subject, level, source, text } = requirement;
    let source = format!("{source:?}").to_lowercase();
    let mut lines = vec![format!("{id}  ({subject}, {level}, {source})"), text.clone(), String::new()];
    if let Some(Guidance { why, fix, .. }) = Guidance::of(id) {
        lines.extend([format!("Why it matters: {why}"), format!("How to fix it: {fix}"), String::new()]);
    }
    let shows = library.iter().filter(|scenario| scenario.requirements().contains(id));
    let line = |scenario: &Scenario| {
        format!("  {:<44} {}", scenario.id, Foreign::from(scenario.title.as_str()).terminal())
    };
    let shows: Vec<_> = shows.map(line).collect();
    lines.push(if shows.is_empty() { "No scenario shows it yet." } else { "Shown by:" }.to_owned());
    lines.extend(shows);
    let mutants: Vec<_> = mutants_of(id).map(|(name, about)| format!("  {name:<44} {about}")).collect();
    if !mutants.is_empty() {
        lines.extend([String::new(), "Broken by, in `gatecheck selftest`:".to_owned()]);
        lines.extend(mutants);
    }
    lines.join("\n") + "\n"
}

/// The mutants that break a requirement, and what went wrong in them.
pub(super) fn mutants_of(id: &RequirementId) -> impl Iterator<Item = (&'static str, &'static str)> {
    let id = id.to_string();
    let simulated = mutants::all().into_iter().map(|mutant| (mutant.requirement, mutant.id, mutant.about));
    let commands = mutants::COMMANDS.iter().map(|mutant| (mutant.requirement, mutant.id, mutant.about));
    let processes = process::PROCESSES.iter().map(|mutant| (mutant.requirement, mutant.id, mutant.about));
    simulated
        .chain(commands)
        .chain(processes)
        .filter(move |(broken, ..)| *broken == id)
        .map(|(_, name, about)| (name, about))
}

/// What a profile says of the names in a scenario; what a run draws stays as it is.
fn bindings(path: &Path) -> Result<Bindings, Failure> {
    Ok(Profile::read(path).map_err(Failure::usage)?.bindings("{case}".to_owned()))
}

fn explain_scenario(scenario: &Scenario) -> String {
    let mut lines = vec![format!("{}  ({})", scenario.id, scenario.subject()), scenario.title.clone()];
    if !scenario.about.is_empty() {
        lines.push(scenario.about.clone());
    }
    lines.push(String::new());
    lines.extend((1..).zip(scenario.actions()).map(|(number, action)| format!("{number:>3}. {action}")));
    let shows: Vec<_> = scenario.requirements().iter().map(ToString::to_string).collect();
    lines.push(format!("\nShows {}. Its file:\n", shows.join(", ")));
    lines.extend(scenario.to_toml().lines().map(shortened));
    Foreign::from(lines.join("\n") + "\n").terminal_lines()
}

/// A line of a file, of which a long one is padding.
fn shortened(line: &str) -> String {
    /// Characters that are shown.
    const SHOWN: usize = 300;
    match line.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…  # {} characters in all", &line[..end], line.chars().count()),
        None => line.to_owned(),
    }
}
