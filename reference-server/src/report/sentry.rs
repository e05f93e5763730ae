//! Reports to Sentry.

use protocol::Claims;
use sentry::integrations::tracing::{BreadcrumbLayer, ErrorLayer};
use sentry::protocol::User;
use sentry::types::Dsn;
use sentry::{ClientInitGuard, ClientOptions, Hub, SentryFuture, SentryFutureExt};
use tracing::{Level, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::filter::{LevelFilter, filter_fn};
use tracing_subscriber::registry::LookupSpan;

use super::ReportError;

/// Errors are reported while it lives; pending reports are sent on drop.
pub struct Reporting {
    _guard: Option<ClientInitGuard>,
}

impl Reporting {
    /// Starts to report to the project of this DSN, where there is one.
    ///
    /// # Errors
    /// When it is not a valid DSN.
    pub fn start(dsn: Option<&str>) -> Result<Self, ReportError> {
        let Some(dsn) = dsn else { return Ok(Self { _guard: None }) };
        let dsn: Dsn = dsn.parse().map_err(|_| ReportError::Dsn)?;
        // The user is named on purpose; addresses and headers are not collected.
        let options = ClientOptions::new().dsn(&dsn.to_string()).maybe_release(sentry::release_name!());
        let options = options.send_default_pii(false);
        Ok(Self { _guard: Some(sentry::init(options)) })
    }
}

/// Errors become reports, warnings their prelude. No line holds a token (AUTH-8), so no report does.
pub(crate) fn layer<S: Subscriber + for<'a> LookupSpan<'a>>() -> impl Layer<S> {
    let prelude = filter_fn(|metadata| matches!(*metadata.level(), Level::WARN | Level::INFO));
    BreadcrumbLayer::new().with_filter(prelude).and_then(ErrorLayer::new().with_filter(LevelFilter::ERROR))
}

/// Errors inside the future are reported with this user.
pub(crate) fn for_user<F: Future>(claims: &Claims, future: F) -> SentryFuture<F> {
    let hub = Hub::new_from_top(Hub::current());
    hub.configure_scope(|scope| {
        scope.set_user(Some(User {
            id: Some(claims.user_id.to_string()),
            email: Some(claims.email.clone()),
            ..User::default()
        }));
    });
    future.bind_hub(hub)
}

#[cfg(test)]
mod tests {
    use super::*;
    use protocol::{Role, UserId};
    use tracing_subscriber::layer::SubscriberExt;

    /// An error in a user's span is reported with the user, any other without one; warnings are not reported.
    #[test]
    fn reports_carry_the_user() {
        let claims = Claims {
            user_id: UserId::new("u7"),
            email: "u7@example.org".to_owned(),
            role: Role::Customer,
            expires_at: 1,
            not_before: None,
        };
        let subscriber = tracing_subscriber::registry().with(layer());
        let events = sentry::test::with_captured_events(|| {
            let _default = tracing::subscriber::set_default(subscriber);
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(for_user(&claims, async { tracing::error!("broken for one") }));
            runtime.block_on(async {
                tracing::warn!("nothing to report");
                tracing::error!("broken for all");
            });
        });
        let summary = |event: &sentry::protocol::Event<'static>| {
            let user = event.user.clone().map(|user| (user.id, user.email));
            (event.message.clone().unwrap_or_default(), user)
        };
        let user = (Some("u7".to_owned()), Some("u7@example.org".to_owned()));
        let expected = [("broken for one".to_owned(), Some(user)), ("broken for all".to_owned(), None)];
        assert_eq!(events.iter().map(summary).collect::<Vec<_>>(), expected);
    }

    /// The error for an invalid DSN does not repeat the DSN.
    #[test]
    fn a_bad_dsn_is_refused() {
        assert_eq!(Reporting::start(Some("hush")).err(), Some(ReportError::Dsn));
        assert!(Reporting::start(None).is_ok());
    }
}
