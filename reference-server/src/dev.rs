//! Development mode: a token on request, and events published by hand. Never for production.

mod publisher;

use protocol::{Role, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::auth::{MintError, TokenRequest, can_mint, mint};
use crate::config::Config;

pub(crate) use publisher::PublishError;

/// How long a token is good.
const LIFETIME_S: u64 = 3600;
/// Longest user id; it travels in a request's head.
const MAX_USER_ID_BYTES: usize = 128;
/// Longest event type, since it is also the routing key (AMQP 0-9-1, `shortstr`).
const MAX_TYPE_BYTES: usize = 255;

/// Why a developer does not get what was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DevError {
    /// The request is not as it must be.
    #[error("{0}")]
    Shape(String),
    /// No tokens here.
    #[error(transparent)]
    Mint(#[from] MintError),
    /// No events here.
    #[error("no broker is configured")]
    NoBroker,
    /// The broker did not take the event.
    #[error(transparent)]
    Publish(#[from] PublishError),
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct TokenOrder {
    user_id: String,
    role: Role,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct EventOrder {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    data: Option<Box<RawValue>>,
}

/// What there is, for the page to know: `{"path":"/ws","token":true,"publish":true}`.
pub(crate) fn offer(config: &Config) -> Value {
    json!({
        "path": config.path,
        "token": can_mint(&config.verification),
        "publish": config.rabbitmq.is_some(),
    })
}

/// `{"userId":…,"role":…}` makes `{"token":…}`, good for an hour from `now`.
///
/// # Errors
/// When the request is not such an object, or there is no secret to sign with.
pub(crate) fn token(config: &Config, body: &[u8], now: Timestamp) -> Result<Value, DevError> {
    let TokenOrder { user_id, role } = read(body, r#"{"userId":"ada","role":"ADMIN"}"#)?;
    if user_id.is_empty() || user_id.len() > MAX_USER_ID_BYTES {
        return Err(DevError::Shape(format!("a `userId` has 1 to {MAX_USER_ID_BYTES} bytes")));
    }
    let email = format!("{user_id}@example.org");
    let request = TokenRequest { user_id, email, role, lifetime_s: LIFETIME_S };
    let unix_s = u64::try_from(now.unix_ms() / 1000).unwrap_or_default();
    Ok(json!({ "token": mint(&config.verification, &request, unix_s)? }))
}

/// `{"type":…,"data":…}` is published as an event of `now`; answers with the routing key that it had.
///
/// # Errors
/// When the request is not such an object, there is no broker, or the broker does not accept the event.
pub(crate) async fn publish(config: &Config, body: &[u8], now: Timestamp) -> Result<Value, DevError> {
    let EventOrder { kind, data } = read(body, r#"{"type":"catalog:changed","data":{}}"#)?;
    if kind.is_empty() || kind.len() > MAX_TYPE_BYTES {
        return Err(DevError::Shape(format!("a `type` has 1 to {MAX_TYPE_BYTES} bytes")));
    }
    let broker = config.rabbitmq.as_ref().ok_or(DevError::NoBroker)?;
    let routing_key = kind.replace(':', ".");
    publisher::publish(broker, &routing_key, &event_body(&kind, data.as_deref(), now)).await?;
    Ok(json!({ "type": kind, "routingKey": routing_key }))
}

/// The body of an event. Its data is passed on as it was written, numbers that no machine holds among it.
fn event_body(kind: &str, data: Option<&RawValue>, now: Timestamp) -> Vec<u8> {
    #[derive(Serialize)]
    struct Body<'a> {
        r#type: &'a str,
        data: Option<&'a RawValue>,
        timestamp: String,
    }
    let body = Body { r#type: kind, data, timestamp: now.to_string() };
    serde_json::to_vec(&body).expect("texts and JSON are JSON")
}

fn read<'a, T: Deserialize<'a>>(body: &'a [u8], example: &str) -> Result<T, DevError> {
    // serde would also read a struct from an array of its fields.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(DevError::Shape(format!("write a JSON object, such as {example}")));
    }
    serde_json::from_slice(body).map_err(|error| DevError::Shape(format!("{error}; write {example}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::{Algorithm, Key};

    const NOW: u64 = 1_800_000_000;

    fn now() -> Timestamp {
        Timestamp::from_unix_ms(i64::try_from(NOW * 1000).unwrap())
    }

    /// Data is passed on as it was written, however large its numbers and deep its nesting.
    #[test]
    fn odd_data_is_passed_on() {
        for data in ["1e400".to_owned(), format!("{}{}", "[".repeat(200), "]".repeat(200))] {
            let body = format!(r#"{{"type":"a:b","data":{data}}}"#);
            let EventOrder { kind, data: read } = read(body.as_bytes(), "").unwrap();
            let event = reference_gateway::Event::parse(&event_body(&kind, read.as_deref(), now())).unwrap();
            assert_eq!(event.data.get(), data);
        }
    }

    /// The token signs its user in for an hour, and not longer.
    #[test]
    fn a_token_is_good_for_an_hour() {
        let config = Config::with_secret("s");
        let answer = token(&config, br#"{"userId":"ada","role":"ADMIN"}"#, now()).unwrap();
        let token = answer["token"].as_str().unwrap();
        let claims = config.verification.verify(token, NOW + LIFETIME_S - 1).unwrap();
        assert_eq!((claims.user_id.as_str(), claims.role), ("ada", Role::Admin));
        assert!(config.verification.verify(token, NOW + LIFETIME_S).is_err());
    }

    /// A gateway that has public keys only offers no tokens, and one without a broker no publishing.
    #[tokio::test]
    async fn what_is_not_there_is_not_offered() {
        let mut config = Config::with_secret("s");
        assert_eq!(offer(&config), json!({ "path": "/ws", "token": true, "publish": false }));
        let event = publish(&config, br#"{"type":"a:b"}"#, now()).await;
        assert!(matches!(event, Err(DevError::NoBroker)), "{event:?}");
        config.verification.keys =
            vec![Key::public(None, include_bytes!("auth/tests/ed25519.pub.pem")).unwrap()];
        config.verification.algorithms = [Algorithm::EdDsa].into();
        assert_eq!(offer(&config)["token"], json!(false));
        let token = token(&config, br#"{"userId":"ada","role":"ADMIN"}"#, now());
        assert!(matches!(token, Err(DevError::Mint(_))), "{token:?}");
    }

    /// A malformed request is answered with the expected shape.
    #[tokio::test]
    async fn shapes_are_checked() {
        let config = Config::with_secret("s");
        let long = format!(r#"{{"userId":"{}","role":"ADMIN"}}"#, "x".repeat(MAX_USER_ID_BYTES + 1));
        for body in
            ["", "[]", r#"["ada","ADMIN"]"#, r#"{"userId":"ada"}"#, r#"{"userId":"ada","role":"KING"}"#]
                .into_iter()
                .chain([r#"{"userId":"","role":"ADMIN"}"#, &long])
        {
            let made = token(&config, body.as_bytes(), now());
            assert!(matches!(made, Err(DevError::Shape(_))), "{body}: {made:?}");
        }
        let long = format!(r#"{{"type":"{}"}}"#, "x".repeat(MAX_TYPE_BYTES + 1));
        for body in ["{", "null", r#"{"data":1}"#, r#"{"type":""}"#, r#"{"type":1}"#, &long] {
            let sent = publish(&config, body.as_bytes(), now()).await;
            assert!(matches!(sent, Err(DevError::Shape(_))), "{body}: {sent:?}");
        }
    }
}
