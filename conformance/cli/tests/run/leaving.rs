//! An adapter of the kits leaves by the `disconnect` among its `ops`, where it has one.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use tokio::io::AsyncWriteExt;
use tokio::process::Command;
use tokio::runtime::Runtime;

use crate::node::{copy, with_modules};
use crate::python::with_packages;
use crate::trial;

const IN_NODE: &str = "import { serve } from './gatecheck-adapter.mjs';
serve({
  create: (_, judge) => ({ judge, on() {}, disconnect: () => judge.event('bypassed', {}) }),
  ops: { disconnect: ({ judge }) => judge.event('overridden', {}) },
});
";

const IN_PYTHON: &str = "from gatecheck_adapter import serve

class Client:
    def __init__(self, judge):
        self.judge = judge
    def on(self, name, listener):
        pass
    def disconnect(self):
        self.judge.event('bypassed')

serve(lambda settings, judge: Client(judge), ops={'disconnect': lambda client, request: client.judge.event('overridden')})
";

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let [node, python] = [(); 2].map(|()| Arc::clone(runtime));
    vec![
        trial::ignorable_test("node/an_adapter_leaves_by_its_own_disconnect", move || {
            with_modules(&[], |folder| {
                copy(&["adapters/node/gatecheck-adapter.mjs"], folder)?;
                node.block_on(leaves(&folder.join("adapters/node"), "node", "adapter.mjs", IN_NODE))
            })
        }),
        trial::ignorable_test("python/an_adapter_leaves_by_its_own_disconnect", move || {
            with_packages("asyncio", |folder| {
                copy(&["adapters/python/gatecheck_adapter.py"], folder)?;
                let interpreter = folder.join(".venv/bin/python").display().to_string();
                python.block_on(leaves(
                    &folder.join("adapters/python"),
                    &interpreter,
                    "adapter.py",
                    IN_PYTHON,
                ))
            })
        }),
    ]
}

/// Its client is made, and then its input ends.
async fn leaves(folder: &Path, interpreter: &str, name: &str, text: &str) -> Result<(), Failed> {
    let failed = |error: std::io::Error| error.to_string();
    fs::write(folder.join(name), text).map_err(failed)?;
    let mut adapter = Command::new(interpreter)
        .arg(name)
        .current_dir(folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(failed)?;
    let mut input = adapter.stdin.take().ok_or("it is piped")?;
    input.write_all(b"{\"id\":1,\"op\":\"configure\"}\n").await.map_err(failed)?;
    drop(input);
    let output = adapter.wait_with_output().await.map_err(failed)?;
    let printed = String::from_utf8_lossy(&output.stdout);
    match printed.contains("overridden") && !printed.contains("bypassed") {
        true => Ok(()),
        false => Err(printed.into_owned().into()),
    }
}
