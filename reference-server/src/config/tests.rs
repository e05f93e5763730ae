use std::path::Path;

use super::*;
use clap::{CommandFactory, Parser};

#[derive(Parser)]
struct Program {
    #[command(flatten)]
    flags: Flags,
}

fn settings(flags: &[&str], file: &str) -> Result<Settings, ConfigError> {
    let flags = Program::parse_from([&["gateway"], flags].concat()).flags;
    Ok(flags.settings.over(&Settings::parse(Path::new("t.toml"), file)?))
}

fn config(flags: &[&str], file: &str) -> Result<Config, ConfigError> {
    settings(&[flags, &["--jwt-secret", "s"]].concat(), file)?.check()
}

/// A dialect whose events say to which subscription they belong.
const SUBSCRIPTIONS: &str = r#"
[dialect.frames]
subscribe = '{"id":"{ref}","type":"subscribe","payload":"{payload}"}'
event = '{"id":"{subscription}","type":"{type}","payload":"{payload}"}'
"#;

/// Flags win over the file, the file over the defaults.
#[test]
fn later_ones_win() {
    let file =
        "queue_name = \"file\"\nexchange = \"file\"\namqp_url = \"amqp://h\"\nping_interval = \"300ms\"";
    let config = config(&["--queue-name", "flag"], file).unwrap();
    let broker = config.rabbitmq.unwrap();
    assert_eq!(
        (broker.queue.as_str(), broker.exchange.as_str(), broker.binding.as_str()),
        ("flag", "file", "#")
    );
    assert_eq!(config.gateway.ping_interval.as_millis(), 300);
    assert_eq!(config.gateway.pong_timeout, Timing::default().pong_timeout);
}

/// The place of the secret is one setting: a file that is named later wins over a text that was given before. Empty
/// variables set nothing.
#[test]
fn pairs_and_empty_texts() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    std::fs::write(&path, "newer\n").unwrap();
    let named = settings(&["--jwt-secret-file", path.to_str().unwrap()], "jwt_secret = \"older\"").unwrap();
    assert!(named.jwt_secret.is_none() && named.check().is_ok());
    let empty = ["--jwt-secret-previous", "", "--amqp-url", "", "--dead-letter-exchange", ""];
    assert!(config(&empty, "").unwrap().rabbitmq.is_none());
    let empty = ["--jwt-public-keys", "", "--jwt-secret-file", "", "--allowed-origins", "", "--tls-cert", ""];
    let config = config(&empty, "jwt_secret = \"s\"").unwrap();
    assert!(config.tls.is_none() && config.allowed_origins.is_empty());
}

/// Each mistake is one error that names the cause and the place.
#[test]
fn mistakes_are_named() {
    for (file, says) in [
        ("pong_timeot = \"1s\"", "unknown field `pong_timeot`"),
        ("ping_interval = \"fast\"", "`ping_interval`: `fast` is not a duration"),
        ("ping_interval = \"0s\"", "`ping_interval` is zero"),
        ("listen = \"here\"", "`listen` is here"),
        ("path = \"ws\"", "begins with `/`"),
        ("allowed_origins = [\"https://a/b\"]", "`allowed_origins` is https://a/b"),
        ("algorithms = [\"none\"]", "`none` is no algorithm"),
        ("algorithms = []", "at least one"),
        ("algorithms = [\"ES256\"]", "ES256, and there is no key for it"),
        ("amqp_url = \"http://h\"", "no AMQP URL"),
        ("amqp_url = \"amqp://h\"\nqueue = \"ws_events\"", "`shared` or `per-instance`"),
        ("amqp_url = \"amqp://h\"\nprefetch = 0", "at least 1"),
        ("shards = 0", "at least 1"),
        ("io_uring = \"on\"", "`auto` or `off`"),
        ("outbox_budget_bytes = 0", "at least 1"),
        ("frame_rate = 0", "at least 1"),
        ("trusted_proxies = [\"10.0.0.1\", \"10.0.0.0/40\"]", "`trusted_proxies` is 10.0.0.0/40"),
        ("admin_listen = \"9000\"", "`admin_listen` is 9000"),
        ("allowed_hosts = [\"*.example.org\"]", "write names alone"),
        ("stats_token = \"***\"", "fill the secret in"),
        ("max_connections = 0", "at least 1"),
        ("message_rate = 0", "at least 1"),
        ("max_connections = 4294967296", "line 1, column 19"),
        ("path = \"/a b\"", "no request could ever match"),
        ("path = \"/stats\"", "the gateway's own page"),
        ("tls_cert = \"c.pem\"", "TLS needs both"),
        ("log_format = \"xml\"", "`text` or `json`"),
        ("[[key]]\nkid = \"a\"\npublic_key_file = \"/nowhere\"", "cannot read /nowhere"),
        ("[[key]]\nkid = \"a\"", "`key` is a; it has one of"),
        ("[dialect]\npong = \"ping\"", "two different messages"),
        (SUBSCRIPTIONS, "writes each event once"),
        ("[[route]]\nevent = \"a*b\"\nrooms = []", "a `*` stands at the end only"),
    ] {
        let error = config(&[], file).unwrap_err().to_string();
        assert!(error.contains(says), "{file}: {error}");
    }
    assert!(matches!(Settings::default().check(), Err(ConfigError::NoKey)));
    let error = config(&[], "path = \"/ws\"\nport = 1").unwrap_err().to_string();
    assert!(error.contains("line 2"), "{error}");
}

