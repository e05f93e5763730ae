//! A wrong set-up is one error that says what was seen and what to try, and not a case.

use std::process::{Command, Stdio};

use embedded_broker::{Broker, BrokerConfig};

/// What `gatecheck` says of a set-up, in one line, and its exit code.
fn said(subject: &str, profile: &str, server: &str) -> (i32, String) {
    said_with(&[subject], profile, server)
}

/// The same, with further arguments.
fn said_with(arguments: &[&str], profile: &str, server: &str) -> (i32, String) {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("gatecheck.toml"), profile).expect("a profile");
    std::fs::write(folder.path().join("gateway.toml"), server).expect("a configuration");
    let output = Command::new(env!("CARGO_BIN_EXE_gatecheck"))
        .args(arguments)
        .current_dir(folder.path())
        .env("NO_COLOR", "1")
        .env("NO_GRAPHICS", "1")
        .stdin(Stdio::null())
        .output()
        .expect("gatecheck runs");
    let text = String::from_utf8(output.stderr).expect("errors are text");
    assert!(output.stdout.is_empty() && !text.contains("panicked"), "{text}");
    let words = text.split_whitespace().filter(|word| *word != "│");
    (output.status.code().expect("an exit code"), words.collect::<Vec<_>>().join(" "))
}

/// The reference gateway, configured by `server`.
fn gateway(server: &str, secret: &str) -> (i32, String) {
    let command =
        r#"["{gatecheck}", "reference-server", "--listen", "127.0.0.1:{port}", "--config", "gateway.toml"]"#;
    let profile = format!(
        "[gateway]\ncommand = {command}\nenv = {{ JWT_SECRET = \"{secret}\", RABBITMQ_URL = \"{{amqp_url}}\" }}\n"
    );
    said("gateway", &profile, server)
}

const SECRET: &str = "{jwt_secret}";

/// Each set-up ends with its code and the words that help.
#[track_caller]
fn expect((code, text): (i32, String), expected: i32, words: &[&str]) {
    assert_eq!(code, expected, "{text}");
    for words in words {
        assert!(text.contains(words), "{words:?} is not in: {text}");
    }
}

#[test]
fn another_path_is_found() {
    expect(
        gateway("path = \"/socket\"", SECRET),
        4,
        &["on `/ws` with HTTP 404", "gateway.path = \"/socket\""],
    );
}

#[test]
fn a_wrong_secret_is_reported() {
    let secret = "another-secret-that-is-long-enough-too";
    expect(gateway("", secret), 4, &["a valid token on `/ws` with HTTP 401", "`{jwt_secret}`"]);
}

#[test]
fn another_place_of_the_token_is_found() {
    for place in ["bearer", "subprotocol:bearer", "subprotocol", "query:access_token", "cookie:token"] {
        let meant = format!("did you mean `dialect.token = \"{place}\"`");
        expect(gateway(&format!("[dialect]\ntoken = \"{place}\""), SECRET), 4, &[&meant]);
    }
}

#[test]
fn another_dialect_is_reported() {
    let dialect = "[dialect]\nevents = \"enveloped\"\npong = \"PONG\"";
    expect(
        gateway(dialect, SECRET),
        2,
        &["it wraps its events in `event`", "[dialect] events = \"enveloped\" pong = \"PONG\""],
    );
}

/// Frames that cannot be read end the run at once, with the first of them and the form that they may have.
#[test]
fn frames_of_another_form_are_reported() {
    let said = [
        "its first frame is `{\"event\":\"connection:established\"",
        "none has the form",
        "[dialect] frames = { message = '{",
    ];
    let server = r#"dialect = { frames = { message = '{"event":"{type}","data":"{payload}"}' } }"#;
    expect(gateway(server, SECRET), 2, &said);
}

/// What it names its subscriptions by is found by trying; what it answers them by is seen.
#[test]
fn other_words_for_subscriptions_are_found() {
    let topic = "[dialect]\nsubscribe = { event_type = \"topic\", room = \"topic\" }";
    expect(gateway(topic, SECRET), 2, &["in `topic` is understood", "subscribe = { event_type = \"topic\""]);
    let ok = "[dialect]\nrequests = { subscribed = \"subscribe:ok\" }";
    expect(gateway(ok, SECRET), 2, &["answers `subscribe` by `subscribe:ok`", "requests = { subscribed"]);
}

