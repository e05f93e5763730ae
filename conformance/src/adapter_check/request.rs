//! The requests that are tried, in an order in which each of them can be answered.

use protocol::Target;
use protocol::adapter::{Hook, Message, Operation, Reaction, User};
use serde_json::json;

/// A request after `configure`.
pub(super) struct Trial {
    pub(super) operation: Operation,
    /// Whether nothing can be judged without it.
    pub(super) needed: bool,
}

fn needed(operation: Operation) -> Trial {
    Trial { operation, needed: true }
}

fn optional(operation: Operation) -> Trial {
    Trial { operation, needed: false }
}

/// Mounting comes last: from then on the connection is the consumers'.
pub(super) fn trials() -> [Trial; 19] {
    let text = str::to_owned;
    let (event, listener) = (text("connected"), text("check"));
    let target = Target::EventType(text("catalog:changed"));
    let user = User { id: text("u-1"), email: text("ada@example.com"), name: text("Ada") };
    let key = vec![json!("catalog")];
    let consumer = text("check");
    [
        needed(Operation::On { name: event.clone(), listener: listener.clone(), fails: false }),
        needed(Operation::Connect),
        optional(Operation::Send {
            message: Message { kind: text("note"), payload: json!({ "tried": true }) },
        }),
        optional(Operation::Subscribe { target: target.clone() }),
        optional(Operation::Unsubscribe { target }),
        optional(Operation::Off { name: event.clone(), listener: listener.clone() }),
        optional(Operation::React { name: event, listener, act: Reaction::Disconnect }),
        optional(Operation::Config),
        optional(Operation::SetToken { token: Some(text("another-token")) }),
        optional(Operation::Token { token: text("nobody-asked") }),
        optional(Operation::FailToken { error: text("nobody-asked") }),
        optional(Operation::SetUser { user: Some(user) }),
        optional(Operation::Observe { key: key.clone() }),
        optional(Operation::SetQuery { key: key.clone(), value: json!([]) }),
        optional(Operation::GetQuery { key }),
        optional(Operation::Disconnect),
        optional(Operation::Mount { name: consumer.clone(), hook: Hook::Status }),
        optional(Operation::Read { name: consumer.clone() }),
        optional(Operation::Unmount { name: consumer }),
    ]
}
