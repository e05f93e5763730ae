//! Gateways whose events come in a way of their own are judged by what their profile declares.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use embedded_broker::{Broker, BrokerConfig};
use libtest_mimic::{Failed, Trial};
use tokio::runtime::Runtime;

use crate::node::with_modules;
use crate::{cases, gatecheck, signing_in, trial};

/// What a profile says of events and queues, the cases, and what becomes of each.
pub(crate) struct Design {
    pub(crate) name: &'static str,
    /// The queue in which it acknowledges nothing, where it has that defect.
    pub(crate) unacknowledged: &'static str,
    pub(crate) profile: &'static str,
    pub(crate) verdicts: &'static [(&'static str, &'static str)],
    /// What the report shows.
    pub(crate) shows: &'static str,
    /// Whether the broker is one of which the harness knows the URL alone.
    pub(crate) elsewhere: bool,
    /// The gateway.
    pub(crate) source: &'static str,
}

const SOURCE: &str = include_str!("designs.mjs");
const CREATED: &str = "gateway/bridge/created-reaches-all";
const TOPOLOGY: &str = "gateway/bridge/topology";
const ACKNOWLEDGED: &str = "gateway/bridge/acknowledged";
const WELL_FORMED: &str = "gateway/messages/well-formed";
const POISON: &str = "gateway/bridge/poison";
pub(crate) const PRIVATE: &str = "gateway/bridge/private-events";
pub(crate) const OF_USERS: &str = "gateway/bridge/user-events";
pub(crate) const OF_ROLES: &str = "gateway/bridge/role-events";
const HANDED_ON: &str = "gateway/bridge/acknowledged-once-handed-on";
const HANDED_ON_TO_ROLES: &str = "gateway/bridge/role-event-acknowledged-once-handed-on";
const DELETED: &str = "gateway/bridge/queue-deleted";
const OTHERS_DELETED: &str = "gateway/bridge/other-queues-deleted";
const OUTAGE: &str = "gateway/bridge/outage";
const ALL: [(&str, &str); 5] =
    [(CREATED, "pass"), (TOPOLOGY, "pass"), (ACKNOWLEDGED, "pass"), (POISON, "pass"), (PRIVATE, "pass")];

const NAMES: Design = Design {
    name: "names",
    unacknowledged: "",
    profile: r#"
        [[event]]
        for = "everybody"
        type = "payment:created"
        exchange = { name = "events" }
        routing_key = "payments.{key}"
        body = '{"kind":"payments.{key}","content":"{data}"}'

        [[event]]
        for = "owner"
        type = "profile:updated"
        exchange = { name = "events" }
        routing_key = "users.{key}"
        body = '{"kind":"users.{key}","content":"{data}"}'

        [[event]]
        for = "owner"
        type = "session:ended"
        exchange = { name = "events" }
        routing_key = "users.{key}"
        body = '{"kind":"users.{key}","content":"{data}"}'
    "#,
    verdicts: &[
        (CREATED, "pass"),
        (TOPOLOGY, "pass"),
        (ACKNOWLEDGED, "pass"),
        (POISON, "pass"),
        (OF_USERS, "pass"),
    ],
    shows: "",
    elsewhere: false,
    source: SOURCE,
};
const DIRECT: Design = Design {
    name: "direct",
    unacknowledged: "",
    profile: r#"
        [[event]]
        for = "everybody"
        type = "payment:new"
        exchange = { name = "events", type = "direct" }
        routing_key = "created"
        body = '{"data":"{data}"}'

        [[event]]
        for = "owner"
        type = "profile:new"
        exchange = { name = "events", type = "direct" }
        routing_key = "profile"
        body = '{"data":"{data}"}'
    "#,
    verdicts: &[
        (CREATED, "pass"),
        (TOPOLOGY, "pass"),
        (ACKNOWLEDGED, "pass"),
        (OF_USERS, "pass"),
        (OF_ROLES, "not_run"),
    ],
    shows: "the profile declares no event for a role",
    elsewhere: false,
    source: SOURCE,
};
/// A trace is kept of what fails.
const DIRECT_UNACKNOWLEDGED: Design = Design {
    unacknowledged: "ws_events",
    verdicts: &[(ACKNOWLEDGED, "fail")],
    shows: r#""as_sent":{"body":"{\"data\":{"#,
    ..DIRECT
};
const TWO: Design = Design {
    name: "two",
    unacknowledged: "",
    profile: "queues = [\"payments\", \"others\"]",
    verdicts: &ALL,
    shows: "",
    elsewhere: false,
    source: SOURCE,
};
const FIRST: Design = Design { profile: "queue = \"payments\"", ..TWO };
const SECOND: Design = Design { profile: "queue = \"others\"", ..TWO };
const UNACKNOWLEDGED: Design =
    Design { unacknowledged: "payments", verdicts: &[(ACKNOWLEDGED, "fail"), (CREATED, "pass")], ..SECOND };
