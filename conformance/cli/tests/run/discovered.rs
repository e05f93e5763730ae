//! Examples of frameworks and libraries whose profile `gatecheck init` has written, unedited: each lets at least four of five judged requirements
//! be decided.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use libtest_mimic::{Failed, Trial};
use tokio::runtime::Runtime;

use crate::frameworks::{CHANNELS, Example, FASTAPI, GRAPHQL, NESTJS, NESTJS_FILES, PHOENIX};
use crate::node::{compile, copy, with_modules};
use crate::observed::{decides, in_folder, is_decided, written_of};
use crate::python::{with_packages, with_websockets};
use crate::trial;

/// What the seed's gateway imports, and compiles with.
const SEED: [&str; 8] = [
    "typescript",
    "@types/node",
    "amqplib",
    "jsonwebtoken",
    "ws",
    "@types/amqplib",
    "@types/jsonwebtoken",
    "@types/ws",
];
const SEED_FILES: [&str; 9] = [
    "package.json",
    "tsconfig.json",
    "src/auth.ts",
    "src/connection-manager.ts",
    "src/event-bridge.ts",
    "src/heartbeat.ts",
    "src/room-manager.ts",
    "src/server.ts",
    "src/types.ts",
];
/// What is seen of gateways that have an event for each audience, in the bodies that they read.
const NESTJS_LINES: &[&str] = &[
    "process = \"shared\"",
    "refusal = \"close-4401\"",
    "for = \"everybody\"",
    "for = \"owner\"",
    "for = \"role\"",
    "for = \"subscribers\"",
    "body = '{\"pattern\":\"payment.created\",\"data\":\"{data}\"}'",
];
const PYTHON_LINES: &[&str] = &[
    "refusal = \"http-403\"",
    "for = \"everybody\"",
    "for = \"owner\"",
    "for = \"role\"",
    "for = \"subscribers\"",
    "body = '{\"type\":\"payment:created\",\"data\":\"{data}\"}'",
];
const SEED_LINES: &[&str] = &[
    "refusal = \"close-1008\"",
    "acks = false",
    "welcome = false",
    "HEARTBEAT_INTERVAL = \"{ping_interval_ms}\"",
];
/// What is seen of protocols that are known by name.
const GRAPHQL_LINES: &[&str] = &[
    "subprotocol = \"graphql-transport-ws\"",
    "refusal = \"close-4403\"",
    "closes = { bad_message = 4400, unknown_type = 4400 }",
    r#"message = '{"type":"connection_init","payload":{"token":"{token}"}}'"#,
    "[[dialect.opening]]\nsubscribe = \"broadcast\"\n[[dialect.opening]]\nsubscribe = \"user:{user}\"\n[[dialect.opening]]\n\
     subscribe = \"role:{role}\"\n\n",
    "subscription ($room: String!) { room(name: $room) { type data } }",
    "PING_INTERVAL_MS = \"{ping_interval_ms}\"",
    "for = \"everybody\"",
    "for = \"owner\"",
    "for = \"role\"",
    "for = \"subscribers\"",
];
const PHOENIX_LINES: &[&str] = &[
    "path = \"/socket/websocket\"",
    "refusal = \"http-403\"",
    "closes = { bad_message = 1011 }",
    r#"subscribe = '["{ref}","{ref}","{room}","phx_join",{}]'"#,
    "[[dialect.opening]]\nsubscribe = \"broadcast\"\n",
    "HB-1 = \"clients send the heartbeats\"",
    "for = \"role\"",
    "for = \"subscribers\"",
];
/// A gateway with channels beside its frames' bodies, whose routing keys are its events' names: what init echoes of its own is none of that.
const LISTED_ROLES: &str = "cli/tests/run/listed-roles-gateway";
const LISTED_ROLES_LINES: &[&str] = &[
    "names = { userId = \"uid\" }",
    "users = \"integers\"",
    "claims = { roles = [\"{role}\"] }",
    "ADMIN = \"admin\"",
    "refusal = \"close-4401\"",
    "PING_MS = \"{ping_interval_ms}\"",
    "\"channel\":\"{type}\"",
    "body = '\"{data}\"'",
    "owner_key = \"owner_id\"",
];
/// A client library, and what is seen of its design, whatever a busy host does to its delays.
struct Library {
    name: &'static str,
    lines: &'static [&'static str],
    /// Whether the profile is put to use: that takes a hundred processes of a client.
    is_judged: bool,
}

const PARTYSOCKET: Library = Library {
    name: "partysocket",
    lines: &[
        "final_codes = []",
        "queue = \"drop-newest\"",
        "listeners = \"fatal\"",
        "statuses = { error = false }",
    ],
    is_judged: true,
};
/// It differs from the other by its first delay, which is left to chance.
const RECONNECTING_WEBSOCKET: Library =
    Library { name: "reconnecting-websocket", is_judged: false, ..PARTYSOCKET };
