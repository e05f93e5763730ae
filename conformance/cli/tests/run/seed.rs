//! What is known to be wrong with the seed's gateway and the seed's client is found under its requirement, and nothing else is blamed:
//! the tables in their READMEs.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tokio::process::Command;
use tokio::runtime::Runtime;

use crate::node::{copy, with_modules};
use crate::{cases, gatecheck, standings};

struct Seed {
    subject: &'static str,
    folder: &'static str,
    /// Beside the compiler and the types of Node.js.
    modules: &'static [&'static str],
    exit_code: i32,
    /// Whether its process serves more than one case.
    shared: bool,
}

const GATEWAY: Seed = Seed {
    subject: "gateway",
    folder: "examples/seed-gateway",
    modules: &["amqplib", "jsonwebtoken", "ws", "@types/amqplib", "@types/jsonwebtoken", "@types/ws"],
    // It dies of a body that is not JSON.
    exit_code: 4,
    shared: false,
};
/// What a case has done to it is blamed on no other.
const SHARED_GATEWAY: Seed = Seed { shared: true, ..GATEWAY };
const CLIENT: Seed = Seed {
    subject: "client",
    folder: "examples/seed-client",
    modules: &["ws", "@types/ws"],
    // It dies of a listener of `connected` that throws.
    exit_code: 4,
    shared: false,
};

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let trial = |name: &str, seed: &'static Seed| {
        let runtime = Arc::clone(runtime);
        Trial::ignorable_test(name, move || {
            let modules = [&["typescript", "@types/node"], seed.modules].concat();
            with_modules(&modules, |folder| runtime.block_on(is_found_out(seed, folder)))
        })
    };
    vec![
        trial("node/the_seeds_gateway_is_found_out", &GATEWAY),
        trial("node/the_seeds_gateway_is_found_out/shared", &SHARED_GATEWAY),
        trial("node/the_seeds_client_is_found_out", &CLIENT),
    ]
}

async fn is_found_out(seed: &Seed, folder: &Path) -> Result<(), Failed> {
    let conformance = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/.."));
    copy(&["adapters/node/gatecheck-adapter.mjs", "adapters/node/gatecheck-adapter.d.mts"], folder)?;
    let own = conformance.join(seed.folder);
    for name in ["package.json", "tsconfig.json", "gatecheck.toml"] {
        copy(&[&format!("{}/{name}", seed.folder)], folder)?;
    }
    for source in fs::read_dir(own.join("src")).map_err(|error| error.to_string())? {
        let name = source.map_err(|error| error.to_string())?.file_name();
        copy(&[&format!("{}/src/{}", seed.folder, name.to_string_lossy())], folder)?;
    }
    compile(&folder.join(seed.folder), &folder.join("node_modules/.bin/tsc")).await?;

    let profile = folder.join(seed.folder).join("gatecheck.toml");
    if seed.shared {
        let text = fs::read_to_string(&profile).map_err(|error| error.to_string())?;
        let shared = text.replace("[gateway]\n", "[gateway]\nprocess = \"shared\"\n");
        fs::write(&profile, shared).map_err(|error| error.to_string())?;
    }
    let profile = profile.display().to_string();
    let (code, report) = gatecheck(&[seed.subject, "-c", &profile, "--format", "json"]).await?;
    // On a busy host some requirements may stay undecided.
    let doubtful = cases(&report).any(|case| case["verdict"] == "inconclusive");
    let standing = |wanted: &str| -> BTreeSet<String> {
        let of_this = standings(&report).into_iter().filter(|(_, standing)| *standing == wanted);
        of_this.map(|(id, _)| id.to_owned()).collect()
    };
    let found = standing("failed");
    let known = known(&own)?;
    let (open, said) = (standing("undecided"), undecided(&own)?);
    if !doubtful && open != said {
        return Err(format!("undecided are {open:?}, where the page says {said:?}").into());
    }
    let blamed: Vec<_> = found.difference(&known).collect();
    let missed: Vec<_> = known.difference(&found).collect();
    if !blamed.is_empty() || !doubtful && (!missed.is_empty() || code != seed.exit_code) {
        let summary = format!("exit code {code}; blamed wrongly: {blamed:?}; not found: {missed:?}");
        let astray: Vec<&String> = blamed.into_iter().chain(missed).collect();
        let cases: Vec<String> = cases(&report)
            .map(Value::to_string)
            .filter(|case| astray.iter().any(|id| case.contains(id.as_str())))
            .collect();
        return Err(format!("{summary}\n{}", cases.join("\n")).into());
    }
    Ok(())
}

pub(crate) async fn compile(folder: &Path, compiler: &Path) -> Result<(), Failed> {
    let done =
        Command::new(compiler).current_dir(folder).output().await.map_err(|error| error.to_string())?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("tsc: {}", String::from_utf8_lossy(&done.stdout)).into())
}

/// The requirements in the table of what is undecided, where there is one.
fn undecided(folder: &Path) -> Result<BTreeSet<String>, Failed> {
    let text = fs::read_to_string(folder.join("README.md")).map_err(|error| error.to_string())?;
    let row = text.lines().skip_while(|line| *line != "| undecided |").nth(2);
    let ids = row.and_then(|row| row.strip_prefix("| ")?.strip_suffix(" |"));
    Ok(ids.into_iter().flat_map(|ids| ids.split(", ").map(str::to_owned)).collect())
}

/// The requirements in the last column of the table.
fn known(folder: &Path) -> Result<BTreeSet<String>, Failed> {
    let text = fs::read_to_string(folder.join("README.md")).map_err(|error| error.to_string())?;
    let rows =
        text.lines().filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |")?.rsplit_once(" | "));
    let ids = rows.skip(1).flat_map(|(_, found)| found.split(", ").map(str::to_owned));
    Ok(ids.collect())
}
