//! What is mounted under the provider.

use protocol::adapter::{Hook, Report, ReportEvent};
use serde_json::{Value, json};

use super::exchange::Lines;
use crate::Status;
use crate::client::{ListenerId, SendError};
use crate::hooks::{
    DashboardUpdates, PaymentUpdates, ProfileUpdates, RealTimeQueryUpdate, RealTimeUpdates, Subscription,
};
use crate::net::WallClock;
use crate::provider::Provider;
use crate::query::{QueryClient, QueryKey};

/// A mounted hook; dropping it unmounts it.
pub(super) enum Consumer {
    Status(StatusConsumer),
    Dashboard(DashboardUpdates),
    /// One that shows nothing of its own.
    Silent {
        _hook: Box<dyn Send + Sync>,
    },
}

/// Reports every status.
pub(super) struct StatusConsumer {
    provider: Provider,
    observer: ListenerId,
}

impl Consumer {
    pub(super) async fn mount(
        hook: Hook,
        name: &str,
        provider: Provider,
        queries: &QueryClient,
        wall: WallClock,
        lines: &Lines,
    ) -> Result<Self, SendError> {
        Ok(match hook {
            Hook::Status => Self::Status(StatusConsumer::mount(name, provider, lines)),
            Hook::Subscription { event_type } => {
                let callback = reporter(&event_type, name, lines);
                Self::silent(Subscription::mount(&provider, &event_type, callback).await?)
            }
            Hook::RealTimeUpdates { event_type, query_keys } => {
                let keys = query_keys.into_iter().map(QueryKey::from).collect();
                let callback = reporter(&event_type, name, lines);
                Self::silent(RealTimeUpdates::mount(&provider, queries, &event_type, keys, callback).await?)
            }
            Hook::RealTimeQueryUpdate { event_type, query_key } => {
                let key = QueryKey::from(query_key);
                Self::silent(
                    RealTimeQueryUpdate::mount(&provider, queries, &event_type, key, appended).await?,
                )
            }
            Hook::PaymentUpdates => Self::silent(PaymentUpdates::mount(&provider, queries).await?),
            Hook::DashboardUpdates => Self::Dashboard(DashboardUpdates::mount(&provider, wall).await?),
            Hook::ProfileUpdates => Self::silent(ProfileUpdates::mount(&provider, queries).await?),
        })
    }

    /// What it shows now, where it shows something.
    pub(super) fn shown(&self) -> Option<Value> {
        match self {
            Self::Status(consumer) => Some(json!(consumer.provider.status().as_str())),
            Self::Dashboard(dashboard) => {
                let activities = dashboard.recent().into_iter();
                Some(
                    activities
                        .map(|activity| json!({ "type": activity.kind, "data": activity.data }))
                        .collect(),
                )
            }
            Self::Silent { .. } => None,
        }
    }

    fn silent(hook: impl Send + Sync + 'static) -> Self {
        Self::Silent { _hook: Box::new(hook) }
    }
}

impl StatusConsumer {
    /// The adapter runs on one thread, so that no status falls between the first report and the second.
    fn mount(name: &str, provider: Provider, lines: &Lines) -> Self {
        let (lines, consumer) = (lines.clone(), name.to_owned());
        let report = move |old, new| {
            lines.report(Report { consumer: Some(consumer.clone()), event: status(old, new) });
        };
        report(provider.status(), provider.status());
        let observer = provider.client().on_status(report);
        Self { provider, observer }
    }
}

impl Drop for StatusConsumer {
    fn drop(&mut self) {
        self.provider.client().off(self.observer);
    }
}

/// A change of a status.
pub(super) fn status(old: Status, new: Status) -> ReportEvent {
    ReportEvent::Status { old: Some(old.to_string()), status: new.to_string() }
}

/// A call of a listener.
pub(super) fn emit(name: &str, payload: &Value, listener: &str) -> ReportEvent {
    ReportEvent::Emit {
        name: name.to_owned(),
        payload: Some(payload.clone()),
        listener: Some(listener.to_owned()),
    }
}

/// A callback that reports its calls.
fn reporter(event: &str, listener: &str, lines: &Lines) -> impl FnMut(&Value) + Send + Sync + 'static {
    let (lines, event, listener) = (lines.clone(), event.to_owned(), listener.to_owned());
    move |payload| {
        lines.report(emit(&event, payload, &listener));
    }
}

/// The updater that every adapter has: the payload is appended to the old value, treated as an array.
fn appended(old: Option<&Value>, payload: &Value) -> Value {
    let mut values = old.and_then(Value::as_array).cloned().unwrap_or_default();
    values.push(payload.clone());
    Value::Array(values)
}
