//! Gateways as the documentation of their framework teaches them: what is wrong with each is found, and nothing else: the tables in the
//! READMEs of `conformance/examples`.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use tokio::runtime::Runtime;

use crate::gatecheck;
use crate::node::{compile, copy, with_modules};
use crate::page::Page;
use crate::python::with_packages;
use crate::trial;

/// What `conformance/examples/nestjs` imports, and compiles with.
pub(crate) const NESTJS: [&str; 9] = [
    "@golevelup/nestjs-rabbitmq",
    "@nestjs/jwt",
    "@nestjs/platform-express",
    "@nestjs/platform-ws",
    "@nestjs/websockets",
    "@types/node",
    "@types/ws",
    "typescript",
    "ws",
];
pub(crate) const NESTJS_FILES: [&str; 8] = [
    "gatecheck.toml",
    "tsconfig.json",
    "package.json",
    "src/app.module.ts",
    "src/events.gateway.ts",
    "src/events.service.ts",
    "src/main.ts",
    "src/rooms.ts",
];

/// What `conformance/examples/graphql-transport-ws` and `phoenix-gateway` import.
pub(crate) const GRAPHQL: [&str; 5] = ["amqplib", "graphql", "graphql-ws", "jsonwebtoken", "ws"];
pub(crate) const PHOENIX: [&str; 4] = ["amqplib", "jsonwebtoken", "phoenix", "ws"];

/// An example in Python.
pub(crate) struct Example {
    pub(crate) folder: &'static str,
    pub(crate) files: &'static [&'static str],
    pub(crate) imports: &'static str,
}

pub(crate) const FASTAPI: Example = Example {
    folder: "examples/fastapi",
    files: &["gatecheck.toml", "gateway.py"],
    imports: "aio_pika, fastapi, jwt, uvicorn, websockets",
};
pub(crate) const CHANNELS: Example = Example {
    folder: "examples/channels",
    files: &["asgi.py", "auth.py", "consumers.py", "gatecheck.toml", "gateway.py", "settings.py", "urls.py"],
    imports: "aio_pika, channels, django, jwt, uvicorn, websockets",
};
/// Each ends, by an exception, where it has no broker.
const DIED: i32 = 4;
const NOT_CONFORMANT: i32 = 1;

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let nestjs = {
        let runtime = Arc::clone(runtime);
        trial::ignorable_test("node/nestjs_is_found_out", move || {
            with_modules(&NESTJS, |folder| runtime.block_on(nestjs_is_found_out(folder)))
        })
    };
    let python = |name: &str, example: &'static Example| {
        let runtime = Arc::clone(runtime);
        trial::ignorable_test(name, move || {
            with_packages(example.imports, |folder| runtime.block_on(is_found_out(folder, example)))
        })
    };
    let node = |name: &str, packages: &'static [&str], example: &'static str, exit_code| {
        let runtime = Arc::clone(runtime);
        trial::ignorable_test(name, move || {
            with_modules(packages, |folder| {
                for file in ["gatecheck.toml", "gateway.mjs"] {
                    copy(&[&format!("{example}/{file}")], folder)?;
                }
                runtime.block_on(judge(folder, example, exit_code))
            })
        })
    };
    vec![
        nestjs,
        node("node/graphql_transport_ws_is_found_out", &GRAPHQL, "examples/graphql-transport-ws", DIED),
        node("node/phoenix_channels_are_found_out", &PHOENIX, "examples/phoenix-gateway", NOT_CONFORMANT),
        python("python/fastapi_is_found_out", &FASTAPI),
        python("python/channels_is_found_out", &CHANNELS),
    ]
}

async fn nestjs_is_found_out(folder: &Path) -> Result<(), Failed> {
    const FOLDER: &str = "examples/nestjs";
    for file in NESTJS_FILES {
        copy(&[&format!("{FOLDER}/{file}")], folder)?;
    }
    compile(&folder.join(FOLDER), &folder.join("node_modules/.bin/tsc")).await?;
    judge(folder, FOLDER, NOT_CONFORMANT).await
}

async fn is_found_out(folder: &Path, example: &Example) -> Result<(), Failed> {
    for file in example.files {
        copy(&[&format!("{}/{file}", example.folder)], folder)?;
    }
    fs::rename(folder.join(".venv"), folder.join(example.folder).join(".venv"))
        .map_err(|error| error.to_string())?;
    judge(folder, example.folder, DIED).await
}

async fn judge(folder: &Path, example: &str, exit_code: i32) -> Result<(), Failed> {
    let profile = folder.join(example).join("gatecheck.toml").display().to_string();
    let (code, report) = gatecheck(&["gateway", "-c", &profile, "--format", "json"]).await?;
    let own = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/..")).join(example);
    Page::of(&own)?.holds(&report, code, exit_code)
}
