//! Error reports: what went wrong, and who was signed in when it did (OBS-1).
//!
//! A client reports a listener that failed, a refused token, and attempts that are exhausted. Where the reports go is the
//! application's choice: [`Client::on_report`](crate::Client::on_report) hands them to a callback; with the feature `sentry`,
//! `report::sentry` sends them there.

use std::sync::{Mutex, PoisonError};

use protocol::ErrorCode;
use serde::{Deserialize, Serialize};
use serde_json::Value;

#[cfg(feature = "sentry")]
mod to_sentry;
#[cfg(feature = "sentry")]
pub use to_sentry::to_sentry;

/// Who is signed in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct User {
    /// The user's id.
    pub id: String,
    /// Their e-mail address, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Their name, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What went wrong. It never holds a token (TOKEN-3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ErrorReport {
    /// What.
    pub message: String,
    /// Who was signed in.
    pub user: Option<User>,
}

type Sink = Box<dyn FnMut(&ErrorReport) + Send>;

/// The user of now, and where reports go.
#[derive(Default)]
pub(crate) struct Reports {
    user: Mutex<Option<User>>,
    sinks: Mutex<Vec<Sink>>,
}

impl Reports {
    pub(crate) fn set_user(&self, user: Option<User>) {
        *self.user.lock().unwrap_or_else(PoisonError::into_inner) = user;
    }

    pub(crate) fn add(&self, sink: impl FnMut(&ErrorReport) + Send + 'static) {
        self.sinks.lock().unwrap_or_else(PoisonError::into_inner).push(Box::new(sink));
    }

    pub(crate) fn report(&self, message: String) {
        let user = self.user.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let report = ErrorReport { message, user };
        let mut sinks = self.sinks.lock().unwrap_or_else(PoisonError::into_inner);
        sinks.iter_mut().for_each(|sink| sink(&report));
    }

    /// Reports an event of the client's own that is an error.
    pub(crate) fn event(&self, name: &str, payload: &Value) {
        match name {
            "max_reconnect_attempts" => {
                self.report(format!("gave up after {} attempts to reconnect", payload["attempts"]));
            }
            "error" if payload["code"] == ErrorCode::Unauthorized.as_str() => {
                self.report("the gateway refused the token".to_owned());
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use super::*;
    use serde_json::json;

    fn user(id: &str) -> User {
        User { id: id.to_owned(), email: Some(format!("{id}@example.org")), name: None }
    }

    /// OBS-1: a report carries the user signed in at that moment, and no user after sign-out.
    #[test]
    fn reports_carry_the_user_of_the_moment() {
        let reports = Arc::new(Reports::default());
        let (sender, received) = mpsc::channel();
        reports.add(move |report| sender.send(report.clone()).expect("the test listens"));
        reports.report("early".to_owned());
        reports.set_user(Some(user("u1")));
        reports.event("error", &json!({ "code": "unauthorized" }));
        reports.event("error", &json!({ "code": "bad_room" }));
        reports.event("payment:created", &json!({}));
        reports.set_user(None);
        reports.event("max_reconnect_attempts", &json!({ "attempts": 10 }));
        let expected = [
            ("early", None),
            ("the gateway refused the token", Some(user("u1"))),
            ("gave up after 10 attempts to reconnect", None),
        ];
        let expected = expected.map(|(message, user)| ErrorReport { message: message.to_owned(), user });
        assert_eq!(received.try_iter().collect::<Vec<_>>(), expected);
    }
}
