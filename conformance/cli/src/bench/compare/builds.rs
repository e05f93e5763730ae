//! The two builds, and how a block of one is run.

use std::path::{Path, PathBuf};

use miette::miette;

use super::super::super::Failure;
use super::super::super::judge::{GatewaySubject, profile_for};
use super::super::play;
use super::CompareArgs;
use super::revision::Revision;
use conformance::executor::BrokerChoice;
use conformance::exit::Exit;
use conformance::interruption::Interruption;
use conformance::profile::{DEFAULT_FILE, GatewayAccess, Profile};
use gatecheck_load::Workload;
use gatecheck_load::bench::{self, BenchConfig, BenchError};
use gatecheck_load::compare::{Block, Build, Builds};
use gatecheck_load::measure::Measures;
use gatecheck_load::run::Ending;

/// Both builds, ready to be started.
pub(super) struct Pair {
    pub(super) base: Named,
    pub(super) new: Named,
}

/// A build.
pub(super) struct Named {
    /// Its command, profile or revision.
    pub(super) name: String,
    profile: Profile,
    /// Its working tree, which is removed with it.
    _revision: Option<Revision>,
}

impl Pair {
    /// Reads profiles, and checks out and builds revisions.
    pub(super) async fn ready(args: &CompareArgs, interruption: &Interruption) -> Result<Self, Failure> {
        match (&args.base, &args.new, &args.base_profile, &args.new_profile, &args.base_rev) {
            (Some(base), Some(new), ..) => Ok(Self {
                base: Named::of_command("--base", base, args.config.as_deref())?,
                new: Named::of_command("--new", new, args.config.as_deref())?,
            }),
            (_, _, Some(base), Some(new), _) => {
                Ok(Self { base: Named::of_profile(base)?, new: Named::of_profile(new)? })
            }
            (.., Some(base)) => {
                let config = args.config.as_deref().unwrap_or(Path::new(DEFAULT_FILE));
                let profile = profile_for(Some(config), false)?;
                spawned(&profile)?;
                let build = args.build.as_deref().unwrap_or_default();
                let one = |revision: Revision| Named {
                    name: revision.name.clone(),
                    profile: Profile { folder: revision.folder.clone(), ..profile.clone() },
                    _revision: Some(revision),
                };
                let base = one(Revision::built(base, build, &profile.folder, interruption).await?);
                let new = one(Revision::built(&args.new_rev, build, &profile.folder, interruption).await?);
                Ok(Self { base, new })
            }
            _ => {
                let help = "give `--base COMMAND --new COMMAND`, `--base-profile FILE --new-profile FILE`, or `--base-rev REV --build COMMAND`";
                Err(Failure::usage(miette!(help = help, "which builds are to be compared?")))
            }
        }
    }

    fn get(&self, build: Build) -> &Named {
        match build {
            Build::Base => &self.base,
            Build::New => &self.new,
        }
    }
}

impl Named {
    /// The profile with another command; without one, what a bare command is given.
    fn of_command(option: &str, command: &str, config: Option<&Path>) -> Result<Self, Failure> {
        let words = shlex::split(command).filter(|words| !words.is_empty());
        let words = words.ok_or_else(|| {
            Failure::usage(miette!(help = "check its quotes", "`{option}`: `{command}` is no command"))
        })?;
        let is_there = config.is_some() || Path::new(DEFAULT_FILE).exists();
        let profile = if is_there {
            let mut profile = profile_for(config, false)?;
            *spawned_words(&mut profile)? = words;
            profile
        } else {
            GatewaySubject::of_command(words).profile()?
        };
        Ok(Self { name: command.to_owned(), profile, _revision: None })
    }

    fn of_profile(file: &Path) -> Result<Self, Failure> {
        let profile = profile_for(Some(file), false)?;
        spawned(&profile)?;
        Ok(Self { name: file.display().to_string(), profile, _revision: None })
    }
}

/// The gateway is started by its profile: one that runs already would have to be two.
fn spawned(profile: &Profile) -> Result<(), Failure> {
    spawned_words(&mut profile.clone()).map(drop)
}

fn spawned_words(profile: &mut Profile) -> Result<&mut Vec<String>, Failure> {
    match profile.gateway.as_mut().map(|gateway| &mut gateway.access) {
        Some(GatewayAccess::Spawn { command, .. }) => Ok(&mut command.words),
        Some(GatewayAccess::Attach { .. } | GatewayAccess::InProcess { .. }) => {
            let help = "write `command = [\"…\"]` in [gateway]: each block starts its build anew";
            Err(Failure::usage(miette!(help = help, "the profile's gateway is not started by it")))
        }
        None => {
            let help = "add a `[gateway]` table with the command that starts it";
            Err(Failure::usage(miette!(help = help, "the profile has no [gateway]")))
        }
    }
}

/// Runs blocks.
pub(super) struct Loaded<'a> {
    pair: &'a Pair,
    workload: Workload,
    broker: BrokerChoice,
    program: PathBuf,
    interruption: &'a Interruption,
    limited: usize,
}

/// A block could not be run.
pub(super) struct BuildError(pub(super) Failure);

impl<'a> Loaded<'a> {
    pub(super) fn new(
        pair: &'a Pair,
        workload: Workload,
        broker: &str,
        interruption: &'a Interruption,
    ) -> Result<Self, Failure> {
        let program = std::env::current_exe().map_err(|error| {
            Failure::new(Exit::Harness, miette!("cannot tell where this program is: {error}"))
        })?;
        Ok(Self { pair, workload, broker: BrokerChoice::from(broker), program, interruption, limited: 0 })
    }

    /// How many blocks the load generator limited.
    pub(super) fn limited(&self) -> usize {
        self.limited
    }
}

impl Builds for Loaded<'_> {
    type Error = BuildError;

    async fn run(&mut self, block: Block) -> Result<Option<Measures>, BuildError> {
        let Named { name, profile, .. } = self.pair.get(block.build);
        let config = BenchConfig {
            subject: Some(name.clone()),
            broker: self.broker.clone(),
            program: self.program.clone(),
            seed: block.seed,
            ..BenchConfig::new(self.workload.clone(), profile.clone())
        };
        let stop = async {
            self.interruption.begun().await;
        };
        let failed = |failure: Failure| {
            let Failure { exit, report } = failure;
            BuildError(Failure {
                exit,
                report: report.map(|report| report.wrap_err(format!("the {} build", block.build))),
            })
        };
        match bench::run(config, stop, |_| {}).await {
            Ok(run) if run.ending == Ending::Interrupted => Ok(None),
            Ok(run) if run.ending == Ending::Died => {
                Err(failed(Failure::new(Exit::Subject, miette!("it died under the load"))))
            }
            Ok(run) => {
                self.limited += usize::from(run.generator.limited.is_some());
                Ok(Some(run.measures))
            }
            Err(BenchError::Interrupted) => Ok(None),
            Err(error) => Err(failed(play::failure(error))),
        }
    }
}
