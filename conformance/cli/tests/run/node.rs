//! Where examples in Node.js run: a folder of their own, beside the modules that they import.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};

use libtest_mimic::{Completion, Failed};
use tempfile::TempDir;
use tokio::process::Command;

use crate::arms::requires;

/// Judges in a new folder whose `node_modules` has the named packages. Ignored where they are nowhere.
pub(crate) fn with_modules(
    packages: &[&str],
    judge: impl FnOnce(&Path) -> Result<(), Failed>,
) -> Result<Completion, Failed> {
    let modules =
        env::var_os("GATECHECK_NODE_MODULES").map(|folder| PathBuf::from(folder).join("node_modules"));
    let has_all = |folder: &PathBuf| packages.iter().all(|package| folder.join(package).is_dir());
    let Some(modules) = modules.filter(has_all) else {
        let packages = packages.join("` and `");
        let reason = format!("GATECHECK_NODE_MODULES names no folder with `{packages}`");
        return if requires("node") { Err(reason.into()) } else { Ok(Completion::ignored_with(reason)) };
    };
    let folder = TempDir::with_prefix("gatecheck-node-").map_err(|error| error.to_string())?;
    std::os::unix::fs::symlink(&modules, folder.path().join("node_modules"))
        .map_err(|error| error.to_string())?;
    judge(folder.path()).map(|()| Completion::Completed)
}

/// Copies files of `conformance/` to where they stand in it, below another folder.
pub(crate) fn copy(files: &[&str], to: &Path) -> Result<(), Failed> {
    for file in files {
        let target = to.join(file);
        let copied = target.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
            fs::copy(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(file), &target)
        });
        copied.map_err(|error| format!("{file}: {error}"))?;
    }
    Ok(())
}

/// Compiles what is written in TypeScript.
pub(crate) async fn compile(folder: &Path, compiler: &Path) -> Result<(), Failed> {
    let done =
        Command::new(compiler).current_dir(folder).output().await.map_err(|error| error.to_string())?;
    if done.status.success() {
        return Ok(());
    }
    Err(format!("tsc: {}", String::from_utf8_lossy(&done.stdout)).into())
}