/// No event can come to a gateway that consumes from elsewhere, or from no broker.
#[test]
fn a_gateway_without_events_is_reported() {
    expect(
        gateway("queue_name = \"elsewhere\"", SECRET),
        4,
        &[
            "no event can be sent",
            "`ws_events`",
            "it consumes from `elsewhere`",
            "`gateway.queue`",
            "it printed",
        ],
    );
    let command = r#"["{gatecheck}", "reference-server", "--listen", "127.0.0.1:{port}", "--amqp-url", "amqp://127.0.0.1:1"]"#;
    let profile = format!("[gateway]\ncommand = {command}\nenv = {{ JWT_SECRET = \"{{jwt_secret}}\" }}\n");
    expect(said("gateway", &profile, ""), 4, &["no event can be sent", "hand over `{amqp_url}`"]);
}

/// The reference gateway, its broker's URL changed on the way to it.
fn with_broker(change: &str) -> (i32, String) {
    let script = format!(
        "RABBITMQ_URL=$(echo $URL | sed {change}) exec {{gatecheck}} reference-server --listen 127.0.0.1:{{port}}"
    );
    let env = "env = { JWT_SECRET = \"{jwt_secret}\", URL = \"{amqp_url}\" }";
    said("gateway", &format!("[gateway]\ncommand = [\"sh\", \"-c\", '{script}']\n{env}\n"), "")
}

/// A login that the broker refuses was told as a queue without a consumer.
#[test]
fn a_refused_login_is_reported() {
    expect(
        with_broker("s/guest:guest/app:wrong/"),
        4,
        &[
            "no event can be sent",
            "the broker has refused the login of `app`",
            "hand over `{amqp_url}` whole",
        ],
    );
}

/// The harness's own login at a broker that runs already.
#[test]
fn a_wrong_password_of_the_broker_is_reported() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let broker = runtime.block_on(Broker::start(BrokerConfig::default())).expect("a broker");
    let url = broker.url().replace("guest:guest", "app:wrong");
    let profile = "[gateway]\ncommand = [\"sleep\", \"60\"]";
    expect(
        said_with(&["gateway", "--broker", &url], profile, ""),
        5,
        &["refuses the login of amqp://app:***@127.0.0.1", "are user and password right?"],
    );
}

/// An exchange of another type is no fault of the queue.
#[test]
fn another_type_of_exchange_is_reported() {
    let command = r#"["{gatecheck}", "reference-server", "--listen", "127.0.0.1:{port}"]"#;
    let env = "env = { JWT_SECRET = \"{jwt_secret}\", RABBITMQ_URL = \"{amqp_url}\" }";
    let events = "[events]\nexchange = { type = \"fanout\" }";
    expect(
        said("gateway", &format!("[gateway]\ncommand = {command}\n{env}\n{events}\n"), ""),
        4,
        &["`payments_events` cannot be published to", "says how the exchange routes"],
    );
}

/// Without a broker, its URL is empty: a gateway that needs it cannot start.
#[test]
fn a_command_that_needs_a_broker_is_reported() {
    let profile =
        "[gateway]\ncommand = [\"sh\", \"-c\", \"exit 3\"]\nenv = { RABBITMQ_URL = \"{amqp_url}\" }";
    expect(
        said_with(&["gateway", "--broker", "none"], profile, ""),
        4,
        &["ended before it was ready", "`--broker none` leaves `{amqp_url}` empty"],
    );
}

/// A running gateway has its own broker, whose URL gatecheck must be given.
#[test]
fn an_attached_gateway_needs_its_broker() {
    let profile = "[gateway]\nattach = \"ws://127.0.0.1:1/ws\"\njwt_secret = \"s\"";
    expect(said("gateway", profile, ""), 2, &["has a broker of its own: which?", "`--broker none`"]);
}

#[test]
fn a_gateway_that_does_not_start_is_reported() {
    let profile = "[gateway]\ncommand = [\"sh\", \"-c\", \"echo Error: listen EADDRINUSE >&2; exit 3\"]";
    expect(said("gateway", profile, ""), 4, &["ended before it was ready", "its port is taken", "`{port}`"]);
    let profile = "[gateway]\ncommand = [\"sleep\", \"60\"]\nready = { timeout = \"300ms\" }";
    expect(
        said("gateway", profile, ""),
        4,
        &["not taking connections after 300ms", "does it listen on `{port}`", "it printed nothing"],
    );
}

#[test]
fn an_adapter_that_breaks_the_protocol_is_reported() {
    let profile = "[client]\ncommand = [\"sh\", \"-c\", \"while read line; do echo hello; done\"]";
    expect(said("client", profile, ""), 4, &["what is no JSON object: \"hello\"", "noise belongs on stderr"]);
    let idle =
        r#"while read line; do id=${line#*\"id\":}; id=${id%%[,\}]*}; echo "{\"id\":$id,\"ok\":true}"; done"#;
    let profile = format!("[client]\ncommand = [\"sh\", \"-c\", '''{idle}''']");
    expect(said("client", &profile, ""), 4, &["the client never dialled", "`url` that `configure` gave it"]);
}
