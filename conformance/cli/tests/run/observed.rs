//! Profiles that `gatecheck init gateway` and `init client` have written, unedited: they lead to verdicts, and `--check` finds no difference in them.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;

use libtest_mimic::{Completion, Failed, Trial};
use serde_json::Value;
use tokio::process::Command;
use tokio::runtime::Runtime;

use crate::node::{copy, with_modules};
use crate::{gatecheck, standings, trial};

/// The reference gateway, told all that can be told.
const REFERENCE: &[&str] = &[
    "{gatecheck}",
    "reference-server",
    "--listen",
    "127.0.0.1:{port}",
    "--ping-interval",
    "{ping_interval}",
    "--pong-timeout",
    "{pong_timeout}",
];
/// The client to begin with, and its adapter.
const KIT: [&str; 3] =
    ["adapters/node/client.mjs", "adapters/node/adapter.mjs", "adapters/node/gatecheck-adapter.mjs"];
/// The share of judged requirements that a profile lets be decided.
const DECIDED: f64 = 0.8;
/// Fewer would say nothing: what needs an event for everybody is not judged where there is none.
const FEWEST: usize = 20;

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let node = |name: &str, source: &'static str, lines: &'static [&'static str]| {
        let runtime = Arc::clone(runtime);
        trial::ignorable_test(format!("node/observed/{name}"), move || {
            with_modules(&["ws", "amqplib"], |folder| {
                copy(&[source], folder)?;
                let beside = Path::new(source).parent().map(|parent| folder.join(parent));
                let folder = beside.ok_or("a file stands in a folder")?;
                runtime.block_on(is_decided(&folder, &["node", "gateway.mjs"], lines))
            })
        })
    };
    let reference = {
        let runtime = Arc::clone(runtime);
        trial::ignorable_test("embedded/observed/the_reference_gateway", move || {
            let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
            runtime.block_on(is_checked(folder.path())).map(|()| Completion::Completed)
        })
    };
    let plain = &["path = \"/ws\"", "queue = \"ws_events\"", "PING_INTERVAL_MS = \"{ping_interval_ms}\""];
    let other = &[
        "path = \"/realtime\"",
        "queue = \"*\"",
        "names = { userId = \"sub\" }",
        "token = \"bearer\"",
        "refusal = \"http-403\"",
        "heartbeat = \"message\"",
        "user_key = \"ownerId\"",
        "owner_key = \"ownerId\"",
        "exchange = { name = \"alerts\", type = \"direct\" }",
        "type = \"stock/changed\"",
        "routing_key = \"shop.order.created\"",
        r#"subscribe = '{"action":"{type}","channel":"{room}"}'"#,
        "rooms = { role = \"role/{ROLE}\", user = \"user/{user}\" }",
        "forbidden = \"not_yours\"",
        "limits = { message_bytes = 16384 }",
        r#"body = '{"kind":"#,
    ];
    let client = {
        let runtime = Arc::clone(runtime);
        trial::ignorable_test("node/observed/a_client_of_another_design", move || {
            with_modules(&["ws"], |folder| {
                copy(
                    &["cli/tests/run/other-client/client.mjs", "adapters/node/gatecheck-adapter.mjs"],
                    folder,
                )?;
                let own = folder.join("cli/tests/run/other-client");
                fs::copy(
                    folder.join("adapters/node/gatecheck-adapter.mjs"),
                    own.join("gatecheck-adapter.mjs"),
                )
                .map_err(|error| error.to_string())?;
                runtime.block_on(is_seen(&own))
            })
        })
    };
    let signing_in = {
        let runtime = Arc::clone(runtime);
        trial::ignorable_test("embedded/observed/a_client_that_signs_in_by_message", move || {
            let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
            runtime.block_on(is_answered(folder.path())).map(|()| Completion::Completed)
        })
    };
    let chance = {
        let runtime = Arc::clone(runtime);
        trial::ignorable_test("node/observed/a_client_with_full_jitter", move || {
            with_modules(&["ws"], |folder| {
                copy(&KIT, folder)?;
                runtime.block_on(is_left_to_chance(&folder.join("adapters/node")))
            })
        })
    };
    let form = {
        let runtime = Arc::clone(runtime);
        trial::ignorable_test("embedded/observed/events_of_a_form_of_their_own", move || {
            let folder = tempfile::tempdir().map_err(|error| error.to_string())?;
            runtime.block_on(is_read(folder.path())).map(|()| Completion::Completed)
        })
    };
    vec![
        reference,
        form,
        client,
        signing_in,
        chance,
        node("the_example", "examples/node-gateway/gateway.mjs", plain),
        node("another_design", "cli/tests/run/other-gateway/gateway.mjs", other),
    ]
}

