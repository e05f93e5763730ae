//! What is known to be wrong with the seed's gateway and the seed's client is found under its requirement, and nothing else is blamed:
//! the tables in their READMEs.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use tokio::runtime::Runtime;

use crate::gatecheck;
use crate::node::{compile, copy, with_modules};
use crate::page::Page;
use crate::trial;

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
        trial::ignorable_test(name, move || {
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
    Page::of(&own)?.holds(&report, code, seed.exit_code)
}