const RXJS: Library = Library {
    name: "rxjs",
    lines: &[
        "final_codes = [1000, 1001, 1011, 1012, 1013, 3000, 4000, 4001, 4999]",
        "listeners = \"fatal\"",
        "statuses = { error = false }",
    ],
    is_judged: false,
};
const PHOENIX_CLIENT: Library = Library {
    name: "phoenix",
    lines: &[
        r#"message = '["{subscription}","{id}","{room}","{type}","{payload}"]'"#,
        "final_codes = []",
        "listeners = \"fatal\"",
        "attempts = \"unlimited\"",
    ],
    is_judged: false,
};
const GRAPHQL_WS: Library = Library {
    name: "graphql-ws",
    lines: &[
        "subprotocol = \"graphql-transport-ws\"",
        r#"message = '{"type":"connection_init","payload":{"token":"{token}"}}'"#,
        "[[dialect.opening]]\nsubscribe = \"broadcast\"",
        "queue = \"none\"",
    ],
    is_judged: false,
};
const WEBSOCKETS: Library = Library {
    name: "websockets",
    lines: &[
        "final_codes = []",
        "final_statuses = [403, 404, 429]",
        "queue = \"none\"",
        "before_first_connection = false",
        "attempts = \"unlimited\"",
    ],
    is_judged: false,
};
/// Fewer would say nothing of a client.
const FEWEST_OF_A_CLIENT: usize = 10;

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let node =
        |name: &str, modules: &'static [&'static str], judge: fn(&Runtime, &Path) -> Result<(), Failed>| {
            let runtime = Arc::clone(runtime);
            trial::ignorable_test(format!("node/discovered/{name}"), move || {
                with_modules(modules, |folder| judge(&runtime, folder))
            })
        };
    let python = |name: &str, example: &'static Example| {
        let runtime = Arc::clone(runtime);
        trial::ignorable_test(format!("python/discovered/{name}"), move || {
            with_packages(example.imports, |folder| {
                let own = settle(example.folder, example.files, folder)?;
                fs::rename(folder.join(".venv"), own.join(".venv")).map_err(|error| error.to_string())?;
                runtime.block_on(is_decided(&own, &[".venv/bin/python", "gateway.py"], PYTHON_LINES))
            })
        })
    };
    vec![
        node("nestjs", &NESTJS, |runtime, folder| {
            let own = settle("examples/nestjs", &NESTJS_FILES, folder)?;
            runtime.block_on(compile(&own, &folder.join("node_modules/.bin/tsc")))?;
            runtime.block_on(is_decided(&own, &["node", "dist/main.js"], NESTJS_LINES))
        }),
        node("the_seeds_gateway", &SEED, |runtime, folder| {
            let own = settle("examples/seed-gateway", &SEED_FILES, folder)?;
            runtime.block_on(compile(&own, &folder.join("node_modules/.bin/tsc")))?;
            runtime.block_on(is_decided(&own, &["node", "dist/server.js"], SEED_LINES))
        }),
        node("listed_roles", &["ws", "amqplib", "jsonwebtoken"], |runtime, folder| {
            let own = settle(LISTED_ROLES, &["gateway.mjs"], folder)?;
            runtime.block_on(is_decided(&own, &["node", "gateway.mjs"], LISTED_ROLES_LINES))
        }),
        node("half_filled_in", &["ws", "amqplib", "jsonwebtoken"], |runtime, folder| {
            let own = settle(LISTED_ROLES, &["gateway.mjs"], folder)?;
            runtime.block_on(is_resumed(&own))
        }),
        node("graphql_transport_ws", &GRAPHQL, |runtime, folder| {
            let own = settle("examples/graphql-transport-ws", &["gateway.mjs"], folder)?;
            runtime.block_on(is_decided(&own, &["node", "gateway.mjs"], GRAPHQL_LINES))
        }),
        node("phoenix_channels", &PHOENIX, |runtime, folder| {
            let own = settle("examples/phoenix-gateway", &["gateway.mjs"], folder)?;
            runtime.block_on(is_decided(&own, &["node", "gateway.mjs"], PHOENIX_LINES))
        }),
        python("fastapi", &FASTAPI),
        python("channels", &CHANNELS),
        client(runtime, &PARTYSOCKET),
        client(runtime, &RECONNECTING_WEBSOCKET),
        client(runtime, &RXJS),
        client(runtime, &PHOENIX_CLIENT),
        client(runtime, &GRAPHQL_WS),
        websockets(runtime),
    ]
}

fn client(runtime: &Arc<Runtime>, library: &'static Library) -> Trial {
    let runtime = Arc::clone(runtime);
    trial::ignorable_test(format!("node/discovered/client/{}", library.name), move || {
        with_modules(&["ws", library.name], |folder| {
            copy(&["adapters/node/gatecheck-adapter.mjs"], folder)?;
            let own = settle(&format!("examples/{}", library.name), &["adapter.mjs"], folder)?;
            runtime.block_on(is_designed(&own, &["node", "adapter.mjs"], library))
        })
    })
}