/// What is written has these lines, and lets most requirements be decided.
pub(crate) async fn is_decided(folder: &Path, command: &[&str], lines: &[&str]) -> Result<(), Failed> {
    let text = written(folder, command).await?;
    let missing: Vec<_> = lines.iter().filter(|line| !text.contains(**line)).collect();
    if !missing.is_empty() {
        return Err(format!("{missing:?} are not in:\n{text}").into());
    }
    let (code, printed) = in_folder(folder, &["gateway", "--check"]).await?;
    if code != 0 {
        return Err(
            format!("the profile differs from what it was made of: exit code {code}\n{printed}").into()
        );
    }
    decides(folder, "gateway", FEWEST).await
}

/// The profile in a folder lets most requirements be decided.
pub(crate) async fn decides(folder: &Path, subject: &str, fewest: usize) -> Result<(), Failed> {
    let profile = folder.join("gatecheck.toml").display().to_string();
    let (_, report) = gatecheck(&[subject, "-c", &profile, "--format", "json"]).await?;
    let standings = standings(&report);
    let lines = report["requirements"].as_array().into_iter().flatten();
    // What the subject dies of no profile decides.
    let is_open = |line: &&Value| line["standing"] == "undecided" && !has_died(line);
    let open: Vec<_> = lines.filter(is_open).map(|line| &line["id"]).collect();
    let decided = standings.values().filter(|standing| ["shown", "failed"].contains(standing)).count();
    let judged = (decided + open.len()).max(1);
    let share = decided as f64 / judged as f64;
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    println!(
        "{subject} in {name}: {decided} of {judged} judged requirements decided, {:.0} %; open: {open:?}",
        share * 100.0
    );
    if share < DECIDED || decided < fewest {
        return Err(format!("{decided} decided, open are {open:?}: {standings:?}").into());
    }
    Ok(())
}

/// Whether a requirement is undecided because the subject ended in one of its cases.
fn has_died(line: &Value) -> bool {
    line["reasons"].as_array().into_iter().flatten().any(|reason| reason["why"] == "died")
}

/// The reference gateway's profile needs nothing to be filled in; what is changed in it is found.
async fn is_checked(folder: &Path) -> Result<(), Failed> {
    let text = written(folder, REFERENCE).await?;
    let (code, printed) = in_folder(folder, &["gateway", "--check"]).await?;
    if code != 0 {
        return Err(format!("exit code {code}\n{printed}\n{text}").into());
    }
    let (code, printed) = in_folder(folder, &["init", "gateway", "--", "true"]).await?;
    if code != 2 || !printed.contains("exists already") {
        return Err(format!("an existing file is kept: exit code {code}, {printed}").into());
    }
    let changed = text
        .replace("exchange = \"payments_events\"", "exchange = \"other\"")
        .replace("[dialect]", "[dialect]\nrefusal = \"close-4401\"");
    fs::write(folder.join("gatecheck.toml"), &changed).map_err(|error| error.to_string())?;
    let (code, printed) = in_folder(folder, &["gateway", "--check"]).await?;
    let lines = [
        "gateway.exchange: the profile says other, observed payments_events",
        "dialect.refusal: the profile says close-4401, observed http-401",
    ];
    let missing: Vec<_> = lines.iter().filter(|line| !printed.contains(**line)).collect();
    if code != 1 || !missing.is_empty() {
        return Err(format!("exit code {code}, without {missing:?}:\n{printed}\n{changed}").into());
    }
    Ok(())
}

