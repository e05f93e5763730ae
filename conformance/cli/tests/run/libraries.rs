//! Client libraries, each behind an adapter of fewer than forty lines and judged by its own design: what is wrong with them is found, and
//! nothing else is blamed.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use tokio::runtime::Runtime;

use crate::gatecheck;
use crate::node::{copy, with_modules};
use crate::page::Page;
use crate::python::with_websockets;
use crate::trial;

/// An adapter is short, or the kit lacks something.
const MAX_LINES: usize = 39;

struct Library {
    name: &'static str,
    exit_code: i32,
}

/// A dial that hangs ends its process.
const RECONNECTING_WEBSOCKET: Library = Library { name: "reconnecting-websocket", exit_code: 4 };
/// It dies of what is no JSON.
const PHOENIX: Library = Library { name: "phoenix", exit_code: 4 };
const PARTYSOCKET: Library = Library { name: "partysocket", exit_code: 1 };
const GRAPHQL_WS: Library = Library { name: "graphql-ws", exit_code: 1 };
const RXJS: Library = Library { name: "rxjs", exit_code: 1 };
const WEBSOCKETS: Library = Library { name: "websockets", exit_code: 1 };

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let node = [&RECONNECTING_WEBSOCKET, &PARTYSOCKET, &RXJS, &PHOENIX, &GRAPHQL_WS].map(|library| {
        let runtime = Arc::clone(runtime);
        trial::ignorable_test(format!("node/library/{}", library.name), move || {
            with_modules(&["ws", library.name], |folder| {
                copy(&["adapters/node/gatecheck-adapter.mjs"], folder)?;
                let example = settle(library, "adapter.mjs", folder)?;
                runtime.block_on(is_judged(library, &example))
            })
        })
    });
    let runtime = Arc::clone(runtime);
    let python = trial::ignorable_test("python/library/websockets", move || {
        with_websockets(|folder| {
            copy(
                &["gatecheck_adapter", "gatecheck_bare_client"].map(kit).each_ref().map(String::as_str),
                folder,
            )?;
            let example = settle(&WEBSOCKETS, "adapter.py", folder)?;
            fs::rename(folder.join(".venv"), example.join(".venv")).map_err(|error| error.to_string())?;
            runtime.block_on(is_judged(&WEBSOCKETS, &example))
        })
    });
    node.into_iter().chain([python]).collect()
}

fn kit(module: &str) -> String {
    format!("adapters/python/{module}.py")
}

/// Copies the example to where its packages are, and names its folder.
fn settle(library: &Library, adapter: &str, folder: &Path) -> Result<PathBuf, Failed> {
    let example = format!("examples/{}", library.name);
    let files = [adapter, "gatecheck.toml", "README.md"].map(|file| format!("{example}/{file}"));
    copy(&files.each_ref().map(String::as_str), folder)?;
    let lines =
        fs::read_to_string(folder.join(&files[0])).map_err(|error| error.to_string())?.lines().count();
    if lines > MAX_LINES {
        return Err(format!("{} has {lines} lines, more than {MAX_LINES}", files[0]).into());
    }
    Ok(folder.join(example))
}

async fn is_judged(library: &Library, example: &Path) -> Result<(), Failed> {
    let profile = example.join("gatecheck.toml").display().to_string();
    let (code, report) = gatecheck(&["client", "-c", &profile, "--format", "json"]).await?;
    Page::of(example)?.holds(&report, code, library.exit_code)
}