/// An error about a value names the file, the line and the column, where the value is the file's; one that a flag gives has no line.
#[test]
fn values_have_a_place() {
    for (file, says) in [
        ("\npath = \"ws\"", "t.toml: line 2, column 8: `path` is ws"),
        ("\nping_interval = \"fast\"", "t.toml: line 2, column 17: `ping_interval`"),
        ("shards = 0", "t.toml: line 1, column 10: `shards` is 0"),
        ("algorithms = [\"none\"]", "t.toml: line 1, column 14: `algorithms`"),
        ("jwt_public_keys = [\"/nowhere\"]", "t.toml: line 1, column 19: cannot read /nowhere"),
        ("\n[dialect]\npong = \"ping\"", "t.toml: line 2, column 1: "),
        ("[[key]]\nsecret = \"s\"\n[[key]]\nkid = \"a\"", "t.toml: line 3, column 1: `key` is a"),
        (
            "[[route]]\nevent = \"a\"\nrooms = []\n[[route]]\nevent = \"a*b\"\nrooms = []",
            "t.toml: line 4, column 1: route `a*b`",
        ),
        ("jwt_secret_previous = \"***\"", "t.toml: line 1, column 23: `jwt_secret_previous`"),
    ] {
        let error = config(&[], file).unwrap_err().to_string();
        assert!(error.starts_with(says), "{file}: {error}");
    }
    let error = config(&["--path", "ws"], "\npath = \"/ws\"").unwrap_err().to_string();
    assert!(error.starts_with("`path` is ws"), "{error}");
}

/// A name that AMQP cannot carry is refused here, not by the broker.
#[test]
fn names_are_short() {
    let long = format!("amqp_url = \"amqp://h\"\nexchange = \"{}\"", "x".repeat(300));
    assert!(config(&[], &long).unwrap_err().to_string().contains("at most 230 bytes"));
}

/// What is said of a default is what it is.
#[test]
fn the_help_tells_the_defaults() {
    let config = config(&["--amqp-url", "amqp://h"], "").unwrap();
    let effective = settings(&["--amqp-url", "amqp://h"], "").unwrap().effective(&config);
    let effective: toml::Table = toml::from_str(&effective).unwrap();
    let command = Program::command();
    let mut checked = 0;
    for argument in command.get_arguments() {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let Some((_, default)) = help.split_once("[default: ") else { continue };
        let default = default.trim_end_matches(']');
        let name = argument.get_id().as_str();
        if name == "shards" || name == "algorithms" || default == "no limit" {
            continue;
        }
        let found = effective[name].as_str().map_or_else(|| effective[name].to_string(), str::to_owned);
        assert_eq!(default, found, "{name}");
        checked += 1;
    }
    assert!(checked > 10, "{checked}");
}

/// Development mode generates a missing secret, a new one each time, and is never on by default.
#[test]
fn development_needs_no_secret() {
    let check = |flags: &[&str], file: &str| settings(flags, file).unwrap().check();
    let (one, other) = (check(&["--dev"], "").unwrap(), check(&[], "dev = true").unwrap());
    assert!(one.dev && other.dev && one.page);
    let request = crate::auth::TokenRequest {
        user_id: "u".to_owned(),
        email: "e".to_owned(),
        role: protocol::Role::Admin,
        lifetime_s: 9,
    };
    let token = crate::auth::mint(&one.verification, &request, 0).unwrap();
    assert!(one.verification.verify(&token, 0).is_ok() && other.verification.verify(&token, 0).is_err());
    for (flags, file) in [(&["--dev=false"][..], "dev = true"), (&[], "dev = false"), (&[], "")] {
        assert!(matches!(check(flags, file), Err(ConfigError::NoKey)), "{flags:?} {file}");
    }
    let known = settings(&["--dev"], "").unwrap().with_known_secrets();
    assert!(matches!(known.check(), Err(ConfigError::NoKey)), "no gateway would accept such a token");
    assert!(!config(&["--no-page"], "").unwrap().page && !config(&[], "no_page = true").unwrap().page);
}

/// A configuration can be logged and printed without its secrets (AUTH-8), and what is printed can be read again.
#[test]
fn secrets_are_not_shown() {
    let file = "amqp_url = \"amqp://guest:hush@h/%2f\"\njwt_secret_previous = \"hush\"\nsentry_dsn = \"https://hush@h/1\"\n\
                [[key]]\nkid = \"k\"\nsecret = \"hush\"";
    let settings = settings(&["--jwt-secret", "hush"], file).unwrap();
    let config = settings.check().unwrap();
    let printed = settings.effective(&config);
    for shown in [format!("{config:?}"), printed.clone()] {
        assert!(!shown.contains("hush"), "{shown}");
    }
    assert!(printed.contains("amqp://guest:***@h/%2f"), "{printed}");
    // A printed configuration cannot be used until its secrets are filled in.
    let again = Settings::parse(Path::new("printed"), &printed).unwrap();
    assert!(again.check().unwrap_err().to_string().contains("fill the secret in"));
    for broken in
        ["jwt_secrt = \"hush\"", "jwt_secret = \"hush", "amqp_url = amqp://u:hush@h", "shards = \"hush\""]
    {
        let error = Settings::parse(Path::new("t"), &format!("\n{broken}")).unwrap_err().to_string();
        assert!(!error.contains("hush") && error.contains("line 2, column"), "{error}");
    }
}