/// A gateway is told the dialect of its profile; an event's type is where the template of events has it, whatever is where other messages have
/// theirs. What was not provoked is named.
async fn is_read(folder: &Path) -> Result<(), Failed> {
    let profile = r#"
        [gateway]
        command = ["{gatecheck}", "reference-server", "--listen", "127.0.0.1:{port}", "--dialect", "{dialect}",
            "--ping-interval", "{ping_interval}", "--pong-timeout", "{pong_timeout}"]
        env = { JWT_SECRET = "{jwt_secret}", RABBITMQ_URL = "{amqp_url}" }
        [timing]
        ping_interval = "400ms"
        pong_timeout = "200ms"
        [dialect]
        errors = { rate_limited = "slow_down" }
        [dialect.frames]
        message = '{"type":"{type}","payload":"{payload}"}'
        event = '{"type":"bus","name":"{type}","payload":"{payload}"}'
    "#;
    fs::write(folder.join("gatecheck.toml"), profile).map_err(|error| error.to_string())?;
    let (code, printed) = in_folder(folder, &["gateway", "--check"]).await?;
    match code == 0 && printed.contains("not observed: dialect.errors.rate_limited: ") {
        true => Ok(()),
        false => Err(format!("exit code {code}\n{printed}").into()),
    }
}

/// The client to begin with, with full jitter of its own, whatever it is told: chance is in each delay, and not in the first alone.
async fn is_left_to_chance(folder: &Path) -> Result<(), Failed> {
    let path = folder.join("client.mjs");
    let text = fs::read_to_string(&path).map_err(|error| error.to_string())?;
    let jittered = text
        .replace("reconnectDelay = 1000 }", "reconnectDelay = 1000, maxReconnectDelay = 30000 }")
        .replace("this.token = token;", "Object.assign(this, { token, maxReconnectDelay, redials: 0 });")
        .replace(
            "this.#dial(), this.reconnectDelay)",
            "this.#dial(), Math.random() * Math.min(this.maxReconnectDelay, this.reconnectDelay * 2 ** this.redials++))",
        );
    fs::write(&path, jittered).map_err(|error| error.to_string())?;
    let text = written_of(folder, "client", &["node", "adapter.mjs"]).await?;
    let lies: Vec<_> = ["first = ", "initial = ", "delays = "]
        .into_iter()
        .filter(|key| text.lines().any(|line| line.starts_with(key)))
        .collect();
    match text.contains("\njitter = \"full\"\n") && text.contains("\n# factor = ") && lies.is_empty() {
        true => Ok(()),
        false => Err(format!("{lies:?} in:\n{text}").into()),
    }
}

/// What is written of a client says how it differs from the seed's; what is changed in it is found.
async fn is_seen(folder: &Path) -> Result<(), Failed> {
    let text = written_of(folder, "client", &["node", "client.mjs"]).await?;
    let lines = [
        "final_codes = [1000, 4001]",
        "queue = \"drop-oldest\"",
        "on_opening = \"subscriptions-first\"",
        "before_first_connection = false",
        "reconnecting = false",
        "attempts = \"unlimited\"",
        "cap = false",
    ];
    let missing: Vec<_> = lines.iter().filter(|line| !text.contains(**line)).collect();
    if !missing.is_empty() {
        return Err(format!("{missing:?} are not in:\n{text}").into());
    }
    let changed = text.replace("\"drop-oldest\"", "\"none\"").replace(", 4001]", "]");
    fs::write(folder.join("gatecheck.toml"), changed).map_err(|error| error.to_string())?;
    let (code, printed) = in_folder(folder, &["client", "--check"]).await?;
    let lines = [
        "client.design.queue: the profile says none, observed drop-oldest",
        "client.design.final_codes, 4001: the profile says that it is redialled, observed that it is final",
        "not observed: client.design.sign_of_life: how long it stays",
    ];
    let missing: Vec<_> = lines.iter().filter(|line| !printed.contains(**line)).collect();
    if code != 1 || !missing.is_empty() {
        return Err(format!("exit code {code}, without {missing:?}:\n{printed}").into());
    }
    Ok(())
}