fn websockets(runtime: &Arc<Runtime>) -> Trial {
    let runtime = Arc::clone(runtime);
    trial::ignorable_test("python/discovered/client/websockets", move || {
        with_websockets(|folder| {
            let own = settle("examples/websockets", &["adapter.py"], folder)?;
            // What is started finds modules beside it.
            for module in ["gatecheck_adapter.py", "gatecheck_bare_client.py"] {
                copy(&[&format!("adapters/python/{module}")], folder)?;
                fs::copy(folder.join("adapters/python").join(module), own.join(module))
                    .map_err(|error| error.to_string())?;
            }
            fs::rename(folder.join(".venv"), own.join(".venv")).map_err(|error| error.to_string())?;
            runtime.block_on(is_designed(&own, &[".venv/bin/python", "adapter.py"], &WEBSOCKETS))
        })
    })
}

/// What is written is the library's design; what that comes to is held by `…/library/…`, and here for those of which it is judged.
async fn is_designed(folder: &Path, command: &[&str], library: &Library) -> Result<(), Failed> {
    let text = written_of(folder, "client", command).await?;
    let missing: Vec<_> = library.lines.iter().filter(|line| !text.contains(**line)).collect();
    if !missing.is_empty() {
        return Err(format!("{missing:?} are not in:\n{text}").into());
    }
    match library.is_judged {
        true => decides(folder, "client", FEWEST_OF_A_CLIENT).await,
        false => Ok(()),
    }
}

/// Copies files of `conformance/` to where their packages are, all but a profile; names their folder.
fn settle(from: &str, files: &[&str], folder: &Path) -> Result<std::path::PathBuf, Failed> {
    for file in files.iter().filter(|file| **file != "gatecheck.toml") {
        copy(&[&format!("{from}/{file}")], folder)?;
    }
    Ok(folder.join(from))
}

/// What is wrong is said first, with how to go on; what is then said on the command line, or in the profile, is taken as given.
async fn is_resumed(folder: &Path) -> Result<(), Failed> {
    // Its clients say who they are in a claim of its own.
    let source = folder.join("gateway.mjs");
    let text = fs::read_to_string(&source).map_err(|error| error.to_string())?;
    fs::write(&source, text.replace("t.uid", "t.memberNo")).map_err(|error| error.to_string())?;
    let start: &[&str] = &["init", "gateway", "--path", "/stream", "--", "node", "gateway.mjs"];
    let (code, printed) = in_folder(folder, start).await?;
    let parts = [
        "NO ONE COULD SIGN IN",
        "it waits for a first message",
        "4401",
        "--from gatecheck.toml",
        "token.claims",
    ];
    let missing: Vec<_> = parts.iter().filter(|part| !printed.contains(**part)).collect();
    if code != 0 || !missing.is_empty() {
        return Err(format!("exit code {code}, without {missing:?}:\n{printed}").into());
    }
    let profile = folder.join("gatecheck.toml");
    let filled = fs::read_to_string(&profile).map_err(|error| error.to_string())?.replace(
        "[token]\n",
        "[token]\nusers = \"integers\"\nclaims = { memberNo = \"{user}\", roles = [\"{role}\"] }\n\
         roles = { ADMIN = \"admin\", CUSTOMER = \"customer\", VENDOR = \"vendor\" }\n",
    );
    fs::write(&profile, filled).map_err(|error| error.to_string())?;
    let (code, printed) =
        in_folder(folder, &["init", "gateway", "--from", "gatecheck.toml", "--force"]).await?;
    let text = fs::read_to_string(&profile).map_err(|error| error.to_string())?;
    let lines = [
        "memberNo = \"{user}\"",
        "PING_MS = ",
        "for = \"owner\"",
        "for = \"subscribers\"",
        "token = \"message\"",
    ];
    let missing: Vec<_> = lines.iter().filter(|line| !text.contains(**line)).collect();
    if code != 0 || !missing.is_empty() {
        return Err(format!("exit code {code}, without {missing:?}:\n{printed}\n{text}").into());
    }
    let claims = r#"{"memberNo":"{user}","roles":["{role}"]}"#;
    let said = [
        "init",
        "gateway",
        "-o",
        "-",
        "--claims",
        claims,
        "--user-ids",
        "integers",
        "--",
        "node",
        "gateway.mjs",
    ];
    let (code, printed) = in_folder(folder, &said).await?;
    if code != 0 || !printed.contains("ADMIN = \"admin\"") || !printed.contains("for = \"role\"") {
        return Err(format!("exit code {code}: {printed}").into());
    }
    let (code, printed) =
        in_folder(folder, &["init", "gateway", "--claims", r#"{"a":"{rolex}"}"#, "--", "true"]).await?;
    if code != 2 || !printed.contains("no placeholder `{rolex}`") {
        return Err(format!("exit code {code}: {printed}").into());
    }
    Ok(())
}
