//! The requests that are tried, in an order in which each of them can be answered.

use serde_json::Value;

/// A request after `configure`.
pub(super) struct Request {
    pub(super) op: &'static str,
    /// Whether nothing can be judged without it.
    pub(super) needed: bool,
    fields: &'static str,
}

impl Request {
    pub(super) fn fields(&self) -> Value {
        serde_json::from_str(self.fields).expect("a test reads them all")
    }
}

const fn needed(op: &'static str, fields: &'static str) -> Request {
    Request { op, needed: true, fields }
}

const fn optional(op: &'static str, fields: &'static str) -> Request {
    Request { op, needed: false, fields }
}

/// Mounting comes last: from then on the connection is the consumers'.
pub(super) static REQUESTS: [Request; 17] = [
    needed("on", r#"{"name":"connected","listener":"check"}"#),
    needed("connect", "{}"),
    optional("send", r#"{"message":{"type":"note","payload":{"tried":true}}}"#),
    optional("subscribe", r#"{"target":{"eventType":"catalog:changed"}}"#),
    optional("unsubscribe", r#"{"target":{"eventType":"catalog:changed"}}"#),
    optional("off", r#"{"name":"connected","listener":"check"}"#),
    optional("config", "{}"),
    optional("set_token", r#"{"token":"another-token"}"#),
    optional("token", r#"{"token":"nobody-asked"}"#),
    optional("set_user", r#"{"user":{"id":"u-1","email":"ada@example.com","name":"Ada"}}"#),
    optional("observe", r#"{"key":["catalog"]}"#),
    optional("set_query", r#"{"key":["catalog"],"value":[]}"#),
    optional("get_query", r#"{"key":["catalog"]}"#),
    optional("disconnect", "{}"),
    optional("mount", r#"{"name":"check","hook":{"kind":"status"}}"#),
    optional("read", r#"{"name":"check"}"#),
    optional("unmount", r#"{"name":"check"}"#),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Every request is an object.
    #[test]
    fn requests_are_objects() {
        assert!(REQUESTS.iter().all(|request| request.fields().is_object()));
    }
}