/// A client that is connected once its sign-in is answered: what is declared of that is spoken while it is watched, and kept. Without it,
/// nothing is said of what waits for a connection.
async fn is_answered(folder: &Path) -> Result<(), Failed> {
    let given = r#"
        [dialect]
        token = "message"
        refusal = "close-4401"
        sign_in = { message = '{"type":"auth","token":"{token}"}', answer = '{"type":"welcome_in"}' }
        [client]
        command = ["{gatecheck}", "reference-client", "adapter"]
    "#;
    fs::write(folder.join("given.toml"), given).map_err(|error| error.to_string())?;
    let (code, printed) = in_folder(folder, &["init", "client", "--from", "given.toml"]).await?;
    let text = fs::read_to_string(folder.join("gatecheck.toml"))
        .map_err(|error| format!("exit code {code}, {error}: {printed}"))?;
    let lines = [
        "arrived ([0, 1, 2])",
        "before the first connection arrived",
        "of `connected` that threw ended nothing",
        "welcome_in",
    ];
    let missing: Vec<_> = lines.iter().filter(|line| !text.contains(**line)).collect();
    if code != 0 || !missing.is_empty() || text.contains("queue = ") {
        return Err(format!("exit code {code}, {missing:?} are not in:\n{text}").into());
    }
    let (code, printed) = in_folder(folder, &["client", "--check"]).await?;
    if code != 0 {
        return Err(
            format!("the profile differs from what it was made of: exit code {code}\n{printed}").into()
        );
    }
    // Told of another sign-in than it has, the client is never connected.
    let other = "sed -u 's/\"auth/\"other/' | \"$0\" \"$@\"";
    let command =
        ["init", "client", "--from", "given.toml", "--force", "--", "sh", "-c", other, "{gatecheck}"];
    let (code, printed) =
        in_folder(folder, &[&command[..], &["reference-client", "adapter"]].concat()).await?;
    let text = fs::read_to_string(folder.join("gatecheck.toml"))
        .map_err(|error| format!("exit code {code}, {error}: {printed}"))?;
    let lines =
        ["# queue = ", "# before_first_connection = ", "# listeners = ", "not even over an open connection"];
    let missing: Vec<_> = lines.iter().filter(|line| !text.contains(**line)).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(format!("exit code {code}, {missing:?} are not in:\n{text}").into()),
    }
}

/// The profile that is written of a gateway's command.
async fn written(folder: &Path, command: &[&str]) -> Result<String, Failed> {
    written_of(folder, "gateway", command).await
}

pub(crate) async fn written_of(folder: &Path, subject: &str, command: &[&str]) -> Result<String, Failed> {
    let (code, printed) = in_folder(folder, &[&["init", subject, "--"], command].concat()).await?;
    if code != 0 {
        return Err(format!("exit code {code}: {printed}").into());
    }
    fs::read_to_string(folder.join("gatecheck.toml")).map_err(|error| error.to_string().into())
}

/// Runs `gatecheck` in a folder; its exit code, and all that it prints.
pub(crate) async fn in_folder(folder: &Path, arguments: &[&str]) -> Result<(i32, String), Failed> {
    let output = Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .args(arguments)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .map_err(|error| error.to_string())?;
    let printed =
        [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat();
    Ok((output.status.code().unwrap_or(-1), printed))
}