const EXCLUSIVE: Design = Design {
    name: "exclusive",
    profile: "queue = \"*\"",
    verdicts: &[
        (CREATED, "pass"),
        (TOPOLOGY, "pass"),
        (ACKNOWLEDGED, "pass"),
        (POISON, "pass"),
        (PRIVATE, "pass"),
        (OUTAGE, "not_run"),
    ],
    shows: "needs a queue that outlives its connection",
    ..TWO
};

/// Its queue for events that are a role's is its own. Nothing is consumed again once it is deleted.
const MIXED: Design = Design {
    name: "mixed",
    profile: "queue = \"*\"",
    verdicts: &[
        (CREATED, "pass"),
        (OF_ROLES, "pass"),
        (HANDED_ON_TO_ROLES, "pass"),
        (DELETED, "fail"),
        (OTHERS_DELETED, "fail"),
    ],
    ..TWO
};
const MIXED_AGAIN: Design =
    Design { name: "mixed-again", verdicts: &[(DELETED, "pass"), (OTHERS_DELETED, "pass")], ..MIXED };
const MIXED_HALF_AGAIN: Design =
    Design { name: "mixed-half-again", verdicts: &[(DELETED, "fail"), (OTHERS_DELETED, "fail")], ..MIXED };
const MIXED_FORGETFUL: Design = Design {
    name: "mixed-forgetful",
    verdicts: &[(OF_ROLES, "pass"), (HANDED_ON, "pass"), (HANDED_ON_TO_ROLES, "fail")],
    shows: "consumed without acknowledgements",
    ..MIXED
};

/// Queues without a name cannot be looked at there.
const EXCLUSIVE_ELSEWHERE: Design = Design {
    verdicts: &[(CREATED, "pass"), (PRIVATE, "pass"), (TOPOLOGY, "not_run"), (ACKNOWLEDGED, "not_run")],
    shows: "needs the embedded broker, or names in `gateway.queues`",
    elsewhere: true,
    ..EXCLUSIVE
};

const FRAMED: Design = Design {
    name: "framed",
    unacknowledged: "",
    profile: r#"
        [dialect.frames]
        message = '{"action":"{type}","body":"{payload}"}'
        subscribe = '{"action":"{type}","channel":"{room}"}'
        unsubscribe = '{"action":"{type}","channel":"{room}"}'
        subscribed = '{"action":"ok","channel":"{room}"}'
    "#,
    verdicts: &[
        (CREATED, "pass"),
        (PRIVATE, "pass"),
        ("gateway/connections/welcome", "pass"),
        ("gateway/messages/ping", "pass"),
        (WELL_FORMED, "pass"),
        ("gateway/rooms/twice-is-once", "pass"),
    ],
    shows: "",
    elsewhere: false,
    source: SOURCE,
};
/// Its pongs have the seed's form.
const FRAMED_WRONGLY: Design = Design {
    name: "framed-wrongly",
    verdicts: &[("gateway/messages/ping", "fail")],
    shows: "a text frame of the form that the dialect declares",
    ..FRAMED
};

