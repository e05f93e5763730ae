//! The example gateway in Node.js gets a verdict, started by `gatecheck` and attached to.

use std::net::{Ipv4Addr, TcpListener};
use std::path::Path;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use embedded_broker::{Broker, BrokerConfig};
use libtest_mimic::{Failed, Trial};
use serde_json::Value;
use tokio::net::TcpStream;
use tokio::process::{Child, Command};
use tokio::runtime::Runtime;

use crate::node::{copy, with_modules};
use crate::{cases, gatecheck, standings, trial};

const MODULES: [&str; 2] = ["ws", "amqplib"];
const FILES: [&str; 3] = [
    "examples/node-gateway/gateway.mjs",
    "examples/node-gateway/gatecheck.toml",
    "examples/node-gateway/package.json",
];
/// What the example is known to get right and wrong, as its own text shows.
const KNOWN: [(&str, &str); 9] = [
    ("AUTH-1", "shown"),
    ("AUTH-3", "shown"),
    ("CONN-1", "shown"),
    ("ROOM-1", "shown"),
    ("BRIDGE-2", "shown"),
    // It checks neither `nbf`, nor the claims, nor the path, nor who may join.
    ("AUTH-2", "failed"),
    ("AUTH-5", "failed"),
    ("AUTH-9", "failed"),
    ("ROOM-3", "failed"),
];
const JWT_SECRET: &str = "the secret of an attached gateway";

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let (spawned, attached) = (Arc::clone(runtime), Arc::clone(runtime));
    vec![
        trial::ignorable_test("node/a_spawned_gateway_gets_verdicts", move || {
            with_modules(&MODULES, |folder| spawned.block_on(judge_spawned(folder)))
        }),
        trial::ignorable_test("node/an_attached_gateway_gets_verdicts", move || {
            with_modules(&MODULES, |folder| attached.block_on(judge_attached(folder)))
        }),
    ]
}

async fn judge_spawned(folder: &Path) -> Result<(), Failed> {
    copy(&FILES, folder)?;
    let profile = folder.join("examples/node-gateway/gatecheck.toml").display().to_string();
    let (code, report) = gatecheck(&["gateway", "-c", &profile, "--format", "json"]).await?;
    // It dies of a broken frame, since it listens to no errors.
    if code != 4 {
        return Err(format!("exit code {code}, not 4").into());
    }
    check(&report)
}

async fn judge_attached(folder: &Path) -> Result<(), Failed> {
    copy(&FILES, folder)?;
    let broker = Broker::start(BrokerConfig::default()).await.map_err(|error| error.to_string())?;
    let port = free_port().map_err(|error| error.to_string())?;
    let _gateway = start(&folder.join("examples/node-gateway"), port, &broker.url()).await?;
    let url = format!("ws://127.0.0.1:{port}/ws");
    let filter = [
        "gateway/auth/**",
        "gateway/rooms/**",
        "gateway/connections/**",
        "gateway/bridge/created-reaches-all",
    ];
    let mut arguments = vec!["gateway", "--attach", &url, "--jwt-secret", JWT_SECRET, "--broker"];
    let broker_url = broker.url();
    arguments.extend([broker_url.as_str(), "--format", "json"]);
    arguments.extend(filter.iter().flat_map(|filter| ["--filter", filter]));
    let (code, report) = gatecheck(&arguments).await?;
    if code != 1 {
        return Err(format!("exit code {code}, not 1").into());
    }
    check(&report)
}

fn check(report: &Value) -> Result<(), Failed> {
    let standings = standings(report);
    // On a busy host some requirements may stay undecided.
    let doubtful = cases(report).any(|case| case["verdict"] == "inconclusive");
    for (id, expected) in KNOWN {
        let found = standings.get(id).copied().unwrap_or("no verdict");
        if found != expected && !(doubtful && found == "undecided") {
            let about: Vec<_> = cases(report)
                .filter(|case| case["verdict"] != "pass" && case.to_string().contains(id))
                .map(Value::to_string)
                .collect();
            return Err(format!("{id} is {found}, not {expected}:\n{}", about.join("\n")).into());
        }
    }
    Ok(())
}

/// Starts the example and waits until it takes connections.
async fn start(folder: &Path, port: u16, amqp_url: &str) -> Result<Child, Failed> {
    let mut gateway = Command::new("node")
        .arg("gateway.mjs")
        .current_dir(folder)
        .env("PORT", port.to_string())
        .env("JWT_SECRET", JWT_SECRET)
        .env("RABBITMQ_URL", amqp_url)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| error.to_string())?;
    let ready = async {
        while TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await.is_err() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::select! {
        biased;
        ended = gateway.wait() => Err(format!("the example ended: {ended:?}").into()),
        ready = tokio::time::timeout(Duration::from_secs(20), ready) => match ready {
            Ok(()) => Ok(gateway),
            Err(_) => Err("the example does not take connections".into()),
        },
    }
}

fn free_port() -> std::io::Result<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port())
}
