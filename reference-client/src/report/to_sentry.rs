//! Reports to Sentry.

use sentry::protocol::User;
use sentry::{Hub, Level};

use super::ErrorReport;

/// Sends a report to the current hub's project, as the error of the user who was signed in (OBS-1). To be given to
/// [`Client::on_report`](crate::Client::on_report); the application calls `sentry::init` itself.
pub fn to_sentry(report: &ErrorReport) {
    let user = report.user.clone().map(|user| User {
        id: Some(user.id),
        email: user.email,
        username: user.name,
        ..User::default()
    });
    let hub = Hub::current();
    hub.with_scope(
        |scope| scope.set_user(user),
        || {
            hub.capture_message(&report.message, Level::Error);
        },
    );
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report;

    /// A report arrives with its user; a report without a user has none, whichever user was signed in before.
    #[test]
    fn reports_carry_the_user() {
        let user = report::User {
            id: "u7".to_owned(),
            email: Some("u7@example.org".to_owned()),
            name: Some("Ada".to_owned()),
        };
        let events = sentry::test::with_captured_events(|| {
            to_sentry(&ErrorReport { message: "broken for one".to_owned(), user: Some(user) });
            to_sentry(&ErrorReport { message: "broken without a user".to_owned(), user: None });
        });
        let received: Vec<_> = events
            .into_iter()
            .map(|event| {
                (event.message, event.user.map(|user| (user.id, user.email, user.username)), event.level)
            })
            .collect();
        let ada = ("u7", "u7@example.org", "Ada");
        let ada = (Some(ada.0.to_owned()), Some(ada.1.to_owned()), Some(ada.2.to_owned()));
        assert_eq!(received[0], (Some("broken for one".to_owned()), Some(ada), Level::Error));
        assert_eq!(received[1], (Some("broken without a user".to_owned()), None, Level::Error));
    }
}