pub(crate) fn trials(runtime: &Arc<Runtime>) -> Vec<Trial> {
    let designs = [
        ("names_differ_at_the_broker", NAMES),
        ("a_direct_exchange_with_constant_keys", DIRECT),
        ("what_was_really_published_is_in_the_trace", DIRECT_UNACKNOWLEDGED),
        ("two_queues", TWO),
        ("two_queues_of_which_the_first_is_named", FIRST),
        ("two_queues_of_which_the_second_is_named", SECOND),
        ("two_queues_of_which_the_other_is_not_acknowledged", UNACKNOWLEDGED),
        ("a_server_named_queue", EXCLUSIVE),
        ("a_server_named_queue_at_another_broker", EXCLUSIVE_ELSEWHERE),
        ("a_queue_of_each_kind_that_is_deleted", MIXED),
        ("a_queue_of_each_kind_consumed_again", MIXED_AGAIN),
        ("a_queue_of_each_kind_of_which_one_is_consumed_again", MIXED_HALF_AGAIN),
        ("a_queue_of_each_kind_of_which_one_is_not_acknowledged", MIXED_FORGETFUL),
        ("frames_of_another_form", FRAMED),
        ("frames_of_another_form_than_declared", FRAMED_WRONGLY),
    ];
    let designs = designs.into_iter().chain(signing_in::DESIGNS);
    let trial = |(name, design): (&str, Design)| {
        let runtime = Arc::clone(runtime);
        trial::ignorable_test(format!("node/{name}"), move || {
            with_modules(&["ws", "amqplib"], |folder| runtime.block_on(judge(folder, &design)))
        })
    };
    designs.map(trial).collect()
}

async fn judge(folder: &Path, design: &Design) -> Result<(), Failed> {
    let Design { name, unacknowledged, profile, verdicts, shows, elsewhere, source } = design;
    let path = folder.join("gatecheck.toml");
    let text = format!(
        r#"
        [gateway]
        command = ["node", "gateway.mjs"]
        env = {{ PORT = "{{port}}", RABBITMQ_URL = "{{amqp_url}}", JWT_SECRET = "{{jwt_secret}}", DESIGN = "{name}", UNACKNOWLEDGED = "{unacknowledged}" }}
        {profile}
        "#
    );
    fs::write(&path, text).map_err(|error| error.to_string())?;
    fs::write(folder.join("gateway.mjs"), source).map_err(|error| error.to_string())?;
    let path = path.display().to_string();
    let mut arguments = vec!["gateway", "-c", &path, "--format", "json"];
    arguments.extend(verdicts.iter().flat_map(|(id, _)| ["--filter", id]));
    let broker = Broker::start(BrokerConfig::default()).await.map_err(|error| error.to_string())?;
    let url = broker.url();
    if *elsewhere {
        arguments.extend(["--broker", &url]);
    }
    let (_, report) = match gatecheck(&arguments).await {
        // Nothing is judged where the set-up is wrong, and what is said is all that there is.
        Err(said) if verdicts.is_empty() && said.message().is_some_and(|said| said.contains(shows)) => {
            return Ok(());
        }
        other => other?,
    };
    for (id, expected) in *verdicts {
        let case =
            cases(&report).find(|case| case["id"] == *id).ok_or_else(|| format!("{id} was not played"))?;
        // On a busy host, no run rules that out.
        if case["verdict"] != *expected && case["verdict"] != "inconclusive" {
            return Err(format!("{id} is not {expected}: {case}").into());
        }
    }
    let text = report.to_string();
    match text.contains(shows) {
        true => Ok(()),
        false => Err(format!("no {shows} in {text}").into()),
    }
}
